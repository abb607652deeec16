"""The clock of the night: processes with NIGHT_CLOCK in their environment read that file for what to add to it.

The platform's plan is then the one that NIGHT_PLAN names. With NIGHT_AHEAD_S a process is that much further ahead than
the others. Python runs this before every program. Google's libraries go on with the machine's clock.
"""

import os
from pathlib import Path

import nba_props
from phasegate import system

FILE, AHEAD_S = os.environ.get("NIGHT_CLOCK", ""), float(os.environ.get("NIGHT_AHEAD_S") or 0)


class NightClock(system.SystemClock):
    """The machine's clock, moved."""

    def now(self) -> float:
        """Return epoch seconds."""
        return super().now() + float(Path(FILE).read_text()) + AHEAD_S


if FILE:
    system.SystemClock = NightClock  # type: ignore[misc]
    nba_props.PLATFORM_PLAN = Path(os.environ["NIGHT_PLAN"])
