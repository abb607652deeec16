"""What a backfill finds to do, what it refuses, and what it gives each date."""

import msgspec
import pytest

from phasegate.base.keys import Run
from phasegate.errors import BadInput, NotFound
from phasegate.work.backfill import BackfillJob, Item
from tests.support.calendars import kept
from tests.support.pipelines import Shop, settle
from tests.support.windows import PLAN, Rows, cell, load, many_days, phase, play


def order(first: int, last: int, **more: object) -> BackfillJob:
    return msgspec.convert({"first": day(first), "last": day(last), **more}, BackfillJob)


def day(number: int) -> str:
    return f"2026-02-{number:02d}"


def items(made: Shop, job: BackfillJob) -> list[Item]:
    return made.pipeline.backfill(job).items()


def carry_out(made: Shop, job: BackfillJob) -> list[tuple[int, int, str]]:
    done: list[tuple[int, int, str]] = []

    def work() -> bool:
        settle(made)
        return True

    made.pipeline.backfill(job).carry_out(
        items(made, job), work=work, progress=lambda number, total, on: done.append((number, total, on))
    )
    return done


def fill_past_phasegate(made: Shop, number: int, amount: int) -> None:
    """Write rows as a scraper that knows no Phasegate does: no receipt, no report."""
    box = made.pipeline.plan.steps["box"].table
    assert box is not None
    made.warehouse.put_rows(box, [{"day": day(number), "id": 0, "amount": amount}], partition=day(number))


@pytest.mark.parametrize(
    ("job", "error", "text"),
    [
        (order(2, 1), BadInput, "--from 2026-02-02 is after --to 2026-02-01; swap them"),
        (BackfillJob(first="2000-01-01", last="2026-01-01"), BadInput,
         "2000-01-01 to 2026-01-01 is more than 4000 days; do it in parts"),
        (order(1, 1, steps=("summ",)), NotFound, "unknown step 'summ'; the plan has box, sum, trend"),
        (order(1, 1, steps=("box",)), BadInput, "step box is external; its owner must report it again"),
        (order(1, 1, modes=("noon",)), NotFound, "unknown mode 'noon'; the plan has day, night"),
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_carried_out_is_refused_by_name(
    job: BackfillJob, error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as raised:
        many_days().pipeline.backfill(job).check()
    assert text in str(raised.value)


def test_an_order_of_4000_days_is_taken_and_one_of_4001_is_not() -> None:
    made = many_days()
    made.pipeline.backfill(BackfillJob(first="2000-01-01", last="2010-12-13")).check()
    with pytest.raises(BadInput, match="do it in parts"):
        made.pipeline.backfill(BackfillJob(first="2000-01-01", last="2010-12-14")).check()


def test_dates_of_which_the_calendar_knows_nothing_are_refused_by_name() -> None:
    made, source = kept()
    source.left_out.update({day(3), day(4)})
    with pytest.raises(BadInput, match="the calendar has no answer for 2026-02-03, 2026-02-04; fix its source"):
        made.pipeline.backfill(order(3, 5)).check()


def test_each_date_is_listed_with_what_is_to_be_done_and_a_date_that_is_up_to_date_is_not() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2})
    made.pipeline.runs.open("raw", Run(day(3), "night"))
    assert items(made, order(1, 2)) == []
    assert items(made, order(2, 4, steps=("sum",))) == [
        Item(phase="out", run=Run(day(2), "night"), reasons=("rebuilt: sum",), rebuild=("sum",)),
        Item(phase="raw", run=Run(day(3), "night"), reasons=("missing box",), lacking=("box",)),
        Item(phase="raw", run=Run(day(4), "night"), reasons=(), lacking=("box",)),
    ]
    load(made, 1, 101)
    settle(made)
    load(made, 2, 2, 7)
    settle(made)
    load(made, 5, 5)
    settle(made)
    made.pipeline.runs.void("out", Run(day(5), "night"), reason="postponed")
    assert items(made, order(5, 5, steps=("sum",))) == []


def test_drift_is_a_reason_only_for_an_order_that_cascades() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4, 4: 8, 5: 16})
    load(made, 1, 101)
    settle(made)
    assert items(made, order(4, 5)) == []
    assert [item.reasons for item in items(made, order(4, 5, cascade=True))] == [
        ("window changed on 1 date",), ("window changed on 1 date",),
    ]  # fmt: skip
    load(made, 2, 102)
    settle(made)
    assert [item.reasons for item in items(made, order(5, 5, cascade=True))] == [("window changed on 2 dates",)]


def test_dead_requests_are_a_reason_and_are_sent_again() -> None:
    made = many_days()
    play(made, {1: 1})
    function = made.warehouse.functions.pop("box")
    load(made, 2, 2)
    settle(made, until_s=30 * 86400.0)
    assert [item.reasons for item in items(made, order(1, 2))] == [("dead",)]
    made.warehouse.functions["box"] = function
    assert carry_out(made, order(1, 2)) == [(1, 1, day(2))]
    assert phase(made, 2).generation == 1
    assert items(made, order(1, 2)) == []


def test_rows_that_nobody_reported_are_reported_and_built() -> None:
    made = many_days()
    play(made, {1: 1})
    fill_past_phasegate(made, 2, 40)
    (found,) = items(made, order(2, 2))
    assert (found.reasons, found.lacking) == (("not open",), ())
    carry_out(made, order(2, 2))
    assert cell(made, "out.sum", 2) == 40
    assert phase(made, 2).generation == 1


