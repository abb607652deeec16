"""What LocalBus promises beyond at-least-once."""

import pytest

from phasegate.bus import Message
from phasegate.buses.local import LOOKS_EXTRA_MAX, UNREADABLE_AGAIN_S, LocalBus
from phasegate.buses.wake import NoWake
from phasegate.errors import Ambiguous, BadInput, Unavailable
from phasegate.store import Body
from phasegate.stores.memory import MemoryStore
from phasegate.testing.store_model import together
from tests.support.bus_ports import ManualClock, Recorder


class UnansweringStore(MemoryStore):
    """Does what it is asked, and then may leave the caller without an answer: once per name in ``silent``."""

    def __init__(self, error: type[Exception] = Ambiguous) -> None:
        super().__init__()
        self.silent: list[str] = []
        self.error = error

    def write(self, key: str, body: Body, /, *, due: float | None, expect: str | None) -> str:
        version = super().write(key, body, due=due, expect=expect)
        self._answer("write")
        return version

    def delete(self, key: str, /, *, expect: str) -> None:
        super().delete(key, expect=expect)
        self._answer("delete")

    def _answer(self, verb: str) -> None:
        if verb in self.silent:
            self.silent.remove(verb)
            raise self.error(f"{verb} went unanswered")


def unanswering(clock: ManualClock, recorder: Recorder) -> tuple[UnansweringStore, LocalBus]:
    store = UnansweringStore()
    return store, LocalBus(store, clock, pipeline="nba", wake=NoWake(clock), observer=recorder)


def ids(bus: LocalBus, *topics: str, limit: int = 99) -> list[str]:
    return [delivery.message.id for delivery in bus.receive(topics, limit=limit)]


def test_publishing_again_before_the_end_is_one_message(bus: LocalBus, store: MemoryStore) -> None:
    bus.publish(Message("a", "t", {"n": 1}))
    bus.publish(Message("a", "t", {"n": 1}))
    (delivery,) = bus.receive(["t"], limit=9)
    bus.publish(Message("a", "t", {"n": 1}))
    assert ids(bus, "t") == []
    bus.ack(delivery)
    assert store.scan("") == []


def test_the_longest_waiting_message_comes_first_whatever_its_topic(bus: LocalBus, clock: ManualClock) -> None:
    for n, topic in enumerate(["b", "a", "c", "a", "b", "a"]):
        bus.publish(Message(f"m{n}", topic, {}))
        clock.sleep(1.0)
    assert ids(bus, "a", "b", limit=4) == ["m0", "m1", "m3", "m4"]
    assert ids(bus, "c", "a") == ["m2", "m5"]


def test_many_more_messages_than_a_page_are_all_delivered_in_order(bus: LocalBus) -> None:
    for n in range(50):
        bus.publish(Message(f"m{n:02}", "t", {}))
    assert ids(bus, "t", limit=40) == [f"m{n:02}" for n in range(40)]
    assert ids(bus, "t") == [f"m{n:02}" for n in range(40, 50)]


def test_a_late_acknowledgement_does_not_forget_what_another_holds(bus: LocalBus, clock: ManualClock) -> None:
    bus.publish(Message("a", "t", {}))
    (slow,) = bus.receive(["t"])
    clock.sleep(61.0)
    (newer,) = bus.receive(["t"])
    bus.ack(slow)
    bus.postpone(slow, delay_s=0.0)
    assert ids(bus, "t") == [], "still hidden for the newer holder"
    bus.postpone(newer, delay_s=0.0)
    assert ids(bus, "t") == ["a"]


def test_of_many_receivers_one_gets_each_message(bus: LocalBus) -> None:
    for n in range(40):
        bus.publish(Message(f"m{n}", "t", {}))
    taken = together(lambda _: ids(bus, "t", limit=5))
    got = [one for some in taken for one in some]
    assert len(got) == len(set(got)) == 40


def test_pipelines_in_one_store_do_not_see_each_other(store: MemoryStore, clock: ManualClock, bus: LocalBus) -> None:
    other = LocalBus(store, clock, pipeline="nba-b", wake=NoWake(clock), observer=Recorder())
    bus.publish(Message("a", "t", {}))
    assert ids(other, "t") == []
    assert other.next_due() is None
    assert ids(bus, "t") == ["a"]


BAD_ENVELOPES: dict[str, dict[str, object]] = {
    "no fields": {},
    "a body that is no object": {"topic": "t", "id": "x", "body": 1, "tries": 0, "published_at": 0.0},
    "tries that are text": {"topic": "t", "id": "x", "body": {}, "tries": "0", "published_at": 0.0},
    "another message's id": {"topic": "t", "id": "other", "body": {}, "tries": 0, "published_at": 0.0},
}


