"""Models of how a hand-off is decided, each in a few lines, on a store that never fails.

They are models of patterns, not of products: a product has more around them, and may be set up otherwise. Each change
(``do``) is one transaction; a process may crash before and after it, and then its message is delivered again. ``rows``
are the results that the processors have written.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

MEMBERS = ("one", "two", "three", "four", "five")
Rows = Mapping[str, int]
# Of a completion: the member, and the version of its result.
Delivery = tuple[str, int]


class Crash(Exception):
    """The process that worked on a message has crashed."""


class Handoff(ABC):
    """What every model has: the results, the starts of the next phase, and the crashes."""

    name: str

    def __init__(self, rng: random.Random, *, crash: float) -> None:
        self.rows: dict[str, int] = {}
        self.starts: list[dict[str, int]] = []
        self.crashes = 0
        self._rng, self._crash, self._sent = rng, crash, set[str]()

    @abstractmethod
    def report(self, one: Delivery, /) -> None:
        """Handle one delivery of a completion."""

    def recover(self) -> None:
        """Do what the pattern does without a message; by itself nothing."""
        return

    def calm(self) -> None:
        """Recover while nothing crashes."""
        crash, self._crash = self._crash, 0.0
        self.recover()
        self._crash = crash

    def start(self, key: str = "") -> None:
        """Publish the start of the next phase, which reads the rows that are there.

        A start with a key that was seen is one that its receiver drops.
        """
        if not key or key not in self._sent:
            self.starts.append(dict(self.rows))
        self._sent.add(key)

    def do(self, change: Callable[[], object]) -> None:
        """Make one change, and crash before or after it, perhaps."""
        self._point()
        change()
        self._point()

    def _point(self) -> None:
        if self._rng.random() < self._crash:
            self.crashes += 1
            raise Crash


class Counter(Handoff):
    """Counts reports, and starts when the count equals the number expected."""

    name = "a counter, compared with =="
    count = 0

    def report(self, _one: Delivery, /) -> None:
        """Count, and decide."""
        self.do(self._increase)
        if self.count == len(MEMBERS):
            self.do(self.start)

    def _increase(self) -> None:
        self.count += 1


class Latched(Handoff):
    """Stores names, decides on new ones, latches in the same transaction, then publishes."""

    name = "names, latched, then published"

    def __init__(self, rng: random.Random, *, crash: float) -> None:
        super().__init__(rng, crash=crash)
        self.names, self.triggered = set[str](), False

    def report(self, one: Delivery, /) -> None:
        """Decide, unless the name is known."""
        member, _ = one
        if member in self.names:
            return
        decided = len({*self.names, member}) == len(MEMBERS) and not self.triggered
        self.do(lambda: self._store(member, decided=decided))
        if decided:
            self.do(self.start)

    def _store(self, member: str, *, decided: bool) -> None:
        self.names.add(member)
        self.triggered |= decided


class PublishedFirst(Latched):
    """Stores names, decides at every delivery, publishes, then latches."""

    name = "names, published, then latched"

    def report(self, one: Delivery, /) -> None:
        """Store the name, and decide."""
        self.do(lambda: self.names.add(one[0]))
        if len(self.names) == len(MEMBERS) and not self.triggered:
            self.do(self.start)
            self.do(self._latch)

    def _latch(self) -> None:
        self.triggered = True


class Sensor(Latched):
    """Polls until all names are there, and starts once a date, as its scheduler stores."""

    name = "a poll for all names, once a date"

    def report(self, one: Delivery, /) -> None:
        """Store the name."""
        self.do(lambda: self.names.add(one[0]))

    def recover(self) -> None:
        """Poll."""
        if len(self.names) == len(MEMBERS) and not self.triggered:
            self.triggered = True
            self.start()


class Outbox(Latched):
    """Stores names, the latch and the duty to send in one transaction; a relay sends under an id."""

    name = "an outbox, once a date"
    outbox = False

    def report(self, one: Delivery, /) -> None:
        """Decide, with the duty to send."""
        member, _ = one
        decided = len({*self.names, member}) == len(MEMBERS) and not self.triggered
        self.do(lambda: self._store(member, decided=decided))

    def _store(self, member: str, *, decided: bool) -> None:
        super()._store(member, decided=decided)
        self.outbox |= decided

    def recover(self) -> None:
        """Relay what is to be sent."""
        if self.outbox:
            self.do(lambda: self.start("the date"))
            self.do(self._sent_all)

    def _sent_all(self) -> None:
        self.outbox = False


class EachUpdated(Handoff):
    """Starts when each has an update since the last start; taking the updates is the start."""

    name = "each updated since the last start"

    def __init__(self, rng: random.Random, *, crash: float) -> None:
        super().__init__(rng, crash=crash)
        self.updated = set[str]()

    def report(self, one: Delivery, /) -> None:
        """Store the update."""
        self.do(lambda: self.updated.add(one[0]))

    def recover(self) -> None:
        """Start, if each is updated."""
        if len(self.updated) == len(MEMBERS):
            self.updated.clear()
            self.start()


class AnyUpdated(EachUpdated):
    """Starts on every update once all are there."""

    name = "any update, once all are there"

    def __init__(self, rng: random.Random, *, crash: float) -> None:
        super().__init__(rng, crash=crash)
        self.names = set[str]()

    def recover(self) -> None:
        """Start, if one is updated and all are there."""
        self.names |= self.updated
        if self.updated and len(self.names) == len(MEMBERS):
            self.updated.clear()
            self.start()


MODELS: tuple[type[Handoff], ...] = (Counter, Latched, PublishedFirst, Sensor, Outbox, EachUpdated, AnyUpdated)
