"""A backfill that is stopped in the middle, and started again."""

import pytest

from phasegate.base.codec import decode
from phasegate.base.keys import Run
from phasegate.base.receipt import Part
from phasegate.work.backfill import HELD_MAX_S, BackfillJob, Progress
from tests.support.pipelines import Shop, settle
from tests.support.windows import PLAN, builds, load, many_days, phase, play

AUDITED = PLAN.replace(
    '[phase.out]\nafter = "raw"\n', '[phase.out]\nafter = "raw"\nsends = [{ topic = "audit", ack = "publish" }]\n'
)


class Killed(Exception):
    pass


def day(number: int) -> str:
    return f"2026-02-{number:02d}"


def backfill(made: Shop, order: BackfillJob, *, dies_after: int | None = None, dies_at_work: bool = False) -> list[str]:
    """Carry an order out, or die of it; return the dates done."""
    done: list[str] = []

    def work() -> bool:
        settle(made)
        if dies_at_work:
            raise Killed
        return True

    def told(number: int, total: int, on: str) -> None:
        assert number <= total
        done.append(on)
        if number == dies_after:
            raise Killed

    items = made.pipeline.backfill(order).items()
    if dies_after is None and not dies_at_work:
        made.pipeline.backfill(order).carry_out(items, work=work, progress=told)
    else:
        with pytest.raises(Killed):
            made.pipeline.backfill(order).carry_out(items, work=work, progress=told)
    return done


def progress(made: Shop) -> Progress:
    (doc,) = made.store.scan("backfill:")
    return decode(Progress, doc.body, key=doc.key)


def test_killed_before_it_was_loud_again_it_is_loud_when_it_goes_on() -> None:
    made = many_days(AUDITED)
    play(made, {1: 1, 2: 2, 3: 4, 4: 8})
    load(made, 1, 101)
    settle(made)
    order = BackfillJob(first=day(4), last=day(4), cascade=True)
    backfill(made, order, dies_at_work=True)
    assert phase(made, 4).quiet
    assert {item.reasons for item in made.pipeline.backfill(order).items()} >= {
        ("left quiet by a backfill that was stopped",)
    }
    backfill(made, order)
    assert not phase(made, 4).quiet
    assert made.pipeline.backfill(order).items() == []


def test_started_again_it_looks_anew_at_the_dates_that_it_did_before() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 6: 32})
    load(made, 1, 101)
    settle(made)
    order = BackfillJob(first=day(4), last=day(6), cascade=True)
    assert backfill(made, order, dies_after=1) == [day(4)]
    load(made, 1, 201)  # it changes once more before the backfill goes on
    settle(made)
    assert backfill(made, order) == [day(4), day(5), day(6)]
    assert [phase(made, n).windows["out.sum@5d"].drifted for n in (4, 5, 6)] == [(), (), ()]


def test_started_again_it_does_not_build_its_steps_a_second_time_on_the_dates_that_it_did() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4})
    order = BackfillJob(first=day(1), last=day(3), steps=("sum",))
    assert backfill(made, order, dies_after=2) == [day(1), day(2)]
    assert not progress(made).finished
    assert backfill(made, order) == [day(3)]
    assert [builds(made, "sum", n) for n in (1, 2, 3)] == [2, 2, 2]
    assert progress(made).finished
    assert backfill(made, order) == [day(1), day(2), day(3)], "the same order anew, once it was finished"


def test_what_was_stopped_and_has_nothing_left_to_do_is_finished() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4, 4: 8})
    load(made, 1, 101)
    settle(made)
    order = BackfillJob(first=day(4), last=day(4), cascade=True)
    backfill(made, order, dies_after=1)
    assert not progress(made).finished
    assert backfill(made, order) == []
    assert progress(made).finished


def test_a_date_without_runs_is_opened_in_the_mode_with_the_most_steps() -> None:
    made = many_days()
    assert made.pipeline.plan.main_mode == "night"
    load(made, 1, 1, mode="day")
    settle(made)
    assert made.pipeline.runs.read("out", Run(day(1), "night")) is None
    backfill(made, BackfillJob(first=day(1), last=day(1)))
    assert phase(made, 1).generation == 1


