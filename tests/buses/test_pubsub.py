"""What Pub/Sub carries to the inbox, and what happens when one of the two does not answer."""

import json
import threading
from collections.abc import Iterator, Sequence

import pytest
from google.api_core import exceptions as e
from google.auth.credentials import AnonymousCredentials
from google.pubsub_v1 import PublisherClient, PubsubMessage, PullRequest, ReceivedMessage, SubscriberClient

from phasegate.bus import Delivery, Message
from phasegate.buses import pubsub as module
from phasegate.buses.local import LocalBus
from phasegate.buses.pubsub import LISTEN_S, PubSubBus, create_topics
from phasegate.buses.wake import NoWake, WakeSocket
from phasegate.errors import BadInput, Unavailable
from phasegate.gcp.carried import arrived, carried, check_topic, subscription_of, topic_of
from phasegate.messages import CompletionMessage, parse
from phasegate.stores.memory import MemoryStore
from phasegate.system import SystemClock
from phasegate.testing import BusContract
from tests.support.bus_ports import ManualClock, Recorder
from tests.support.google import PUBSUB, new_project, own_emulator

TOPIC, PATIENCE_S = "nba.completions", 30.0


def inbox(clock: ManualClock | SystemClock, store: MemoryStore | None = None) -> LocalBus:
    store = store or MemoryStore()
    return LocalBus(store, clock, pipeline="nba", wake=NoWake(clock), observer=Recorder())


class WithTopics(PubSubBus):
    """Makes the topics that a test names."""

    def made(self, topics: Sequence[str]) -> None:
        if missing := set(topics) - self._topics:
            create_topics(f"pubsub://{self._project}", pipeline="nba", received=missing, sent=())
            self._topics |= missing

    def publish(self, message: Message, /) -> None:
        self.made([message.topic])
        super().publish(message)

    def receive(self, topics: Sequence[str], /, *, limit: int = 1) -> Sequence[Delivery]:
        self.made(topics)
        return super().receive(topics, limit=limit)

    def next_due(self, *, topics: Sequence[str] | None = None) -> float | None:
        self.made(topics or [])
        return super().next_due(topics=topics)


@pytest.fixture(scope="module")
def url(pubsub: str) -> str:
    assert pubsub
    return f"pubsub://{new_project()}"


class TestPubSubBus(BusContract):
    @pytest.fixture
    def bus(self, url: str, clock: ManualClock) -> Iterator[WithTopics]:
        bus = WithTopics(url, inbox(clock), pipeline="nba", clock=clock)
        yield bus
        bus.close()


@pytest.fixture
def project(pubsub: str) -> str:
    """Give a project with the topic of completions, and the service's subscription."""
    assert pubsub
    name = new_project()
    create_topics(f"pubsub://{name}", pipeline="nba", received=[TOPIC], sent=["mailer"])
    return name


def bus_of(project: str, within: LocalBus, *, timeout_s: float = 10.0) -> PubSubBus:
    return PubSubBus(f"pubsub://{project}", within, pipeline="nba", clock=SystemClock(), timeout_s=timeout_s)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def bus(project: str, store: MemoryStore) -> Iterator[PubSubBus]:
    bus = bus_of(project, inbox(SystemClock(), store))
    yield bus
    bus.close()


def send(project: str, data: bytes, **attributes: str) -> str:
    """Publish as another program does; return the number that Pub/Sub gave the message."""
    client = PublisherClient()
    given = PubsubMessage(data=data, attributes=attributes)
    sent = client.publish(topic=client.topic_path(project, TOPIC), messages=[given])
    client.transport.close()
    return sent.message_ids[0]


def test_a_message_is_an_event_of_cloudevents_with_the_run_as_ordering_key() -> None:
    body = {"kind": "trigger", "run": "2026-02-03.overnight", "n": 1}
    data, attributes, key = carried(Message("nba.raw.1", "nba-phase4-trigger", body), pipeline="nba")
    assert json.loads(data) == body
    assert key == "2026-02-03.overnight"
    assert attributes == {
        "ce-specversion": "1.0",
        "ce-id": "nba.raw.1",
        "ce-type": "phasegate.trigger",
        "ce-source": "/phasegate/nba",
        "content-type": "application/json",
    }
    back = arrived(data, attributes, number="7", published_at="2026-02-04T01:00:00Z", topic="nba-phase4-trigger")
    assert back == Message("nba.raw.1", "nba-phase4-trigger", body)


