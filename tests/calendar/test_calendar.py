"""Which dates have work: what the calendar opens, refuses, voids and does not know."""

from collections.abc import Callable, Iterable
from datetime import date

import pytest

from phasegate.base.keys import Run
from phasegate.bus import Message
from phasegate.calendar.month import Day
from phasegate.errors import BadInput
from phasegate.stores.memory import MemoryStore
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from phasegate.work.backfill import BackfillJob
from tests.support.calendars import LAST_END, NOON, WITH_CALENDAR, Source, held_up, kept
from tests.support.pipelines import DAY, PLAN, RUN, load, settle, shop, state

LATE = Day(date="2026-02-04", state="work", anchors={"last_game_end": LAST_END + 86400.0})
STARTED = WITH_CALENDAR.replace(
    "[phase.load]",
    '[phase.load]\n[phase.load.modes.daily]\nexpect = "*"\ncritical = ["orders"]\nstart = "schedule 10:00"\n'
    'deadline = "last_game_end + 2h"',
)


def test_a_report_for_a_day_without_games_is_quarantined_and_opens_nothing() -> None:
    made, source = kept()
    source.none.add(DAY)
    made.pipeline.ports.bus.publish(completion("m1"))
    made.pipeline.work_until_idle()
    (letter,) = made.pipeline.views.quarantined()
    assert "the calendar has no work on 2026-02-03 (none)" in letter.reason
    assert made.pipeline.runs.read("load", Run(DAY, "daily")) is None


def test_a_day_that_the_source_leaves_out_is_unknown_and_not_a_day_without_games() -> None:
    made, source = kept()
    source.left_out.add(DAY)
    with pytest.raises(BadInput, match="the calendar has no answer for 2026-02-03"):
        load(made, 1)


def test_a_source_that_fails_is_unknown_says_why_and_is_asked_again() -> None:
    made, source = kept()
    source.fails = True
    with pytest.raises(BadInput, match=r"has no answer for 2026-02-03 \(ConnectionError: the source does not answer\)"):
        load(made, 1)
    source.fails = False
    made.clock.at += 901.0
    made.pipeline._sweeper.sweep()
    load(made, 1)
    settle(made)
    assert state(made, "load") == "complete"


def test_what_was_learned_grows_old_but_not_of_a_day_that_was_over() -> None:
    made, source = kept()
    assert made.pipeline.calendar.day(DAY) is not None
    source.fails = True
    made.clock.at += 37 * 3600.0
    assert made.pipeline.calendar.day("2026-02-10") is None
    made, source = kept()
    made.clock.at += 10 * 86400.0
    assert made.pipeline.calendar.day(DAY) is not None
    source.fails = True
    made.clock.at += 400 * 86400.0
    assert made.pipeline.calendar.day(DAY) is not None


def test_a_dead_scraper_leaves_a_run_that_is_open_and_overdue() -> None:
    made, _ = kept(STARTED)
    made.pipeline.calendar.day(DAY)
    settle(made, until_s=2 * 3600.0)
    assert state(made, "load") == "waiting"
    made.clock.at = LAST_END + 2 * 3600.0 + 1
    made.pipeline.work_until_idle()
    (view,) = [v for v in made.pipeline.views.why(RUN) if v.phase == "load"]
    assert view.overdue
    assert "past its deadline" in view.reason


def test_a_day_without_games_opens_nothing_and_says_nothing() -> None:
    made, source = kept(STARTED)
    source.none = {f"2026-02-{n:02d}" for n in range(1, 29)}
    made.pipeline.calendar.day(DAY)
    settle(made, until_s=86400.0)
    assert made.pipeline.views.phases() == []
    assert made.pipeline.views.dead() == []


def test_runs_of_days_before_the_calendar_was_first_read_are_not_opened_by_the_clock() -> None:
    made, _ = kept(STARTED)
    made.pipeline.calendar.day("2025-01-15")
    settle(made, until_s=3600.0)
    assert made.pipeline.views.phases(last="2025-12-31") == []


