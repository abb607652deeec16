"""Google's Pub/Sub, a carrier before the inbox, which is in the store.

What is published is carried to every machine. What arrives, by pull here or by push to the service, becomes a document
of the inbox and is then acknowledged: retries, their number and what is done with a message that cannot be understood
are those of any store. A subscription that Pub/Sub pushes is not pulled. The clients are made at the first use.
"""

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from phasegate.base.backoff import held_up_s
from phasegate.bus import Bus, Delivery, Message
from phasegate.errors import BadInput, PhasegateError, Unavailable
from phasegate.gcp.address import PUBSUB, place_of
from phasegate.gcp.carried import arrived, carried, check_topic, subscription_of
from phasegate.gcp.failures import TIMEOUT_S, call_errors, code_of, importing, one_line, reading, unusable
from phasegate.ports import Clock

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherClient, SubscriberClient

PAGE = 16
# How long Pub/Sub waits for an acknowledgement; what takes longer to store asks for as long again.
ACK_S = 60
# How long a listening thread waits for a message before it asks again.
LISTEN_S = 60.0
END_S = 5.0


@dataclass
class _Clients:
    """The clients of one process, and its listening threads by topic.

    ``pushed``: the subscriptions that are pushed, each with when it was refused to who pulls.
    """

    publisher: "PublisherClient"
    subscriber: "SubscriberClient"
    pull: Any
    pid: int = field(default_factory=os.getpid)
    listening: dict[str, threading.Thread] = field(default_factory=dict)
    pushed: dict[str, float] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)