def test_a_bodys_run_that_is_no_ordering_key_is_none() -> None:
    for run in (None, 5, "é"):
        assert carried(Message("a", "abc", {"run": run}), pipeline="nba")[2] == ""


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (Message("a", "ab", {}), "^topic 'ab' cannot be in Pub/Sub: wanted 3 to 200 of a-z"),
        (Message("a", "google-topic", {}), "not with goog; rename it in the plan$"),
        (Message("A", "abc", {}), "^message id 'A': use 1 to 700 of a-z 0-9"),
        (Message("a", "abc", {"x": {1}}), r"^message a: body\.x: a set is not JSON"),
        (Message("a", "abc", {"x": "y" * 500_000}), "^message a: 500,008 bytes, at most 500,000 are carried"),
    ],
)
def test_what_cannot_be_carried_is_refused_before_it_is_sent(message: Message, error: str) -> None:
    with pytest.raises(BadInput, match=error):
        carried(message, pipeline="nba")
    check_topic("abc")


def test_a_subscription_names_its_topic_and_that_of_another_pipeline_does_not() -> None:
    name = subscription_of(TOPIC, pipeline="nba")
    assert topic_of(f"projects/p/subscriptions/{name}", pipeline="nba") == TOPIC
    assert topic_of(name, pipeline="nhl") is None


def test_a_completion_of_another_program_has_its_order_and_id_from_its_publication(
    bus: PubSubBus, project: str
) -> None:
    number = send(project, b'{"step": "odds", "run": "2026-02-03.overnight"}', source="odds-scraper")
    (delivery,) = bus.receive([TOPIC])
    assert delivery.message.id == f"push.{number}"
    parsed = parse(delivery.message.body, where="x")
    assert isinstance(parsed, CompletionMessage)
    assert parsed.execution_id == f"push-{number}"
    assert str(parsed.completed_at).startswith("20")


def test_of_a_completion_that_says_more_nothing_is_replaced() -> None:
    given = b'{"step": "odds", "sequence": 5, "execution_id": "e7"}'
    message = arrived(given, {"ce-id": "A/B"}, number="7", published_at="2026-02-04T01:00:00Z", topic=TOPIC)
    assert (message.id, message.body) == ("push.7", {"kind": "completion", **json.loads(given)})


@pytest.mark.parametrize("data", [b"", b"not json", b"[1]", b"\xff", b'{"n": 99999999999999999999}', b"[" * 5_000])
def test_what_is_no_json_object_becomes_a_message_that_a_worker_quarantines(data: bytes) -> None:
    message = arrived(data, {}, number="7", published_at="", topic=TOPIC)
    with pytest.raises(BadInput, match="publish a JSON object"):
        parse(message.body, where="x")
    LocalBus(MemoryStore(), ManualClock(), pipeline="nba", wake=NoWake(ManualClock()), observer=Recorder()).accept(
        message
    )


def test_a_message_of_ten_megabytes_is_taken_in_cut(bus: PubSubBus, project: str) -> None:
    send(project, b'{"text": "' + b"x" * 2_000_000 + b'"}')
    (delivery,) = bus.receive([TOPIC])
    assert delivery.message.body["_unreadable"] == "2,000,012 bytes, at most 500,000 are taken"
    assert len(str(delivery.message.body["_text"])) == 10_000