def test_a_start_that_was_missed_while_nobody_swept_is_made_good() -> None:
    made, _ = kept(STARTED)
    made.pipeline.calendar.day(DAY)
    made.pipeline._sweeper.sweep()
    made.clock.at += 3 * 86400.0
    made.pipeline.work_until_idle()
    opened = {view.run[:10] for view in made.pipeline.views.phases()}
    assert opened >= {"2026-02-03", "2026-02-04", "2026-02-05", "2026-02-06"}


def test_a_game_put_off_makes_its_open_run_void_and_back_again() -> None:
    made, source = kept()
    with made.pipeline.begin(RUN, step="orders"):
        pass
    source.void[DAY] = "postponed: GSW at DAL"
    made.pipeline.ask_calendar(DAY[:7])
    assert state(made, "load") == "void"
    assert made.pipeline.views.why(RUN)[0].reason == "postponed: GSW at DAL"
    source.void.clear()
    made.pipeline.ask_calendar(DAY[:7])
    load(made, 1)
    settle(made)
    assert state(made, "load") == "complete"


def test_a_deadline_counts_from_what_the_calendar_knows_of_the_date() -> None:
    made, _ = kept(STARTED)
    made.pipeline.runs.open("load", Run(DAY, "daily"))
    phase = made.pipeline.runs.read("load", Run(DAY, "daily"))
    assert phase is not None
    assert phase.gate.deadline == LAST_END + 2 * 3600.0


def test_a_run_that_only_a_person_opens_is_refused_to_messages() -> None:
    by_hand = PLAN.replace("[phase.load]", '[phase.load]\nstart = "run"')
    made = shop(plan=by_hand, store=MemoryStore(), warehouse=MemoryWarehouse())
    with pytest.raises(BadInput, match=r"opened by hand only; run: phasegate begin 2026-02-03\.daily"):
        load(made, 1)
    made.pipeline.runs.open("load", Run(DAY, "daily"), by="operator")
    load(made, 1)
    settle(made)
    assert state(made, "load") == "complete"


def completion(number: str) -> Message:
    """Return a scraper's message: it names the step and the run."""
    body = {"kind": "completion", "step": "orders", "run": RUN, "status": "success", "completed_at": NOON}
    return Message(number, "shop.completions", body)


def test_a_worker_on_a_new_store_reads_the_calendar_and_opens_runs_by_the_clock() -> None:
    made, _ = kept(STARTED)  # nobody has said a word: a scraper that is dead from the first day
    made.pipeline.sweep()
    settle(made, until_s=3600.0)
    assert state(made, "load") == "waiting"


def test_after_an_outage_longer_than_what_was_known_ahead_the_clock_opens_runs_again() -> None:
    made, source = kept(STARTED)
    made.pipeline.sweep()
    made.clock.at += 75 * 86400.0  # 2026-04-19: March was made known ahead, April was not
    made.pipeline.sweep()
    settle(made, until_s=48 * 3600.0)
    assert any(view.run.startswith("2026-04-2") for view in made.pipeline.views.phases())
    asked = source.asked
    made.pipeline.sweep()
    assert source.asked == asked, "what is known is not asked for again"


def test_a_present_month_that_cannot_be_asked_for_is_asked_for_again() -> None:
    made, source = kept(STARTED)
    source.fails = True
    made.pipeline.sweep()
    source.fails = False
    settle(made, until_s=3600.0)
    assert state(made, "load") == "waiting"


def test_a_plan_without_a_calendar_asks_for_none() -> None:
    made, source = kept(PLAN)
    made.pipeline.sweep()
    assert source.asked == 0


def test_a_cancelled_date_is_void_though_whoever_learned_of_it_was_killed() -> None:
    made, _ = kept()
    load(made, 1)
    settle(made)
    made.pipeline.calendar.put([Day(date=DAY, state="void", reason="snow storm")])  # and no more than this
    assert state(made, "load") == "complete"
    made.pipeline._sweeper.sweep()
    assert state(made, "load") == "void"


