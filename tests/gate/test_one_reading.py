"""The windows of a run are of one reading: its phases are rebuilt of newer windows in order, or none of them is."""

from collections.abc import Callable, Sequence
from typing import Literal

import pytest
from msgspec.structs import replace

from phasegate.base.backoff import RESEND_FIRST_S
from phasegate.base.keys import Run
from phasegate.base.receipt import Stamp
from phasegate.calendar.month import Day
from phasegate.gate import propagation
from phasegate.gate.phase import CATCH_UP_FIRST_S, LOOK_BY_S, Phase
from phasegate.gate.records import Input, Window
from phasegate.store import ALL, Doc
from phasegate.stores.memory import MemoryStore
from phasegate.testing.simulator import Faults, World
from phasegate.transact import AtHand
from tests.support.pipelines import Shop, settle
from tests.support.windows import PLAN, builds, cell, expecting, load, many_days, phase, play

TWO_PHASES = (
    PLAN.replace("cascade_days = 2", "cascade_days = 1")
    + """
[phase.last]
after = "out"
modes.day = { expect = [] }
modes.night = { expect = "*" }

[step.form]
phase = "last"
needs = ["out.trend", { step = "out.sum", back = "5d" }, { step = "raw.box", back = "5d" }]
python = "made:trend"
table = "last.form"
key = ["day"]
partition = "day"
columns = { day = "VARCHAR", amount = "INTEGER" }
"""
).replace("modes.day = { expect = [] }\n", "")


def corrected_long_ago(store: MemoryStore | None = None) -> Shop:
    """Five dates, the first of them corrected: beyond ``cascade_days`` of the last three."""
    made = many_days(TWO_PHASES, store=store)
    play(made, {1: 1, 2: 2, 3: 4, 4: 8, 5: 16})
    load(made, 1, 101)
    settle(made)
    return made


def versions(made: Shop, day: int) -> tuple[int, int]:
    return cell(made, "out.trend", day), cell(made, "last.form", day)


def test_the_same_dates_again_leave_every_phase_of_a_drifted_run_as_it_was() -> None:
    made = corrected_long_ago()
    before = [versions(made, day) for day in (3, 4, 5)]
    for day, amount in {1: 101, 2: 2, 3: 4, 4: 8, 5: 16}.items():
        load(made, day, amount)
        settle(made)
    assert [versions(made, day) for day in (3, 4, 5)] == before == [(3, 3), (7, 7), (15, 15)]
    drifted = {v.phase: v.drifted for v in made.pipeline.views.why("2026-02-05.night")}
    assert drifted == {"raw": (), "out": ("2026-02-01",), "last": ("2026-02-01",)}


def test_a_change_nearby_rebuilds_all_phases_of_a_run_of_one_reading() -> None:
    made = corrected_long_ago()
    load(made, 4, 9)
    settle(made)
    assert versions(made, 5) == (116, 116)
    assert [view.drifted for view in made.pipeline.views.why("2026-02-05.night")] == [(), (), ()]
    assert made.pipeline.next_due() is None


def test_a_refresh_of_the_last_phase_rebuilds_the_phases_before_it_first() -> None:
    made = corrected_long_ago()
    assert made.pipeline.runs.refresh("last", Run("2026-02-05", "night"))
    waiting = phase(made, 5, name="last")
    assert waiting.catch_up_since is not None
    assert not waiting.requests
    settle(made)
    assert versions(made, 5) == (115, 115)
    assert [builds(made, step, 5) for step in ("trend", "form")] == [2, 2]


def test_where_only_the_first_phase_has_drifted_the_phases_after_it_are_shown_as_drifted() -> None:
    plan = TWO_PHASES.replace(', { step = "out.sum", back = "5d" }, { step = "raw.box", back = "5d" }]', "]")
    made = many_days(plan)
    play(made, {1: 1, 2: 2, 3: 4})
    load(made, 1, 101)
    settle(made)
    (view,) = (v for v in made.pipeline.views.why("2026-02-03.night") if v.phase == "last")
    assert view.drifted == ("2026-02-01",)
    assert view.commands == ("phasegate backfill --from 2026-02-03 --to 2026-02-03 --mode night --cascade",)


@pytest.mark.parametrize(("request_state", "moves"), [("open", True), ("parked", True), ("dead", False)])
def test_a_parked_request_of_an_earlier_date_may_be_served_at_any_time_and_a_dead_one_not(
    request_state: Literal["open", "parked", "dead"], moves: bool
) -> None:
    made = many_days(TWO_PHASES)
    load(made, 1, 1)
    made.pipeline.serve_one()  # the trigger: its steps are requested, and not built yet
    earlier = phase(made, 1)
    requests = {name: replace(one, state=request_state) for name, one in earlier.requests.items()}
    assert requests
    assert propagation.is_moving(replace(earlier, requests=requests), receivers=()) is moves


def test_a_phase_without_windows_has_caught_up_at_once_while_an_earlier_date_is_built() -> None:
    made = many_days(TWO_PHASES)
    load(made, 1, 1)  # its steps are requested, and no worker serves them yet
    made.pipeline.runs.open("raw", Run("2026-02-02", "night"))
    assert phase(made, 2, name="raw", mode="night").catch_up_since is None


def test_a_phase_put_off_waits_on_while_the_phase_before_it_is_dead() -> None:
    made = corrected_long_ago()
    made.pipeline.runs.refresh("last", Run("2026-02-05", "night"))
    before, after = phase(made, 5), phase(made, 5, name="last")
    assert not propagation.follows(after, "out", before)
    made.clock.at += 30.0
    made.pipeline.sweep()
    assert phase(made, 5, name="last").catch_up_since is not None, "the phase before it is not built yet"
    assert cell(made, "last.form", 5) == 15


