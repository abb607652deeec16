"""What a calendar's source answers is checked date by date: a bad value makes its own date unknown, and no other."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any, cast

import pytest

from phasegate.base.backoff import AHEAD_EVERY_S
from phasegate.base.findings import listed
from phasegate.base.keys import Run, calendar_key
from phasegate.calendar.month import Day
from phasegate.errors import BadInput, NotFound
from phasegate.explain.coverage import Cell
from phasegate.explain.late_results import Coverage
from phasegate.store import Doc
from phasegate.stores.memory import MemoryStore
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from tests.support.calendars import NOON, WITH_CALENDAR, Source
from tests.support.nasty import NASTY, Unshowable
from tests.support.pipelines import DAY, Shop, load, settle, shop, state

BAD = "2026-02-20"
Items = Callable[[list[Day]], Iterable[object]]
STARTED = WITH_CALENDAR.replace(
    "[phase.load]", '[phase.load]\n[phase.load.modes.daily]\nexpect = "*"\nstart = "schedule 10:00"'
)


class Bent(Source):
    """A source whose answer a test bends; ``bend`` None: it is fixed."""

    bend: Items | None = None

    def __call__(self, first: date, last: date) -> Any:
        days = cast("list[Day]", super().__call__(first, last))
        return days if self.bend is None else self.bend(days)


def bent(bend: Items, *, plan: str = WITH_CALENDAR, store: MemoryStore | None = None) -> tuple[Shop, Bent]:
    source = Bent()
    source.bend = bend
    made = shop(plan=plan, store=store or MemoryStore(), warehouse=MemoryWarehouse(), dates=source)
    made.clock.at = NOON
    return made, source


def day(**fields: object) -> Day:
    return Day(**{"date": BAD, "state": "work", **fields})  # type: ignore[arg-type]


def instead(item: object) -> Items:
    return lambda days: [item if one.date == BAD else one for one in days]


def others_are_known(made: Shop) -> bool:
    calendar = made.pipeline.calendar
    return all(calendar.day(f"2026-02-{n:02d}") is not None for n in range(1, 29) if n != 20)


def cells(made: Shop) -> list[Cell]:
    return Coverage(made.pipeline.plan, made.pipeline.ports).cells(BAD, BAD)


VALUES = [pytest.param(value, id=name) for name, value in NASTY.items()]
OF_NO_STATE = [pytest.param(value, id=name) for name, value in {**NASTY, "games": "games"}.items()]
OF_NO_REASON = [pytest.param(v, id=n) for n, v in NASTY.items() if n not in ("text", "empty-text", "nul")]


@pytest.mark.parametrize("value", VALUES)
def test_an_anchor_that_is_no_time_makes_its_date_unknown_until_the_source_is_fixed(value: object) -> None:
    check(instead(day(anchors={"last_game_end": value})))


@pytest.mark.parametrize("value", [p for p in VALUES if p.id not in ("text", "nul")])
def test_an_anchor_without_a_name_makes_its_date_unknown(value: object) -> None:
    try:
        anchors = {value: 1.0}
    except TypeError:  # no name of a dict
        return
    check(instead(day(anchors=anchors)))


@pytest.mark.parametrize("value", OF_NO_STATE)
def test_a_state_that_is_none_of_the_three_makes_its_date_unknown(value: object) -> None:
    check(instead(day(state=value)))


@pytest.mark.parametrize("value", OF_NO_REASON)
def test_a_reason_that_is_no_text_makes_its_date_unknown(value: object) -> None:
    check(instead(day(reason=value)))


@pytest.mark.parametrize("value", [p for p in VALUES if p.id != "dict"])
def test_anchors_that_are_no_times_by_name_make_their_date_unknown(value: object) -> None:
    check(instead(day(anchors=value)))


@pytest.mark.parametrize("value", [*VALUES, pytest.param({"date": BAD}, id="dict-of-a-date")])
def test_an_item_that_is_no_calendar_day_makes_its_date_unknown(value: object) -> None:
    check(instead(value))


@pytest.mark.parametrize("value", VALUES)
def test_a_date_that_is_no_date_makes_its_date_unknown(value: object) -> None:
    check(instead(day(date=value)))


def twice(days: list[Day]) -> Iterable[Day]:
    return [*days, day(state="none")]


def raising(error: BaseException) -> Items:
    def bend(days: list[Day]) -> Iterator[Day]:
        yield from (one for one in days if one.date != BAD)
        raise error

    return bend


def endlessly(days: list[Day]) -> Iterator[Day]:
    yield from (one for one in days if one.date != BAD)
    while True:
        yield days[0]


@pytest.mark.parametrize(
    "bend",
    [
        pytest.param(twice, id="twice"),
        pytest.param(endlessly, id="endlessly"),
        *(
            pytest.param(raising(error), id=type(error).__name__)
            for error in (
                ValueError("\ud800"),
                SystemExit(3),
                Unshowable(),
                GeneratorExit(),
                BadInput("no"),
                RecursionError(),
            )
        ),
    ],
)
def test_an_answer_that_contradicts_itself_or_breaks_off_leaves_only_its_own_dates_unknown(bend: Items) -> None:
    check(bend)


def check(bend: Items) -> None:
    """Check that one date is unknown, with the reason everywhere, while the source is broken, and known after it."""
    made, source = bent(bend)
    made.pipeline.sweep()
    assert made.pipeline.calendar.day(BAD) is None
    assert others_are_known(made)
    load(made, 1)
    settle(made)
    assert state(made, "load") == "complete"
    with pytest.raises(BadInput, match=r"the calendar has no answer for 2026-02-20 [(].+[)]; fix its source"):
        made.pipeline.runs.open("load", Run(BAD, "daily"))
    with pytest.raises(NotFound, match=r"the calendar has no answer for 2026-02-20 [(].+[)]; fix its source"):
        made.pipeline.views.why(f"{BAD}.daily")
    made.clock.at += 20 * 86400.0
    assert any(c.state == "UNKNOWN" and "(" in c.reason for c in cells(made))
    (found,) = [f for f in listed(made.pipeline.checks.inspector.inspect(BAD, BAD)) if f.code == "PG017"]
    assert ": " in found.text
    source.bend = None
    made.pipeline.sweep()
    assert made.pipeline.calendar.day(BAD) is not None


def test_a_refused_date_that_is_ahead_is_shown_and_found() -> None:
    made, _ = bent(instead(day(anchors={"tip": None})))
    made.pipeline.sweep()
    (cell, *_) = cells(made)
    assert "(its source's answer is refused: anchor tip is None, no time in epoch seconds)" in cell.reason
    assert cell.command == f"fix the calendar's source, then: phasegate reconcile --from {BAD} --to {BAD} --fix"
    (found,) = [f for f in listed(made.pipeline.checks.inspector.inspect(BAD, BAD)) if f.code == "PG017"]
    assert "anchor tip is None" in found.text


def test_an_earlier_good_answer_does_not_count_while_the_newest_is_refused() -> None:
    made, source = bent(list)
    assert made.pipeline.calendar.day(BAD) is not None
    source.bend = instead(day(state="games"))
    made.pipeline.ask_calendar(BAD[:7])
    assert made.pipeline.calendar.day(BAD) is None
    source.bend = None
    made.pipeline.ask_calendar(BAD[:7])
    assert made.pipeline.calendar.day(BAD) is not None


def test_a_process_that_starts_with_a_fixed_source_asks_at_once() -> None:
    store = MemoryStore()
    made, _ = bent(instead(day(anchors={"tip": float("nan")})), store=store)
    made.pipeline.sweep()
    again, _ = bent(list, store=store)
    again.pipeline.sweep()
    assert again.pipeline.calendar.day(BAD, ask=False) is not None


def test_a_process_asks_at_its_start_only_what_is_not_known_whole() -> None:
    store = MemoryStore()
    made, source = bent(list, store=store)
    made.pipeline.sweep()
    assert source.asked > 0
    again, later = bent(list, store=store)
    again.pipeline._scheduler.keep_up()
    assert later.asked == 0


def test_a_process_asks_once_at_its_start_and_then_when_the_answer_is_due() -> None:
    made, source = bent(instead(day(anchors={"tip": float("nan")})))
    scheduler = made.pipeline._scheduler
    for _ in range(3):
        scheduler.keep_up()
        made.clock.at += AHEAD_EVERY_S
    assert source.asked == 1
    source.fails = True
    again, _ = bent(list, store=made.store)
    again.pipeline._scheduler.keep_up()
    assert again.pipeline.calendar.day(BAD, ask=False) is not None, "another process asks at its own start"


def test_a_month_that_is_lost_is_asked_for_again_within_a_time_or_when_the_clock_is_set_back() -> None:
    made, source = bent(list)
    scheduler, key, began = made.pipeline._scheduler, calendar_key("shop", "2026-02"), made.clock.at

    def asked(at_s: float) -> int:
        doc = made.store.read(key)
        if doc is not None:
            made.store.delete(key, expect=doc.version)
        made.clock.at = began + at_s
        scheduler.keep_up()
        return source.asked

    assert [asked(at_s) for at_s in (0.0, 0.0, AHEAD_EVERY_S - 1, AHEAD_EVERY_S)] == [1, 1, 1, 2]
    assert asked(0.0) == 3


def test_runs_of_a_date_that_was_unknown_at_its_start_open_once_it_is_known() -> None:
    made, source = bent(lambda days: [day(date=DAY, anchors={"a": None}) if one.date == DAY else one for one in days],
                        plan=STARTED)  # fmt: skip
    made.pipeline.sweep()
    made.clock.at += 2 * 86400.0
    made.pipeline.work_until_idle()
    assert made.pipeline.runs.read("load", Run("2026-02-04", "daily")) is not None
    assert made.pipeline.runs.read("load", Run(DAY, "daily")) is None
    source.bend = None
    made.clock.at += 1000.0
    made.pipeline.work_until_idle()
    assert made.pipeline.runs.read("load", Run(DAY, "daily")) is not None


@pytest.mark.parametrize("field", ["anchors", "state", "reason", "date"])
@pytest.mark.parametrize("value", [p for p in VALUES if p.id not in ("text", "empty-text", "nul", "dict")])
def test_put_dates_refuses_what_a_source_could_not_give_either(field: str, value: object) -> None:
    made, _ = bent(list)
    bad = {"a": value} if field == "anchors" else value
    with pytest.raises(BadInput, match="item 2 "):
        made.pipeline.put_dates([day(state="none"), day(**{field: bad})])
    assert made.pipeline.calendar.read(BAD[:7]) is None


def test_a_month_that_cannot_be_read_is_asked_for_again() -> None:
    for body in ({"_unreadable": "no JSON", "_text": "x"}, {"days": 3}, {"days": {DAY: {"day": {"state": "games"}}}}):
        store = MemoryStore()
        made, _ = bent(list, store=store)
        store.write("calendar:shop:dates:2026-02", body, due=NOON - 1.0, expect=None)
        found = listed(made.pipeline.checks.inspector.inspect(DAY, DAY))
        assert {f.code for f in found} == {"PG017", "PG018"}
        made.pipeline.sweep()
        assert made.pipeline.calendar.day(BAD, ask=False) is not None
        load(made, 1)


def test_a_month_of_a_newer_version_is_left_alone_and_holds_up_no_sweep() -> None:
    store = MemoryStore()
    made, _ = bent(list, store=store)
    store.write("calendar:shop:dates:2026-02", {"_schema": 99}, due=NOON - 1.0, expect=None)
    made.pipeline.sweep()
    stored = store.read("calendar:shop:dates:2026-02")
    assert isinstance(stored, Doc)
    assert stored.body["_schema"] == 99
