# ruff: noqa: INP001, T201 - a script, which prints to its terminal
"""Gate an existing service: its scraper writes and reports.

The next phase begins once, on everything. Run it anywhere: ``python examples/gate_in_ten_lines.py``. Its state is in a
temporary folder.
"""

from contextlib import closing
from tempfile import mkdtemp

from phasegate import connect, load_plan

PLAN = """
pipeline = "nba"
timezone = "America/New_York"
phase.raw = {}
phase.analytics = { after = "raw" }
step.summary = { phase = "analytics", needs = ["raw.gamebook"], external = true }
[step.gamebook]
phase = "raw"
external = true
table = "raw.gamebook"
key = ["game_date", "player"]
partition = "game_date"
write = "replace"
columns = { game_date = "DATE", player = "VARCHAR", points = "INTEGER" }
"""
EARLY = [{"game_date": "2026-02-03", "player": "ann", "points": 21}]
LATE = [*EARLY, {"game_date": "2026-02-03", "player": "bob", "points": 34}]

with closing(connect(load_plan(PLAN), state=mkdtemp())) as pg:
    for batch in (EARLY, EARLY, LATE):
        with pg.begin("2026-02-03.daily", step="gamebook") as run:
            receipt = run.write(batch)
            answer = run.complete()
        pg.work_until_idle()
        print(f"rows {receipt.rows}, new {receipt.inserted}: generation {answer.generation}")
    (raw, analytics) = pg.views.why("2026-02-03.daily")
    print(f"analytics works on generation {analytics.inputs['raw']}: {analytics.reason}")
