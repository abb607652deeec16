"""DuckDB's dialect: the SQL of names, of canonical texts and of row digests, from tables and columns alone."""

from collections.abc import Iterable, Mapping
from typing import assert_never

from phasegate.base.fingerprint import float_limit
from phasegate.base.table import Table
from phasegate.errors import BadInput
from phasegate.warehouses.sql.cells import family
from phasegate.warehouses.sql.dialect import Types, doubles


def quoted(name: str, /) -> str:
    """Return an identifier in quotes.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def split(name: str, /) -> tuple[str, str]:
    """Return schema and table of a full name.

    Without a schema it is DuckDB's ``main``.

    Raises BadInput for a name of more than two parts.
    """
    parts = name.split(".")
    if len(parts) > 2 or not all(parts):
        raise BadInput(f"table {name!r}: name it as schema.table")
    return (parts[0], parts[1]) if len(parts) == 2 else ("main", parts[0])


def reference(name: str, /) -> str:
    """Return the quoted full name of a table."""
    schema, table = split(name)
    return f"{quoted(schema)}.{quoted(table)}"


def literal(text: str, /) -> str:
    """Return a string in quotes.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def _float_text(cell: str, *, scale: int) -> str:
    """Return the SQL of a float's text: format rounds correctly, as Python does, and ROUND does not (measured).

    DuckDB pads fixed decimals beyond 17 digits wrongly; beyond float_limit the exponent form is exact. NaN is above all
    limits. Only what is negative can become a negative zero: to look for it in each text takes 2 to 5 % longer.
    """
    limit, zero, exact = f"{float_limit(scale):.13e}", f"{0:.{scale}f}", f"CAST({cell} AS DOUBLE)"
    return (
        f"CASE WHEN {cell} BETWEEN 0 AND {limit} THEN format('{{:.{scale}f}}', abs({exact})) "
        f"WHEN abs({cell}) <= {limit} THEN replace(format('{{:.{scale}f}}', {exact}), '-{zero}', '{zero}') "
        f"ELSE format('{{:.16e}}', {exact}) END"
    )


_BY_CAST = {"text", "bool", "int", "date", "uuid"}


def text(cell: str, sql_type: str, /, *, scale: int) -> str:
    """Return the SQL of a cell's canonical text; see base.fingerprint.text.

    Raises BadInput for a type that has none.
    """
    match family(sql_type):
        case "text" | "bool" | "int" | "date" | "uuid":
            spelled = f"CAST({cell} AS VARCHAR)"
        case "float":
            spelled = _float_text(cell, scale=scale)
        case "decimal":
            exact = f"CAST({cell} AS VARCHAR)"
            spelled = f"CASE WHEN contains({exact}, '.') THEN rtrim(rtrim({exact}, '0'), '.') ELSE {exact} END"
        case "timestamp":
            # Through the epoch: a cast of TIMESTAMPTZ would depend on the session's zone.
            utc = f"make_timestamp(epoch_us({cell}))" if "Z" in sql_type.upper() else f"CAST({cell} AS TIMESTAMP)"
            spelled = f"strftime({utc}, '%Y-%m-%dT%H:%M:%S.%f')"
        case "time":
            spelled = f"strftime(DATE '1970-01-01' + {cell}, '%H:%M:%S.%f')"
        case "bytes":
            spelled = f"lower(hex({cell}))"
        case "other":
            raise BadInput(f"{sql_type} has no canonical text: store it as VARCHAR, or declare the column volatile")
        case unknown:
            assert_never(unknown)
    return spelled


def digest(table: Table, types: Types, /, *, alias: str, floats: Mapping[int, str] | None = None) -> str:
    """Return the SQL of a row's SHA-256 in hex.

    ``floats`` names a list that already contains the texts of the DOUBLE columns of a scale, as ``doubles`` orders
    them. Cells of one type are converted as one list: for 30 rows of 40 columns that takes 7 ms, an expression for each
    column 19, and nearly as much for one row (measured).
    """
    content = table.fingerprinted(tuple(types))
    order: list[str] = []
    lists: list[str] = []
    for scale, columns in doubles(table, types).items():
        kept = [column for column in columns if floats is not None or column in content]
        if kept:
            order += kept
            cells = [f"{alias}.{quoted(column)}" for column in kept]
            lists.append(floats[scale] if floats else double_texts(cells, scale=scale))
    plain: dict[str, list[str]] = {}
    for column in content:
        if column not in order:
            by_cast = family(types[column]) in _BY_CAST
            plain.setdefault(types[column] if by_cast else "", []).append(column)
    for sql_type, columns in plain.items():
        cells = [f"{alias}.{quoted(column)}" for column in columns]
        if not sql_type:
            cells = [text(c, types[n], scale=table.scale(n)) for c, n in zip(cells, columns, strict=True)]
        spelled = f"[{', '.join(cells)}]"
        spelled = spelled if sql_type in ("", "VARCHAR") else f"CAST({spelled} AS VARCHAR[])"
        # Only a string can hold what stands between two cells.
        doubled = f"list_transform({spelled}, lambda x: replace(x, ';', ';;'))"
        lists.append(doubled if family(sql_type) == "text" else spelled)
        order += columns
    places = ", ".join(str(order.index(column) + 1) for column in content)
    names = ", ".join(literal(f"{column.lower()}=") for column in content)
    texts = f"list_select({' || '.join(lists) or 'CAST([] AS VARCHAR[])'}, CAST([{places}] AS BIGINT[]))"
    # A cell that is NULL stays NULL, and array_to_string leaves it out.
    named = f"list_transform({texts}, lambda x, i: [{names or 'NULL'}][i] || x)"
    return f"sha256(array_to_string({named}, ';'))"


def piece(digest: str, number: int, /) -> str:
    """Return the SQL of a piece of a digest in hex. sum() over integers is a HUGEINT: it holds 2^63 rows' worth."""
    return f"CAST('0x' || substr({digest}, {8 * number + 1}, 8) AS UINTEGER)"


def double_texts(cells: Iterable[str], /, *, scale: int) -> str:
    """Return the SQL of a list of the canonical texts of DOUBLE cells."""
    return f"list_transform([{', '.join(cells)}], lambda x: {text('x', 'DOUBLE', scale=scale)})"


def inside(table: Table, types: Types, /, *, alias: str = "t") -> str:
    """Return the condition that a row is in the partition ``$partition``.

    It compares the text of the partition column.
    """
    cell, sql_type = f"{alias}.{quoted(table.partition)}", types[table.partition]
    spelled = f"{text(cell, sql_type, scale=table.scale(table.partition))} = $partition"
    if family(sql_type) in {"date", "int", "timestamp"}:
        # The typed comparison lets DuckDB skip row groups; the text decides.
        return f"({cell} = TRY_CAST($partition AS {sql_type}) AND {spelled})"
    return f"({spelled})"
