"""The Warehouse: tables with snapshot-isolated transactions. Pure: a contract and its values."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from phasegate.base.receipt import Changes, Fence, Part, Receipt, Staged, Stamp
from phasegate.base.table import Repeats, Table

Row = Mapping[str, object]


Params = Mapping[str, object]


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
        """Return the fingerprint of a partition's rows now (None: of the whole table); see base.fingerprint."""
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
