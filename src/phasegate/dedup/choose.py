"""Chooses which of several rows with one key is kept.

Rows are mappings, answers are row numbers. The newest version wins. Between rows of equal version, or without one, the
content decides where it can, so that the answer does not depend on the order in which the rows came. Pure.
"""

import json
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum

from phasegate.dedup.versions import ORDERED, as_key, kind_of, ordered, repeated_without_zone
from phasegate.errors import BadInput

SAMPLE_MAX = 10
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows to keep.

    ``rows``: their numbers, from 0, in order of their key's first appearance. ``keys``: some of the keys that had
    several rows. ``ties``: the number of keys whose rows differ and that no version decides.
    """

    rows: Sequence[int]
    keys: tuple[tuple[object, ...], ...] = ()
    ties: int = 0


def choose(rows: Sequence[Mapping[str, object]], *, key: tuple[str, ...], version: str | None) -> Chosen:
    """Choose one row per key: the newest version, or else the last row.

    Raises BadInput, naming row (from 1) and column: null or missing keys and versions, NaN, mixed types.
    """
    if wrong := {kind for kind in set(map(type, rows)) if not issubclass(kind, Mapping)}:
        n, kind = next((n, type(row)) for n, row in enumerate(rows, 1) if type(row) in wrong)
        raise BadInput(f"row {n}: a {kind.__name__} is not a row; give mappings from column to value")
    columns = [_checked(rows, name, role="key") for name in key]
    versions = None if version is None else ordered(_checked(rows, version, role="version"), column=version)
    keys: Sequence[object] = columns[0] if len(key) == 1 else list(zip(*columns, strict=True))
    best, repeated, ties = _best(rows, keys, versions, version=version)
    sample = [n for one, n in best.items() if one in repeated][:SAMPLE_MAX] if repeated else []
    return Chosen(list(best.values()), tuple(tuple(rows[n][name] for name in key) for n in sample), ties)


def _best(
    rows: Sequence[Mapping[str, object]],
    keys: Sequence[object],
    versions: Sequence[object] | None,
    *,
    version: str | None,
) -> tuple[dict[object, int], set[object], int]:
    """Return key -> row, the keys of several rows, and the number of ties."""
    best: dict[object, int] = {}
    repeated: set[object] = set()
    tied: set[object] = set()
    for n, one in enumerate(keys):
        old = best.setdefault(one, n)
        if old == n:
            continue
        repeated.add(one)
        order = 0 if versions is None else _compare(versions[n], versions[old])
        if order > 0:
            tied.discard(one)
        elif order == 0 and not _same(rows[n], rows[old]):
            mine, theirs = content(rows[n]), content(rows[old])
            if mine != theirs and but_for(rows[n], version) != but_for(rows[old], version):
                tied.add(one)
            order = 1 if (mine, sorted(rows[n])) > (theirs, sorted(rows[old])) else -1
        if order > 0 or versions is None:
            best[one] = n
    return best, repeated, len(tied)


def content(row: Mapping[str, object], /) -> str:
    """Return the text that orders rows by content.

    Two rows have the same text exactly if they mean the same: null and absent columns are equal, and so are equal
    numbers of different types, and one instant in two zones.

    >>> content({"b": 1.0, "a": "x", "c": None})
    '{"a":"x","b":1}'
    """
    return "{" + ",".join(f"{json.dumps(n)}:{_text(row[n])}" for n in sorted(row) if row[n] is not None) + "}"


def but_for(row: Mapping[str, object], version: str | None, /) -> str:
    """Return the content without the version.

    "10" and "10.0" are no difference.
    """
    return content({name: value for name, value in row.items() if name != version})


def refused_null(row: int, column: str, *, role: str) -> BadInput:
    """Return the error for a null in a key or version column."""
    return BadInput(f"row {row}: {role} {column!r} is null; fill it in, or leave the row out")


def refused_nan(row: int, column: str, *, role: str) -> BadInput:
    """Return the error for a NaN in a key or version column."""
    return BadInput(f"row {row}: {role} {column!r} is NaN, which has no order; repair it where it was computed")


def refused_kind(row: int, column: str, *, role: str, kind: str) -> BadInput:
    """Return the error for a column of a type that its role cannot have."""
    wanted = "numbers, text, dates or times" if role == "version" else "values without lists or objects inside"
    return BadInput(f"row {row}: {role} {column!r} is {kind}; use {wanted}")


def _checked(rows: Sequence[Mapping[str, object]], name: str, *, role: str) -> list[object]:
    """Return a column after checking that all its values compare."""
    values = [row.get(name, _MISSING) for row in rows]
    if _plain(values):
        return values
    seen: dict[str, int] = {}
    for n, value in enumerate(values, 1):
        if value is _MISSING:
            raise BadInput(f"row {n}: no column {name!r}; it has {', '.join(map(str, rows[n - 1])) or 'none'}")
        if value is None:
            raise refused_null(n, name, role=role)
        if value.is_nan() if isinstance(value, Decimal) else value != value:  # noqa: PLR0124  NaN and the like
            raise refused_nan(n, name, role=role)
        if repeated_without_zone(value):
            raise BadInput(
                f"row {n}: {role} {name!r} is {value}, the second of a repeated hour (fold=1); give its zone"
            )
        seen.setdefault(kind_of(value), n)
    (kind, first), *others = seen.items() or [("number", 1)]
    if others:
        other, n = others[0]
        raise BadInput(f"row {n}: {role} {name!r} is {other} here, {kind} in row {first}; make the column one type")
    if not (kind in ORDERED if role == "version" else _hashable(values[0]) if values else True):
        raise refused_kind(first, name, role=role, kind=kind)
    return values if role == "version" else [as_key(value) for value in values]


def _plain(values: Sequence[object]) -> bool:
    """Return whether all values of a column have one simple type.

    It does not check each value, which makes it ten times faster.
    """
    types = set(map(type, values))
    if len(types) != 1:
        return False
    only = types.pop()
    if only is float:
        return not any(map(operator.ne, values, values))
    if only is datetime:
        times = [value for value in values if isinstance(value, datetime)]
        zones = {value.tzinfo for value in times}
        return zones == {UTC} or (zones == {None} and not any(value.fold for value in times))
    return only in (int, str, date)


def _hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _compare(new: object, old: object) -> int:
    """Compare two versions of one kind."""
    return 1 if new > old else -1 if new < old else 0  # type: ignore[operator]


def _same(one: object, other: object) -> bool:
    """Return whether two values are equal, and so are their times' offsets.

    Python finds the two passes of a repeated hour equal.
    """
    return one == other and _offsets(one) == _offsets(other)


def _offsets(value: object) -> object:
    match value:
        case datetime():
            return value.utcoffset()
        case Mapping():
            return {name: found for name, inner in value.items() if (found := _offsets(inner)) is not None}
        case list() | tuple():
            return [_offsets(inner) for inner in value]
        case _:
            return None


def _text(value: object) -> str:
    match value:
        case None | bool() | str():
            text = json.dumps(value)
        case Enum():
            text = _text(value.value)
        case int() | float() | Decimal():
            text = _number(value)
        case date() | time() | timedelta():
            text = _moment(value)
        case Mapping():
            text = content({str(name): inner for name, inner in value.items()})
        case list() | tuple():
            text = f"[{','.join(map(_text, value))}]"
        case bytes():
            text = f"bytes:{value.hex()}"
        case _ if type(value).__name__ == "UUID":
            text = f"UUID:{value}"
        case _:
            why = f"two rows differ in a {type(value).__name__}, which has no order; give a version, or plain values"
            raise BadInput(why)
    return text


def _number(value: int | float | Decimal) -> str:
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(float(value))
    if not value.is_finite():
        return str(value).lower().replace("infinity", "inf")
    return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"


def _moment(value: date | time | timedelta) -> str:
    if isinstance(value, datetime) and value.utcoffset() is not None:
        try:
            value = value.astimezone(UTC)
        except OverflowError:  # in UTC it is outside the years 1 to 9999, and no other moment has this text
            return f"{as_key(value)}"
    return f"{value.total_seconds()!r}s" if isinstance(value, timedelta) else value.isoformat()
