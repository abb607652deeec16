"""A bus that misbehaves must do so: as much as it was told, never more, and the same under the same seed."""

import random
from collections import Counter

import pytest

from phasegate.bus import Delivery, Message
from phasegate.buses.local import LocalBus
from phasegate.buses.wake import NoWake
from phasegate.errors import BadInput
from phasegate.stores.memory import MemoryStore
from phasegate.testing.faults import DELAY_S_MAX, FaultyBus
from tests.support.bus_ports import ManualClock, Recorder

MESSAGES = [f"m{n:02}" for n in range(40)]


def faulty(clock: ManualClock, *, seed: int = 7, duplicate: int = 1, reorder: bool = False) -> FaultyBus:
    inner = LocalBus(MemoryStore(), clock, pipeline="nba", wake=NoWake(clock), observer=Recorder())
    return FaultyBus(inner, rng=random.Random(seed), duplicate=duplicate, reorder=reorder)


def drain(bus: FaultyBus, clock: ManualClock) -> list[Delivery]:
    """Handle everything until nothing is left, time passing as it must; return what was handled."""
    for name in MESSAGES:
        bus.publish(Message(name, "t", {"name": name}))
    handled: list[Delivery] = []
    while (due := bus.next_due()) is not None:
        clock.sleep(max(0.0, due - clock.now()))
        for delivery in bus.receive(["t"]):
            bus.ack(delivery)
            handled.append(delivery)
        assert len(handled) <= 10 * len(MESSAGES)
    return handled


def names(handled: list[Delivery]) -> list[str]:
    return [delivery.message.id for delivery in handled]


def test_each_message_comes_up_to_so_many_times_and_unchanged(clock: ManualClock) -> None:
    start = clock.now()
    handled = drain(faulty(clock, duplicate=3), clock)
    times = Counter(names(handled))
    assert set(times) == set(MESSAGES)
    assert set(times.values()) == {1, 2, 3}
    assert all(delivery.message.body == {"name": delivery.message.id} for delivery in handled)
    assert clock.now() - start <= 2 * DELAY_S_MAX * len(MESSAGES)


def test_copies_come_later_and_between_others(clock: ManualClock) -> None:
    order = names(drain(faulty(clock, duplicate=3), clock))
    firsts = [name for n, name in enumerate(order) if name not in order[:n]]
    assert firsts == MESSAGES, "without reorder the first deliveries keep their order"
    assert order != sorted(order)


def test_reordering_changes_the_order_only(clock: ManualClock) -> None:
    handled = drain(faulty(clock, reorder=True), clock)
    assert names(handled) != MESSAGES
    assert sorted(names(handled)) == MESSAGES
    assert {delivery.tries for delivery in handled} == {1}, "what nobody saw does not count"


def test_a_batch_is_shuffled(clock: ManualClock) -> None:
    bus = faulty(clock, reorder=True)
    for name in MESSAGES:
        bus.publish(Message(name, "t", {}))
    batch = [delivery.message.id for delivery in bus.receive(["t"], limit=40)]
    assert 0 < len(batch) < 40
    assert batch != sorted(batch)


def test_both_faults_together_keep_to_the_bound(clock: ManualClock) -> None:
    times = Counter(names(drain(faulty(clock, duplicate=3, reorder=True), clock)))
    assert set(times) == set(MESSAGES)
    assert max(times.values()) == 3


def test_without_faults_it_is_the_bus(clock: ManualClock) -> None:
    assert names(drain(faulty(clock), clock)) == MESSAGES


def test_one_seed_decides() -> None:
    def order(seed: int) -> list[str]:
        clock = ManualClock()
        return names(drain(faulty(clock, seed=seed, duplicate=3, reorder=True), clock))

    assert order(7) == order(7)
    assert order(7) != order(8)


def test_a_message_sent_again_later_counts_from_one(clock: ManualClock) -> None:
    bus = faulty(clock, reorder=True)
    for _ in range(5):
        assert {delivery.tries for delivery in drain(bus, clock)} == {1}


def test_fewer_than_one_delivery_is_refused(clock: ManualClock) -> None:
    with pytest.raises(BadInput, match=r"^duplicate=0: each message is delivered at least once; use 1 or more$"):
        faulty(clock, duplicate=0)
