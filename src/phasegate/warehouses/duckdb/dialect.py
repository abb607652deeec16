"""DuckDB's dialect: the SQL of names, canonical texts and row digests."""

from collections.abc import Iterable, Mapping
from typing import assert_never

from phasegate.base.fingerprint import float_limit
from phasegate.base.table import LINEAGE_PREFIX, Table
from phasegate.errors import BadInput
from phasegate.warehouses.sql import names
from phasegate.warehouses.sql.cells import family
from phasegate.warehouses.sql.dialect import Types
from phasegate.warehouses.sql.writes import DIGEST, ROW, WriteSql

quoted = names.quoted


def split(name: str, /) -> tuple[str, str]:
    """Return schema and table of a name; without one, ``main``."""
    return names.split(name, schema="main")


def reference(name: str, /) -> str:
    """Return the quoted full name of a table."""
    return names.reference(name, schema="main")


def literal(text: str, /) -> str:
    """Return a string in quotes.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def _float_text(cell: str, *, scale: int) -> str:
    """Return the SQL of a float's text.

    format rounds correctly, as Python does, and ROUND does not (measured). DuckDB pads fixed decimals beyond 17 digits
    wrongly; beyond float_limit the exponent form is exact. NaN is above all limits. Only what is negative can become a
    negative zero: to look for it in each text takes 2 to 5 % longer.
    """
    limit, zero, exact = f"{float_limit(scale):.13e}", f"{0:.{scale}f}", f"CAST({cell} AS DOUBLE)"
    return (
        f"CASE WHEN {cell} BETWEEN 0 AND {limit} THEN format('{{:.{scale}f}}', abs({exact})) "
        f"WHEN abs({cell}) <= {limit} THEN replace(format('{{:.{scale}f}}', {exact}), '-{zero}', '{zero}') "
        f"ELSE format('{{:.16e}}', {exact}) END"
    )


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


def row_hash(table: Table, types: Types, /, *, alias: str) -> str:
    """Return the SQL of a row's SHA-256 in hex."""
    cells = []
    for column in table.fingerprinted(tuple(types)):
        spelled = text(f"{alias}.{quoted(column)}", types[column], scale=table.scale(column))
        if family(types[column]) == "text":  # Only a string can hold what stands between two cells.
            spelled = f"replace({spelled}, ';', ';;')"
        cells.append(f"{literal(f'{column.lower()}=')} || {spelled}")
    # A cell that is NULL stays NULL, and concat_ws leaves it out.
    return f"sha256(concat_ws(';', {', '.join(cells)}))" if cells else "sha256('')"


def piece(digest: str, number: int, /) -> str:
    """Return the SQL of a piece of a digest in hex.

    sum() over integers is a HUGEINT: it holds 2^63 rows' worth.
    """
    return f"CAST('0x' || substr({digest}, {8 * number + 1}, 8) AS UINTEGER)"


def type_of(declared: str, /) -> str:
    """Return a declared type, which is DuckDB's own."""
    return declared


def is_not_finite(cell: str, /) -> str:
    """Return the condition that a float is NaN or infinite."""
    return f"NOT isfinite({cell})"


def try_cast(text: str, sql_type: str, /) -> str:
    """Return the SQL of a text as a value of this type, NULL if it is none."""
    return f"TRY_CAST({text} AS {sql_type})"


def as_one(cells: Iterable[str], /) -> str:
    """Return the SQL of one value that is equal if all cells are."""
    return f"row({', '.join(cells)})"


_BY_CAST = {"text", "bool", "int", "date", "uuid"}


class DuckDBSql(WriteSql):
    """The statements on guarded tables; staged cells are converted as lists.

    The common statement has an expression for each cell, which DuckDB binds and plans one by one. For a write of 350
    rows of 40 columns (python -m benchmarks writes) the lists take 41 ms of the processor's time where that takes 49,
    and 37 where that takes 49 if nothing differs: 16 and 24 % less (measured).
    """

    def staged(self, table: Table, source: str, types: Types, /, *, cells: Mapping[str, str]) -> str:
        """Return the SELECT of rows as they are written.

        Floats are rounded, and each row has the digest of its content.

        A float is rounded by reading its canonical text back, which is correct where ROUND is not. ``source`` has the
        alias ``q``; ``cells`` are the columns in the table's types, and its tombstone, as SQL of it.
        """
        by_scale = doubles(table, types)
        texts = {scale: f"{LINEAGE_PREFIX}texts{scale}" for scale in by_scale}
        # Each level names only what the next one needs: to bind 40 columns once more takes 0.5 ms (measured).
        plain = {column: cell for column, cell in cells.items() if types.get(column) != "DOUBLE"}
        for column in [column for column in self.floats(types) if column in plain]:
            spelled = self.dialect.text(plain[column], types[column], scale=table.scale(column))
            plain[column] = f"CAST(CAST({spelled} AS DOUBLE) AS {types[column]})"
        inner = [f"{cell} AS {self._quoted(column)}" for column, cell in plain.items()]
        for scale, columns in by_scale.items():
            inner.append(f"{double_texts([cells[column] for column in columns], scale=scale)} AS {texts[scale]}")
        rows = f"SELECT {', '.join(inner)} FROM {source} q"
        outer = {column: f"s.{self._quoted(column)}" for column in cells}
        if texts:
            kept = [f"s.{self._quoted(column)}" for column in plain] + [f"s.{name}" for name in texts.values()]
            read = [f"CAST(s.{name} AS DOUBLE[]) AS {name}_read" for name in texts.values()]
            rows = f"SELECT {', '.join(kept + read)} FROM (\n{rows}\n) s"
        for scale, columns in by_scale.items():
            outer |= {column: f"s.{texts[scale]}_read[{n}]" for n, column in enumerate(columns, start=1)}
        listed_cells = ", ".join(f"{cell} AS {self._quoted(column)}" for column, cell in outer.items())
        row_digest = row_hash_of(table, types, alias="s", floats={scale: f"s.{name}" for scale, name in texts.items()})
        return f"SELECT {listed_cells}, {row_digest} AS {DIGEST}, row_number() OVER () AS {ROW} FROM (\n{rows}\n) s"


def doubles(table: Table, types: Types, /) -> dict[int, list[str]]:
    """Return the DOUBLE columns by their scale."""
    by_scale: dict[int, list[str]] = {}
    for column, sql_type in types.items():
        if sql_type == "DOUBLE":
            by_scale.setdefault(table.scale(column), []).append(column)
    return by_scale


def row_hash_of(table: Table, types: Types, /, *, alias: str, floats: Mapping[int, str] | None = None) -> str:
    """Return the SQL of a row's SHA-256 in hex.

    ``floats`` names a list that already contains the texts of the DOUBLE columns of a scale, as ``doubles`` orders
    them.
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


def double_texts(cells: Iterable[str], /, *, scale: int) -> str:
    """Return the SQL of a list of the canonical texts of DOUBLE cells."""
    return f"list_transform([{', '.join(cells)}], lambda x: {text('x', 'DOUBLE', scale=scale)})"
