"""The ports in memory; each call is a switch point.

A call may fail in the ways that its real kind fails.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import cast

from phasegate.base.receipt import Part, Receipt, Stamp
from phasegate.base.table import Draft, Table
from phasegate.bus import Delivery, Message
from phasegate.errors import Ambiguous, Unavailable
from phasegate.store import ALL, Body, Doc
from phasegate.stores.memory import MemoryStore
from phasegate.testing.simulator.interleaver import Interleaver
from phasegate.testing.simulator.invariants import InvariantChecker
from phasegate.warehouse import Params, Reader, Row
from phasegate.warehouses.memory.reader import Function
from phasegate.warehouses.memory.warehouse import MemoryTransaction, MemoryWarehouse

VISIBILITY_S = 60.0
DELAYS_S = (0.0, 0.0, 0.5, 5.0, 40.0, 200.0)
COPIES_MAX = 3
Backup = tuple[dict[str, tuple[str, bytes]], dict[str, float]]


class SimStore(MemoryStore):
    """Writes may go unanswered: with their effect, or without.

    ``checker`` None: a copy, whose documents are not checked.
    """

    def __init__(self, sim: Interleaver, checker: InvariantChecker | None) -> None:
        super().__init__()
        self._sim, self._checker = sim, checker

    def read(self, key: str, /) -> Doc | None:
        """Switch, then read."""
        self._sim.step(f"read {key}")
        return super().read(key)

    def write(self, key: str, body: Body, /, *, due: float | None, expect: str | None) -> str:
        """Switch, then write; the answer may be lost."""
        self._sim.step(f"write {key}")
        lost = self._sim.unanswered()
        if lost and self._sim.rng.random() < 0.5:
            raise Ambiguous(key)
        version = super().write(key, body, due=due, expect=expect)
        if self._checker is not None:
            self._checker.wrote(key, body)
        if lost:
            raise Ambiguous(key)
        self._sim.crash_after(f"write {key}")
        return version

    def backup(self) -> Backup:
        """Return all documents as they are; no port call."""
        return dict(self._docs), dict(self._due)

    def restore(self, backup: Backup) -> None:
        """Put all documents back; no port call."""
        self._docs, self._due = dict(backup[0]), dict(backup[1])
        found = ((key, super(SimStore, self).read(key)) for key in self._docs)
        if self._checker is not None:
            self._checker.restored({key: doc.body for key, doc in found if doc is not None})

    def due(
        self, now: float, /, *, prefixes: Sequence[str] = ALL, after: tuple[float, str] | None = None, limit: int = 100
    ) -> Sequence[Doc]:
        """Switch, then list."""
        self._sim.step("due")
        return super().due(now, prefixes=prefixes, after=after, limit=limit)


@dataclass(eq=False)
class _Copy:
    due: float
    message: Message
    tries: int = 0


class SimBus:
    """Loses, doubles, delays and reorders messages.

    Messages to foreign topics are only recorded.
    """

    def __init__(self, sim: Interleaver, checker: InvariantChecker, *, topics: Sequence[str]) -> None:
        self._sim, self._checker, self._topics = sim, checker, frozenset(topics)
        self._copies: list[_Copy] = []
        self.published: list[Message] = []
        self.lost: list[Message] = []
        self.lossless = False

    def publish(self, message: Message, /) -> None:
        """Take a message, which may be lost, copied or unanswered."""
        sim, faults = self._sim, self._sim.faults
        sim.step(f"publish {message.id}")
        self._checker.publishing(message, begun=sim.begun())
        unanswered = sim.unanswered()
        if not (unanswered and sim.rng.random() < 0.5):
            self.published.append(message)
            lost = message.topic not in self._topics or (not self.lossless and sim.rng.random() < faults.lose)
            copies = 0 if lost else 1
            self.lost += [message] if lost else []
            while copies and copies < COPIES_MAX and sim.rng.random() < faults.duplicate:
                copies += 1
            self._copies += [_Copy(sim.now + sim.rng.choice(DELAYS_S), message) for _ in range(copies)]
            self._checker.published(message)
        if unanswered:
            raise Unavailable(f"no answer to publishing {message.id}")
        sim.crash_after(f"publish {message.id}")

    def receive(self, topics: Sequence[str], /, *, limit: int = 1) -> Sequence[Delivery]:
        """Return due messages in any order."""
        self._sim.step("receive")
        ready = [c for c in self._copies if c.due <= self._sim.now and c.message.topic in topics]
        chosen = self._sim.rng.sample(ready, min(limit, len(ready)))
        for copy in chosen:
            copy.due, copy.tries = self._sim.now + VISIBILITY_S, copy.tries + 1
        return [Delivery(copy.message, copy, copy.tries) for copy in chosen]

    def ack(self, delivery: Delivery, /) -> None:
        """Delete a copy."""
        self._sim.step(f"ack {delivery.message.id}")
        if delivery.handle in self._copies:
            self._copies.remove(delivery.handle)

    def accept(self, message: Message, /) -> None:
        """Take a message as any other."""
        self.publish(message)

    def postpone(self, delivery: Delivery, /, *, delay_s: float) -> None:
        """Postpone a copy."""
        self._sim.step(f"postpone {delivery.message.id}")
        assert isinstance(delivery.handle, _Copy)
        delivery.handle.due = self._sim.now + delay_s

    def wait(self, timeout_s: float, /) -> bool:
        """Sleep."""
        self._sim.sleep(timeout_s)
        return False

    def next_due(self, *, topics: Sequence[str] | None = None) -> float | None:
        """Return when the next copy can be received."""
        chosen = [copy.due for copy in self._copies if topics is None or copy.message.topic in topics]
        return min(chosen, default=None)

    def backup(self) -> list[_Copy]:
        """Return the messages as they are; no port call."""
        return [replace(copy) for copy in self._copies]

    def restore(self, backup: list[_Copy]) -> None:
        """Put the messages back; no port call."""
        self._copies = [replace(copy) for copy in backup]

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def ready(self) -> bool:
        """Return whether a copy can be received now."""
        return any(copy.due <= self._sim.now for copy in self._copies)


class _Verbs:
    """Switches before each verb of a snapshot."""

    def __init__(self, inner: Reader, sim: Interleaver) -> None:
        self._inner, self._sim = inner, sim

    def __getattr__(self, name: str) -> object:
        verb = getattr(self._inner, name)
        if name == "interrupt":
            return verb

        def call(*args: object, **kwargs: object) -> object:
            self._sim.step(name)
            return verb(*args, **kwargs)

        return call


class _SimTransaction(_Verbs):
    """Switches before each verb of a transaction, whose commit may be lost."""

    def __init__(
        self, inner: MemoryTransaction, sim: Interleaver, *, lost: bool, committed: Callable[[], Part | None]
    ) -> None:
        self._lost, self._committed = lost, committed
        super().__init__(inner, sim)

    def commit(self) -> None:
        """Commit: with its effect, or without, if the answer is lost."""
        sim = self._sim
        sim.stall()
        sim.step("commit")
        if self._lost and sim.rng.random() < 0.5:
            raise Ambiguous("commit")
        cast("MemoryTransaction", self._inner).commit()
        part = self._committed()
        if part is not None:
            sim.wake_waiters(part)
        if self._lost:
            raise Ambiguous("commit")
        sim.crash_after("commit")
        sim.stall(part)


class SimWarehouse(MemoryWarehouse):
    """Commits may go unanswered: with their effect, or without."""

    def __init__(self, sim: Interleaver, checker: InvariantChecker, *, functions: Mapping[str, Function]) -> None:
        super().__init__(functions=functions)
        self._sim, self._checker = sim, checker
        self._checked = 0

    def prepare(
        self, draft: Draft, /, *, partition: str, store_id: str, params: Params, beside: Collection[str] = ()
    ) -> None:
        """Switch, then prepare."""
        self._sim.step("prepare")
        super().prepare(draft, partition=partition, store_id=store_id, params=params, beside=beside)

    def begin(self) -> MemoryTransaction:
        """Open a transaction; its verbs and its commit are switch points."""
        self._sim.step("transaction")
        lost = self._sim.unanswered()
        self._sim.stall()
        verbs = _SimTransaction(super().begin(), self._sim, lost=lost, committed=self._check)
        return cast("MemoryTransaction", verbs)

    def _check(self) -> Part | None:
        """Check what was committed since the last time; return its partition."""
        new, self._checked = self.commits[self._checked :], len(self.commits)
        for receipt in new:
            self._checker.committed(receipt, self.rows(receipt.part))
        return new[-1].part if new else None

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Open a snapshot whose every verb is a switch point."""
        self._sim.step("snapshot")
        with super().snapshot() as reader:
            yield cast("Reader", _Verbs(reader, self._sim))

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Switch, then read."""
        self._sim.step("find write")
        return super().find_write(write_id)

    def foreign_write(self, table: Table, rows: Sequence[Row], *, partition: str) -> None:
        """Replace a partition as a program without fences and receipts would."""
        super().create(table)
        self._sim.step("foreign write")
        super().put_rows(table, rows, partition=partition)
        with super().snapshot() as reader:
            stamp = Stamp(reader.fingerprint(table, partition=partition))
        self._checker.foreign(table.name.rpartition(".")[2], partition, stamp=stamp, rows=rows)

    def rows(self, part: Part) -> list[dict[str, object]]:
        """Return the current rows of a partition.

        Not a port call, so no task is switched to.
        """
        return [dict(row.cells) for row in self.tables.get(part.table, {}).get(part.partition, {}).values()]


class SimClock:
    """Virtual time, skewed per process."""

    def __init__(self, sim: Interleaver) -> None:
        self._sim = sim

    def now(self) -> float:
        """Return epoch seconds as this process sees them."""
        return self._sim.clock()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._sim.now

    def sleep(self, seconds: float, /) -> None:
        """Sleep."""
        self._sim.sleep(seconds)


class SimBackground:
    """Heartbeats as tasks of the same process: they crash with it."""

    def __init__(self, sim: Interleaver) -> None:
        self._sim = sim

    def every(self, seconds: float, tick: Callable[[], bool], /) -> Callable[[], None]:
        """Call ``tick`` until it returns False or the process stops it."""
        over: list[bool] = []

        def beat() -> None:
            while not over:
                self._sim.sleep(seconds)
                if over or not tick():
                    return

        self._sim.spawn_beside("heartbeat", beat)

        def stop() -> None:
            over.append(True)

        return stop


class SimObserver:
    """Counts events, and records them for a failing schedule's story."""

    def __init__(self, sim: Interleaver) -> None:
        self._sim = sim
        self.counts: dict[str, int] = {}
        self.story: list[str] = []

    def event(self, name: str, /, **fields: object) -> None:
        """Count one event."""
        self.counts[name] = self.counts.get(name, 0) + 1
        self.story.append(f"{self._sim.now:9.2f} {name} " + " ".join(f"{n}={v}" for n, v in fields.items()))
