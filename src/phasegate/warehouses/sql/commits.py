"""The order of a commit, the same for every warehouse.

It runs over the verbs of one open transaction and decides only what the write says. The caller commits the transaction
if the answer is Written, and rolls it back otherwise.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from msgspec.structs import replace

from phasegate.base.fingerprint import rows_of
from phasegate.base.receipt import Changes, Fence, Part, Receipt, Stamp
from phasegate.base.table import Dependency, Disagreement, Table, unequal
from phasegate.warehouse import (
    Disagreeing,
    FenceRefused,
    InputRead,
    InputsMoved,
    Shrunk,
    UnequalSums,
    Write,
    WriteAnswer,
    Written,
)


class Verbs(Protocol):
    """What a commit needs of a transaction, which knows the staged rows."""

    def change_fence(self, part: Part, /, *, token: int, store_id: str, holders: Sequence[str]) -> bool:
        """Set the fence row to ``token`` and the last holder; return whether."""
        ...

    def fence(self, part: Part, /) -> Fence | None:
        """Return the fence row as this transaction sees it."""
        ...

    def stamps(self, reads: Sequence[InputRead], /) -> list[dict[str, Stamp]]:
        """Return the stamps of each read."""
        ...

    def present(self, table: Table, /, *, partition: str) -> int:
        """Return the number of the partition's rows before the write."""
        ...

    def replace(self, table: Table, /, *, partition: str, token: int) -> Changes:
        """Make the partition's rows exactly the staged ones; count the changes."""
        ...

    def merge(self, table: Table, /, *, partition: str, token: int) -> Changes:
        """Insert, update or delete by key; count the changes."""
        ...

    def disagreements(self, table: Table, dependency: Dependency, /, *, first: str, last: str) -> list[Disagreement]:
        """Return the keys of a dependency that have several values."""
        ...

    def sums(
        self, table: Table, /, *, column: str, by: Sequence[str], first: str, last: str
    ) -> dict[tuple[str, ...], Decimal]:
        """Return the sums of a column by partition and ``by``."""
        ...

    def fingerprint(self, table: Table, /, *, partition: str | None) -> str:
        """Return the fingerprint of a partition's rows."""
        ...

    def put_receipt(self, receipt: Receipt, /) -> None:
        """Store the receipt in this same transaction."""
        ...


def run(tx: Verbs, write: Write, /) -> WriteAnswer:
    """Run all statements of a write, the commit excepted; return the answer."""
    part, token = write.receipt.part, write.receipt.token
    if not tx.change_fence(part, token=token, store_id=write.store_id, holders=write.holders):
        return FenceRefused(tx.fence(part))
    now = tx.stamps([one.read for one in write.inputs]) if write.inputs else []
    moved = tuple(one.name for one, stamps in zip(write.inputs, now, strict=True) if stamps != dict(one.stamps))
    if moved:
        return InputsMoved(moved)
    if write.table.write == "merge":
        changes = tx.merge(write.table, partition=part.partition, token=token)
    else:
        kept = write.receipt.rows_in - write.receipt.duplicates
        present = tx.present(write.table, partition=part.partition)
        if write.shrink_max is not None and present and (present - kept) / present > write.shrink_max:
            return Shrunk(kept, present)
        changes = tx.replace(write.table, partition=part.partition, token=token)
    broken = _broken(tx, write, partition=part.partition)
    if broken is not None:
        return broken
    fingerprint = tx.fingerprint(write.table, partition=part.partition)
    receipt = replace(
        write.receipt,
        fingerprint=fingerprint,
        rows=rows_of(fingerprint),
        inserted=changes.inserted,
        updated=changes.updated,
        deleted=changes.deleted,
        unchanged=changes.unchanged,
        refused=changes.refused,
    )
    tx.put_receipt(receipt)
    return Written(receipt)


def _broken(tx: Verbs, write: Write, *, partition: str) -> Disagreeing | UnequalSums | None:
    """Return the first identity that the written partition breaks."""
    for dependency in write.determines:
        found = tx.disagreements(write.table, dependency, first=partition, last=partition)
        if found:
            return Disagreeing(dependency, tuple(found))
    for number, rule in enumerate(write.sums):
        ours, theirs = (
            tx.sums(table, column=column, by=rule.by, first=partition, last=partition)
            for table, column in ((write.table, rule.column), (rule.table, rule.other))
        )
        if unequal(ours, theirs):
            return UnequalSums(number, ours, theirs)
    return None


class Stamping(Protocol):
    """The verbs of a reader from which stamps follow."""

    def receipts(self, parts: Sequence[Part], /) -> dict[Part, Receipt]:
        """Return the newest receipt of each partition with one."""
        ...

    def stamps_between(self, table: str, /, *, first: str, last: str) -> dict[str, Stamp]:
        """Return the stamps of the newest receipts of a span."""
        ...

    def fingerprint(self, table: Table, /, *, partition: str | None) -> str:
        """Return the fingerprint of a partition's rows."""
        ...

    def fingerprints(self, table: Table, /, *, first: str, last: str) -> dict[str, str]:
        """Return the fingerprint of each partition of a span that has rows."""
        ...


def stamps(reader: Stamping, reads: Sequence[InputRead], /) -> list[dict[str, Stamp]]:
    """Return the stamps of each read; see ``warehouse.Reader.stamps``.

    The receipts of all single partitions are read together. The rows of a foreign partition are read only if it has no
    receipt.
    """
    single = [Part(one.table.name, one.first) for one in reads if one.first == one.last]
    receipts = reader.receipts(single) if single else {}
    return [_single(reader, one, receipts) if one.first == one.last else _span(reader, one) for one in reads]


def _single(reader: Stamping, read: InputRead, receipts: Mapping[Part, Receipt]) -> dict[str, Stamp]:
    receipt = receipts.get(Part(read.table.name, read.first))
    if receipt is not None:
        return {read.first: receipt.stamp}
    found = reader.fingerprint(read.table, partition=read.first) if read.foreign else ""
    return {read.first: Stamp(found)} if found and rows_of(found) else {}


def _span(reader: Stamping, read: InputRead) -> dict[str, Stamp]:
    written = reader.stamps_between(read.table.name, first=read.first, last=read.last)
    rows = reader.fingerprints(read.table, first=read.first, last=read.last) if read.foreign else {}
    return {partition: Stamp(found) for partition, found in rows.items()} | written
