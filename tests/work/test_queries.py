"""How many queries of the store a turn of a worker takes: a database bills, and answers, each one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest

from phasegate import Pipeline
from phasegate.buses.local import LocalBus
from phasegate.buses.wake import NoWake
from phasegate.calendar.calendar import Dates
from phasegate.calendar.month import Day
from phasegate.store import ALL, Doc
from phasegate.stores.memory import MemoryStore
from tests.support.pipelines import DAY, PLAN, Shop, load, settle, shop, totals

HOUR_S = 3600.0


class Counting(MemoryStore):
    """Counts the questions about what is due, and all that is read."""

    asked = read_too = 0

    def read(self, key: str, /) -> Doc | None:
        self.read_too += 1
        return super().read(key)

    def scan(self, prefix: str, /, *, after: str = "", until: str | None = None, limit: int = 100) -> Sequence[Doc]:
        self.read_too += 1
        return super().scan(prefix, after=after, until=until, limit=limit)

    def due(
        self, now: float, /, *, prefixes: Sequence[str] = ALL, after: tuple[float, str] | None = None, limit: int = 100
    ) -> Sequence[Doc]:
        self.asked += 1
        return super().due(now, prefixes=prefixes, after=after, limit=limit)

    def next_due(self, *, prefixes: Sequence[str] = ALL) -> float | None:
        self.asked += 1
        return super().next_due(prefixes=prefixes)


def test_an_idle_turn_asks_once_for_messages_once_for_documents_and_once_each_for_the_next_time() -> None:
    store = Counting()
    made = shop(store=store)
    load(made, 5)
    settle(made)
    made.pipeline.work_until_idle()
    store.asked = 0
    made.pipeline.work_one()
    assert store.asked == 2
    made.pipeline.next_due()
    assert store.asked == 4


def test_a_whole_run_asks_less_than_twice_for_each_unit_of_work() -> None:
    store = Counting()
    made = shop(store=store)
    load(made, 5)
    store.asked, units = 0, made.pipeline.work_until_idle()
    assert store.asked <= 2 * units + 4


def polling(made: Shop, *, poll_s: float, wake: NoWake | None = None, dates: Dates | None = None) -> Pipeline:
    """Open the pipeline as a worker does whose store is asked every ``poll_s`` and that nothing wakes."""
    ports = made.pipeline.ports
    wake = wake or NoWake(made.clock, poll_s=poll_s)
    bus = LocalBus(made.store, made.clock, pipeline="shop", wake=wake, observer=made.told)
    functions = {"made:totals": totals}
    return Pipeline(made.pipeline.plan, replace(ports, bus=bus), functions=functions, dates=dates, poll_s=poll_s)


def after(made: Shop, seconds: float) -> Callable[[], bool]:
    ends = made.clock.at + seconds
    return lambda: made.clock.at >= ends


@pytest.mark.parametrize("has_calendar", [False, True])
def test_an_idle_worker_on_a_store_that_bills_asks_less_than_twice_a_minute(*, has_calendar: bool) -> None:
    store = Counting()
    of_winter = [str(date(2026, 1, 1) + timedelta(days=number)) for number in range(90)]
    days = [Day(date=on, state="work" if on == DAY else "none") for on in of_winter]
    plan = f'calendar = "made:dates"\n{PLAN}' if has_calendar else PLAN
    dates: Dates | None = (lambda _first, _last: days) if has_calendar else None
    made = shop(store=store, plan=plan, dates=dates)
    load(made, 5)
    settle(made)
    pipeline = polling(made, poll_s=90.0, dates=dates)
    pipeline.work(after(made, HOUR_S))
    store.asked = store.read_too = 0
    pipeline.work(after(made, 24 * HOUR_S))
    assert store.asked >= 24 * 40 * 2, "it does not ask at each poll"
    assert store.asked + store.read_too < 24 * 60 * 2


class TwoThreads(NoWake):
    """A wake-up whose first wait plays all that another thread does for some time."""

    other: Callable[[], object] | None = None

    def wait(self, timeout_s: float, /) -> bool:
        other, self.other = self.other, None
        if other is not None:
            other()
        return super().wait(timeout_s)


def test_threads_of_an_idle_worker_share_their_questions() -> None:
    store = Counting()
    made = shop(store=store)
    wake = TwoThreads(made.clock, poll_s=90.0)
    pipeline = polling(made, poll_s=90.0, wake=wake)
    wake.other = lambda: pipeline._wait(after(made, 450.0))
    pipeline._wait(after(made, 850.0))
    each_when_it_becomes_idle, one_of_them_at_each_poll = 2, 9
    assert store.asked == 2 * (each_when_it_becomes_idle + one_of_them_at_each_poll)


def test_what_another_process_writes_is_found_at_the_next_poll() -> None:
    made = shop()
    pipeline, began = polling(made, poll_s=90.0), made.clock.at
    written, found = list[float](), list[float]()

    def stop() -> bool:
        passed = made.clock.at - began
        if passed >= 400.0 and not written:
            load(made, 5)
            written.append(passed)
        if made.told.of("served"):
            found.append(passed)
        return bool(found) or passed > 1000.0

    pipeline.work(stop)
    assert found, "it was not found"
    assert 0 < found[0] - written[0] <= 90.0
