"""The memory warehouse's comparisons of rows: identities, sums, keys. Pure.

The same rules as the SQL of the other adapters, as in memory.rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import cast

from phasegate.base import fingerprint as prints
from phasegate.base.table import KEYS_MAX, Dependency, Disagreement, Table, Uncovered
from phasegate.warehouses.sql.cells import check_named


def disagreements(
    table: Table, dependency: Dependency, rows: Iterable[Mapping[str, object]], *, first: str, last: str
) -> list[Disagreement]:
    """Return the keys of a dependency with several values, sorted.

    Those with a row in ``first <= partition <= last``.
    """
    values: dict[tuple[str, ...], set[str]] = {}
    partitions: dict[tuple[str, ...], set[str]] = {}
    for cells in rows:
        texts = {c: prints.text(cells[c], scale=table.scale(c)) for c in (*dependency.columns, dependency.determined)}
        key = tuple(text for c in dependency.columns if (text := texts[c]) is not None)
        if len(key) == len(dependency.columns):
            values.setdefault(key, set()).update(filter(None, [texts[dependency.determined]]))
            partition = prints.text(cells[table.partition], scale=table.scale(table.partition))
            partitions.setdefault(key, set()).update(filter(None, [partition]))
    return [
        Disagreement(key=key, values=tuple(sorted(values[key])), partitions=tuple(sorted(held)))
        for key, held in sorted(partitions.items())
        if len(values[key]) > 1 and any(first <= one <= last for one in held)
    ]


def sums(
    table: Table, rows: Iterable[Mapping[str, object]], *, column: str, by: Sequence[str]
) -> dict[tuple[str, ...], Decimal]:
    """Return the sums of a column by partition and ``by``."""
    found: dict[tuple[str, ...], list[float]] = {}
    for cells in rows:
        if cells[column] is not None:
            key = tuple(str(prints.text(cells[c], scale=table.scale(c))) for c in (table.partition, *by))
            found.setdefault(key, []).append(cast("float", cells[column]))
    scale = table.scale(column)
    return {key: Decimal(str(prints.text(sum(values), scale=scale))) for key, values in found.items()}


def keys_of(
    table: Table, rows: Iterable[Mapping[str, object]], *, on: Sequence[str], first: str, last: str
) -> dict[str, set[tuple[str, ...]]]:
    """Return the keys of a range of partitions, as texts.

    The range is ``first <= partition <= last``.
    """
    found: dict[str, set[tuple[str, ...]]] = {}
    for cells in rows:
        check_named(table, on, known=cells)
        part = _text(table, cells, table.partition)
        if first <= part <= last:
            found.setdefault(part, set()).add(tuple(_text(table, cells, column) for column in on))
    return found


def _text(table: Table, cells: Mapping[str, object], column: str) -> str:
    text = prints.text(cells[column], scale=table.scale(column))
    return "NULL" if text is None else text


def uncovered(keys: Iterable[tuple[str, ...]]) -> Uncovered:
    """Return how many keys there are, and the first."""
    ordered = sorted(keys)
    return Uncovered(count=len(ordered), keys=tuple("/".join(key) for key in ordered[:KEYS_MAX]))