def test_a_date_that_takes_place_after_all_is_brought_back_though_whoever_learned_of_it_was_killed() -> None:
    made, _ = kept()
    load(made, 1)
    settle(made)
    made.pipeline.put_dates([Day(date=DAY, state="void", reason="snow storm")])
    assert state(made, "load") == "void"
    made.pipeline.calendar.put([Day(date=DAY, state="work")])  # and no more than this
    made.pipeline.calendar.put([Day(date="2026-02-09", state="work")])  # nor does a later answer hide it
    made.pipeline._sweeper.sweep()
    assert state(made, "load") == "complete"
    due = made.pipeline._sweeper.next_due()
    assert due is not None
    assert due > made.clock.at, "once it is told, nothing is left to do"


def test_what_is_learned_of_a_date_while_another_is_asked_for_reaches_its_open_run() -> None:
    made, source = kept()
    load(made, 1)
    settle(made)
    source.none.add(DAY)
    made.clock.at += 37 * 3600.0
    assert made.pipeline.calendar.day("2026-02-10") is not None
    made.pipeline._sweeper.sweep()
    assert state(made, "load") == "void"
    source.none.clear()
    made.clock.at += 37 * 3600.0
    assert made.pipeline.calendar.day("2026-02-10") is not None
    made.pipeline._sweeper.sweep()
    assert state(made, "load") == "complete"


def test_a_run_that_somebody_has_declared_void_stays_so_when_the_calendar_first_knows_its_date() -> None:
    before = shop(store=MemoryStore(), warehouse=MemoryWarehouse())
    load(before, 1)
    before.pipeline.runs.void("load", Run(DAY, "daily"), reason="a bad file")
    made = shop(plan=WITH_CALENDAR, store=before.store, warehouse=before.warehouse, dates=Source())
    made.clock.at = NOON
    made.pipeline.ask_calendar(DAY[:7])
    made.pipeline._sweeper.sweep()
    assert state(made, "load") == "void"


def test_a_backfill_that_only_looks_keeps_nothing_and_asks_for_each_month_once() -> None:
    made, source = kept()
    order = BackfillJob(first="2026-01-20", last="2026-02-20", modes=("daily",))
    before = list(made.store.scan(""))
    made.pipeline.backfill(order).check()
    assert len({item.run.date for item in made.pipeline.backfill(order).items()}) == 32
    assert list(made.store.scan("")) == before
    assert source.asked == 2
    source.none.add(DAY)
    with made.pipeline.begin("2026-02-04.daily", step="orders"):
        pass
    before = list(made.store.scan(""))
    made.clock.at += 37 * 3600.0  # what was known of the date has grown old
    made.pipeline.backfill(order).check()
    items = made.pipeline.backfill(order).items()
    assert [str(item.run) for item in items if item.reasons] == ["2026-02-04.daily"]
    assert DAY not in {item.run.date for item in items}
    assert list(made.store.scan("")) == before


def test_a_run_that_cannot_be_read_keeps_no_other_date_from_hearing_nor_from_being_opened() -> None:
    made, source = kept(STARTED)
    made.pipeline.calendar.day(DAY)
    for day in (DAY, "2026-02-09"):
        made.pipeline.runs.open("load", Run(day, "daily"))
    doc = made.store.read(f"phase:shop:load:{RUN}")
    assert doc is not None
    made.store.write(doc.key, {**doc.body, "_schema": 99}, due=None, expect=doc.version)
    source.none = {DAY, "2026-02-09"}
    made.pipeline.ask_calendar(DAY[:7])
    other = made.pipeline.runs.read("load", Run("2026-02-09", "daily"))
    assert other is not None
    assert other.void == "the calendar says none"
    made.clock.at += 2 * 86400.0
    made.pipeline._sweeper.sweep()
    made.pipeline._sweeper.sweep()  # what the first one opened
    assert made.pipeline.runs.read("load", Run("2026-02-05", "daily")) is not None
    month = made.pipeline.calendar.read(DAY[:7])
    assert month is not None
    assert month.changed == (DAY,), "it is told when it can be read again"
    due = made.pipeline._sweeper.next_due()
    assert due is not None
    assert due > made.clock.at, "what fails is put off, not looked at again at once"


