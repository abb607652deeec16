"""Runs that do not take place: who says so, who takes it back, and what they hear when they take place after all."""

from contextlib import suppress

from phasegate.base.keys import Run
from phasegate.calendar.month import Day
from phasegate.errors import PhasegateError
from phasegate.gate.phase import Phase
from phasegate.work.backfill import BackfillJob
from tests.support.calendars import NOON, WITH_CALENDAR, Source, held_up, kept
from tests.support.pipelines import DAY, RUN, Shop, generation, load, settle, shop, state, total
from tests.support.windows import cell, expecting, phase
from tests.support.windows import load as load_day

TABLE = 'key = ["day", "id"]\npartition = "day"\nwrite = "replace"\n'
COLUMNS = 'columns = { day = "VARCHAR", id = "INTEGER" }\n'
EXTERNAL = f"external = true\n{TABLE}{COLUMNS}"
SISTERS = f"""
pipeline = "shop"
timezone = "UTC"
[phase.load]
modes.a = {{ expect = "*" }}
modes.b = {{ expect = "*", critical = ["orders"], deadline = "12:00" }}
[step.orders]
phase = "load"
table = "raw.orders"
{EXTERNAL}
[step.other]
phase = "load"
table = "raw.other"
{EXTERNAL}
"""
ANY_DATE = WITH_CALENDAR.replace(
    "[phase.load]",
    '[phase.log]\nmodes.daily = { expect = "*", any_date = true, deadline = "20:00" }\n'
    f'[step.fetches]\nphase = "log"\nexpected_by.daily = "13:00"\ntable = "raw.fetches"\n{EXTERNAL}'
    f'[step.extra]\nphase = "log"\ntable = "raw.extra"\n{EXTERNAL}[phase.load]',
)


def write(made: Shop, run: str, step: str) -> None:
    with made.pipeline.begin(run, step=step) as begun:
        begun.write([{"day": run[:10], "id": 1}])
        begun.complete()


def void(made: Shop, reason: str | None, *, mode: str = "daily", phase: str = "load") -> None:
    made.pipeline.runs.void(phase, Run(DAY, mode), reason=reason)


def sister(made: Shop, mode: str = "b") -> Phase:
    found = made.pipeline.runs.read("load", Run(DAY, mode))
    assert found is not None
    return found


def told(made: Shop, source: Source, reason: str | None) -> None:
    """Have the calendar say that the day does not take place, or does, and everybody hear it."""
    source.void = {} if reason is None else {DAY: reason}
    made.clock.at += 5.0
    made.pipeline.ask_calendar(DAY[:7])


def asked_of(made: Shop) -> Phase:
    found = made.pipeline.runs.read("report", Run(DAY, "daily"))
    assert found is not None
    return found


def awaits(made: Shop) -> bool:
    return bool(phase(made, 2).windows["out.sum@5d"].awaited)


def loaded(plan: str = WITH_CALENDAR) -> tuple[Shop, Source]:
    made, source = kept(plan)
    load(made, 1)
    settle(made)
    return made, source


def test_an_operator_takes_back_his_own_and_what_the_calendar_says_holds() -> None:
    made, source = loaded()
    void(made, "a bad file")
    told(made, source, "snow storm")
    void(made, None)
    assert made.pipeline.views.why(RUN)[0].reason == "snow storm"
    told(made, source, None)
    assert state(made, "load") == "complete"


def test_a_void_of_which_an_older_version_did_not_say_whose_it_is_is_the_calendar_s() -> None:
    made, source = loaded()
    told(made, source, "snow storm")
    for doc in list(made.store.scan("phase:")):
        body = {name: value for name, value in doc.body.items() if name not in ("voids", "heard")}
        made.store.delete(doc.key, expect=doc.version)
        made.store.write(doc.key, body, due=doc.due, expect=None)
    told(made, source, None)
    settle(made)
    assert state(made, "load") == "complete"


