"""The reference pipeline of Phasegate: NBA analytics and precompute.

From scraped rows to a forecast's features. `plan.toml` is the plan, `sql/` its ten steps; `calendar` computes which
dates have games. `raw`, `raw_tables`, `names` and `teams` hold the rules for scraped rows, `sources/` returns them,
`own/` those of a user, `replay/` plays dates, `witness/` compares a second source, `demo/` plays the founding night,
`processor` is the platform's own API, and `processors` its five of phase 3, which `platform.toml` asks to build. Only
Phasegate's public names are used. Bad rows are never corrected: they are named, and left out of every table.
"""

from pathlib import Path

PLAN = Path(__file__).with_name("plan.toml")
"""The plan of the reference pipeline."""
PLATFORM_PLAN = Path(__file__).with_name("platform.toml")
"""The same pipeline as the NBA platform runs it: its own processors build phase 3."""