def test_a_phase_put_off_for_long_tries_again_by_the_clock_ever_more_rarely() -> None:
    made = corrected_long_ago()
    made.pipeline.runs.refresh("last", Run("2026-02-05", "night"))
    put_off = phase(made, 5, name="last")
    since, soon = put_off.catch_up_since, put_off.gate.catch_up_max_s
    assert since is not None
    early = [(0.2, CATCH_UP_FIRST_S), (4.0, 4.0), (20.0, RESEND_FIRST_S), (soon - 1.0, RESEND_FIRST_S)]
    for waited, pause in (*early, (soon, soon), (LOOK_BY_S, LOOK_BY_S)):
        assert replace(put_off, looked_at=since + waited).due == since + waited + pause


@pytest.mark.parametrize("begun", [None, 1, 2])
def test_a_phase_follows_the_one_before_it_once_it_works_on_its_last_generation(begun: int | None) -> None:
    made = corrected_long_ago()
    load(made, 5, 17)
    settle(made)
    before, after = phase(made, 5), phase(made, 5, name="last")
    assert before.generation == 2
    inputs = {} if begun is None else {"out": Input(generation=begun, stamps={}, begun_at=0.0, begun_by="a")}
    told = Phase(gate=after.gate, opened_at=0.0, looked_at=0.0, inputs=inputs)
    assert propagation.follows(told, "out", before) is (begun == 2)


class BuiltMeanwhile(MemoryStore):
    """A store that other processes change just before it is asked what is unsettled."""

    meanwhile: Callable[[], object] | None = None

    def due(
        self, now: float, /, *, prefixes: Sequence[str] = ALL, after: tuple[float, str] | None = None, limit: int = 100
    ) -> Sequence[Doc]:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().due(now, prefixes=prefixes, after=after, limit=limit)


def test_a_date_that_is_built_between_two_readings_of_a_run_puts_the_later_one_off() -> None:
    store = BuiltMeanwhile()
    made = many_days(TWO_PHASES, store=store)
    play(made, {1: 1, 2: 2, 3: 4})
    load(made, 1, 101)
    store.meanwhile = lambda: settle(made)  # the box of date 1 is new, its sum is built now
    made.pipeline.runs.refresh("last", Run("2026-02-03", "night"))
    assert builds(made, "sum", 1) == 2
    assert phase(made, 3, name="last").catch_up_since is not None
    assert not phase(made, 3, name="last").requests
    settle(made)
    assert versions(made, 3) == (103, 103)


class PausesAfterReading(MemoryStore):
    """A store whose reader pauses after its ``nth`` read of a key, while others work."""

    key, nth = "", 0
    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def read(self, key: str, /) -> Doc | None:
        doc = super().read(key)
        if key == self.key:
            self.nth -= 1
            if self.nth == 0:
                self.meanwhile()
        return doc


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_process_that_paused_while_a_run_caught_up_has_no_phase_of_it_read_what_came_since(nth: int) -> None:
    """Wherever it pauses: the others then finish, and the run drifts once more."""
    store = PausesAfterReading()
    made = corrected_long_ago(store)
    key, now = "phase:shop:last:2026-02-05.night", made.clock.at
    put_off = propagation.put_off({"any": Window(stamp=Stamp("f1"))}, origin=None, key=key, now=now, attempt="a")
    made.pipeline.runs._transact(key, put_off, known=AtHand())

    def others_work() -> None:
        settle(made)
        assert versions(made, 5) == (115, 115)
        load(made, 3, 204)  # beyond ``cascade_days`` of date 5
        settle(made)

    store.key, store.nth, store.meanwhile = key, nth, others_work
    made.pipeline.runs._propagator.catch_up(key)
    assert store.nth <= 0
    settle(made)
    assert versions(made, 5) == (115, 115)
    assert [phase(made, 5, name=name).windows["out.sum@5d"].drifted for name in ("out", "last")] == [
        ("2026-02-03",)
    ] * 2


def test_a_process_that_paused_while_a_run_waited_for_a_date_has_it_read_nothing_that_came_since() -> None:
    store = PausesAfterReading()
    made = expecting(store=store)
    made.pipeline.put_dates([Day(date=f"2026-02-{n:02d}", state="work") for n in range(1, 7)])
    for day in (1, 2, 3, 4, 6):
        load(made, day, day)
    settle(made, until_s=60.0)
    assert list(phase(made, 6).windows["out.sum@5d"].awaited) == ["2026-02-05"]

    def others_work() -> None:
        made.pipeline.put_dates([Day(date="2026-02-05", state="void", reason="snow storm")])
        settle(made, until_s=60.0)
        assert cell(made, "out.trend", 6) == 10
        load(made, 1, 101)  # beyond ``cascade_days`` of date 6
        settle(made, until_s=60.0)

    store.key, store.nth, store.meanwhile = "phase:shop:out:2026-02-06.night", 1, others_work
    made.pipeline.runs._propagator.recheck_windows("2026-02-05")
    settle(made, until_s=60.0)
    assert phase(made, 6).windows["out.sum@5d"].drifted == ("2026-02-01",)
    assert cell(made, "out.trend", 6) == 10


@pytest.mark.slow
def test_no_schedule_has_a_run_whose_phases_were_built_of_two_readings() -> None:
    worlds = [World(seed, faults=Faults(wide=1.0)) for seed in range(40, 56)]
    outcomes = [world.run() for world in worlds]
    assert [f"{o.replay}: {o.violation}" for o in outcomes if o.violation] == []
    twice = [w for w in worlds if {reader.phase for reader, _ in w.scene.windows()} == {"analytics", "precompute"}]
    assert len(twice) > len(worlds) / 4
    assert any(len({need.step for _, need in w.scene.windows()}) > 1 for w in twice)
