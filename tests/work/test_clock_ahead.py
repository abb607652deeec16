"""A clock that was ten years ahead for a moment delays nothing for longer than a right one would."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from phasegate.base.findings import listed
from phasegate.base.keys import Run
from phasegate.bus import Message
from phasegate.calendar.month import Day
from phasegate.gate.evaluate import without_times_ahead
from phasegate.gate.phase import Phase
from phasegate.store import Body
from phasegate.stores.memory import MemoryStore
from phasegate.testing.crashes import ProcessCrashed
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from phasegate.write.lease import Lease, acquire
from tests.support.calendars import WITH_CALENDAR
from tests.support.pipelines import DAY, PLAN, RUN, Shop, load, shop, state, total, totals
from tests.support.story import gate

AHEAD_S = 3650 * 86400.0
# A lease, and after it the longest pause between two requests.
WAIT_S = 900.0
LEASE = f"lease:main:out.totals:{DAY}"
PATIENT = PLAN.replace(
    'after = "load"', 'after = "load"\nmodes.daily = { expect = "*", critical = [], deadline = "open + 8h" }'
)


class KilledStore(MemoryStore):
    """A store that a killed process no longer reaches."""

    killed = False

    def write(self, key: str, body: Body, /, *, due: float | None, expect: str | None) -> str:
        if self.killed:
            raise ProcessCrashed
        return super().write(key, body, due=due, expect=expect)

    def delete(self, key: str, /, *, expect: str) -> None:
        if self.killed:
            raise ProcessCrashed
        super().delete(key, expect=expect)


def killed_in_a_build(plan: str = PLAN) -> Shop:
    """Return a pipeline whose worker was killed in a build, ten years ahead, and then its clock was set right."""
    store, warehouse = KilledStore(), MemoryWarehouse()

    def killed(_: object) -> list[dict[str, object]]:
        store.killed = True
        raise ProcessCrashed

    ahead = shop({"made:totals": killed}, plan=plan, store=store, warehouse=warehouse)
    right = ahead.clock.at
    ahead.clock.at += AHEAD_S
    load(ahead, 1)
    with pytest.raises(ProcessCrashed):
        ahead.pipeline.work_until_idle()
    store.killed = False
    made = shop({"made:totals": totals}, plan=plan, store=store, warehouse=warehouse)
    made.clock.at = right
    return made


def times(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from times(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from times(inner)
    elif isinstance(value, float):
        yield value


@pytest.mark.parametrize("plan", [PLAN, PATIENT])
def test_a_worker_killed_in_a_build_under_a_clock_ahead_delays_the_build_for_minutes(plan: str) -> None:
    made = killed_in_a_build(plan)
    began = made.clock.at
    while state(made, "report") != "sending" and made.clock.at < began + WAIT_S:
        made.pipeline.sweep()
        made.pipeline.work_until_idle()
        made.clock.at += 5.0
    assert state(made, "report") == "sending"
    assert total(made) == 1
    phase = made.pipeline.runs.read("report", Run(DAY, "daily"))
    assert phase is not None
    assert not phase.firings[-1].missing
    assert phase.due is not None
    assert phase.due <= made.clock.at + 86400.0


def test_reconcile_finds_what_waits_for_a_clock_ahead_and_its_fix_releases_it() -> None:
    made = killed_in_a_build()
    first = listed(made.pipeline.checks.inspector.inspect(DAY, DAY))
    ahead = {f.code: f for f in first if "a clock was ahead" in f.text}
    assert ahead.keys() >= {"PG009", "PG019"}
    assert "3,650 days from now" in ahead["PG009"].text
    assert {f.command for f in ahead.values()} == {"phasegate sweep"}
    for fix in made.pipeline.checks.reconciler.fixes_for(made.pipeline.checks.inspector.inspect(DAY, DAY)):
        made.pipeline.checks.reconciler._apply(fix)
    left = listed(made.pipeline.checks.inspector.inspect(DAY, DAY))
    assert [f for f in left if "a clock was ahead" in f.text] == []


def test_a_worker_that_never_stopped_finds_what_another_put_off() -> None:
    store, warehouse = MemoryStore(), MemoryWarehouse()
    made = shop(store=store, warehouse=warehouse)
    made.pipeline.sweep()
    other = shop(store=store, warehouse=warehouse)
    other.clock.at += AHEAD_S
    other.pipeline.ports.bus.publish(Message("m1", "shop.completions", {"kind": "nonsense"}))
    load(other, 1)
    for _ in range(180):
        made.pipeline.work_until_idle()
        made.clock.at += 5.0
    assert state(made, "report") == "sending"
    assert len(made.pipeline.views.quarantined()) == 1, "also a message that is not sent again"


def test_a_clock_set_back_in_a_process_that_goes_on_is_noticed_at_once() -> None:
    made = shop()
    made.clock.at += AHEAD_S
    made.pipeline.sweep()
    load(made, 1)
    made.clock.at -= AHEAD_S
    made.pipeline.work_until_idle()
    assert state(made, "report") == "sending"


def test_a_deadline_is_not_past_because_a_clock_was_ahead() -> None:
    made = shop(plan=PATIENT)
    right = made.clock.at
    made.clock.at += AHEAD_S
    made.pipeline.runs.open("report", Run(DAY, "daily"))
    made.pipeline.runs.look(f"phase:shop:report:{RUN}")
    made.clock.at = right
    made.pipeline.sweep()
    phase = made.pipeline.runs.read("report", Run(DAY, "daily"))
    assert phase is not None
    assert (phase.opened_at, phase.looked_at, phase.gate.deadline) == (right, right, right + 8 * 3600.0)
    assert phase.firings == ()


def test_no_time_of_a_document_is_left_ahead() -> None:
    made = killed_in_a_build(PATIENT)
    now = made.clock.at
    for name in ("load", "report"):
        stored = made.store.read(f"phase:shop:{name}:{RUN}")
        assert stored is not None
        assert max(times(stored.body)) > now + AHEAD_S / 2
        made.pipeline.runs.look(stored.key)
        righted = made.store.read(stored.key)
        assert righted is not None
        body = {
            name: value for name, value in righted.body.items() if name not in ("seen", "firings", "inputs", "waiting")
        }
        assert max(times(body)) <= now + 86400.0


def test_times_that_a_right_clock_can_have_set_are_left_as_they_are() -> None:
    made = shop()
    load(made, 1)
    made.pipeline.work_until_idle()
    for doc in made.store.scan("phase:"):
        phase = made.pipeline.runs.read(doc.key.split(":")[2], Run(DAY, "daily"))
        assert isinstance(phase, Phase)
        assert without_times_ahead(phase, now=made.clock.at - 299.0) is phase


def test_a_lease_that_ends_in_ten_years_ends_in_its_time_unless_its_holder_renews_it() -> None:
    far = Lease(token=3, holder="h", until=AHEAD_S)
    taken, token = acquire("x", ttl_s=60.0, now=0.0)(far)
    assert token is None
    assert taken == Lease(token=3, holder="h", until=60.0)
    assert acquire("x", ttl_s=60.0, now=0.0)(taken) == (taken, None)
    after, _ = acquire("x", ttl_s=60.0, now=60.0)(taken)
    assert after is not None
    assert after.token == 4


def every_day(first: date, last: date) -> list[Day]:
    dates = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [Day(date=on.isoformat(), state="work") for on in dates]


def test_the_clock_opens_runs_again_after_a_clock_ahead_has_asked_the_calendar() -> None:
    scheduled = WITH_CALENDAR.replace(
        "[phase.load]", '[phase.load]\n[phase.load.modes.daily]\nexpect = "*"\nstart = "schedule 10:00"'
    )
    store, warehouse = MemoryStore(), MemoryWarehouse()
    made = shop(plan=scheduled, store=store, warehouse=warehouse, dates=every_day)
    made.pipeline.sweep()
    other = shop(plan=scheduled, store=store, warehouse=warehouse, dates=every_day)
    other.clock.at += AHEAD_S
    other.pipeline._sweeper.sweep()
    month = made.pipeline.calendar.read(DAY[:7])
    assert month is not None
    assert month.due is None, "it counts as asked after its end"
    for doc in store.scan("phase:"):  # it opened those of the whole month
        store.delete(doc.key, expect=doc.version)
    made.clock.at += 900.0
    made.pipeline.sweep()
    assert made.pipeline.calendar.day("2026-02-20", ask=False) is not None
    made.clock.at += 1.5 * 86400.0
    made.pipeline.work_until_idle()
    assert made.pipeline.runs.read("load", Run(DAY, "daily")) is not None


@pytest.mark.parametrize(("before_s", "moved"), [(-3_600.0, True), (0.0, True), (3_600.0, False)])
def test_a_deadline_moves_with_the_opening_unless_it_was_past_by_then(before_s: float, *, moved: bool) -> None:
    deadline = AHEAD_S - before_s
    phase = Phase(gate=gate(deadline=deadline), opened_at=AHEAD_S, looked_at=AHEAD_S)
    right = without_times_ahead(phase, now=1_000.0)
    assert right.opened_at == 1_000.0
    assert right.gate.deadline == (1_000.0 - before_s if moved else deadline)
