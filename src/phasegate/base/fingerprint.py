"""The fingerprint of a partition's rows, as one short text.

Equal content has an equal fingerprint in every warehouse. The definition, which each adapter repeats in its own SQL,
and which no version changes, because data outlive versions:

- A cell's *text*: see ``text``. A row's *canonical text*: ``name=text`` of each cell that is not NULL, joined by
  ``;``, over the content columns (``Table.fingerprinted``: neither version, lineage, volatile nor tombstone). Names are
  lower-cased and sorted by code point. A ``;`` inside a text is doubled; a name has neither ``;`` nor ``=``, so no two
  rows share a text.
- A row's eight *pieces*: the SHA-256 of its canonical text in UTF-8, as unsigned 32-bit big-endian integers.
- The rows: their count, and for each of the eight pieces its sum over the rows. Sums do not depend on the rows'
  order, and two equal rows do not cancel, as they would with XOR.
- The fingerprint: ``fold`` of count and sums.

So a new column that is NULL changes no fingerprint, nor does the order of columns or of rows; a column's name does.
Values without one obvious text (lists, structs, JSON) are refused: two databases would spell them differently. Pure.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from phasegate.base.table import Table
from phasegate.errors import BadInput

PIECES = 8
# PostgreSQL prints a float8 with at most 15 digits as fixed decimals, and rounding may add one to the 14.
SCALE_MAX = 14
_DIGITS = 14


def float_limit(scale: int) -> float:
    """Return the largest magnitude that is rounded: 14 nines.

    Up to it floats are written as fixed decimals. A float at the limit does not change when it is rounded: a float that
    was written has the text that it was given.

    >>> float_limit(6), float_limit(14)
    (99999999.999999, 0.99999999999999)

    Raises BadInput for a scale outside 0 to SCALE_MAX.
    """
    if not 0 <= scale <= SCALE_MAX:
        raise BadInput(f"scale {scale}: a float column keeps 0 to {SCALE_MAX} decimal places; use DECIMAL for more")
    return float(f"{'9' * _DIGITS}e-{scale}")


def float_text(value: float, *, scale: int) -> str:
    """Return a float as fixed decimals, rounded, without a negative zero.

    Beyond ``float_limit`` it has 17 significant digits, which name each double exactly.

    >>> float_text(2.5, scale=6), float_text(-0.0, scale=2), float_text(1e22, scale=6)
    ('2.500000', '0.00', '1.0000000000000000e+22')
    """
    if abs(value) <= float_limit(scale):
        fixed = f"{value:.{scale}f}"
        return fixed.removeprefix("-") if not fixed.strip("-0.") else fixed
    return f"{value:.16e}"


def rounded(value: float, *, scale: int) -> float:
    """Return the float that is stored for a float: its text, read back.

    NaN and infinity stay as they are.

    >>> rounded(0.1 + 0.2, scale=6), rounded(2.675, scale=2)
    (0.3, 2.67)
    """
    return float(float_text(value, scale=scale))


def _decimal_text(value: Decimal) -> str:
    fixed = format(value, "f")
    if "." in fixed:
        fixed = fixed.rstrip("0").rstrip(".")
    return "0" if fixed == "-0" else fixed


def _datetime_text(value: datetime) -> str:
    utc = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds")


_TEXTS: tuple[tuple[type, Callable[[Any, int], str]], ...] = (
    (str, lambda value, _: str(value)),
    (bool, lambda value, _: "true" if value else "false"),
    (int, lambda value, _: str(value)),
    (float, lambda value, scale: float_text(value, scale=scale)),
    (datetime, lambda value, _: _datetime_text(value)),
    (date, lambda value, _: str(value.isoformat())),
    (Decimal, lambda value, _: _decimal_text(value)),
    (time, lambda value, _: str(value.isoformat(timespec="microseconds"))),
    (bytes, lambda value, _: str(value.hex())),
)


def text(value: object, /, *, scale: int) -> str | None:
    """Return the canonical text of a cell, None for NULL.

    Booleans ``true``/``false``; integers in decimal; floats as ``float_text``; decimals without trailing zeros; dates
    ISO; timestamps in UTC as ``2026-02-03T04:05:06.000000`` (a naive one is taken as UTC: it was checked when it was
    staged); times ``04:05:06.000000``; strings as they are; UUIDs and bytes as lower-case hex.

    >>> text(True, scale=6), text(Decimal("1.50"), scale=6), text(date(2026, 2, 3), scale=6)
    ('true', '1.5', '2026-02-03')

    Raises BadInput for every other type.
    """
    if value is None:
        return None
    for kind, spell in _TEXTS:
        if isinstance(value, kind):
            return spell(value, scale)
    # By name: this package does not import uuid, which draws random numbers.
    if type(value).__name__ == "UUID":
        return str(value)
    raise BadInput(f"{type(value).__name__} has no canonical text: turn it into a string, or declare it volatile")


def row_text(row: Mapping[str, object], /, *, table: Table, columns: Sequence[str]) -> str:
    """Return the canonical text of a row over its content columns.

    ``columns``: those of ``Table.fingerprinted``.

    >>> row_text({"a": "é;", "B": 7, "c": None}, table=Table(name="t", key=("a",), partition="a"), columns="aBc")
    'a=é;;;b=7'
    """
    parts = []
    for column in columns:
        cell = row[column]
        content = cell if type(cell) is str else text(cell, scale=table.scale(column))
        if content is not None:
            parts.append(f"{column.lower()}={content.replace(';', ';;')}")
    return ";".join(parts)


def counts_rows(fingerprint: str, /) -> int | None:
    """Return the number of rows of a content's fingerprint.

    None for a stamp that is no fingerprint, such as an execution id.

    >>> counts_rows("348-ec982b680aef3c7494881b4c1c1415df"), counts_rows("id:348-a")
    (348, None)
    """
    count, dash, _ = fingerprint.partition("-")
    return int(count) if dash and count.isdecimal() else None


def rows_of(fingerprint: str, /) -> int:
    """Return the number of rows in a fingerprint.

    >>> rows_of("348-ec982b680aef3c7494881b4c1c1415df")
    348
    """
    return int(fingerprint.partition("-")[0])


def fold(count: int, sums: Sequence[int], /) -> str:
    """Return the fingerprint of ``count`` rows, given their summed pieces.

    >>> fold(0, [0] * 8)
    '0-705c7f7f6bcd1c8298551ada5ed8cd0a'
    """
    assert len(sums) == PIECES, f"{len(sums)} sums instead of {PIECES}"
    joined = ",".join(str(one) for one in sums)
    return f"{count}-{hashlib.sha256(joined.encode()).hexdigest()[:32]}"


EMPTY = fold(0, (0,) * PIECES)


def fingerprint(table: Table, rows: Iterable[Mapping[str, object]], /, *, columns: Sequence[str]) -> str:
    """Return the fingerprint of rows that have these columns.

    This is the reference: every adapter must return the same.
    """
    content = table.fingerprinted(tuple(columns))
    count, sums = 0, [0] * PIECES
    for row in rows:
        digest = hashlib.sha256(row_text(row, table=table, columns=content).encode()).digest()
        sums = [total + piece for total, piece in zip(sums, struct.unpack(">8I", digest), strict=True)]
        count += 1
    return fold(count, sums)
