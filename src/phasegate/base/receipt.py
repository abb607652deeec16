"""What a committed write leaves behind in the warehouse, in the same transaction. Pure."""

from typing import NamedTuple

import msgspec


class Part(NamedTuple):
    """One partition of one table: the resource that a lease and a fence guard."""

    table: str
    partition: str


class Stamp(msgspec.Struct, frozen=True, order=True):
    """Which content an input had: its fingerprint, and the token of the write that made it."""

    fingerprint: str
    token: int = 0


ABSENT = Stamp("absent", 0)
EXECUTION = "id:"
"""Marks a fingerprint that is an execution id: it stands for the content of what has no readable table."""


class Fence(msgspec.Struct, frozen=True):
    """The warehouse's own memory of the newest holder of a partition."""

    token: int
    store_id: str


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """What the writer judges before it writes: counts over the staged rows."""

    rows: int
    outside: int = 0
    null_keys: int = 0
    future_versions: int = 0
    null_versions: int = 0
    not_finite: int = 0
    present: int = 0


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a write did to the partition, in rows."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    refused: int = 0


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Proof of one committed write. The newest (highest token) of a partition tells what the partition holds."""

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
    forced: bool = False

    @property
    def part(self) -> Part:
        """Return the partition this receipt speaks of."""
        return Part(self.table, self.partition)

    @property
    def stamp(self) -> Stamp:
        """Return what readers of this partition compare."""
        return Stamp(self.fingerprint, self.token)
