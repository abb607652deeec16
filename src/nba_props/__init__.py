"""The reference pipeline of Phasegate: the NBA's analytics and precompute, from scraped rows to a forecast's features.

`plan.toml` is the plan, `sql/` its ten steps, `calendar` says which dates have games. `raw`, `raw_tables`, `names` and
`teams` say what must hold of scraped rows, `sources/` gives them, `replay/` plays dates, `witness/` compares a second
source, `demo/` plays the founding night, and `processor` is the platform's own API. Only Phasegate's public names are
used. Bad rows are never mended: what does not hold is named and left out of every table.
"""

from pathlib import Path

PLAN = Path(__file__).with_name("plan.toml")
"""The plan of the reference pipeline."""
