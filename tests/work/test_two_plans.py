"""Processes with an older and a newer plan share one store, as in a rolling restart."""

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from phasegate import Busy, Pipeline, SkippingClock, connect
from phasegate.bus import Message

RUN = "2026-02-01.daily"
OLDER = """
pipeline = "nba"
timezone = "UTC"
phase.raw = {}
phase.analytics = { after = "raw" }

[step.points]
phase = "raw"
external = true

[step.total]
phase = "analytics"
needs = ["raw.points"]
sql = "total.sql"
table = "analytics.total"
key = ["day"]
partition = "day"
"""
NEWER = """
[step.odds]
phase = "raw"
external = true

[step.extra]
phase = "analytics"
needs = ["raw.points"]
sql = "extra.sql"
table = "analytics.extra"
key = ["day"]
partition = "day"
"""


class Upgrade:
    """One store, and the two plans."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, SkippingClock()
        for name, plan in (("older", OLDER), ("newer", OLDER + NEWER)):
            (folder / name).mkdir()
            (folder / name / "plan.toml").write_text(plan)
            for step in ("total", "extra"):
                (folder / name / f"{step}.sql").write_text("SELECT CAST($run_date AS DATE) AS day, 1 AS v")

    @contextmanager
    def by(self, plan: str) -> Iterator[Pipeline]:
        """Open the pipeline as a process with one of the plans does."""
        file, state = self.folder / plan / "plan.toml", self.folder / "state"
        with closing(connect(file, state=state, clock=self.clock, log_level="none")) as pipeline:
            yield pipeline

    def change_code(self) -> None:
        """Let the newer plan compute another value."""
        (self.folder / "newer" / "total.sql").write_text("SELECT CAST($run_date AS DATE) AS day, 2 AS v")

    def report(self, step: str, *, by: str) -> None:
        with self.by(by) as pipeline:
            pipeline.complete({"step": step, "run": RUN, "rows": 1, "execution_id": f"{step}-1", "sequence": 1})

    def begin_analytics(self) -> None:
        """Let a newer process bring the run to where its analytics are requested."""
        self.report("points", by="newer")
        self.report("odds", by="newer")
        with self.by("newer") as newer:
            newer.sweep()
            while "analytics" not in {view.phase for view in newer.views.phases()}:
                assert newer.work_one()

    def value(self) -> object:
        """Return what the table of totals holds."""
        with self.by("newer") as pipeline:
            [row] = pipeline.query("SELECT v FROM analytics.total")
            return row["v"]

    def work(self, plans: list[str]) -> None:
        """Let a process with each of these plans do one thing, one after the other."""
        for plan in plans:
            with self.by(plan) as pipeline:
                pipeline.sweep()
                pipeline.work_one()
                due = pipeline.next_due()
            if due is not None:
                self.clock.skip_to(min(due, self.clock.now() + 600))

    def members(self) -> dict[str, str]:
        with self.by("newer") as pipeline:
            assert pipeline.views.dead() == []
            return {one.name: one.state for view in pipeline.views.phases() for one in view.members}


@pytest.fixture
def upgrade(tmp_path: Path) -> Upgrade:
    return Upgrade(tmp_path)


@pytest.mark.parametrize("seed", range(3))
def test_what_an_older_process_takes_of_the_newer_plan_is_left_for_a_newer_one(upgrade: Upgrade, seed: int) -> None:
    upgrade.begin_analytics()
    rng = random.Random(seed)
    upgrade.work([*(rng.choice(["older", "older", "newer"]) for _ in range(12)), *["newer"] * 8])
    assert upgrade.members() == {"points": "fresh", "odds": "fresh", "total": "fresh", "extra": "fresh"}


def test_a_completion_that_an_older_process_takes_off_the_bus_is_kept_for_a_newer_one(upgrade: Upgrade) -> None:
    upgrade.report("points", by="newer")
    body = {"kind": "completion", "step": "odds", "date": "2026-02-01", "rows": 1, "sequence": 1, "execution_id": "o"}
    with upgrade.by("older") as older:
        older.ports.bus.publish(Message("m1", "nba.completions", body))
        assert older.work_one()
        with pytest.raises(Busy, match="'odds' by another plan than this process's; start this process with that plan"):
            older.complete({name: value for name, value in body.items() if name != "kind"})
    upgrade.work(["newer"] * 4)
    assert upgrade.members()["odds"] == "fresh"


def test_a_step_whose_code_a_newer_plan_changed_is_not_built_by_an_older_process(upgrade: Upgrade) -> None:
    upgrade.change_code()
    with upgrade.by("older") as older:
        upgrade.clock.skip_to(upgrade.clock.now() + 60)
        upgrade.begin_analytics()
        for _ in range(8):
            older.sweep()
            older.work_one()
        assert upgrade.members()["total"] == "asked"
    upgrade.work(["newer"] * 12)
    assert upgrade.value() == 2


def test_a_run_that_an_older_process_has_opened_is_built_by_a_newer_one(upgrade: Upgrade) -> None:
    upgrade.change_code()
    upgrade.report("points", by="older")
    upgrade.clock.skip_to(upgrade.clock.now() + 60)
    upgrade.work(["newer"] * 8)
    assert upgrade.value() == 2


def test_what_no_plan_and_no_run_has_is_quarantined_at_once(upgrade: Upgrade) -> None:
    upgrade.report("points", by="newer")
    body = {"kind": "completion", "step": "nobody", "date": "2026-02-01", "rows": 1, "sequence": 1}
    with upgrade.by("older") as older:
        older.ports.bus.publish(Message("m1", "nba.completions", body))
        older.work_one()
        [letter] = older.views.dead()
        assert letter.kind == "message"