def test_what_was_stored_is_acknowledged_and_what_was_not_comes_again(
    project: str, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = inbox(SystemClock(), store)
    bus = bus_of(project, within)
    for name in "abc":
        bus.publish(Message(name, TOPIC, {}))

    def refuses_b(message: Message, /) -> None:
        if message.id == "b":
            raise Unavailable("the store is away")
        LocalBus.accept(within, message)

    acknowledged = list[list[str]]()
    real = SubscriberClient.acknowledge

    def counted(self: SubscriberClient, *, ack_ids: list[str], **given: object) -> None:
        acknowledged.append(ack_ids)
        real(self, ack_ids=ack_ids, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(SubscriberClient, "acknowledge", counted)
    monkeypatch.setattr(within, "accept", refuses_b)
    with pytest.raises(Unavailable, match="the store is away"):
        bus.receive([TOPIC])
    stored = {doc.key.rpartition(":")[2] for doc in store.scan("message:nba:")}
    assert stored < {"a", "b", "c"}
    assert "b" not in stored
    assert sum(map(len, acknowledged)) == len(stored)
    bus.close()


def test_a_slow_store_asks_for_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    within = inbox(ManualClock())
    bus = PubSubBus("pubsub://nba-props", within, pipeline="nba", clock=clock)
    nobody = AnonymousCredentials()
    client, publisher = SubscriberClient(credentials=nobody), PublisherClient(credentials=nobody)
    monkeypatch.setattr(module, "_opened", lambda _what: module._Clients(publisher, client, None))
    page = [ReceivedMessage(ack_id=name, message=PubsubMessage(data=b"{}", message_id=name)) for name in "abc"]
    monkeypatch.setattr(bus, "_pulled", lambda *_given, **_named: page)
    monkeypatch.setattr(within, "accept", lambda _message: clock.sleep(40.0))
    asked = list[tuple[str, list[str]]]()
    monkeypatch.setattr(bus, "_call", lambda verb, *, ack_ids, **_named: asked.append((verb.__name__, [*ack_ids])))
    assert bus._take(bus._mine(), TOPIC) == 3
    client.transport.close()
    publisher.transport.close()
    assert asked == [
        ("modify_ack_deadline", ["b", "c"]), ("modify_ack_deadline", ["c"]), ("acknowledge", ["a", "b", "c"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "said", ["This method is not supported for this subscription type.",
             "This method is not supported for push subscriptions."],
)  # fmt: skip
def test_a_subscription_that_is_pushed_is_not_pulled_and_is_asked_again_a_minute_later(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, asked = ManualClock(), list[str]()
    within = inbox(clock)
    bus = PubSubBus("pubsub://nba-props", within, pipeline="nba", clock=clock)
    pulling(bus, e.FailedPrecondition(said), asked=asked, patch=monkeypatch)
    within.accept(Message("push.1", TOPIC, {"n": 1}))
    for _ in range(3):
        for delivery in bus.receive([TOPIC]):
            bus.ack(delivery)
        assert bus.next_due(topics=[TOPIC]) is None
    assert len(asked) == 1
    clock.sleep(LISTEN_S)
    assert list(bus.receive([TOPIC])) == []
    assert len(asked) == 2
    bus.wait(0.0)
    (thread,) = bus._mine().listening.values()
    while len(asked) < 3:
        thread.join(0.01)
    bus.wait(0.0)
    assert thread.is_alive()
    assert len(asked) == 3, "a thread that listens to it waits as long"
    bus.close()
    assert not thread.is_alive()


def test_another_state_of_a_subscription_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    bus = PubSubBus("pubsub://nba-props", inbox(clock), pipeline="nba", clock=clock)
    pulling(bus, e.FailedPrecondition("The subscription is detached."), asked=[], patch=monkeypatch)
    with pytest.raises(Unavailable, match=r"nba\.completions is not ready \(The subscription is detached\)"):
        bus.receive([TOPIC])
    bus.close()


def pulling(bus: PubSubBus, error: Exception, *, asked: list[str], patch: pytest.MonkeyPatch) -> None:
    """Let each pull of a bus be refused with an error."""
    nobody = AnonymousCredentials()
    client, publisher = SubscriberClient(credentials=nobody), PublisherClient(credentials=nobody)

    def refused(request: PullRequest, **_named: object) -> None:
        asked.append(request.subscription)
        raise error

    clients = module._Clients(publisher, client, refused)
    patch.setattr(module, "_opened", lambda _what: clients)
    assert bus._mine() is clients


def test_a_waiting_process_is_woken_when_a_message_arrives(
    project: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    clock, folder = SystemClock(), tmp_path_factory.mktemp("w")
    wake = WakeSocket(folder, clock=clock, poll_s=PATIENCE_S)
    within = LocalBus(MemoryStore(), clock, pipeline="nba", wake=wake, observer=Recorder())
    bus = bus_of(project, within)
    assert list(bus.receive([TOPIC])) == []
    bus.wait(0.0)
    send(project, b'{"step": "odds"}')
    woken = bus.wait(PATIENCE_S)
    assert woken
    (delivery,) = bus.receive([TOPIC])
    assert delivery.message.body["step"] == "odds"
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("phasegate-pubsub-")]
    assert threads
    bus.close()
    assert not any(thread.is_alive() for thread in threads)


def test_while_threads_listen_nothing_else_asks_pubsub(bus: PubSubBus, monkeypatch: pytest.MonkeyPatch) -> None:
    bus.receive([TOPIC])
    bus.wait(0.0)
    asked = list[str]()

    monkeypatch.setattr(bus, "_take", lambda _clients, topic, **_named: asked.append(topic))
    bus.receive([TOPIC])
    bus.next_due(topics=[TOPIC])
    assert asked == []


def waits(bus: PubSubBus, *, times: int) -> None:
    for _ in range(times):
        bus.wait(0.1)


@pytest.mark.slow
def test_what_a_listening_thread_fails_with_is_raised_where_the_worker_waits() -> None:
    with own_emulator(PUBSUB) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PUBSUB_EMULATOR_HOST", server.address)
        project = new_project()
        create_topics(f"pubsub://{project}", pipeline="nba", received=[TOPIC], sent=())
        bus = bus_of(project, inbox(SystemClock()), timeout_s=1.0)
        bus.receive([TOPIC])
        bus.wait(0.0)
        server.end()
        with pytest.raises(
            Unavailable, match=r"^bus pubsub://demo-.*: subscription phasegate\.nba\.nba\.completions is"
        ):
            waits(bus, times=1_000)
        with pytest.raises(Unavailable, match=r": topic nba\.completions is not answering"):
            bus.publish(Message("a", TOPIC, {}))
        server.start()
        create_topics(f"pubsub://{project}", pipeline="nba", received=[TOPIC], sent=())
        send(project, b'{"step": "odds"}')
        for _ in range(1_000):
            try:
                if bus.receive([TOPIC]):
                    break
                bus.wait(0.1)
            except Unavailable:
                continue
        else:
            raise AssertionError("the message was not taken")
        bus.close()


def test_a_topic_that_is_not_there_names_the_command(pubsub: str) -> None:
    assert pubsub
    bus = bus_of(new_project(), inbox(SystemClock()))
    with pytest.raises(Unavailable, match=r"topic nba\.completions is not there .*; run: phasegate init --bus"):
        bus.publish(Message("a", TOPIC, {}))
    with pytest.raises(
        Unavailable, match=r"subscription phasegate\.nba\.nba\.completions is not there .*; run: phasegate"
    ):
        bus.receive([TOPIC])
    bus.close()


def test_topics_are_made_once_and_their_subscriptions_never_expire(project: str) -> None:
    again = create_topics(f"pubsub://{project}", pipeline="nba", received=[TOPIC, "nba.raw.requests"], sent=["mailer"])
    assert again == [
        ("topic mailer", False),
        ("topic nba.completions", False),
        ("topic nba.raw.requests", True),
        ("subscription phasegate.nba.nba.completions", False),
        ("subscription phasegate.nba.nba.raw.requests", True),
    ]
    client = SubscriberClient()
    found = client.get_subscription(
        subscription=client.subscription_path(project, subscription_of(TOPIC, pipeline="nba"))
    )
    client.transport.close()
    assert found.ack_deadline_seconds == 60
    assert "expiration_policy" in found
    assert not found.expiration_policy.ttl


def test_what_is_accepted_is_not_sent_again_to_be_pushed_again(bus: PubSubBus, monkeypatch: pytest.MonkeyPatch) -> None:
    def sent(*_given: object, **_named: object) -> None:
        raise AssertionError("it was sent")

    monkeypatch.setattr(PublisherClient, "publish", sent)
    bus.accept(Message("push.1", TOPIC, {}))
    (delivery,) = bus.receive([TOPIC])
    assert delivery.message.id == "push.1"


def test_a_refused_message_is_bad_input(bus: PubSubBus, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_given: object, **_named: object) -> None:
        raise e.InvalidArgument("The message is too large.")

    monkeypatch.setattr(PublisherClient, "publish", refused)
    with pytest.raises(BadInput, match=r"^message a: The message is too large$"):
        bus.publish(Message("a", TOPIC, {}))