def test_a_month_that_was_lost_is_told_to_runs_that_it_had_made_void() -> None:
    made, source = loaded()
    told(made, source, "snow storm")
    (doc,) = made.store.scan("calendar:shop:dates:2026-02")
    made.store.delete(doc.key, expect=doc.version)
    told(made, source, None)
    assert state(made, "load") == "complete"


def test_a_window_that_changed_while_a_run_was_void_is_built_in_when_it_takes_place() -> None:
    made = expecting(await_windows=False)
    made.pipeline.put_dates([Day(date=f"2026-02-{n:02d}", state="work" if n < 4 else "none") for n in range(1, 29)])
    for day in (1, 2):
        load_day(made, day, day)
        settle(made)
    made.clock.at += 10.0
    made.pipeline.put_dates([Day(date="2026-02-02", state="void", reason="snow storm")])
    load_day(made, 1, 50)
    settle(made, until_s=60.0)
    assert cell(made, "out.trend", 2) == 1
    made.clock.at += 10.0
    made.pipeline.put_dates([Day(date="2026-02-02", state="work")])
    settle(made)
    assert cell(made, "out.trend", 2) == 50


def test_what_a_sister_run_reported_while_a_run_was_void_is_heard_when_it_takes_place() -> None:
    made = shop(plan=SISTERS)
    made.clock.at = NOON - 3 * 3600.0
    write(made, f"{DAY}.a", "orders")
    write(made, f"{DAY}.b", "orders")
    void(made, "left out", mode="b")
    write(made, f"{DAY}.a", "other")
    made.pipeline.work_until_idle()
    assert "other" not in sister(made).members
    void(made, None, mode="b")
    assert sister(made).generation == 1


def test_a_run_that_is_void_before_anybody_opened_it_fires_nothing() -> None:
    made = shop(plan=SISTERS)
    made.clock.at = NOON + 3600.0
    write(made, f"{DAY}.a", "orders")
    void(made, "left out", mode="b")
    assert (sister(made).generation, sister(made).void) == (0, "left out")


def test_a_trigger_that_met_a_void_run_is_worked_on_when_it_takes_place() -> None:
    made, source = loaded()
    load(made, 2)
    told(made, source, "snow storm")
    settle(made, until_s=60.0)
    assert (total(made), generation(made, "load")) == (1, 2)
    told(made, source, None)
    settle(made)
    assert total(made) == 2


def test_whether_windows_are_waited_for_is_pinned_and_changed_by_replan() -> None:
    made = expecting()
    days = [Day(date=f"2026-02-{n:02d}", state="work" if n < 3 else "none") for n in range(1, 29)]
    made.pipeline.put_dates(days)
    load_day(made, 2, 2)
    settle(made, until_s=60.0)
    assert awaits(made)
    again = expecting(await_windows=False, store=made.store, warehouse=made.warehouse)
    again.clock.at = made.clock.at
    found = [f.code for o in again.pipeline.checks.inspector.inspect("2026-02-02", "2026-02-02") for f in o.findings]
    assert found == ["PG014"], "an open run of an older plan"
    again.pipeline.runs.refresh("out", Run("2026-02-02", "night"))
    assert awaits(again), "it is pinned"
    again.pipeline.runs.replan("out", Run("2026-02-02", "night"))
    settle(again, until_s=60.0)
    assert phase(again, 2).generation == 1


def test_a_run_whose_mode_has_come_to_ask_no_calendar_is_brought_back() -> None:
    made, source = kept(ANY_DATE.replace("any_date = true, ", ""))
    write(made, RUN, "fetches")
    told(made, source, "snow storm")
    assert state(made, "log") == "void"
    again = shop(plan=ANY_DATE, store=made.store, warehouse=made.warehouse, dates=source)
    again.clock.at = made.clock.at
    told(again, source, None)
    assert state(again, "log") == "waiting"


def test_what_is_expected_on_any_date_is_late_on_a_day_without_games_too() -> None:
    made, source = kept(ANY_DATE)
    source.none.add(DAY)
    source.left_out.add("2026-02-04")
    for day in (DAY, "2026-02-04"):
        write(made, f"{day}.daily", "extra")
    made.clock.at = NOON + 3 * 86400.0
    rows = [row for row in made.pipeline.views.lateness.rows(DAY, "2026-02-04") if row.step == "fetches"]
    assert [(row.run[:10], row.verdict) for row in rows] == [(DAY, "never"), ("2026-02-04", "never")]


