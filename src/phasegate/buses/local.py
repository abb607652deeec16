"""A bus on documents of the store, as durable as the store.

The store's tools show its messages. A message's ``due`` is when it can be received; claiming it is a compare-and-set
that moves ``due`` on. At least once: a message whose receiver crashes or is slow is delivered again when its
visibility ends.
"""

import itertools
from collections.abc import Iterator, Sequence

import msgspec

from phasegate.base.backoff import AHEAD_EVERY_S, AHEAD_MAX_S, is_ahead
from phasegate.base.codec import build_type
from phasegate.base.keys import WORD
from phasegate.bus import Delivery, Message
from phasegate.buses.wake import Wake
from phasegate.errors import Ambiguous, BadInput, Conflict
from phasegate.ports import Clock, Observer
from phasegate.scan import DUE_MAX, LAST_KEY
from phasegate.store import Body, Doc, Store

VISIBILITY_S = 60.0
UNREADABLE_AGAIN_S = 3600.0
WORD_LENGTH_MAX = 700
PAGE = 16
# How many documents one receive may process beyond its limit: lost races and unreadable messages.
LOOKS_EXTRA_MAX = 64


class _Envelope(msgspec.Struct, frozen=True):
    topic: str
    id: str
    body: dict[str, object]
    tries: int
    published_at: float


build_type(_Envelope)  # not by the threads that use it


class _Claim(msgspec.Struct, frozen=True):
    """The handle of a delivery: the document as it was claimed."""

    key: str
    version: str
    body: Body


