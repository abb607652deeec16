"""The memory warehouse's operations on rows. Pure.

Round, count, deduplicate, match by key: the same rules as the SQL of the other adapters; the contract in
phasegate.testing checks that they agree.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

from phasegate.base import fingerprint as prints
from phasegate.base.receipt import Changes, Part, Receipt, Staged
from phasegate.base.table import Difference, Repeats, Table
from phasegate.errors import BadInput
from phasegate.warehouses.sql.cells import recast

Cells = dict[str, object]
Action = Literal["insert", "update", "touch", "keep", "refuse", "delete", "none"]


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One version of one row; never changed in place."""

    cells: Mapping[str, object]
    token: int


@dataclass(frozen=True, slots=True)
class StoredShape:
    """The declared columns of a stored table, and the key of its rows."""

    types: Mapping[str, str]
    key: tuple[str, ...]


Rows = Mapping[int, StoredRow]
Tables = Mapping[str, Mapping[str | None, Rows]]


@dataclass(frozen=True, slots=True)
class FenceRow:
    """One version of a fence row; ``changes`` counts the writes of it."""

    token: int
    store_id: str
    changes: int
    holder: str = ""


def with_rows(tables: Tables, name: str, text: str | None, rows: Rows) -> Tables:
    """Return the tables with other rows in one partition."""
    return {**tables, name: {**tables.get(name, {}), text: rows}}


def with_receipt(newest: Mapping[Part, Receipt], receipt: Receipt) -> Mapping[Part, Receipt]:
    """Return the newest receipts with one more, unless it is older."""
    present = newest.get(receipt.part)
    return newest if present is not None and present.token > receipt.token else {**newest, receipt.part: receipt}


def reshaped(table: Table, row: StoredRow, change: Difference) -> StoredRow:
    """Return a stored row in the columns of another shape.

    Raises BadInput for a cell that does not fit its new type.
    """
    cells = {name: cell for name, cell in row.cells.items() if name not in change.removed}
    for name, (_, sql_type) in (*change.widened.items(), *change.retyped.items()):
        try:
            cells[name] = recast(cells[name], sql_type, scale=table.scale(name))
        except (TypeError, ValueError) as error:
            raise BadInput(f"table {table.name}: {name} = {cells[name]!r:.80} {error}") from None
    return StoredRow({**cells, **dict.fromkeys(change.added)}, row.token)


@dataclass(frozen=True, slots=True)
class RowPlan:
    """A staged row, the ids of the stored rows of its key, and its action."""

    cells: Cells
    hits: tuple[int, ...]
    action: Action


def round_floats(table: Table, rows: Sequence[Cells]) -> None:
    """Round every float to its column's scale, in place.

    NaN and infinity stay.
    """
    for cells in rows:
        for column, cell in cells.items():
            if isinstance(cell, float):
                cells[column] = prints.rounded(cell, scale=table.scale(column))


def in_utc(cell: object) -> object:
    """Return a cell, a time with zone in UTC.

    Python compares the times of another zone by wall clock, which repeats an hour.
    """
    return cell.astimezone(UTC) if isinstance(cell, datetime) and cell.tzinfo is not None else cell


def check_versions(table: Table, rows: Iterable[Cells]) -> None:
    """Refuse versions that have no order, as ``check_shape`` does by type.

    Raises BadInput.
    """
    for cells in rows if table.version else ():
        value = cells.get(table.version or "")
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float, Decimal, date))):
            must = "and must be a timestamp, a date or a number"
            raise BadInput(f"version {table.version} of table {table.name} is {value!r:.80}, {must}")


def epoch_s(version: object) -> float:
    """Return a version as epoch seconds.

    Numbers as they are, naive timestamps as UTC, dates as their midnight.
    """
    if isinstance(version, datetime):
        return (version if version.tzinfo else version.replace(tzinfo=UTC)).timestamp()
    if isinstance(version, date):
        return datetime(version.year, version.month, version.day, tzinfo=UTC).timestamp()
    assert isinstance(version, (int, float, Decimal)), f"version {version!r}"
    return float(version)


def inspect(table: Table, rows: Sequence[Cells], *, partition: str, version_max: float, kept: int) -> Staged:
    """Count what the writer must judge; ``kept``: rows after the duplicates."""
    versions = [cells[table.version] for cells in rows] if table.version else []
    scale = table.scale(table.partition)
    return Staged(
        rows=len(rows),
        outside=sum(prints.text(cells[table.partition], scale=scale) != partition for cells in rows),
        null_keys=sum(any(cells[column] is None for column in table.key) for cells in rows),
        null_versions=sum(version is None for version in versions),
        future_versions=sum(version is not None and epoch_s(version) > version_max for version in versions),
        not_finite=sum(isinstance(cell, float) and not math.isfinite(cell) for row in rows for cell in row.values()),
        duplicates=len(rows) - kept,
        undecided=_undecided(table, rows),
    )


def _undecided(table: Table, rows: Sequence[Cells]) -> int:
    """Count the keys of several newest contents, but for deletions."""
    newest: dict[tuple[object, ...], tuple[tuple[bool, object, bool], set[str]]] = {}
    for cells in rows if len({_key(table, cells) for cells in rows}) < len(rows) else ():
        *order, digest = _rank(table, cells)
        rank = (bool(order[0]), order[1], bool(order[2]))
        known, digests = newest.get(_key(table, cells), (rank, set[str]()))
        if rank > known:
            digests = set()
        if rank >= known:
            newest[_key(table, cells)] = rank, {*digests, digest}
    return sum(1 for (_, _, gone), digests in newest.values() if len(digests) > 1 and not gone)