def test_what_was_foreseen_outlives_a_later_asking_that_fails() -> None:
    made, source = kept()
    assert made.pipeline.calendar.foresee(DAY) is not None
    source.fails = True
    made.clock.at += 1_000.0
    assert made.pipeline.calendar.foresee(DAY) is not None


def test_a_sweeper_that_was_held_up_voids_no_run_of_a_date_that_takes_place_after_all() -> None:
    made, _, store = held_up()
    load(made, 1)
    settle(made)
    made.pipeline.calendar.put([Day(date=DAY, state="void", reason="snow storm")])
    store.held = "phase:shop:load", lambda: made.pipeline.put_dates([Day(date=DAY, state="work")])
    made.pipeline._sweeper.sweep()
    assert state(made, "load") == "complete"


def test_a_sweeper_that_was_held_up_brings_no_run_back_that_is_void_again() -> None:
    made, _, store = held_up()
    load(made, 1)
    settle(made)
    made.pipeline.put_dates([Day(date=DAY, state="void", reason="snow storm")])
    made.pipeline.calendar.put([Day(date=DAY, state="work")])
    store.held = "phase:shop:load", lambda: made.pipeline.put_dates([Day(date=DAY, state="void", reason="again")])
    made.pipeline._sweeper.sweep()
    assert made.pipeline.views.why(RUN)[0].reason == "again"


def test_a_run_opened_while_a_sweeper_was_held_up_hears_nothing_older_of_it() -> None:
    made, _, store = held_up()
    with made.pipeline.begin("2026-02-02.daily", step="orders"):
        pass
    settle(made)
    made.pipeline.calendar.put([Day(date=day, state="void", reason="snow storm") for day in ("2026-02-02", DAY)])

    def meanwhile() -> None:
        made.pipeline.put_dates([Day(date=DAY, state="work")])
        load(made, 1)

    store.held = "phase:shop:load:2026-02-02", meanwhile
    made.pipeline._sweeper.sweep()
    settle(made)
    assert state(made, "load") == "complete"


class Slow(Source):
    """A source whose answer arrives after others have worked."""

    meanwhile: Callable[[], None] | None = None

    def __call__(self, first: date, last: date) -> Iterable[Day]:
        days, meanwhile = super().__call__(first, last), self.meanwhile
        self.meanwhile = None
        if meanwhile is not None:
            meanwhile()
        return days


@pytest.mark.parametrize("ahead_s", [-20.0, 0.0, 20.0])
def test_an_answer_that_arrives_late_never_takes_the_place_of_a_newer_one(ahead_s: float) -> None:
    """Whatever the clock of the process that got the newer one."""
    source = Slow()
    made, _ = kept(source=source)
    source.none.add(DAY)

    def takes_place_after_all() -> None:
        source.none.clear()
        made.clock.at += ahead_s
        made.pipeline.ask_calendar(DAY[:7])
        made.clock.at -= ahead_s

    source.meanwhile = takes_place_after_all
    made.pipeline.ask_calendar(DAY[:7])
    known = made.pipeline.calendar.day(DAY, ask=False)
    assert known is not None
    assert known.state == "work"
    assert source.asked == 3


def test_a_source_is_asked_twice_at_most_while_others_get_answers_too() -> None:
    source = Slow()
    made, _ = kept(source=source)

    def ask() -> None:
        made.clock.at += 1.0
        made.pipeline.ask_calendar(DAY[:7])

    def ask_again() -> None:
        ask()
        source.meanwhile = ask

    source.meanwhile = ask_again
    made.pipeline.ask_calendar(DAY[:7])
    assert source.asked == 4


def test_what_an_operator_has_declared_void_the_calendar_does_not_bring_back() -> None:
    made, source = kept()
    load(made, 1)
    settle(made)
    made.pipeline.runs.void("load", Run(DAY, "daily"), reason="a bad file")
    source.void[DAY] = "snow storm"
    made.pipeline.ask_calendar(DAY[:7])
    source.void.clear()
    made.pipeline.ask_calendar(DAY[:7])
    assert made.pipeline.views.why(RUN)[0].reason == "a bad file"
    made.pipeline.runs.void("load", Run(DAY, "daily"), reason=None)
    assert state(made, "load") == "complete"