def test_a_source_without_a_table_is_not_read_and_not_reported() -> None:
    made = many_days(PLAN + '\n[step.odds]\nphase = "raw"\nexternal = true\n')
    play(made, {1: 1})
    (found,) = items(made, order(1, 1))
    assert (found.phase, found.lacking, found.reasons) == ("raw", ("odds",), ("missing odds",))
    carry_out(made, order(1, 1))
    assert phase(made, 1, name="raw").generation == 0
    assert "odds" not in phase(made, 1, name="raw").members
    made.pipeline.complete({"step": "odds", "run": f"{day(1)}.night", "execution_id": "o1"})
    settle(made)
    assert items(made, order(1, 1)) == [], "it has been reported, and no table says so"


def test_a_backfill_that_is_told_to_stop_begins_no_other_phase_or_date() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2})
    job = order(1, 2, steps=("sum",))
    calls: list[int] = []

    def stop() -> bool:
        calls.append(1)
        return False

    made.pipeline.backfill(job).carry_out(items(made, job), work=stop, progress=lambda *_: None)
    assert len(calls) == 1
    assert phase(made, 1).members["sum"].stale == "forced"
    assert phase(made, 2).members["sum"].stale is None
    assert not phase(made, 1).quiet
    assert [item.run.date for item in items(made, job) if item.reasons] == [day(1), day(2)]


def test_a_date_is_left_only_because_of_what_it_waits_for_itself() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 3})
    broken = made.warehouse.functions["box"]

    def box(read: object, params: dict[str, object]) -> Rows:
        if params["run_date"] == day(2):
            raise ValueError("it broke")
        return broken(read, params)  # type: ignore[arg-type, return-value]

    made.warehouse.functions["box"] = box  # type: ignore[assignment]
    job, done = order(1, 3, steps=("sum",)), list[str]()

    def work() -> bool:
        made.pipeline.work_until_idle()
        return True

    made.pipeline.backfill(job).carry_out(items(made, job), work=work, progress=lambda *told: done.append(told[2]))
    assert done == [day(1), day(2), day(3)]
    (doc,) = made.store.scan("backfill:")
    assert (doc.body["left"], doc.body["upto"], doc.body.get("finished", False)) == ([day(2)], day(3), False)


def test_a_mode_that_only_a_person_opens_is_opened_by_an_order_for_it() -> None:
    modes = 'modes.day = { expect = "*" }\nmodes.night = { expect = "*"'
    made = many_days(PLAN.replace(f"{modes} }}\n[phase.out]", f'{modes}, start = "run" }}\n[phase.out]'))
    assert made.pipeline.plan.phases["raw"].modes["night"].start.by == "run"
    box = made.pipeline.plan.steps["box"].table
    assert box is not None
    made.warehouse.create(box)
    fill_past_phasegate(made, 1, 7)
    assert carry_out(made, order(1, 2)) == [(1, 1, day(1))]
    assert cell(made, "out.sum", 1) == 7
    (doc,) = made.store.scan("backfill:")
    assert (doc.body["upto"], doc.body["finished"]) == (day(2), True)


def test_a_trigger_that_a_quiet_order_holds_back_is_sent_by_a_redrive_of_its_run_alone() -> None:
    audited = '[phase.out]\nafter = "raw"\nsends = [{ topic = "audit", ack = "publish" }]\n'
    made = many_days(PLAN.replace('[phase.out]\nafter = "raw"\n', audited))
    play(made, {1: 1, 2: 2, 3: 4, 4: 8})
    load(made, 1, 101)
    settle(made)
    assert carry_out(made, order(4, 4, cascade=True)) == [(1, 1, day(4))]
    run = Run(day(4), "night")
    sent = [entry.state for entry in phase(made, 4).outbox if entry.receiver == "audit"]
    assert sent[-1] == "held"
    assert made.pipeline.runs.redrive("out", run, step=None, held=False) == ()
    assert made.pipeline.runs.redrive("out", run, step=None) == ("audit",)
    settle(made)
    assert "held" not in {entry.state for entry in phase(made, 4).outbox}
    loud = order(3, 3, steps=("sum",), quiet=False)
    carry_out(made, loud)
    assert "held" not in {entry.state for entry in phase(made, 3).outbox}


def test_a_report_without_a_table_stays_as_it_is_while_another_source_is_waited_for() -> None:
    made = many_days(PLAN + '\n[step.odds]\nphase = "raw"\nexternal = true\n')
    made.pipeline.complete({"step": "odds", "run": f"{day(1)}.night", "execution_id": "o1"})
    box = made.pipeline.plan.steps["box"].table
    assert box is not None
    made.warehouse.create(box)
    fill_past_phasegate(made, 1, 9)
    before = phase(made, 1, name="raw").result_of("odds")
    (found,) = items(made, order(1, 1))
    assert (found.phase, found.lacking, found.reasons) == ("raw", (), ("missing box",))
    assert carry_out(made, order(1, 1)) == [(1, 1, day(1))]
    assert phase(made, 1, name="raw").result_of("odds") == before
    assert cell(made, "out.sum", 1) == 9


def test_a_step_that_is_asked_for_by_topic_is_not_waited_for() -> None:
    made = many_days(
        PLAN.replace('external = true\ntable = "raw.box"', 'external = true\ntopic = "scrape"\ntable = "raw.box"')
    )
    play(made, {1: 1})
    begun, job = made.clock.at, order(1, 1, steps=("box",))

    def work() -> bool:
        made.pipeline.work_until_idle()
        return True

    made.pipeline.backfill(job).carry_out(items(made, job), work=work, progress=lambda *_: None)
    assert made.clock.at == begun
    (doc,) = made.store.scan("backfill:")
    assert doc.body["left"] == [day(1)]