def test_a_backfill_mends_a_run_of_any_date_on_a_day_without_games() -> None:
    made, source = kept(ANY_DATE)
    source.none.add(DAY)
    write(made, RUN, "extra")
    items = made.pipeline.backfill(BackfillJob(first=DAY, last=DAY)).items()
    assert [(item.phase, item.lacking) for item in items] == [("log", ("fetches",))]


def test_what_was_asked_for_when_a_run_became_void_is_built_again_when_it_takes_place() -> None:
    made, source = kept()
    load(made, 1)
    settle(made)
    load(made, 2)
    made.pipeline.serve_one()  # the trigger: totals is asked for anew
    told(made, source, "snow storm")
    settle(made, until_s=60.0)  # the request is served all the same, or not: nobody knows
    assert asked_of(made).members["totals"].stale == "unknown"
    told(made, source, None)
    settle(made)
    assert total(made) == 2
    assert asked_of(made).members["totals"].stale is None


def test_a_run_that_became_void_in_a_quiet_backfill_is_loud_when_it_takes_place() -> None:
    made, source = loaded()
    made.pipeline.runs.rebuild("load", Run(DAY, "daily"), steps=(), quiet=True)
    told(made, source, "snow storm")
    made.pipeline.runs.end_quiet("load", Run(DAY, "daily"))
    told(made, source, None)
    assert not sister(made, "daily").quiet


def test_a_deadline_passes_though_a_sister_cannot_be_read() -> None:
    made = shop(plan=SISTERS)
    made.clock.at = NOON - 3 * 3600.0
    void(made, "left out", mode="b")
    write(made, f"{DAY}.a", "other")
    (doc,) = made.store.scan(f"phase:shop:load:{DAY}.a")
    made.store.write(doc.key, {**doc.body, "_schema": 99}, due=None, expect=doc.version)
    with suppress(PhasegateError):
        void(made, None, mode="b")
    with suppress(PhasegateError):
        write(made, f"{DAY}.b", "orders")
    assert (sister(made).void, sister(made).generation) == (None, 0)
    made.clock.at = NOON + 60.0
    made.pipeline.work_until_idle()
    assert sister(made).firings[0].missing == ("other",)


def test_a_run_that_somebody_opened_just_before_it_was_declared_void_is_void() -> None:
    made, _, store = held_up()
    store.held = "phase:shop:load", lambda: load(made, 1)
    void(made, "a bad file")
    assert state(made, "load") == "void"


def test_a_run_that_is_brought_back_after_its_deadline_hears_its_sisters_before_it_fires() -> None:
    made = shop(plan=SISTERS)
    made.clock.at = NOON - 3 * 3600.0
    write(made, f"{DAY}.b", "orders")
    void(made, "left out", mode="b")
    write(made, f"{DAY}.a", "other")
    made.clock.at = NOON + 3600.0
    void(made, None, mode="b")
    assert [firing.missing for firing in sister(made).firings] == [()]


def test_who_was_slow_to_tell_a_run_what_others_know_does_not_say_that_it_has_heard() -> None:
    made, _, store = held_up(SISTERS)
    made.clock.at = NOON - 3 * 3600.0
    write(made, f"{DAY}.b", "orders")
    void(made, "left out", mode="b")
    write(made, f"{DAY}.a", "other")

    def meanwhile() -> None:
        void(made, "left out again", mode="b")
        made.clock.at += 1.0
        store.held = f"phase:shop:load:{DAY}.a", lambda: void(made, "and again", mode="b")
        void(made, None, mode="b")
        made.clock.at += 1.0

    store.held = f"phase:shop:load:{DAY}.a", meanwhile
    void(made, None, mode="b")
    void(made, None, mode="b")
    made.pipeline.work_until_idle()
    assert sister(made).generation == 1