class PubSubBus:
    """Topics and subscriptions of one project.

    ``create_topics`` has made them. The first ``wait`` starts a thread for each topic received so far, which waits for
    its messages; until then, each ``receive`` that finds an empty inbox asks for them. A forked child makes clients of
    its own.
    """

    def __init__(self, url: str, inbox: Bus, *, pipeline: str, clock: Clock, timeout_s: float = TIMEOUT_S) -> None:
        """Connect to nothing yet.

        Raises BadInput for a wrong address.
        """
        self._project, self._pipeline = place_of(url, form=PUBSUB).project, pipeline
        self._inbox, self._clock, self._timeout_s = inbox, clock, timeout_s
        self._what = f"bus pubsub://{self._project}"
        self._lock = threading.Lock()
        self._clients: _Clients | None = None
        self._topics: set[str] = set()
        self._failure: PhasegateError | None = None

    def publish(self, message: Message, /) -> None:
        """Send a message; see ports.Bus.

        Raises BadInput for an id, a topic or a body that cannot be carried, Unavailable.
        """
        data, attributes, run = carried(message, pipeline=self._pipeline)
        clients = self._mine()
        from google.pubsub_v1 import PubsubMessage

        content = PubsubMessage(data=data, attributes=attributes, ordering_key=run)
        try:
            clients.publisher.publish(
                topic=clients.publisher.topic_path(self._project, message.topic), messages=[content],
                retry=reading(self._timeout_s), timeout=self._timeout_s,
            )  # fmt: skip
        except call_errors() as error:
            if code_of(error) == "INVALID_ARGUMENT":
                raise BadInput(f"message {message.id}: {one_line(error)}") from error
            raise self._unusable(error, f"topic {message.topic}") from error

    def accept(self, message: Message, /) -> None:
        """Store a message that was pushed in the inbox; see ports.Bus."""
        self._inbox.accept(message)

    def receive(self, topics: Sequence[str], /, *, limit: int = 1) -> Sequence[Delivery]:
        """Claim messages of these topics in the inbox, the oldest first.

        If there are none, and no thread listens, what has arrived is taken in first.
        """
        self._topics.update(topics)
        found = self._inbox.receive(topics, limit=limit)
        if found or not self._take_all(topics):
            return found
        return self._inbox.receive(topics, limit=limit)

    def ack(self, delivery: Delivery, /) -> None:
        """Remove a handled message; see ports.Bus."""
        self._inbox.ack(delivery)

    def postpone(self, delivery: Delivery, /, *, delay_s: float) -> None:
        """Return a message to the inbox for later; see ports.Bus."""
        self._inbox.postpone(delivery, delay_s=delay_s)

    def wait(self, timeout_s: float, /) -> bool:
        """Wait until a message is in the inbox, or for the timeout.

        Return whether one may be. Raises what a listening thread failed with, which tries again by itself.
        """
        self._listen()
        with self._lock:
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return self._inbox.wait(timeout_s)

    def next_due(self, *, topics: Sequence[str] | None = None) -> float | None:
        """Return when the next message of the inbox can be received, or None.

        What has arrived is taken in first, unless threads listen.
        """
        self._take_all(sorted(self._topics) if topics is None else topics)
        return self._inbox.next_due(topics=topics)

    def close(self) -> None:
        """Stop listening, and release the connections; a later use opens new ones."""
        with self._lock:
            clients, self._clients = self._clients, None
        if clients is not None and clients.pid == os.getpid():
            clients.ended.set()
            clients.publisher.transport.close()
            clients.subscriber.transport.close()
            for thread in clients.listening.values():
                thread.join(END_S)
        self._inbox.close()

    def _listen(self) -> None:
        """Have a thread listen to each topic that was received so far."""
        clients = self._mine()
        with self._lock:
            for topic in sorted(self._topics - clients.listening.keys()):
                thread = threading.Thread(
                    target=self._listen_to, args=(clients, topic), name=f"phasegate-pubsub-{topic}", daemon=True
                )
                clients.listening[topic] = thread
                thread.start()

    def _listen_to(self, clients: _Clients, topic: str) -> None:
        failures = 0
        while not clients.ended.is_set():
            try:
                self._take(clients, topic, patient=True)
                failures = 0
                if self._is_pushed(clients, topic):
                    clients.ended.wait(LISTEN_S)
            except PhasegateError as error:
                failures += 1
                with self._lock:
                    self._failure = error
                clients.ended.wait(held_up_s(topic, failures))
            except ValueError:  # of gRPC: the channel was closed between two calls
                if not clients.ended.is_set():
                    raise

    def _take_all(self, topics: Iterable[str]) -> int:
        """Take in what has arrived of topics without a listening thread.

        Return how many messages.
        """
        clients, taken = self._mine(), 0
        for topic in topics:
            while topic not in clients.listening and (some := self._take(clients, topic)):
                taken += some
        return taken

    def _take(self, clients: _Clients, topic: str, *, patient: bool = False) -> int:
        """Store a page of messages in the inbox and acknowledge them.

        Return how many. ``patient``: wait for the first.
        """
        subscription = self._path(clients, topic)
        if not patient and self._is_pushed(clients, topic):
            return 0
        received, stored = self._pulled(clients, subscription, patient=patient), list[str]()
        since = self._clock.monotonic()
        try:
            for number, one in enumerate(received):
                if self._clock.monotonic() - since > ACK_S / 2:
                    since = self._clock.monotonic()
                    self._extend(clients, subscription, [rest.ack_id for rest in received[number:]])
                self._inbox.accept(_arrived(one.message, topic=topic))
                stored.append(one.ack_id)
        finally:
            if stored:
                self._call(clients.subscriber.acknowledge, subscription=subscription, ack_ids=stored)
        return len(stored)

    def _pulled(self, clients: _Clients, subscription: str, *, patient: bool) -> Sequence[Any]:
        from google.api_core.gapic_v1.routing_header import to_grpc_metadata
        from google.pubsub_v1 import PullRequest

        request = PullRequest(subscription=subscription, max_messages=PAGE, return_immediately=not patient)
        given = {
            "retry": None if patient else reading(self._timeout_s),
            "timeout": LISTEN_S if patient else self._timeout_s,
            "metadata": [to_grpc_metadata({"subscription": subscription})],
        }
        try:
            return list(clients.pull(request, **given).received_messages)
        except call_errors() as error:
            if clients.ended.is_set() or code_of(error) == "DEADLINE_EXCEEDED":
                return []
            if _says_pushed(error):
                clients.pushed[subscription] = self._clock.monotonic()
                return []
            raise self._unusable(error, f"subscription {subscription.rpartition('/')[2]}") from error

    def _is_pushed(self, clients: _Clients, topic: str) -> bool:
        """Return whether a topic is not to be pulled now.

        It was refused less than LISTEN_S ago; one day it may be pulled again.
        """
        refused_at = clients.pushed.get(self._path(clients, topic), float("-inf"))
        return self._clock.monotonic() < refused_at + LISTEN_S

    def _path(self, clients: _Clients, topic: str) -> str:
        name = subscription_of(topic, pipeline=self._pipeline)
        return str(clients.subscriber.subscription_path(self._project, name))

    def _extend(self, clients: _Clients, subscription: str, handles: list[str]) -> None:
        """Ask for more time: the store is slow."""
        self._call(clients.subscriber.modify_ack_deadline, subscription=subscription, ack_ids=handles,
                   ack_deadline_seconds=ACK_S)  # fmt: skip

    def _call(self, verb: Any, **given: object) -> None:
        try:
            verb(**given, retry=reading(self._timeout_s), timeout=self._timeout_s)
        except call_errors() as error:
            raise unusable(error, what=self._what) from error

    def _unusable(self, error: Exception, part: str) -> Unavailable:
        missing = f"run: phasegate init --bus pubsub://{self._project}"
        return unusable(error, what=f"{self._what}: {part}", missing=missing)

    def _mine(self) -> _Clients:
        """Return this process's clients."""
        with self._lock:
            if self._clients is None or self._clients.pid != os.getpid():
                self._clients = _opened(self._what)
            return self._clients