@pytest.mark.parametrize("bad", BAD_ENVELOPES.values(), ids=BAD_ENVELOPES.keys())
def test_an_unreadable_message_is_told_and_put_off_unchanged(
    store: MemoryStore, bus: LocalBus, recorder: Recorder, bad: Body
) -> None:
    store.write("message:nba:t:x", bad, due=1.0, expect=None)
    bus.publish(Message("good", "t", {}))
    assert ids(bus, "t") == ["good"]
    assert [(name, fields["key"]) for name, fields in recorder.events] == [("message unreadable", "message:nba:t:x")]
    found = store.read("message:nba:t:x")
    assert found is not None
    assert (found.body, found.due) == (bad, bus._clock.now() + UNREADABLE_AGAIN_S)


def test_a_heap_of_unreadable_messages_starves_nobody(store: MemoryStore, bus: LocalBus, recorder: Recorder) -> None:
    bad = 3 * LOOKS_EXTRA_MAX
    for n in range(bad):
        store.write(f"message:nba:t:bad{n}", {}, due=1.0, expect=None)
    bus.publish(Message("good", "t", {}))
    looks = 1
    while ids(bus, "t") != ["good"]:
        looks += 1
        assert looks <= 4
    assert len(recorder.events) == bad


def test_fields_of_a_newer_version_are_kept(store: MemoryStore, bus: LocalBus) -> None:
    body = {"topic": "t", "id": "a", "body": {}, "tries": 2, "published_at": 0.0, "trace": "00-ab"}
    store.write("message:nba:t:a", body, due=1.0, expect=None)
    (delivery,) = bus.receive(["t"])
    assert delivery.tries == 3
    bus.postpone(delivery, delay_s=0.0)
    found = store.read("message:nba:t:a")
    assert found is not None
    assert found.body == {**body, "tries": 3}


def test_an_unanswered_publish_may_be_repeated(clock: ManualClock, recorder: Recorder) -> None:
    store, bus = unanswering(clock, recorder)
    store.silent = ["write"]
    with pytest.raises(Ambiguous):
        bus.publish(Message("a", "t", {}))
    bus.publish(Message("a", "t", {}))
    assert ids(bus, "t") == ["a"]


def test_an_unanswered_claim_is_skipped_told_and_comes_again(clock: ManualClock, recorder: Recorder) -> None:
    store, bus = unanswering(clock, recorder)
    bus.publish(Message("a", "t", {}))
    bus.publish(Message("b", "t", {}))
    store.silent = ["write"]
    assert ids(bus, "t") == ["b"]
    assert [(name, fields["what"]) for name, fields in recorder.events] == [("message unanswered", "claim")]
    clock.sleep(61.0)
    assert ids(bus, "t") == ["a", "b"]


def test_an_unanswered_acknowledgement_is_told_and_no_error(clock: ManualClock, recorder: Recorder) -> None:
    store, bus = unanswering(clock, recorder)
    for n, verb in enumerate(["delete", "write"]):
        bus.publish(Message(f"m{n}", "t", {}))
        (delivery,) = bus.receive(["t"])
        store.silent = [verb]
        if verb == "delete":
            bus.ack(delivery)
        else:
            bus.postpone(delivery, delay_s=1.0)
    assert [fields["what"] for _, fields in recorder.events] == ["ack", "postpone"]


def test_a_store_that_cannot_be_used_is_no_empty_bus(clock: ManualClock, recorder: Recorder) -> None:
    store = UnansweringStore(Unavailable)
    bus = LocalBus(store, clock, pipeline="nba", wake=NoWake(clock), observer=recorder)
    bus.publish(Message("a", "t", {}))
    store.silent = ["write"]
    with pytest.raises(Unavailable):
        bus.receive(["t"])


WORDS = "use 1 to 700 of a-z 0-9 . _ - and begin with a letter or a digit"


@pytest.mark.parametrize("text", ["", "A", "a:b", "a b", "../a", "-a", "é", "a\n", "x" * 701])
def test_a_name_that_is_no_word_is_refused_by_name(store: MemoryStore, clock: ManualClock, text: str) -> None:
    bus = LocalBus(store, clock, pipeline="nba", wake=NoWake(clock), observer=Recorder())
    for what, message in {"message id": Message(text, "t", {}), "topic": Message("a", text, {})}.items():
        with pytest.raises(BadInput) as refused:
            bus.publish(message)
        assert str(refused.value) == f"{what} {text[:80]!r}: {WORDS}"
    with pytest.raises(BadInput, match=r"^pipeline "):
        LocalBus(store, clock, pipeline=text, wake=NoWake(clock), observer=Recorder())
    assert store.scan("") == []


def test_the_longest_names_fit_every_database(bus: LocalBus) -> None:
    bus.publish(Message("i" * 700, "t" * 700, {}))
    assert ids(bus, "t" * 700) == ["i" * 700]


def test_a_body_that_is_not_json_is_refused(bus: LocalBus) -> None:
    with pytest.raises(BadInput, match=r"body\.body\.x: a set is not JSON"):
        bus.publish(Message("a", "t", {"x": {1}}))
