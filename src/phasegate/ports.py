"""The interfaces to the world outside: Store, Bus, Warehouse, Clock, Observer; Channel and Pinger for alerts.

Adapters are dumb: none of them calls back, retries, or knows what a phase is.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from phasegate.core.notes import Note, Reply
from phasegate.core.receipt import Changes, Fence, Part, Receipt, Staged, Stamp
from phasegate.core.table import Repeats, Table

Body = Mapping[str, object]
Row = Mapping[str, object]
Params = Mapping[str, object]
Ping = Literal["start", "success", "fail"]


@dataclass(frozen=True, slots=True)
class Doc:
    """One stored document. ``version`` is opaque; ``due`` (epoch seconds) is when somebody must look again."""

    key: str
    version: str
    body: Body
    due: float | None


class Store(Protocol):
    """Versioned JSON documents with compare-and-set on one document at a time."""

    def read(self, key: str, /) -> Doc | None:
        """Return the newest committed document, or None."""
        ...

    def write(self, key: str, body: Body, /, *, due: float | None, expect: str | None) -> str:
        """Store the body if ``expect`` is still the newest version (None: must not exist); return the new version.

        Raises Conflict if it is not, Ambiguous when nobody can tell, Unavailable when the store cannot be used.
        """
        ...

    def delete(self, key: str, /, *, expect: str) -> None:
        """Remove the document if ``expect`` is still its version; raises as write does."""
        ...

    def scan(self, prefix: str, /, *, after: str = "", until: str | None = None, limit: int = 100) -> Sequence[Doc]:
        """Return up to ``limit`` documents whose key starts with ``prefix``, ``after < key < until``, in key order."""
        ...

    def due(
        self, now: float, /, *, prefix: str = "", after: tuple[float, str] | None = None, limit: int = 100
    ) -> Sequence[Doc]:
        """Return documents with ``due <= now``, in order of (due, key), those beyond ``after`` only."""
        ...

    def next_due(self, *, prefix: str = "") -> float | None:
        """Return the earliest ``due`` of all documents with this prefix, or None when nothing is due ever."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """What a bus carries. The id is the sender's and the same at every sending."""

    id: str
    topic: str
    body: Body


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message handed out; ``handle`` is the bus's own, ``tries`` counts deliveries of it (1: the first)."""

    message: Message
    handle: object
    tries: int


class Bus(Protocol):
    """At-least-once messages. Late, twice, out of order: all allowed."""

    def publish(self, message: Message, /) -> None:
        """Hand the message over. On any error it may or may not be delivered: publish it again, same id."""
        ...

    def receive(self, topics: Sequence[str], /, *, limit: int = 1) -> Sequence[Delivery]:
        """Return up to ``limit`` messages, hidden from others for the bus's visibility time; do not wait."""
        ...

    def ack(self, delivery: Delivery, /) -> None:
        """Forget a message that was handled. Acknowledging twice, or too late, is no error."""
        ...

    def postpone(self, delivery: Delivery, /, *, delay_s: float) -> None:
        """Give a message back, to be delivered again after ``delay_s``."""
        ...

    def wait(self, timeout_s: float, /) -> bool:
        """Wait until something may have been published, or until the time is over; return which."""
        ...

    def next_due(self, *, topics: Sequence[str] | None = None) -> float | None:
        """Return when the next message can be received (epoch seconds), or None when the bus is empty.

        With ``topics``, of these only: a worker that waits for messages which nobody takes would never wait at all.
        """
        ...

    def close(self) -> None:
        """Release sockets and connections."""
        ...


class Reader(Protocol):
    """One snapshot of the warehouse."""

    def query(self, sql: str, params: Params, /) -> Sequence[dict[str, object]]:
        """Return the rows of a SELECT as dicts."""
        ...

    def receipts(self, parts: Iterable[Part], /) -> dict[Part, Receipt]:
        """Return the newest receipt (highest token) of each partition that has one."""
        ...

    def receipts_between(self, table: str, /, *, first: str, last: str) -> dict[str, Receipt]:
        """Return the newest receipt (highest token, then latest) of each partition that has one, by partition.

        Of those with ``first <= partition <= last``, compared as texts.
        """
        ...

    def stamps_between(self, table: str, /, *, first: str, last: str) -> dict[str, Stamp]:
        """Return the stamps of what ``receipts_between`` returns, and nothing else of them: a window needs no more."""
        ...

    def fingerprint(self, table: Table, /, *, partition: str | None) -> str:
        """Return the fingerprint of a partition's rows now (None: of the whole table); see core.fingerprint."""
        ...

    def fingerprints(self, table: Table, /, *, first: str, last: str) -> dict[str, str]:
        """Return what ``fingerprint`` says of each partition that has rows, by partition; {} for a missing table.

        Of those with ``first <= partition <= last``, compared as texts.
        """
        ...

    def repeats(
        self, table: Table, /, *, first: str, last: str, key: Sequence[str] | None = None
    ) -> dict[str, Repeats]:
        """Return the partitions that have more rows than keys, by partition; {} for a missing table.

        Of those with ``first <= partition <= last``, compared as texts. ``key``: other columns than the table's own.
        """
        ...

    def fences(self, *, first: str, last: str) -> dict[Part, Fence]:
        """Return the fence rows of all tables with ``first <= partition <= last``, compared as texts."""
        ...

    def count(self, table: Table, /, *, partition: str | None) -> int:
        """Return the number of rows of a partition (None: of the whole table); 0 for a missing table."""
        ...