def _says_pushed(error: Exception) -> bool:
    """Return whether a pull was refused because the subscription is pushed.

    Only the text tells this from other states that do not let one pull, and they are errors.
    """
    return code_of(error) == "FAILED_PRECONDITION" and "not supported for" in one_line(error)


def _arrived(given: Any, *, topic: str) -> Message:
    when = given.publish_time.rfc3339() if given.publish_time else ""
    return arrived(
        given.data, dict(given.attributes), number=given.message_id, published_at=when, topic=topic,
    )  # fmt: skip


def create_topics(
    url: str, /, *, pipeline: str, received: Iterable[str], sent: Iterable[str]
) -> list[tuple[str, bool]]:
    """Make topics, and the subscriptions by which a pipeline gets some.

    ``received``: the topics that its workers listen to; ``sent``: others. Subscriptions never expire: by default
    Pub/Sub deletes one that was not used for 31 days, such as in summer. Return each name, and whether it was made now.
    Raises BadInput, Unavailable.
    """
    project, received = place_of(url, form=PUBSUB).project, list(received)
    topics = sorted({*received, *sent})
    for topic in topics:
        check_topic(topic)
    what = f"bus pubsub://{project}"
    clients = _opened(what)
    publisher, subscriber = clients.publisher, clients.subscriber
    try:
        made = [(f"topic {topic}", _made(publisher.create_topic, {"name": publisher.topic_path(project, topic)}, what))
                for topic in topics]  # fmt: skip
        for topic in sorted(received):
            name = subscription_of(topic, pipeline=pipeline)
            wanted = {
                "name": subscriber.subscription_path(project, name),
                "topic": publisher.topic_path(project, topic),
                "ack_deadline_seconds": ACK_S,
                "expiration_policy": {},
            }
            made.append((f"subscription {name}", _made(subscriber.create_subscription, wanted, what)))
    finally:
        publisher.transport.close()
        subscriber.transport.close()
    return made


def _made(create: Any, wanted: dict[str, object], what: str) -> bool:
    try:
        create(request=wanted, retry=reading(TIMEOUT_S), timeout=TIMEOUT_S)
    except call_errors() as error:
        if code_of(error) != "ALREADY_EXISTS":
            raise unusable(error, what=what) from error
        return False
    return True


def _opened(what: str) -> _Clients:
    with importing(what):
        from google.api_core.gapic_v1.method import wrap_method
        from google.pubsub_v1 import PublisherClient, SubscriberClient  # 330 ms, and an extra

        publisher, subscriber = PublisherClient(), SubscriberClient()
        # Not SubscriberClient.pull, which warns of return_immediately; without it an empty topic takes its timeout.
        return _Clients(publisher, subscriber, wrap_method(subscriber.transport.pull))
