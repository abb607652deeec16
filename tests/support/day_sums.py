"""A plan with a table of rows from outside, and one of their sum by date."""

from pathlib import Path

from phasegate import Pipeline, connect, load_plan
from phasegate.base.keys import Run

DAY = "2026-02-03"
RUN = Run(DAY, "daily")
PLAN = """
pipeline = "nba"
timezone = "UTC"
[phase.raw]
[phase.an]
after = "raw"
[step.a]
phase = "raw"
external = true
table = "raw.a"
key = ["d", "k"]
partition = "d"
write = "replace"
columns = { d = "DATE", k = "INTEGER", v = "INTEGER" }
[step.t]
phase = "an"
needs = ["raw.a"]
sql = "t.sql"
table = "an.t"
key = ["d"]
partition = "d"
"""
SQL = "SELECT d, sum(v)::INTEGER AS s FROM raw.a WHERE d = CAST($run_date AS DATE) GROUP BY d"


def connected(folder: Path, *, state: str = "state", file: str = "w.duckdb") -> Pipeline:
    """Open a store of this name on the warehouse's file."""
    plan = load_plan(PLAN, files=lambda _: SQL)
    return connect(plan, state=folder / state, warehouse=f"duckdb:///{folder}/{file}", log_level="none")