class Transaction(Reader, Protocol):
    """One snapshot-isolated transaction that also writes. The writer calls the verbs in a fixed order."""

    def change_fence(self, part: Part, /, *, token: int, store_id: str) -> bool:
        """Set the fence row to ``token`` if it is not higher and of this store; always a real change of the row.

        Return False when no row was changed.
        """
        ...

    def fence(self, part: Part, /) -> Fence | None:
        """Return the fence row as this transaction sees it."""
        ...

    def stage_query(self, table: Table, sql: str, params: Params, /) -> None:
        """Put the rows of a SELECT into a staging table of this transaction's own."""
        ...

    def stage_rows(self, table: Table, rows: Sequence[Row], /) -> None:
        """Put given rows into a staging table of this transaction's own, cast to the table's column types."""
        ...

    def inspect(self, table: Table, /, *, partition: str, version_max: float) -> Staged:
        """Count what the writer must judge over the staged rows, whose floats are rounded to the table's scale."""
        ...

    def deduplicate(self, table: Table, /) -> int:
        """Keep one staged row per key: the newest version, ties broken by content; return how many were removed."""
        ...

    def replace(self, table: Table, /, *, partition: str, token: int) -> Changes:
        """Make the partition's rows exactly the staged ones; count the changes."""
        ...

    def merge(self, table: Table, /, *, partition: str, token: int) -> Changes:
        """Insert or update by key where (version, token) is not older; honour tombstones; count the changes."""
        ...

    def put_receipt(self, receipt: Receipt, /) -> None:
        """Store the receipt in this same transaction."""
        ...

    def interrupt(self) -> None:
        """Stop a running statement, from another thread; the transaction then fails."""
        ...


class Warehouse(Protocol):
    """Tables with snapshot-isolated transactions."""

    def prepare(
        self, table: Table, /, *, partition: str, store_id: str, sql: str | None = None, params: Params | None = None
    ) -> None:
        """Create what a write needs beforehand, if absent: schema, system tables, the fence row, the table itself.

        The table's shape is that of ``table.columns``, else that of ``sql``.
        """
        ...

    def create(self, table: Table, /, *, sql: str | None = None, params: Params | None = None) -> None:
        """Create a table that will be read, empty, if it is absent. One that is there stays as it is."""
        ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction; leaving the block commits, an exception rolls back.

        Raises Conflict (another transaction changed the same rows), Ambiguous (the commit went unanswered),
        Unavailable (the warehouse cannot be opened).
        """
        ...

    def snapshot(self) -> AbstractContextManager[Reader]:
        """Open a read-only snapshot."""
        ...

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Return the receipt of a write, if it was committed."""
        ...

    def adopt(self, parts: Iterable[Part] | None, /, *, store_id: str) -> dict[Part, int]:
        """Write our store id into the fence rows (None: all); return the token of each."""
        ...

    def close(self) -> None:
        """Release files and connections; using the warehouse again opens it again."""
        ...


class Clock(Protocol):
    """Time, injected everywhere."""

    def now(self) -> float:
        """Return epoch seconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Wait."""
        ...


class Observer(Protocol):
    """Where events go: logs, metrics, traces."""

    def event(self, name: str, /, **fields: object) -> None:
        """Report one thing that happened. Never raises."""
        ...


class Background(Protocol):
    """Runs a function again and again beside the caller: the heartbeat's engine."""

    def every(self, seconds: float, tick: Callable[[], bool], /) -> Callable[[], None]:
        """Call ``tick`` every ``seconds`` until it answers False; return a function that stops it."""
        ...


class Channel(Protocol):
    """A place where people, or their tools, are told of what is wrong."""

    def send(self, note: Note, /, *, ref: str) -> Reply:
        """Send one message, once, within a bounded time. ``ref``: its name for the incident's first one, if known.

        A refusal, and an answer that did not come, is a reply with an error, which holds no secret.
        """
        ...


class Pinger(Protocol):
    """A dead-man switch: a service outside that raises an alarm when it hears nothing."""

    def ping(self, what: Ping, /) -> Reply:
        """Tell it that an evaluation began, ended well, or could not be brought to its end."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """All five, wired: what every service takes."""

    store: Store
    bus: Bus
    warehouse: Warehouse
    clock: Clock
    observer: Observer
    background: Background
    ids: Callable[[], str] = field()