def test_an_operator_brings_back_what_the_calendar_has_declared_void_until_it_changes_again() -> None:
    made, source = kept()
    load(made, 1)
    settle(made)
    source.void[DAY] = "snow storm"
    made.pipeline.ask_calendar(DAY[:7])
    made.pipeline.runs.void("load", Run(DAY, "daily"), reason=None)
    made.pipeline.ask_calendar(DAY[:7])
    made.pipeline._sweeper.sweep()
    assert state(made, "load") == "complete"


def test_a_date_learned_while_a_sweeper_opened_others_is_opened_too() -> None:
    made, source, store = held_up(STARTED)
    source.left_out = {"2026-02-04"}
    made.pipeline.calendar.day(DAY)
    made.pipeline._sweeper.sweep()
    made.clock.at = NOON + 2 * 86400.0
    store.held = "phase:shop:load", lambda: made.pipeline.put_dates([LATE])
    made.pipeline._sweeper.sweep()
    made.pipeline._sweeper.sweep()
    assert made.pipeline.runs.read("load", Run("2026-02-04", "daily")) is not None


def test_a_date_that_is_to_be_told_but_no_longer_known_is_due_only_once() -> None:
    made, _ = kept()
    load(made, 1)
    settle(made)
    (doc,) = made.store.scan("calendar:shop:dates:2026-02")
    made.store.write(doc.key, {**doc.body, "changed": ["2026-02-31"]}, due=NOON, expect=doc.version)
    made.pipeline._sweeper.sweep()
    due = made.pipeline._sweeper.next_due()
    assert due is not None
    assert due > made.clock.at


def test_a_backfill_that_is_carried_out_keeps_what_the_calendar_answers_for_the_runs_it_mends() -> None:
    made, source = kept()
    load(made, 1)
    settle(made)
    made.clock.at += 37 * 3600.0  # what was known of the date has grown old
    asked = source.asked
    order = BackfillJob(first=DAY, last=DAY, modes=("daily",), steps=("totals",))
    items, now = made.pipeline.backfill(order).items(), made.clock.at
    made.pipeline.backfill(order).carry_out(items, work=lambda: False, progress=lambda *_: None)
    month = made.pipeline.calendar.read(DAY[:7])
    assert month is not None
    assert month.days[DAY].at == now
    assert source.asked == asked + 2, "once to look, once to do"


def test_a_date_foreseen_as_unknown_is_refused_with_what_its_source_said() -> None:
    made, source = kept()
    source.fails = True
    with pytest.raises(BadInput, match=r"has no answer for 2026-02-03 \(ConnectionError: the source does not answer\)"):
        made.pipeline.calendar.expected(DAY, keep=False)


def test_a_mode_of_any_date_is_taken_on_days_without_games_and_on_unknown_ones_and_made_void_by_neither() -> None:
    any_date = WITH_CALENDAR.replace(
        "[phase.load]",
        '[phase.log]\nmodes.daily = { expect = "*", any_date = true }\n[step.fetches]\nphase = "log"\nexternal = true\n'
        'table = "raw.fetches"\nkey = ["day", "id"]\npartition = "day"\nwrite = "replace"\n'
        'columns = { day = "VARCHAR", id = "INTEGER" }\n[phase.load]',
    )
    made, source = kept(any_date)
    source.none.add(DAY)
    source.left_out.add("2026-02-04")
    for day in (DAY, "2026-02-04"):
        with made.pipeline.begin(f"{day}.daily", step="fetches") as run:
            run.write([{"day": day, "id": 1}])
            run.complete()
    made.pipeline.ask_calendar(DAY[:7])
    settle(made)
    for day in (DAY, "2026-02-04"):
        (view,) = made.pipeline.views.why(f"{day}.daily")
        assert (view.phase, view.state) == ("log", "complete")
    with pytest.raises(BadInput, match="the calendar has no work"):
        load(made, 1)
