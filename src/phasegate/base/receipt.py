"""What a committed write leaves in the warehouse.

It is written in the same transaction. Pure.
"""

import hashlib
from typing import NamedTuple

import msgspec


class Part(NamedTuple):
    """One partition of one table: what a lease and a fence guard."""

    table: str
    partition: str


class Stamp(msgspec.Struct, frozen=True, order=True):
    """Which content a partition had, and the token of its write."""

    fingerprint: str
    token: int = 0


ABSENT = Stamp("absent", 0)
EXECUTION = "id:"
"""Marks a fingerprint that is an execution id: it stands for the content of what has no readable table."""
EXECUTION_MAX = 60


def execution_stamp(execution_id: str, /) -> Stamp:
    """Return the stamp of a result that its execution id stands for.

    A long id is replaced by its digest, so that the ids of all members fit their document.

    >>> execution_stamp("run-7")
    Stamp(fingerprint='id:run-7', token=0)
    """
    if len(execution_id.encode()) > EXECUTION_MAX:
        execution_id = f"sha256-{hashlib.sha256(execution_id.encode()).hexdigest()[:32]}"
    return Stamp(EXECUTION + execution_id)


class Fence(msgspec.Struct, frozen=True):
    """The warehouse's own record of the newest holder of a partition.

    ``holder``: the id of the lease's holder that wrote last; empty where nothing was written yet.
    """

    token: int
    store_id: str
    holder: str = ""


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over the staged rows, which the writer checks before writing.

    ``duplicates``: how many were removed, because another row has their key; the other counts are of all rows.
    ``undecided``: keys of several rows with different content, of which no version is the newest.
    """

    rows: int
    outside: int = 0
    null_keys: int = 0
    future_versions: int = 0
    null_versions: int = 0
    not_finite: int = 0
    duplicates: int = 0
    undecided: int = 0


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a write did to the partition, in rows."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    refused: int = 0


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Proof of one committed write.

    The newest receipt (highest token) of a partition describes its present content. ``undecided``: the keys of several
    staged rows that differed, of which no version was the newest; the content's digest chose.
    """

    write_id: str
    table: str
    partition: str
    run: str
    step: str
    token: int
    fingerprint: str
    built_from: dict[str, Stamp]
    code: str = ""
    build: str = ""
    committed_at: float = 0.0
    rows_in: int = 0
    rows: int = 0
    duplicates: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    refused: int = 0
    allow_shrink: bool = False
    undecided: int = 0

    @property
    def part(self) -> Part:
        """Return the partition of this receipt."""
        return Part(self.table, self.partition)

    @property
    def stamp(self) -> Stamp:
        """Return the stamp that readers of this partition compare."""
        return Stamp(self.fingerprint, self.token)
