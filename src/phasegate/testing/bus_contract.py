"""The contract of every Bus, as tests.

Subclass BusContract, and give it ``bus``, ``clock`` and ``visibility_s`` fixtures.

    class TestMyBus(BusContract):
        @pytest.fixture
        def bus(self, clock): ...

Time passes by ``clock.sleep``: a test clock makes the suite quick, the real clock fits a real bus. Only at-least-once
is required: a bus may deliver more often than these tests publish, but never less.
"""

import uuid
from collections.abc import Sequence

import pytest

from phasegate.bus import Bus, Delivery, Message
from phasegate.ports import Clock
from phasegate.store import Body
from phasegate.testing.store_model import THREADS, together

RECEIVES_MAX = 200


class BusContract:
    """The promises of ports.Bus."""

    @pytest.fixture
    def visibility_s(self) -> float:
        """Return how long the bus under test hides a delivered message."""
        return 60.0

    @pytest.fixture
    def topic(self) -> str:
        """Return a topic of this test's own."""
        return f"contract-{uuid.uuid4().hex}"

    def test_an_empty_bus_gives_nothing(self, bus: Bus, topic: str) -> None:
        """Check that receiving does not wait."""
        assert list(bus.receive([topic])) == []

    def test_what_was_published_is_delivered(self, bus: Bus, topic: str) -> None:
        """Check that id, topic and body arrive as they were sent."""
        body: Body = {"run": "2026-02-03.overnight", "n": 1, "deep": {"list": [None, 1.5, "é"]}}
        bus.publish(Message("request.1", topic, body))
        (delivery,) = bus.receive([topic])
        assert delivery.message == Message("request.1", topic, body)
        assert delivery.tries >= 1

    def test_a_delivered_message_is_hidden_for_a_while(self, bus: Bus, clock: Clock, visibility_s: float) -> None:
        """Check that no other receiver gets it until its time has passed.

        Then it is delivered again, and counted.
        """
        topic = f"contract-{uuid.uuid4().hex}"
        bus.publish(Message("a", topic, {}))
        (first,) = bus.receive([topic])
        assert list(bus.receive([topic])) == []
        clock.sleep(visibility_s + 0.001)
        (second,) = bus.receive([topic])
        assert second.message == first.message
        assert second.tries == first.tries + 1

    def test_an_acknowledged_message_is_gone(self, bus: Bus, clock: Clock, visibility_s: float, topic: str) -> None:
        """Check that it is not delivered again later."""
        bus.publish(Message("a", topic, {}))
        (delivery,) = bus.receive([topic])
        bus.ack(delivery)
        clock.sleep(visibility_s + 0.001)
        assert list(bus.receive([topic])) == []

    def test_acknowledging_twice_is_no_error(self, bus: Bus, topic: str) -> None:
        """Check that the second time nothing is left to delete."""
        bus.publish(Message("a", topic, {}))
        (delivery,) = bus.receive([topic])
        bus.ack(delivery)
        bus.ack(delivery)
        assert list(bus.receive([topic])) == []

    def test_acknowledging_too_late_is_no_error(self, bus: Bus, clock: Clock, visibility_s: float, topic: str) -> None:
        """Check that a slow receiver may still acknowledge or postpone.

        Its message went to another in between.
        """
        bus.publish(Message("a", topic, {}))
        (slow,) = bus.receive([topic])
        clock.sleep(visibility_s + 0.001)
        (newer,) = bus.receive([topic])
        bus.ack(slow)
        bus.postpone(slow, delay_s=0.0)
        bus.ack(newer)
        bus.postpone(newer, delay_s=0.0)

    def test_a_postponed_message_comes_again_after_its_delay(self, bus: Bus, clock: Clock, topic: str) -> None:
        """Check that it is delivered not before, with its body, and counted."""
        bus.publish(Message("a", topic, {"n": 1}))
        (first,) = bus.receive([topic])
        bus.postpone(first, delay_s=10.0)
        clock.sleep(9.0)
        assert list(bus.receive([topic])) == []
        clock.sleep(1.001)
        (second,) = bus.receive([topic])
        assert (second.message.id, second.message.body) == ("a", {"n": 1})
        assert second.tries == first.tries + 1

    def test_a_message_may_be_given_back_at_once(self, bus: Bus, topic: str) -> None:
        """Check that a stopping worker can return what it did not begin."""
        bus.publish(Message("a", topic, {}))
        (delivery,) = bus.receive([topic])
        bus.postpone(delivery, delay_s=0.0)
        assert [again.message.id for again in bus.receive([topic])] == ["a"]

    def test_only_the_topics_asked_for_are_delivered(self, bus: Bus, topic: str) -> None:
        """Check that a topic whose name begins like another is another."""
        for name in (topic, f"{topic}-b", f"{topic}.b", f"{topic}_b"):
            bus.publish(Message("a", name, {"topic": name}))
        assert [one.message.topic for one in bus.receive([topic], limit=9)] == [topic]
        others = bus.receive([f"{topic}-b", f"{topic}.b"], limit=9)
        assert sorted(one.message.topic for one in others) == [f"{topic}-b", f"{topic}.b"]
        assert list(bus.receive([], limit=9)) == []

    def test_what_was_accepted_is_delivered_once_for_its_id(self, bus: Bus, topic: str) -> None:
        """Check that a message that came by another way is one of the bus."""
        for _ in range(2):
            bus.accept(Message("push.1", topic, {"n": 1}))
        (delivery,) = bus.receive([topic], limit=9)
        assert delivery.message == Message("push.1", topic, {"n": 1})
        bus.ack(delivery)
        assert list(bus.receive([topic])) == []

    def test_the_same_id_in_two_topics_is_two_messages(self, bus: Bus, topic: str) -> None:
        """Check that acknowledging one leaves the other."""
        bus.publish(Message("a", topic, {}))
        bus.publish(Message("a", f"{topic}-b", {}))
        (delivery,) = bus.receive([topic])
        bus.ack(delivery)
        assert [one.message.topic for one in bus.receive([f"{topic}-b"])] == [f"{topic}-b"]

    def test_no_more_than_the_limit_is_delivered(self, bus: Bus, topic: str) -> None:
        """Check that the next call delivers the rest."""
        for n in range(5):
            bus.publish(Message(f"m{n}", topic, {}))
        first, second = bus.receive([topic], limit=3), bus.receive([topic], limit=3)
        assert (len(first), len(second)) == (3, 2)
        assert {one.message.id for one in (*first, *second)} == {f"m{n}" for n in range(5)}

    def test_a_message_published_again_after_its_end_comes_again(self, bus: Bus, topic: str) -> None:
        """Check that the bus stores nothing of an acknowledged message.

        Publishing it again delivers it again.
        """
        for _ in range(2):
            bus.publish(Message("a", topic, {}))
            (delivery,) = bus.receive([topic])
            bus.ack(delivery)

    def test_next_due_says_when_to_look_again(self, bus: Bus, clock: Clock, visibility_s: float, topic: str) -> None:
        """Check the time: now if one waits, later if hidden, None if none."""
        assert bus.next_due(topics=[topic]) is None
        bus.publish(Message("a", topic, {}))
        assert _known(bus.next_due(topics=[topic])) <= clock.now()
        (delivery,) = bus.receive([topic])
        assert clock.now() < _known(bus.next_due(topics=[topic])) <= clock.now() + visibility_s
        assert bus.next_due(topics=[f"{topic}-b"]) is None
        assert bus.next_due() is not None
        bus.ack(delivery)
        assert bus.next_due(topics=[topic]) is None

    def test_waiting_ends(self, bus: Bus) -> None:
        """Check that waiting returns, whatever it returns."""
        assert bus.wait(0.0) in (True, False)
        assert bus.wait(0.01) in (True, False)

    def test_threads_that_receive_together_get_every_message(self, bus: Bus, topic: str) -> None:
        """Check that nothing is lost when many publish and receive at once."""
        each = 10

        def publish(who: int) -> None:
            for n in range(each):
                bus.publish(Message(f"m{who}.{n}", topic, {}))

        together(publish)
        taken = together(lambda _: _take_all(bus, topic, limit=3))
        got = [one.message.id for many in taken for one in many]
        assert set(got) == {f"m{who}.{n}" for who in range(THREADS) for n in range(each)}


def _known(at: float | None) -> float:
    assert at is not None
    return at


def _take_all(bus: Bus, topic: str, *, limit: int) -> Sequence[Delivery]:
    """Receive and acknowledge until nothing is left.

    A thread that received something tries once more, so the last one sees all.
    """
    taken: list[Delivery] = []
    for _ in range(RECEIVES_MAX):
        some = bus.receive([topic], limit=limit)
        if not some:
            break
        taken += some
        for delivery in some:
            bus.ack(delivery)
    return taken
