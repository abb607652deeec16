"""The declaration of a guarded table.

Pure.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import msgspec

LINEAGE_PREFIX = "_pg_"
TOKEN_COLUMN = "_pg_token"
SCALE_DEFAULT = 6
KEYS_MAX = 20


class Repeats(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of a partition in which keys repeat.

    How many rows, how many different keys, how many different contents.
    """

    rows: int
    keys: int
    contents: int


class Dependency(msgspec.Struct, frozen=True):
    """An identity over all partitions: ``columns`` determine one value.

    Rows with equal ``columns`` have equal ``determined``, such as one date for each game. An unknown value counts as
    equal to any.
    """

    columns: tuple[str, ...]
    determined: str

    @property
    def text(self) -> str:
        """Return it as the plan spells it."""
        return f"{', '.join(self.columns)} -> {self.determined}"


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a dependency that has several values, as texts.

    ``partitions``: those that hold it, sorted.
    """

    key: tuple[str, ...]
    values: tuple[str, ...]
    partitions: tuple[str, ...]


class Uncovered(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a partition that another table lacks.

    How many there are, and the first KEYS_MAX of them, as texts in order.
    """

    count: int
    keys: tuple[str, ...]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table: its name, its key, and the column of its partition.

    ``key``: the columns that make a row unique. ``partition``: the column whose value names the partition.
    ``write``: ``replace`` (the run's partition is replaced whole) or ``merge`` (increments by key and ``version``).
    ``columns``: name -> SQL type; needed where rows come from Python, else taken from the step's SELECT.
    ``scales``: decimal places of float columns (default 6). ``volatile``: columns left out of the fingerprint.
    ``tombstone``: a boolean column of staged rows that asks for deletion (merge only); never stored.
    ``replaces``: columns whose values name a group of rows that a delivery has whole (merge only): of a group in the
    delivery, the rows that the delivery lacks are deleted.
    """

    name: str
    key: tuple[str, ...]
    partition: str
    write: Literal["replace", "merge"] = "replace"
    version: str | None = None
    tombstone: str | None = None
    columns: Mapping[str, str] = {}
    scales: Mapping[str, int] = {}
    volatile: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()

    def scale(self, column: str) -> int:
        """Return the decimal places that floats of a column are rounded to."""
        return self.scales.get(column, SCALE_DEFAULT)

    def fingerprinted(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Return the sorted columns that count as content.

        Version, tombstone, lineage and volatile columns do not count. Nor does case, which databases fold in their own
        ways.
        """
        out = {name.lower() for name in (*self.volatile, self.version, self.tombstone) if name is not None}
        kept = (c for c in columns if c.lower() not in out and not c.lower().startswith(LINEAGE_PREFIX))
        return tuple(sorted(kept, key=str.lower))


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A table as a plan gives it: declared, or by a SELECT."""

    table: Table
    sql: str = ""


class DraftShape(msgspec.Struct, frozen=True, kw_only=True):
    """The columns that a draft gives a table, and the tables it reads.

    ``columns``: name -> type, in the engine's spelling; {} if the draft does not give them. ``error``: why the SELECT
    cannot be used.
    """

    columns: Mapping[str, str] = {}
    reads: tuple[str, ...] = ()
    error: str = ""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How a stored table differs from its plan.

    ``added``: columns that only the plan has. ``widened``: stored and planned type, where every stored cell keeps its
    canonical text. ``retyped``: where it does not. ``removed``: columns that only the stored table has. ``key``: the
    key of the rows that are stored, if it is another one.
    """

    missing: bool = False
    added: Mapping[str, str] = {}
    widened: Mapping[str, tuple[str, str]] = {}
    retyped: Mapping[str, tuple[str, str]] = {}
    removed: Mapping[str, str] = {}
    key: tuple[str, ...] = ()

    @property
    def keeps_content(self) -> bool:
        """Return whether it can be applied without changing a fingerprint."""
        return not (self.removed or self.retyped or self.key)

    @property
    def kept_content(self) -> "Difference":
        """Return what of it can be applied without changing a fingerprint."""
        return msgspec.structs.replace(self, removed={}, retyped={}, key=())

    def includes(self, change: "Difference") -> bool:
        """Return whether all columns of a change differ in this way."""
        pairs = ((self.added, change.added), (self.widened, change.widened), (self.retyped, change.retyped),
                 (self.removed, change.removed))  # fmt: skip
        return all(part.items() <= whole.items() for whole, part in pairs)

    def __bool__(self) -> bool:
        return bool(self.added or self.widened or not self.keeps_content)


def unequal(
    ours: Mapping[tuple[str, ...], Decimal], theirs: Mapping[tuple[str, ...], Decimal]
) -> tuple[tuple[str, ...], ...]:
    """Return the groups of both whose sums differ, sorted.

    Compared to the decimal places of the coarser of the two. A group that one side lacks is no difference.

    >>> unequal({("1",): Decimal("1.25"), ("2",): Decimal(3)}, {("1",): Decimal("1.2"), ("2",): Decimal(4)})
    (('2',),)
    """
    found = []
    for group in sorted(ours.keys() & theirs.keys()):
        places = [int(value.as_tuple().exponent) for value in (ours[group], theirs[group])]
        if abs(ours[group] - theirs[group]) > Decimal(1).scaleb(max(places)) / 2:
            found.append(group)
    return tuple(found)