def repeats(table: Table, rows: Iterable[StoredRow], *, key: Sequence[str]) -> Repeats:
    """Count rows, keys and different contents."""
    cells = [row.cells for row in rows]
    texts = {prints.row_text(one, table=table, columns=table.fingerprinted(tuple(one))) for one in cells}
    keys = {tuple(one[name] for name in key) for one in cells}
    return Repeats(rows=len(cells), keys=len(keys), contents=len(texts))


def tombstoned(table: Table, cells: Mapping[str, object]) -> bool:
    """Return whether a staged row is a deletion."""
    return table.tombstone is not None and cells.get(table.tombstone) is True


def newest(table: Table, rows: Iterable[Cells]) -> list[Cells]:
    """Return one row per key, in order of first appearance.

    It is the newest version; then a deletion wins; then the content decides.
    """
    groups: dict[tuple[object, ...], list[Cells]] = {}
    for cells in rows:
        groups.setdefault(_key(table, cells), []).append(cells)
    return [group[0] if len(group) == 1 else max(group, key=lambda row: _rank(table, row)) for group in groups.values()]


def matched(
    table: Table, staged: Iterable[Cells], present: Mapping[int, StoredRow]
) -> list[tuple[Cells, dict[int, StoredRow]]]:
    """Pair each staged row with the stored rows of its key."""
    by_key: dict[tuple[object, ...], dict[int, StoredRow]] = {}
    for row, kept in present.items():
        by_key.setdefault(_key(table, kept.cells), {})[row] = kept
    return [(cells, by_key.get(_key(table, cells), {})) for cells in staged]


def older_groups(
    table: Table, staged: Iterable[Cells], present: Iterable[StoredRow], *, token: int
) -> set[tuple[object, ...]]:
    """Return the staged groups of which something newer is stored.

    They are refused whole: their rows that are not stored were deleted since.
    """
    newest: dict[tuple[object, ...], Cells] = {}
    for cells in staged if table.replaces else ():
        group = group_of(table, cells)
        if group not in newest or cells[table.version or ""] > newest[group][table.version or ""]:  # type: ignore[operator]  # versions of one column compare
            newest[group] = cells
    held = ((group_of(table, row.cells), row) for row in present)
    return {g for g, row in held if g in newest and not _not_older(table, newest[g], stored=row, token=token)}


def group_of(table: Table, cells: Mapping[str, object]) -> tuple[object, ...]:
    """Return the values of the columns by which deliveries replace rows whole."""
    return tuple(cells[column] for column in table.replaces)


def lacking(table: Table, plan: Sequence[RowPlan], present: Mapping[int, StoredRow]) -> list[int]:
    """Return the stored rows that the accepted groups of a delivery lack.

    Unknown values make no group.
    """
    if not table.replaces:
        return []
    hit = {row for one in plan for row in one.hits}
    groups = {group_of(table, one.cells) for one in plan if one.action != "refuse"}
    return [
        row for row, kept in present.items()
        if row not in hit and None not in group_of(table, kept.cells) and group_of(table, kept.cells) in groups
    ]  # fmt: skip


def judge(
    table: Table, cells: Cells, *, hits: Mapping[int, StoredRow], token: int | None = None, older: bool = False
) -> RowPlan:
    """Decide the action of a staged row.

    ``token`` None: a replacement, where versions do not count. ``older``: something newer of its group is stored.
    """
    content = table.fingerprinted(tuple(cells))
    plain = [name for name in cells if name != table.tombstone]
    same = all(cells[name] == row.cells[name] for row in hits.values() for name in content)
    identical = len(hits) == 1 and all(cells[name] == row.cells[name] for row in hits.values() for name in plain)
    action: Action
    newer = token is None or all(_not_older(table, cells, stored=row, token=token) for row in hits.values())
    if older or not newer:
        action = "refuse"
    elif tombstoned(table, cells):
        action = "delete" if hits else "none"
    elif not hits:
        action = "insert"
    elif identical:
        action = "keep"
    else:
        action = "touch" if same else "update"
    return RowPlan(cells, tuple(hits), action)


def tally(plan: Iterable[RowPlan], *, deleted: int) -> Changes:
    """Count the actions."""
    actions = [one.action for one in plan]
    return Changes(
        inserted=actions.count("insert"),
        updated=actions.count("update"),
        deleted=deleted,
        unchanged=actions.count("keep") + actions.count("touch") + actions.count("none"),
        refused=actions.count("refuse"),
    )


def _key(table: Table, cells: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(cells[column] for column in table.key)


def _rank(table: Table, cells: Cells) -> tuple[bool, object, bool, str]:
    version = cells[table.version] if table.version else None
    content = prints.row_text(cells, table=table, columns=table.fingerprinted(tuple(cells)))
    digest = hashlib.sha256(content.encode()).hexdigest()
    return (version is not None, version if version is not None else 0, tombstoned(table, cells), digest)


def _not_older(table: Table, cells: Cells, *, stored: StoredRow, token: int) -> bool:
    if table.version is None:
        return token >= stored.token
    ours, theirs = cells[table.version], stored.cells[table.version]
    if ours is None or theirs is None or ours == theirs:
        return (ours == theirs and token >= stored.token) or (theirs is None and ours is not None)
    return bool(ours > theirs)  # type: ignore[operator]  # versions of one column compare
