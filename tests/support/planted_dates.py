"""Real dates in SQLite and DuckDB, copied for each test, with faults planted behind everybody's back."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date
from functools import cache, partial
from pathlib import Path
from typing import Any

import duckdb

from nba_props import PLAN
from nba_props.calendar import days
from nba_props.replay.runner import Runner
from nba_props.sources.parquet import ParquetSource
from phasegate import Pipeline, Plan, connect, load_plan
from phasegate.base.findings import CheckResult, listed
from phasegate.check.reconciler import Fixed
from tests.support.commands import StillClock

FIRST, LAST = "2025-01-01", "2025-01-03"
DAY = "2025-01-02"
RUN = f"{DAY}.overnight"
SUMMARY, CACHE, FEATURES = "player_game_summary", "player_daily_cache", "ml_feature_store_v2"
GAMEBOOK, SCHEDULE = "nbac_gamebook_player_stats", "nbac_schedule"
CHANGED = 3
PRECOMPUTE = (
    "player_daily_cache", "player_shot_zone_analysis", "team_defense_zone_analysis", "player_composite_factors",
    "ml_feature_store_v2",
)  # fmt: skip
MIRROR = "mirror:nba:phase3_completion"
# One game of the schedule has one home team and one away team.
IDENTITY = '[step.nbac_schedule]\nidentity = ["home_team_abbr", "away_team_abbr"]\n'


@cache
def plan() -> Plan:
    """Return the reference plan with the platform's old document, the identity of a game, and no cascade by itself."""
    text = PLAN.read_text()
    text = text.replace('after = "raw"\n', 'after = "raw"\nmirror = "phase3_completion/{game_date}"\n', 1)
    text = text.replace("[step.nbac_schedule]\n", IDENTITY, 1).replace("cascade_days = 2", "cascade_days = 0")
    return load_plan(text, files=lambda name: (PLAN.parent / name).read_text())


def play(source: ParquetSource, folder: Path) -> float:
    """Play the dates; return when all was an hour old."""
    runner = Runner(source, state=folder, plan=plan())
    runner.run(date.fromisoformat(FIRST), date.fromisoformat(LAST))
    found = listed(runner.pipeline.checks.inspector.inspect(FIRST, LAST))
    assert found == [], [f.text for f in found]
    at = runner.clock.now() + 3600.0
    runner.close()
    return at


def codes(outcomes: tuple[CheckResult, ...]) -> set[str]:
    return {finding.code for finding in listed(outcomes)}


class State:
    """A copy of what was played, an hour later."""

    def __init__(self, folder: Path, source: ParquetSource, at: float) -> None:
        self.folder, self.source, self.clock = folder, source, StillClock()
        self.clock.at = at

    @classmethod
    def copied(cls, played: Path, folder: Path, source: ParquetSource, at: float) -> "State":
        shutil.copytree(played, folder)
        return cls(folder, source, at)

    @contextmanager
    def pipeline(self) -> Iterator[Pipeline]:
        dates = partial(days, self.source)
        with closing(connect(plan(), state=self.folder, clock=self.clock, dates=dates, log_level="none")) as opened:
            yield opened

    def inspect(self, first: str = FIRST, last: str = LAST) -> tuple[CheckResult, ...]:
        with self.pipeline() as pipeline:
            return pipeline.checks.inspector.inspect(first, last)

    def fix(self) -> Fixed:
        with self.pipeline() as pipeline:
            outcomes = pipeline.checks.inspector.inspect(FIRST, LAST)
            return pipeline.checks.reconciler.fix(outcomes, first=FIRST, last=LAST, work=pipeline.work_until_idle)

    def everything(self) -> tuple[object, ...]:
        """Return every document as it is stored, and the bytes of every table's file."""
        with closing(sqlite3.connect(self.folder / "phasegate.db")) as db:
            documents = db.execute("SELECT * FROM documents ORDER BY 1").fetchall()
        return documents, (self.folder / "warehouse.duckdb").read_bytes()

    def digests(self) -> dict[str, object]:
        with self.pipeline() as pipeline:
            return dict(pipeline.tables())

    def sql(self, text: str) -> None:
        with closing(duckdb.connect(str(self.folder / "warehouse.duckdb"))) as db:
            db.execute(text)

    def document(self, key: str) -> dict[str, Any]:
        with closing(sqlite3.connect(self.folder / "phasegate.db")) as db:
            return json.loads(db.execute("SELECT body FROM documents WHERE key = ?", (key,)).fetchone()[0])  # type: ignore[no-any-return]

    def rewrite(self, key: str, change: Callable[[dict[str, Any]], object], *, due: float | None = None) -> None:
        """Change a stored document; nothing is due in it then, unless a time is given."""
        body = self.document(key)
        change(body)
        with closing(sqlite3.connect(self.folder / "phasegate.db")) as db, db:
            db.execute("UPDATE documents SET body = ?, due = ? WHERE key = ?", (json.dumps(body), due, key))

    def forget(self, pattern: str) -> None:
        """Remove documents whose key is like a pattern."""
        with closing(sqlite3.connect(self.folder / "phasegate.db")) as db, db:
            assert db.execute("DELETE FROM documents WHERE key LIKE ?", (pattern,)).rowcount, pattern

    def lose_precompute(self) -> None:
        """Lose the document of precompute's run."""
        self.forget(f"phase:nba:precompute:{RUN}")

    def empty_precompute(self) -> None:
        """Remove the rows of the date that precompute built, and their receipts."""
        with self.pipeline() as pipeline:
            tables = [pipeline.plan.steps[name].table for name in PRECOMPUTE]
        for table in tables:
            assert table is not None
            self.sql(f"DELETE FROM {table.name} WHERE {table.partition} = '{DAY}'")
            self.sql(f"DELETE FROM phasegate.receipts WHERE table_name = '{table.name}' AND partition = '{DAY}'")

    def change_gamebook(self, on: str) -> None:
        """Have the scraper of the box scores bring corrected points of a date, newer than those there."""
        with self.pipeline() as pipeline, pipeline.begin(f"{on}.overnight", step=GAMEBOOK) as run:
            table = f"nba_raw.{GAMEBOOK}"  # a delivery has whole games
            one = f"(SELECT min(game_id) FROM {table} WHERE game_date = '{on}')"
            rows = pipeline.query(f"SELECT * FROM {table} WHERE game_id = {one} ORDER BY player_lookup")
            newer = [{name: cell for name, cell in row.items() if not name.startswith("_pg_")} for row in rows]
            for number, row in enumerate(newer):
                row["points"] = int(str(row["points"])) + (number < CHANGED)
                row["source_updated_at"] = row["source_updated_at"].replace(year=2025, month=6, tzinfo=UTC)  # type: ignore[attr-defined]
            run.write(newer)
            run.complete()
