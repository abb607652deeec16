#!/usr/bin/env bash
# Check yesterday: runs `phasegate health`, under the name that the platform's crontabs use.
#
#   bin/monitoring/phase3_health_check.sh [--verbose]
#
# Plan and state are found as by `phasegate`: PHASEGATE_PLAN and PHASEGATE_STATE, else plan.toml and .phasegate.
set -euo pipefail
exec phasegate health "$@"
