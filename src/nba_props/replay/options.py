"""What a replay may be asked for.

It stands apart from what plays one, so that `nba-props --help` imports none of that.
"""

from __future__ import annotations

MODE = "overnight"
MODES = ("tomorrow", "same_day", "overnight")
USUAL = ("same_day", "overnight")
FORM = "duplicate=3,reorder,late=0.2,crash=0.05,concurrent=2,seed=7"
