"""Proves that checks can fail: plants each fault in a scratch pipeline, and looks whether its check finds it.

A check that nobody has seen fail says nothing. Each proof has its control: the same pipeline without the fault must
not have the finding. It refuses to touch any pipeline but the scratch ones that it is given.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from phasegate.core.findings import Outcome, listed
from phasegate.core.keys import Run
from phasegate.core.plan import Plan, local_time
from phasegate.core.plan_toml import load_plan
from phasegate.core.vitals import Disk
from phasegate.service.pipeline import Pipeline

DATE = "2026-02-03"
RUN = f"{DATE}.daily"
EARLY, LATER, DAYS_LATER = "08:00", "14:01", 3
SQL = "SELECT day, sum(amount) AS amount FROM raw.rows WHERE day = $run_date GROUP BY day"
PLAN = """
pipeline = "scratch"
timezone = "UTC"

[phase.load]
modes.daily = { expect = "*", critical = ["rows"], deadline = "12:00 +1d" }
[phase.report]
after = "load"

[step.rows]
phase = "load"
external = true
table = "raw.rows"
key = ["day", "id"]
partition = "day"
write = "replace"
columns = { day = "VARCHAR", id = "INTEGER", amount = "INTEGER" }
expected_by = "10:00"

[step.totals]
phase = "report"
needs = ["load.rows"]
sql = "totals.sql"
table = "out.totals"
key = ["day"]
partition = "day"
"""


class Proof(NamedTuple):
    """What was planted, whether its check found it, and what it said."""

    code: str
    fault: str
    found: bool
    told: str


class Scratch(Protocol):
    """A place for one pipeline that is thrown away."""

    @property
    def folder(self) -> Path:
        """Where its files are."""
        ...

    def open(self, plan: Plan, /, *, at: float, disk: Disk | None = None) -> AbstractContextManager[Pipeline]:
        """Open the pipeline of this place at a time."""
        ...


Look = Callable[[Pipeline], tuple[Outcome, ...]]


def self_test(scratch: Callable[[], AbstractContextManager[Scratch]]) -> list[Proof]:
    """Return one proof for each fault; none is skipped, and one whose planting fails is not found."""
    plan = load_plan(PLAN, files={"totals.sql": SQL}.__getitem__, name="self-test")
    with scratch() as place:
        control = {finding.code for finding in listed(_healthy(place, plan))}
    proofs = []
    for code, fault, plant in _plants():
        with scratch() as place:
            findings = [finding for finding in listed(plant(place, plan)) if finding.code == code]
        told = findings[0].text if findings else "nothing"
        if code in control:
            told = f"found without the fault too: {told}"
        proofs.append(Proof(code, fault, bool(findings) and code not in control, told))
    return proofs


def _at(clock: str, *, days: int = 0) -> float:
    return local_time(clock, DATE, timezone="UTC") + days * 86400.0


def _load(pipeline: Pipeline, *amounts: int) -> None:
    with pipeline.begin(RUN, step="rows") as run:
        run.write([{"day": DATE, "id": number, "amount": amount} for number, amount in enumerate(amounts)])
        run.complete()
    pipeline.work_until_idle()


def _healthy(place: Scratch, plan: Plan) -> tuple[Outcome, ...]:
    with place.open(plan, at=_at(EARLY)) as pipeline:
        _load(pipeline, 1, 2)
    return _look(place, plan)


def _look(place: Scratch, plan: Plan, *, disk: Disk | None = None) -> tuple[Outcome, ...]:
    with place.open(plan, at=_at(EARLY, days=DAYS_LATER), disk=disk) as pipeline:
        pipeline.work_until_idle()
        return pipeline.health.evaluate(DATE)


def _plants() -> Iterator[tuple[str, str, Callable[[Scratch, Plan], tuple[Outcome, ...]]]]:
    yield "PG018", "the warehouse's file is damaged", _damaged
    yield "PG020", "rows that came 4 h 1 min after they were expected", _late
    yield "PG021", "a run that was opened, and whose rows never came", _never
    yield "PG022", "a phase that failed until its deadline had passed", _overdue
    yield "PG023", "documents from a clock that is a day ahead", _ahead
    yield "PG024", "a full disk", _full


def _damaged(place: Scratch, plan: Plan) -> tuple[Outcome, ...]:
    _healthy(place, plan)
    for file in place.folder.glob("*.duckdb"):
        file.write_bytes(b"this is no database" * 1_000)
    return _look(place, plan)


def _late(place: Scratch, plan: Plan) -> tuple[Outcome, ...]:
    with place.open(plan, at=_at(LATER)) as pipeline:
        _load(pipeline, 1)
    return _look(place, plan)


def _never(place: Scratch, plan: Plan) -> tuple[Outcome, ...]:
    with place.open(plan, at=_at(EARLY)) as pipeline:
        pipeline.gatekeeper.open("load", Run(DATE, "daily"))
    return _look(place, plan)


def _overdue(place: Scratch, plan: Plan) -> tuple[Outcome, ...]:
    with place.open(plan, at=_at(EARLY)) as pipeline, pipeline.begin(RUN, step="rows") as run:
        run.fail("the source is down")
    return _look(place, plan)


def _ahead(place: Scratch, plan: Plan) -> tuple[Outcome, ...]:
    with place.open(plan, at=_at(EARLY, days=DAYS_LATER + 1)) as pipeline:
        _load(pipeline, 1)
    return _look(place, plan)


def _full(place: Scratch, plan: Plan) -> tuple[Outcome, ...]:
    _healthy(place, plan)
    return _look(place, plan, disk=Disk(path=str(place.folder), free=0, total=10**12))