def idle_work(made: Shop) -> bool:
    """Do what can be done now; time goes on by nobody's doing but the backfill's."""
    made.pipeline.work_until_idle()
    return True


@pytest.mark.parametrize("number", [1, 2])
def test_a_date_that_somebody_else_is_at_is_waited_for_before_the_next_begins(number: int) -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4})
    order, done = BackfillJob(first=day(1), last=day(2), steps=("sum",)), list[tuple[str, int]]()
    items = made.pipeline.backfill(order).items()
    held = made.pipeline._leases.hold(Part("out.sum", day(number)), purpose="killed")
    assert held.__enter__() is not None  # and never given back
    begun = made.clock.at
    made.pipeline.backfill(order).carry_out(
        items,
        work=lambda: idle_work(made),
        progress=lambda number, total, on: done.append((on, builds(made, "sum", number))),  # noqa: ARG005
    )
    assert done == [(day(1), 2), (day(2), 2)]
    assert made.clock.at - begun > 60.0
    assert progress(made).finished


def test_what_nobody_answers_is_not_waited_for_without_end_and_is_done_again_by_the_same_order() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4})
    order = BackfillJob(first=day(1), last=day(2), steps=("sum",))
    items = made.pipeline.backfill(order).items()
    begun = made.clock.at
    # nobody works: what is asked for on both dates stays so
    made.pipeline.backfill(order).carry_out(items, work=lambda: True, progress=lambda *_: None)
    assert made.clock.at - begun < HELD_MAX_S + 60.0, "dates on which nobody answers share one patience"
    assert (progress(made).left, progress(made).finished) == ((day(1), day(2)), False)
    assert {item.run.date for item in made.pipeline.backfill(order).items()} == {day(1), day(2)}
    assert backfill(made, order) == [day(1), day(2)]
    assert progress(made).finished
    assert [builds(made, "sum", n) for n in (1, 2)] == [2, 2]


def test_a_step_that_fails_is_not_waited_for() -> None:
    made = many_days()
    play(made, {1: 1})
    made.warehouse.functions.pop("box")
    begun = made.clock.at
    order = BackfillJob(first=day(1), last=day(1), steps=("sum",))
    items = made.pipeline.backfill(order).items()
    made.pipeline.backfill(order).carry_out(items, work=lambda: idle_work(made), progress=lambda *_: None)
    assert made.clock.at - begun < 60.0
    assert progress(made).left == (day(1),)


def test_a_step_that_two_modes_share_is_built_anew_once() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2})
    load(made, 2, 2, mode="day")
    settle(made)
    before = builds(made, "trend", 2)
    order = BackfillJob(first=day(2), last=day(2), steps=("trend",))
    assert [(str(i.run), i.rebuild) for i in made.pipeline.backfill(order).items() if i.rebuild] == [
        ("2026-02-02.day", ("trend",))
    ]
    backfill(made, order)
    assert builds(made, "trend", 2) == before + 1
    assert phase(made, 2, mode="night").requests == {}


def test_a_step_that_modes_share_is_built_anew_in_one_that_is_not_held() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2})
    load(made, 2, 2, mode="day")
    settle(made)
    made.pipeline.runs.pause("out", Run(day(2), "day"), reason="looking at it")
    order = BackfillJob(first=day(2), last=day(2), steps=("trend",))
    assert [str(i.run) for i in made.pipeline.backfill(order).items() if "trend" in i.rebuild] == ["2026-02-02.night"]


def test_a_phase_that_a_mode_does_not_have_hides_none_that_comes_after_it() -> None:
    plan = PLAN.replace('modes.day = { expect = "*" }\n', "", 1) + (
        '\n[phase.fees]\nmodes.day = { expect = "*" }\n\n[step.fee]\nphase = "fees"\nexternal = true\n'
    )
    made = many_days(plan.replace('modes.day = { expect = ["trend"] }\n', ""))
    items = made.pipeline.backfill(BackfillJob(first=day(1), last=day(1), modes=("day",))).items()
    assert [(item.phase, str(item.run), item.lacking) for item in items] == [("fees", f"{day(1)}.day", ("fee",))]