class LocalBus:
    """A bus on any store.

    Publishing a message that is not acknowledged yet does nothing: same id, same message.

    An unreadable message does not block others: each time it is due it is postponed by UNREADABLE_AGAIN_S, and the
    observer receives ``message unreadable``. A compare-and-set without an answer is reported as ``message unanswered``:
    the message is then gone, or delivered again.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        pipeline: str,
        wake: Wake,
        observer: Observer,
        visibility_s: float = VISIBILITY_S,
    ) -> None:
        self._store, self._clock, self._wake, self._observer = store, clock, wake, observer
        self._visibility_s = visibility_s
        self._looked_ahead: float | None = None
        self._prefix = f"message:{_word('pipeline', pipeline)}:"

    def publish(self, message: Message, /) -> None:
        """Store the message, and wake the processes that wait.

        Raises BadInput for an id or topic outside ``[a-z0-9._-]``, or a body that is not JSON; Ambiguous and
        Unavailable as the store does: publish again, with the same id.
        """
        key = self._topic_prefix(message.topic) + _word("message id", message.id)
        now = self._clock.now()
        envelope = {"topic": message.topic, "id": message.id, "body": message.body, "tries": 0, "published_at": now}
        try:
            self._store.write(key, envelope, due=now, expect=None)
        except Conflict:
            # It is stored and not acknowledged: it will be delivered.
            doc = self._store.read(key)
            if doc is None or not is_ahead(doc.due, now=now, bound_s=UNREADABLE_AGAIN_S):
                return
            self._move("bring back", key, doc.body, expect=doc.version, due=now)
        self._wake.poke()

    def accept(self, message: Message, /) -> None:
        """Store a message that has arrived by another way; see ports.Bus."""
        self.publish(message)

    def receive(self, topics: Sequence[str], /, *, limit: int = 1) -> Sequence[Delivery]:
        """Claim up to ``limit`` messages of these topics, the oldest first."""
        now = self._clock.now()
        if self._looked_ahead is None or not self._looked_ahead <= now < self._looked_ahead + AHEAD_EVERY_S:
            self._looked_ahead = now
            self._bring_back(now)
        docs = self._due([self._topic_prefix(topic) for topic in topics], now=now)
        taken: list[Delivery] = []
        for doc in itertools.islice(docs, limit + LOOKS_EXTRA_MAX):
            delivery = self._claim(doc, now=now)
            if delivery is not None:
                taken.append(delivery)
            if len(taken) >= limit:
                break
        return taken

    def _bring_back(self, now: float) -> None:
        """Make messages receivable that a clock ahead has put off."""
        after = (now + UNREADABLE_AGAIN_S + AHEAD_MAX_S, LAST_KEY)
        while docs := self._store.due(DUE_MAX, prefixes=[self._prefix], after=after, limit=PAGE):
            for doc in docs:
                assert doc.due is not None, "the store lists due documents only"
                after = (doc.due, doc.key)
                self._move("bring back", doc.key, doc.body, expect=doc.version, due=now)

    def ack(self, delivery: Delivery, /) -> None:
        """Delete the message, unless it was delivered again since."""
        claim = _claim_of(delivery)
        try:
            self._store.delete(claim.key, expect=claim.version)
        except Conflict:
            # Acknowledged before, or delivered again: then the newer receiver acknowledges it.
            return
        except Ambiguous as error:
            self._unanswered("ack", key=claim.key, error=error)

    def postpone(self, delivery: Delivery, /, *, delay_s: float) -> None:
        """Return the message for later, unless it was delivered again since."""
        claim = _claim_of(delivery)
        self._move("postpone", claim.key, claim.body, expect=claim.version, due=self._clock.now() + max(0.0, delay_s))

    def wait(self, timeout_s: float, /) -> bool:
        """Wait for a publication, or until the timeout.

        Return whether something may have been published.
        """
        return self._wake.wait(timeout_s)

    def next_due(self, *, topics: Sequence[str] | None = None) -> float | None:
        """Return when the next message can be received, or None.

        ``topics`` None: of any topic.
        """
        prefixes = [self._prefix] if topics is None else [self._topic_prefix(topic) for topic in topics]
        return self._store.next_due(prefixes=prefixes)

    def close(self) -> None:
        """Stop listening for wake-ups."""
        self._wake.close()

    def _topic_prefix(self, topic: str) -> str:
        return f"{self._prefix}{_word('topic', topic)}:"

    def _due(self, prefixes: Sequence[str], *, now: float) -> Iterator[Doc]:
        after: tuple[float, str] | None = None
        while True:
            page = self._store.due(now, prefixes=prefixes, after=after, limit=PAGE)
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1]
            assert last.due is not None, "the store lists due documents only"
            after = (last.due, last.key)

    def _claim(self, doc: Doc, *, now: float) -> Delivery | None:
        envelope = self._read(doc)
        if envelope is None:
            self._move("put off", doc.key, doc.body, expect=doc.version, due=now + UNREADABLE_AGAIN_S)
            return None
        tries = envelope.tries + 1
        body = {**doc.body, "tries": tries}
        version = self._move("claim", doc.key, body, expect=doc.version, due=now + self._visibility_s)
        if version is None:
            return None
        message = Message(envelope.id, envelope.topic, envelope.body)
        return Delivery(message, _Claim(doc.key, version, body), tries)

    def _read(self, doc: Doc) -> _Envelope | None:
        try:
            envelope = msgspec.convert(doc.body, _Envelope)
        except msgspec.ValidationError as error:
            self._observer.event("message unreadable", key=doc.key, error=str(error))
            return None
        if doc.key != f"{self._prefix}{envelope.topic}:{envelope.id}":
            self._observer.event("message unreadable", key=doc.key, error="topic or id is not that of the key")
            return None
        return envelope

    def _move(self, what: str, key: str, body: Body, *, expect: str, due: float) -> str | None:
        """Move a message's ``due`` if its version is still the one we read.

        Return its new version, or None.
        """
        try:
            return self._store.write(key, body, due=due, expect=expect)
        except Conflict:
            # Another process has claimed it.
            return None
        except Ambiguous as error:
            self._unanswered(what, key=key, error=error)
            return None

    def _unanswered(self, what: str, *, key: str, error: Ambiguous) -> None:
        self._observer.event("message unanswered", what=what, key=key, error=str(error))


def _claim_of(delivery: Delivery) -> _Claim:
    assert isinstance(delivery.handle, _Claim), "a delivery is returned to the bus that it was received from"
    return delivery.handle


def _word(what: str, text: str) -> str:
    if len(text) > WORD_LENGTH_MAX or not WORD.fullmatch(text):
        raise BadInput(
            f"{what} {text[:80]!r}: use 1 to {WORD_LENGTH_MAX} of a-z 0-9 . _ - and begin with a letter or a digit"
        )
    return text
