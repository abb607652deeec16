#!/usr/bin/env bash
# Check yesterday, by the name that the platform's crontabs know; it is `phasegate health`.
#
#   bin/monitoring/phase3_health_check.sh [--verbose]
#
# Plan and state are found as by `phasegate`: PHASEGATE_PLAN and PHASEGATE_STATE, else plan.toml and .phasegate.
set -euo pipefail
exec phasegate health "$@"
