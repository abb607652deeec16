"""The Warehouse: tables with snapshot-isolated transactions. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Protocol

from phasegate.base.receipt import Changes, Fence, Part, Receipt, Staged, Stamp
from phasegate.base.table import (
    Dependency,
    Difference,
    Disagreement,
    Draft,
    DraftShape,
    Repeats,
    Table,
    Uncovered,
)

Row = Mapping[str, object]


Params = Mapping[str, object]


class Reader(Protocol):
    """One snapshot of the warehouse."""

    def query(self, sql: str, params: Params, /) -> Sequence[dict[str, object]]:
        """Return the rows of a SELECT as dicts."""
        ...

    def receipts(self, parts: Iterable[Part], /) -> dict[Part, Receipt]:
        """Return the newest receipt (highest token) of each partition with one."""
        ...

    def receipts_between(self, table: str, /, *, first: str, last: str) -> dict[str, Receipt]:
        """Return the newest receipt of each partition of a span that has one.

        The newest has the highest token, then is the latest. By partition, with ``first <= partition <= last``
        compared as text.
        """
        ...

    def stamps_between(self, table: str, /, *, first: str, last: str) -> dict[str, Stamp]:
        """Return only the stamps of the receipts of ``receipts_between``."""
        ...

    def fingerprint(self, table: Table, /, *, partition: str | None) -> str:
        """Return the fingerprint of a partition's rows (None: of all rows).

        See base.fingerprint.
        """
        ...

    def fingerprints(self, table: Table, /, *, first: str, last: str) -> dict[str, str]:
        """Return the ``fingerprint`` of each partition of a span that has rows.

        By partition, with ``first <= partition <= last`` compared as text; {} for a missing table.
        """
        ...

    def repeats(
        self, table: Table, /, *, first: str, last: str, key: Sequence[str] | None = None
    ) -> dict[str, Repeats]:
        """Return the partitions of a span that have more rows than keys.

        By partition, with ``first <= partition <= last`` compared as text; {} for a missing table. ``key``: columns to
        use in place of the table's key.
        """
        ...

    def disagreements(self, table: Table, dependency: Dependency, /, *, first: str, last: str) -> list[Disagreement]:
        """Return the keys of a dependency that have several values, sorted by key.

        Those with a row in ``first <= partition <= last``, compared as text; their values are of all partitions. [] for
        a missing table. Raises BadInput for a column that the table lacks.
        """
        ...

    def sums(
        self, table: Table, /, *, column: str, by: Sequence[str], first: str, last: str
    ) -> dict[tuple[str, ...], Decimal]:
        """Return the sums of a numeric column, rounded to its scale.

        By the texts of partition and ``by``, with ``first <= partition <= last`` compared as text; without groups that
        have no value. {} for a missing table. Raises BadInput for a column that the table lacks.
        """
        ...

    def uncovered(
        self, table: Table, /, *, by: Table, on: Sequence[str], where: str, first: str, last: str
    ) -> dict[str, Uncovered]:
        """Return the keys in ``table`` that ``by`` lacks in the same partition.

        By partition, with ``first <= partition <= last`` compared as text; only partitions with such keys. A key is the
        canonical texts of the columns ``on``, a missing cell equal to a missing one. ``where``: SQL, which rows of
        ``table`` count; "" for all. Raises BadInput for a column that a table lacks.
        """
        ...

    def fences(self, *, first: str, last: str) -> dict[Part, Fence]:
        """Return the fence rows of all tables for a span of partitions.

        These have ``first <= partition <= last`` compared as text.
        """
        ...

    def count(self, table: Table, /, *, partition: str | None) -> int:
        """Return the number of rows of a partition (None: of the whole table).

        0 for a missing table.
        """
        ...

    def compare(self, table: Table, columns: Mapping[str, str], /) -> Difference:
        """Return how the stored table differs from these columns and its key.

        ``columns``: as ``Warehouse.shapes`` gives them. A table without a recorded key has no other key.
        """
        ...


class Transaction(Reader, Protocol):
    """A snapshot-isolated transaction that also writes.

    The writer calls its methods in a fixed order.
    """

    def change_fence(self, part: Part, /, *, token: int, store_id: str, holders: Sequence[str]) -> bool:
        """Set the fence row to ``token`` and the last holder; return whether.

        It is set only if its token is not higher, its store is this one, and its holder is none or one of ``holders``.
        It is always a real change of the row, so that two transactions that set it conflict.
        """
        ...

    def fence(self, part: Part, /) -> Fence | None:
        """Return the fence row as this transaction sees it."""
        ...

    def change_fences(self, table: Table, /, *, store_id: str) -> bool:
        """Change every fence row of a table, but no token.

        It is a real change, as that of ``change_fence``: a transaction that writes to the table conflicts. Return
        whether all of them are of this store.
        """
        ...

    def reshape(self, table: Table, change: Difference, /) -> None:
        """Give the stored table the columns and the recorded key of its plan.

        An added column is NULL in every stored row. Raises BadInput if a stored cell does not fit its new type; then
        the transaction fails.
        """
        ...

    def stage_query(self, table: Table, sql: str, params: Params, /) -> None:
        """Put the rows of a SELECT into this transaction's staging table."""
        ...

    def stage_rows(self, table: Table, rows: Sequence[Row], /) -> None:
        """Put given rows into this transaction's staging table.

        Values are cast to the table's column types.
        """
        ...

    def inspect(self, table: Table, /, *, partition: str, version_max: float) -> Staged:
        """Count what the writer checks in the staged rows.

        Their floats are rounded to the table's scale.
        """
        ...

    def deduplicate(self, table: Table, /) -> int:
        """Keep one staged row per key; return how many were removed.

        It is the one with the newest version; content breaks ties.
        """
        ...

    def replace(self, table: Table, /, *, partition: str, token: int) -> Changes:
        """Make the partition's rows exactly the staged ones; count the changes."""
        ...

    def merge(self, table: Table, /, *, partition: str, token: int) -> Changes:
        """Insert or update by key where (version, token) is not older.

        Tombstones are honoured. Of a group of ``replaces`` that is staged, the rows that are not staged are deleted; a
        group of which something newer is stored is refused whole. Return the counts of changes.
        """
        ...

    def put_receipt(self, receipt: Receipt, /) -> None:
        """Store the receipt in this same transaction."""
        ...

    def interrupt(self) -> None:
        """Stop a running statement, from another thread; the transaction fails."""
        ...


