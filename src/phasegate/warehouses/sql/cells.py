"""Rules of every warehouse for tables and for rows from Python. Pure.

All warehouses share them, so that none accepts what another refuses. Values are checked, never guessed: a naive
datetime, a fraction in an integer column, an unknown or a missing column is refused by name.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Literal
from uuid import UUID

from phasegate.base.fingerprint import text
from phasegate.base.table import LINEAGE_PREFIX, Table
from phasegate.errors import BadInput

Family = Literal["bool", "int", "float", "decimal", "text", "date", "timestamp", "time", "uuid", "bytes", "other"]

_FAMILIES: tuple[tuple[str, Family], ...] = (
    (r"BOOL(EAN)?", "bool"),
    (r"(TINY|SMALL|BIG|HUGE|UTINY|USMALL|UBIG|UHUGE|U)?INT(EGER)?|INT\d+|INTEGER|UINTEGER", "int"),
    (r"DOUBLE( PRECISION)?|FLOAT\d*|REAL", "float"),
    (r"(BIG)?(DECIMAL|NUMERIC)(\(.*\))?", "decimal"),
    (r"VARCHAR(\(.*\))?|TEXT|STRING|ENUM\(.*\)|CHAR(\(.*\))?", "text"),
    (r"DATE", "date"),
    (r"DATETIME|TIMESTAMP(TZ|_S|_MS|_NS)?( WITH(OUT)? TIME ZONE)?", "timestamp"),
    (r"TIME( WITHOUT TIME ZONE)?", "time"),
    (r"UUID", "uuid"),
    (r"BLOB|BYTEA|BYTES", "bytes"),
)
_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE | re.DOTALL), family) for pattern, family in _FAMILIES)


def family(sql_type: str, /) -> Family:
    """Return what kind of value a column of this SQL type holds.

    >>> family("DECIMAL(10,2)"), family("TIMESTAMP WITH TIME ZONE"), family("INTEGER[]")
    ('decimal', 'timestamp', 'other')
    """
    for pattern, kind in _PATTERNS:
        if pattern.fullmatch(sql_type.strip()):
            return kind
    return "other"


def stored(names: Iterable[str], /, *, table: Table) -> tuple[str, ...]:
    """Return the columns that a write fills.

    All but the lineage of any table, and the tombstone.
    """
    return tuple(name for name in names if not name.startswith(LINEAGE_PREFIX) and name != table.tombstone)


def check_shape(table: Table, types: Mapping[str, str], /) -> None:
    """Refuse, by name, a table that cannot be guarded.

    That is: an absent key, partition, version or scale, or a column without a canonical text.

    Raises BadInput.
    """
    named = {
        "key": table.key,
        "partition": (table.partition,),
        "version": (table.version,) if table.version else (),
        "scales": tuple(table.scales),
        "replaces": table.replaces,
    }
    for role, columns in named.items():
        for column in columns:
            if column not in types:
                raise BadInput(f"table {table.name} has no column {column}, its {role}: it has {', '.join(types)}")
    if not table.key:
        raise BadInput(f"table {table.name} has no key: name the columns that make a row unique")
    check_texts(table, types)
    if table.version and family(types[table.version]) not in {"timestamp", "date", "int", "float", "decimal"}:
        raise BadInput(
            f"version {table.version} of table {table.name} is {types[table.version]}, and must be a timestamp, a date "
            "or a number: text is ordered by spelling; cast it in the SELECT and the table"
        )


def check_texts(table: Table, types: Mapping[str, str], /) -> None:
    """Refuse, by name, content columns that have no canonical text.

    The type, or the name, of the column has no place in it.

    Raises BadInput.
    """
    content = table.fingerprinted(tuple(types))
    for before, column in zip(("", *content), content, strict=False):
        if before.lower() == column.lower():
            raise BadInput(f"table {table.name} has columns {before} and {column}: case alone tells no columns apart")
        if ";" in column or "=" in column:
            raise BadInput(f"column {column!r} of table {table.name}: a name with ';' or '=' has no canonical text")
        if family(types[column]) == "other":
            raise BadInput(
                f"column {column} of table {table.name} is {types[column]}, which has no canonical text: "
                "store it as VARCHAR, or declare it volatile"
            )


def check_columns(table: Table, given: Iterable[str], /, *, wanted: Sequence[str], source: str) -> None:
    """Refuse, by name, unknown and missing columns.

    Raises BadInput.
    """
    names = stored(given, table=table)
    unknown = sorted(set(names) - set(wanted))
    if unknown:
        planned = not table.columns or set(unknown) <= table.columns.keys()
        first = "" if planned else "to columns of the plan, then "
        raise BadInput(
            f"{source} yields column {', '.join(unknown)}, which table {table.name} lacks: "
            f"leave it out, or add it {first}with: phasegate tables --apply"
        )
    missing = sorted(set(wanted) - set(names))
    if missing:
        raise BadInput(
            f"{source} lacks column {', '.join(missing)} of table {table.name}: yield NULL if it is unknown; "
            "if the plan has dropped it: phasegate tables --apply --yes"
        )


def check_named(table: Table, columns: Iterable[str], /, *, known: Iterable[str]) -> None:
    """Raise BadInput for a column that a table does not have."""
    for column in columns:
        if column not in known:
            raise BadInput(f"{table.name} has no column {column}: name one that both tables have")


def check_lossless(table: Table, column: str, /, *, yields: str, has: str) -> None:
    """Refuse a cast that would silently drop fractions or times of day.

    Raises BadInput.
    """
    if (family(yields), family(has)) in {("float", "int"), ("decimal", "int"), ("timestamp", "date")}:
        raise BadInput(
            f"the SELECT for table {table.name} yields {column} as {yields}, the table has {has}: cast it explicitly, "
            "or change the table: phasegate tables"
        )


def check_rows(
    table: Table, rows: Iterable[Mapping[str, object]], /, *, types: Mapping[str, str]
) -> Iterator[dict[str, object]]:
    """Yield the rows with each cell as its column's type requires.

    Timestamps are naive in UTC, and all columns are present. ``types`` are the stored columns; a declared tombstone may
    be absent, and then is False.

    Raises BadInput, naming row and column.
    """
    readers = {column: _READERS[family(sql_type)] for column, sql_type in types.items()}
    if table.tombstone:
        readers[table.tombstone] = _bool
    wanted = frozenset(types)
    for number, row in enumerate(rows):
        if row.keys() - {table.tombstone} != wanted:
            check_columns(table, row, wanted=tuple(types), source=f"rows[{number}]")
        cells: dict[str, object] = {}
        for column, read in readers.items():
            value = row.get(column)
            try:
                cells[column] = None if value is None else read(value)
            except (TypeError, ValueError, ArithmeticError) as error:
                raise BadInput(f"rows[{number}] for table {table.name}: {column} = {value!r:.80} {error}") from None
        yield cells


def in_utc(cell: object, /) -> object:
    """Return a cell; a stored timestamp has the zone UTC."""
    return cell.replace(tzinfo=UTC) if isinstance(cell, datetime) and cell.tzinfo is None else cell


def recast(cell: object, sql_type: str, /, *, scale: int) -> object:
    """Return a stored cell as a value of another type.

    Raises ValueError or TypeError for one that does not fit.
    """
    kind = family(sql_type)
    if cell is None or kind == "text":
        return text(cell, scale=scale)
    return _READERS[kind](cell)


def _bool(value: object) -> object:
    if isinstance(value, bool):
        return value
    raise ValueError("is not a boolean")


def _int(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
        raise ValueError("is not an integer")
    return int(value)


def _float(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError("is not a number")
    return float(value)


def _decimal(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError("is not a number")
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        raise ValueError("is not finite")
    return exact


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("is not a string")
    if "\0" in value:
        raise ValueError("has a NUL character, which not every database can store")
    if not value.isascii():
        value.encode()
    return value


def _date(value: object) -> object:
    if isinstance(value, str):
        return date.fromisoformat(value)
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError("is not a date")
    return value


def _timestamp(value: object) -> object:
    when = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(when, datetime):
        raise ValueError("is not a timestamp")
    if when.tzinfo is None:
        raise ValueError("is a naive datetime: give it its time zone")
    return when.astimezone(UTC).replace(tzinfo=None)


def _time(value: object) -> object:
    if not isinstance(value, time) or value.tzinfo is not None:
        raise ValueError("is not a time of day without zone")
    return value


def _uuid(value: object) -> object:
    return value if isinstance(value, UUID) else UUID(str(value))


def _bytes(value: object) -> object:
    if not isinstance(value, bytes):
        raise ValueError("is not bytes")
    return value


def _other(value: object) -> object:
    raise ValueError(f"is a {type(value).__name__}, for a column that rows from Python cannot fill")


_READERS: Mapping[Family, Callable[[object], object]] = {
    "bool": _bool,
    "int": _int,
    "float": _float,
    "decimal": _decimal,
    "text": _text,
    "date": _date,
    "timestamp": _timestamp,
    "time": _time,
    "uuid": _uuid,
    "bytes": _bytes,
    "other": _other,
}
