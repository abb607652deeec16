"""The Warehouse: tables of rows, written in two steps: stage, then commit. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Literal, Protocol, Self

import msgspec

from phasegate.base.receipt import Fence, Part, Receipt, Staged, Stamp
from phasegate.base.table import Dependency, Difference, Disagreement, Draft, DraftShape, Repeats, Table, Uncovered

Row = Mapping[str, object]
Params = Mapping[str, object]
Scope = Literal["partition", "table"]
Sums = Mapping[tuple[str, ...], Decimal]


class InputRead(msgspec.Struct, frozen=True, kw_only=True):
    """Partitions of a table whose stamps a write compares.

    Those with ``first <= partition <= last``, compared as text. ``foreign``: the table is written past the fence; a
    partition without a receipt then has the fingerprint of its rows.
    """

    table: Table
    first: str
    last: str
    foreign: bool = False


class SeenInput(msgspec.Struct, frozen=True, kw_only=True):
    """What a write has read: the stamps by partition, as the staging saw them.

    ``name``: of the input, by which a change of it is reported.
    """

    name: str
    read: InputRead
    stamps: Mapping[str, Stamp]


class EqualSums(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: a column's sums equal those of another table's column.

    By the values of ``by``, within the partition that is written.
    """

    column: str
    by: tuple[str, ...]
    table: Table
    other: str


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One write of a partition, and what is judged in its transaction.

    ``receipt``: with the fields that are known before; the commit fills in its fingerprint, rows and changes.
    ``holders``: the holders that the fence may name; the last one is put into it. ``shrink_max``: the fraction of the
    partition's rows that a replacement may lose, None for any.
    """

    table: Table
    receipt: Receipt
    store_id: str
    holders: tuple[str, ...]
    inputs: tuple[SeenInput, ...] = ()
    shrink_max: float | None = None
    determines: tuple[Dependency, ...] = ()
    sums: tuple[EqualSums, ...] = ()


class Written(msgspec.Struct, frozen=True):
    """The write is committed."""

    receipt: Receipt


class FenceRefused(msgspec.Struct, frozen=True):
    """Nothing was written: the fence row, if any, refused it."""

    fence: Fence | None


class InputsMoved(msgspec.Struct, frozen=True):
    """Nothing was written: these inputs have other stamps than at the staging."""

    names: tuple[str, ...]


class Shrunk(msgspec.Struct, frozen=True):
    """Nothing was written: the partition would lose more than ``shrink_max``."""

    rows: int
    present: int


class Disagreeing(msgspec.Struct, frozen=True):
    """Nothing was written: a key would have several values."""

    dependency: Dependency
    found: tuple[Disagreement, ...]


class UnequalSums(msgspec.Struct, frozen=True):
    """Nothing was written: the sums of the rule of this number would differ."""

    number: int
    ours: Sums
    theirs: Sums


WriteAnswer = Written | FenceRefused | InputsMoved | Shrunk | Disagreeing | UnequalSums


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

    def stamps(self, reads: Sequence[InputRead], /) -> list[dict[str, Stamp]]:
        """Return the stamps that a write compares, by partition, for each read.

        The stamp of the newest receipt; of a foreign table without one, the fingerprint of the rows. Only partitions
        that have either.
        """
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

    def rows(self, table: Table, /, *, partition: str, limit: int, offset: int = 0) -> list[dict[str, object]]:
        """Return rows of a partition as ``Warehouse.stage`` takes them.

        At most ``limit``, after the first ``offset`` in the order of the key. Without lineage; timestamps have the zone
        UTC. [] for a missing table.
        """
        ...

    def compare(self, table: Table, columns: Mapping[str, str], /) -> Difference:
        """Return how the stored table differs from these columns and its key.

        ``columns``: as ``Warehouse.shapes`` gives them. A table without a recorded key has no other key.
        """
        ...


class Staging(Protocol):
    """The rows of one write, staged and counted inside its ``with`` block.

    Nothing is run before the block is entered; at its end the rows are dropped. ``stamps``: of the reads, in their
    order, in the snapshot in which the SELECT ran; they are known even if that fails, and are empty before.
    """

    stamps: Sequence[Mapping[str, Stamp]]
    counts: Staged

    def __enter__(self) -> Self:
        """Stage, round, count and deduplicate the rows.

        One row stays per key: the one with the newest version, then a deletion, then the greatest content digest.

        Raises BadInput (rows or SELECT that do not fit the table), Conflict (begin again), Unavailable.
        """
        ...

    def __exit__(self, *_: object) -> None:
        """Drop the staged rows."""
        ...

    def interrupt(self) -> None:
        """Stop what runs, from another thread; staging and commit then fail."""
        ...


class Warehouse(Protocol):
    """Tables with snapshot-isolated transactions.

    ``scope``: which concurrent commits conflict: those of one partition, or all of one table.
    """

    @property
    def scope(self) -> Scope:
        """Return which concurrent commits conflict."""
        ...

    def prepare(
        self, draft: Draft, /, *, partition: str, store_id: str, params: Params, beside: Collection[str] = ()
    ) -> None:
        """Create what writes of a table need, where it is absent.

        That is the schema, the system tables, the table with the columns of its ``columns``, else of its SELECT, and
        its fence row for this partition. ``beside``: tables that were prepared before, which get theirs too.
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

    def reshape(self, table: Table, change: Difference, /, *, columns: Mapping[str, str], store_id: str) -> bool:
        """Change the columns and the recorded key of a stored table.

        All in one transaction, which changes every fence row of the table, but no token: a write that meets it
        conflicts. ``columns``: the planned ones, from which the stored table must still differ by this change. An added
        column is NULL in every stored row. Return whether all fences are of this store; if not, nothing is changed.

        Raises BadInput if a stored cell does not fit its new type, Conflict, Ambiguous, Unavailable.
        """
        ...

    def stage(
        self, table: Table, /, *, partition: str, version_max: float, reads: Sequence[InputRead] = (),
        sql: str | None = None, params: Params | None = None, rows: Iterable[Row] = (),
    ) -> Staging:  # fmt: skip
        """Return a staging of the rows of a SELECT, or of these rows.

        ``version_max``: versions beyond it are counted, in epoch seconds. ``rows`` are read once, and not kept.
        """
        ...

    def commit(self, write: Write, staging: Staging, /) -> WriteAnswer:
        """Write the staged rows in one transaction; return what became of it.

        Its order: change the fence row to the token and the last holder, which is refused if its token is higher, its
        store another or its holder unknown; compare the stamps of the inputs; judge the shrinking; replace or merge;
        judge the identities; store the receipt. Two commits that change one fence row conflict.

        ``replace``: the partition's rows become exactly the staged ones. ``merge``: a row is inserted, or updated where
        (version, token) is not older; tombstones delete; of a group of ``replaces`` that is staged, the rows that are
        not staged are deleted, and a group of which something newer is stored is refused whole.

        Raises Conflict (another transaction changed the same rows), Ambiguous (it is unknown whether the commit
        happened), Unavailable.
        """
        ...

    def change_fence(self, part: Part, /, *, token: int, store_id: str, holders: Sequence[str]) -> bool:
        """Change a fence row as ``commit`` does, and nothing else; return whether.

        Raises Conflict, Ambiguous, Unavailable.
        """
        ...

    def snapshot(self) -> AbstractContextManager[Reader]:
        """Open a read-only snapshot."""
        ...

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Return the receipt of a write, if it was committed."""
        ...

    def adopt(self, parts: Iterable[Part] | None, /, *, store_id: str, holder: str) -> dict[Part, int]:
        """Write a store's id and a holder into fence rows; return their tokens.

        ``parts`` None: into all, and into new ones for partitions that have a receipt and no fence row. Those that
        ``prepare`` adds later, for any store, then have this store's id too.
        """
        ...

    def close(self) -> None:
        """Release files and connections; the next use opens them again."""
        ...