class Warehouse(Protocol):
    """Tables with snapshot-isolated transactions."""

    def prepare(
        self, table: Table, /, *, partition: str, store_id: str, sql: str | None = None, params: Params | None = None
    ) -> None:
        """Create what a write needs, where it is absent.

        That is the schema, the system tables, the fence row and the table itself, with the columns of
        ``table.columns``, else of ``sql``.
        """
        ...

    def create(self, table: Table, /, *, sql: str | None = None, params: Params | None = None) -> None:
        """Create a table that will be read, empty, if it is absent."""
        ...

    def shapes(self, drafts: Sequence[Draft], params: Params, /) -> list[DraftShape]:
        """Return the shape of each draft, in the same order.

        A draft may read the tables of those before it, in their new shape, and stored tables that no draft gives.
        Nothing is stored.
        """
        ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction; leaving the block commits, an exception rolls back.

        Raises Conflict (another transaction changed the same rows), Ambiguous (it is unknown whether the commit
        happened), Unavailable (the warehouse cannot be opened).
        """
        ...

    def snapshot(self) -> AbstractContextManager[Reader]:
        """Open a read-only snapshot."""
        ...

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Return the receipt of a write, if it was committed."""
        ...

    def adopt(self, parts: Iterable[Part] | None, /, *, store_id: str, holder: str) -> dict[Part, int]:
        """Write a store's id and a holder into fence rows (None: all).

        Return their tokens.
        """
        ...

    def close(self) -> None:
        """Release files and connections; the next use opens them again."""
        ...
