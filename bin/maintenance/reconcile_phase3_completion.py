#!/usr/bin/env python3
"""Compare and fix completion documents: runs `phasegate reconcile`.

It has the name that the platform's crontabs use.

    bin/maintenance/reconcile_phase3_completion.py --days 7 [--fix] [--verbose]

Plan and state are found as by `phasegate`: PHASEGATE_PLAN and PHASEGATE_STATE, else plan.toml and .phasegate.
"""

import os
import sys

os.execvp("phasegate", ["phasegate", "reconcile", *sys.argv[1:]])  # noqa: S606, S607  as a shell would: no shell, found on PATH
