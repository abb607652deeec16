"""The scratch pipeline that faults are planted in."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from phasegate.base import keys
from phasegate.base.dates import local_time
from phasegate.base.disk import Disk
from phasegate.base.findings import CheckResult
from phasegate.base.keys import Run
from phasegate.pipeline import Pipeline
from phasegate.plan.load import load_plan
from phasegate.plan.model import Plan

# A window of the later date reaches back to the earlier one, too far for an automatic rebuild.
EARLIER, DATE = "2026-02-01", "2026-02-03"
RUN = f"{DATE}.daily"
MORNING, AFTERNOON, DAYS_LATER = "08:00", "14:01", 3
SQL = "SELECT day, sum(amount) AS amount FROM raw.rows WHERE day = $run_date GROUP BY day"
TREND = "SELECT CAST($run_date AS VARCHAR) AS day, sum(amount) AS amount FROM raw.rows"
PLAN = """
pipeline = "scratch"
timezone = "UTC"
calendar = "scratch:dates"
cascade_days = 1

[phase.load]
mirror = "loaded/{game_date}"
modes.daily = { expect = "*", critical = ["rows"], deadline = "12:00 +1d" }
[phase.report]
after = "load"

[step.rows]
phase = "load"
external = true
table = "raw.rows"
key = ["day", "id"]
identity = ["name"]
partition = "day"
write = "replace"
columns = { day = "VARCHAR", id = "INTEGER", name = "VARCHAR", amount = "INTEGER" }
expected_by = "10:00"

[step.totals]
phase = "report"
needs = ["load.rows"]
sql = "totals.sql"
table = "out.totals"
key = ["day"]
partition = "day"
covers = { step = "load.rows", on = ["day"] }

[step.trend]
phase = "report"
needs = ["load.rows", { step = "rows", back = "5d" }]
sql = "trend.sql"
table = "out.trend"
key = ["day"]
partition = "day"
"""
LOAD, REPORT = (keys.phase_key("scratch", name, run=Run(DATE, "daily")) for name in ("load", "report"))
Document = dict[str, Any]


class Scratch(Protocol):
    """A place for one throw-away pipeline.

    Its calendar's source has work on EARLIER and DATE.
    """

    @property
    def folder(self) -> Path:
        """Return the folder of its files."""
        ...

    def open(self, plan: Plan, /, *, at: float, disk: Disk | None = None) -> AbstractContextManager[Pipeline]:
        """Open the pipeline of this place at a given time, on a given disk."""
        ...

    def sql(self, text: str, /, *params: object) -> None:
        """Change the warehouse past Phasegate."""
        ...


class ScratchPipeline:
    """One scratch pipeline, with methods to run, damage and check it."""

    def __init__(self, place: Scratch) -> None:
        self.place = place
        self.plan = load_plan(PLAN, files={"totals.sql": SQL, "trend.sql": TREND}.__getitem__, name="self-test")

    @contextmanager
    def open(self, *, clock: str = MORNING, days: int = 0) -> Iterator[Pipeline]:
        """Open the pipeline at a time of day, ``days`` after DATE.

        Its calendar is then up to date.
        """
        with self.place.open(self.plan, at=_at(clock, days=days)) as pipeline:
            pipeline.sweep()
            yield pipeline

    def run_normally(self) -> "ScratchPipeline":
        """Load and report both dates in the morning, without a fault."""
        with self.open() as pipeline:
            for date in (EARLIER, DATE):
                load(pipeline, 1, 2, date=date)
                pipeline.work_until_idle()
        with self.open(days=1) as pipeline:
            pipeline.calendar.refresh(DATE[:7])  # an answer from before a date has ended may have changed
        return self

    def check(self, *, work: bool = False, disk: Disk | None = None) -> tuple[CheckResult, ...]:
        """Return the outcomes of the date's checks, DAYS_LATER.

        ``work``: workers run first.
        """
        with self.place.open(self.plan, at=_at(MORNING, days=DAYS_LATER), disk=disk) as pipeline:
            if work:
                pipeline.work_until_idle()
            return pipeline.checks.health.evaluate(DATE)

    def rewrite(
        self, key: str, change: Callable[[Document], object], *, days_due: int | None = None
    ) -> "ScratchPipeline":
        """Change a stored document; set it due ``days_due`` after DATE, or never."""
        with self.open() as pipeline:
            store = pipeline.ports.store
            doc = store.read(key)
            assert doc is not None, key
            body = json.loads(json.dumps(doc.body))
            change(body)
            due = None if days_due is None else _at(MORNING, days=days_due)
            store.write(key, body, due=due, expect=doc.version)
        return self

    def forget(self, *found: str) -> "ScratchPipeline":
        """Remove documents."""
        with self.open() as pipeline:
            for key in found:
                doc = pipeline.ports.store.read(key)
                assert doc is not None, key
                pipeline.ports.store.delete(key, expect=doc.version)
        return self


def _at(clock: str, *, days: int) -> float:
    return local_time(clock, DATE, timezone="UTC") + days * 86400.0


def load(pipeline: Pipeline, *amounts: int, date: str = DATE) -> None:
    """Write and report the rows of a date."""
    rows = [{"day": date, "id": n, "name": f"row {n}", "amount": amount} for n, amount in enumerate(amounts)]
    pipeline.runs.open("load", Run(date, "daily"))
    with pipeline.begin(f"{date}.daily", step="rows") as run:
        run.write(rows)
        run.complete()
