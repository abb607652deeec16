"""One connection to a DuckDB file, in one transaction."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasegate.base import fingerprint as prints
from phasegate.base.table import LINEAGE_PREFIX, TOKEN_COLUMN
from phasegate.errors import BadInput, Conflict, PhasegateError, Unavailable
from phasegate.warehouse import Params, Row
from phasegate.warehouses.duckdb import errors
from phasegate.warehouses.duckdb.dialect import quoted, reference, split
from phasegate.warehouses.duckdb.interrupts import interruptible
from phasegate.warehouses.sql import own_tables as own
from phasegate.warehouses.sql.cells import family
from phasegate.warehouses.sql.dialect import Types
from phasegate.warehouses.sql.session import Bound

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Statement

STATEMENTS_MAX = 1_000
STAGE_ROWS = 20_000
READS, WRITES = "BEGIN TRANSACTION READ ONLY", "BEGIN TRANSACTION"
COLUMNS = """SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns()
    WHERE database_name = current_database() AND NOT internal ORDER BY column_index"""
_PIN = f"SELECT 1 FROM {own.FENCE} LIMIT 0"
_TABLES = """SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database()
    UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = current_database()
    AND NOT internal"""
# By text, for every connection of this process: what is parsed depends on no table, and is not changed when it is run.
_PARSED: "dict[str, list[Statement]]" = {}
# By parameter, the cells of a column.
Texts = dict[str, list[str | None]]


class Catalog:
    """Tables and columns found while this process has the file open.

    Tables are created here, and never dropped. Reading the catalog again costs 2 ms a transaction and 1 ms a table
    (measured), a third of a small write.
    """

    def __init__(self) -> None:
        self.tables: set[tuple[str, str]] = set()
        self.types: dict[str, dict[str, str]] = {}


class DuckDBSession:
    """A connection in a transaction, which its staging tables outlive."""

    def __init__(
        self, connection: "DuckDBPyConnection", *, path: Path, catalog: Catalog, mode: str = READS, pin: bool = True
    ) -> None:
        self._connection, self._path = connection, path
        self._failed: PhasegateError | None = None
        self._seen: set[tuple[str, str]] | None = None
        self._names = 0
        self.broken, self.over, self.creates = False, True, False
        self.begin(mode, catalog=catalog, pin=pin)

    def begin(self, mode: str, /, *, catalog: Catalog, pin: bool) -> None:
        """Begin a transaction.

        ``pin``: its snapshot is taken now, else by its first statement.
        """
        self._seen, self.creates, self._catalog = None, False, catalog
        # Before the snapshot: tables that another thread finds afterwards may be newer than it.
        self._known = frozenset(self._catalog.tables)
        self.change(mode, what="a new transaction")
        self.over = False
        if split(own.FENCE) not in self._known:
            self.has(own.FENCE)
        elif pin:
            self.run(_PIN, what="a new transaction")

    def end(self) -> None:
        """End a transaction that has written nothing but temporary tables."""
        self.change("COMMIT", what="the end of a transaction")
        self.over = True

    def commit(self) -> None:
        """Make everything visible at once.

        Raises Conflict, or Ambiguous when the file cannot be written.
        """
        if self._failed is not None:
            raise self._failed
        self.over = True
        try:
            self._connection.execute("COMMIT")
        except Exception as error:
            if not errors.is_duckdb(error):
                raise
            answer = errors.of_commit(error, path=self._path)
            self.broken = not isinstance(answer, Conflict)
            raise answer from error

    def close(self) -> None:
        """Drop what was not committed, staging tables included."""
        if not self.over:
            with suppress(Exception):
                self._connection.execute("ROLLBACK")
        self._connection.close()

    def interrupt(self) -> None:
        """Stop a running statement, from any thread.

        Every later statement and the commit raise Unavailable.
        """
        if self._failed is None:
            self._failed = Unavailable("the transaction was interrupted; nothing was written")
        with suppress(Exception):
            self._connection.interrupt()

    def run(self, sql: str, bound: Bound | None = None, /, *, what: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows.

        After the first error every other statement raises it again: DuckDB would commit nothing, silently.
        """
        if self._failed is not None:
            raise self._failed
        try:
            statement, values = self._parsed(sql)[0], dict(bound) if bound else None
            return interruptible(
                lambda: self._connection.execute(statement, values).fetchall(), interrupt=self._connection.interrupt
            )
        except Exception as error:
            if not errors.is_duckdb(error):
                raise
            self.broken = errors.is_broken(error)
            self._failed = errors.of_statement(error, path=self._path, what=what)
            raise self._failed from error

    def change(self, sql: str, bound: Bound | None = None, /, *, what: str) -> int:
        """Run a statement and return how many rows it changed."""
        self.creates = self.creates or sql.startswith("CREATE ")
        rows = self.run(sql, bound, what=what)
        return int(rows[0][0]) if rows and isinstance(rows[0][0], int) else 0

    def columns(self, name: str, /) -> Types:
        """Return all columns of a table and their types.

        Empty for a missing table.
        """
        if name.startswith(LINEAGE_PREFIX):
            # Half the time of a SELECT without rows, which would be planned (measured).
            return {str(column): str(kind) for column, kind, *_ in self.run(f"DESCRIBE {name}", what=f"table {name}")}
        if not self.has(name):
            return {}
        if name in self._catalog.types:
            return self._catalog.types[name]
        found = self.describe(f"SELECT * FROM {reference(name)}", {}, what=f"table {name}")
        if split(name) in self._catalog.tables and (TOKEN_COLUMN in found or own.is_whole(name, found)):
            self._catalog.types[name] = found
        return found

    def query(self, text: str, bound: Bound, /, *, what: str) -> list[dict[str, object]]:
        """Return the rows of a SELECT as dicts; zoned timestamps are in UTC."""
        columns = self.describe(text, bound, what=what)
        zoned = {name for name, sql_type in columns.items() if "TIME ZONE" in sql_type}
        if zoned:
            # Fetching TIMESTAMPTZ would need pytz.
            utc = (f"make_timestamp(epoch_us({quoted(name)})) AS {quoted(name)}" for name in sorted(zoned))
            text = f"SELECT * REPLACE ({', '.join(utc)}) FROM (\n{text}\n)"
        rows = [dict(zip(columns, row, strict=True)) for row in self.run(text, bound, what=what)]
        for row in rows if zoned else ():
            for name in zoned:
                cell = row[name]
                row[name] = cell.replace(tzinfo=UTC) if isinstance(cell, datetime) else cell
        return rows

    def keep(self, name: str, text: str, bound: Bound, /, *, what: str) -> int:
        """Store the rows of a SELECT as a temporary table; return how many."""
        ((rows,),) = self.run(f"CREATE OR REPLACE TEMP TABLE {name} AS {text}", bound, what=what)
        return int(rows)

    def load(self, rows: Iterable[Row], types: Types, /, *, what: str) -> tuple[str, Bound]:
        """Return a SELECT of one list of texts per column, and the lists.

        executemany takes 30 times as long (measured). Beyond STAGE_ROWS they are loaded into a temporary table.
        """
        name = ""
        for texts, is_last in texts_of(rows, types):
            if is_last:
                break
            name = self.add_texts(texts, types, into=name, what=what)
        return self.load_texts(texts, types, into=name, what=what)

    def add_texts(self, texts: Texts, types: Types, /, *, into: str, what: str) -> str:
        """Add a part of ``texts_of`` to a temporary table; return its name.

        ``into``: its name, "" for a new one.
        """
        if into:
            self.change(f"INSERT INTO {into} {_from_lists(types)}", texts, what=what)
            return into
        name = self.stage_name("rows")
        self.keep(name, _from_lists(types), texts, what=what)
        return name

    def load_texts(self, last: Texts, types: Types, /, *, into: str, what: str) -> tuple[str, Bound]:
        """Return the SELECT of the last part, and of those that were added."""
        if not into:
            return _from_lists(types), last
        return f"SELECT * FROM {self.add_texts(last, types, into=into, what=what)}", {}

    def stage_name(self, kind: str, /) -> str:
        """Return a name for a staging table.

        Each connection uses the same names, so that statements are parsed once.
        """
        self._names += 1
        return f"_pg_{kind}_{self._names}"

    def has(self, name: str, /) -> bool:
        """Return whether a table exists.

        A table that is not in the catalog yet is looked up once, in this snapshot. What a transaction has created may
        be rolled back, so it is not put into the catalog.
        """
        key = split(name)
        if key in self._known:
            return True
        if self._seen is None or self.creates:
            rows = self.run(_TABLES, what="the catalog")
            self._seen = {(str(schema), str(table)) for schema, table in rows}
            if not self.creates:
                self._catalog.tables |= self._seen
        return key in self._seen

    def _parsed(self, sql: str) -> "list[Statement]":
        """Return the statements of a text, parsed once.

        Parsing a statement of 40 columns takes DuckDB 3 ms, more than running it (measured).
        """
        parsed = _PARSED.get(sql)
        if parsed is None:
            if len(_PARSED) >= STATEMENTS_MAX:
                _PARSED.clear()
            parsed = _PARSED[sql] = self._connection.extract_statements(sql)
        return parsed

    def select(self, sql: str, params: Params, /, *, what: str, why: str = "") -> tuple[str, dict[str, object]]:
        """Return the text of one SELECT, and the parameters that it names.

        The text has no semicolon at its end.
        """
        try:
            statements = self._parsed(sql)
        except Exception as error:
            if not errors.is_duckdb(error):
                raise
            raise errors.of_statement(error, path=self._path, what=what) from error
        if len(statements) != 1 or statements[0].type.name != "SELECT":
            raise BadInput(f"{what}: must be one SELECT{why}")
        bound = {name: params[name] for name in statements[0].named_parameters if name in params}
        return sql[: sql.rindex(";")] if sql.rstrip().endswith(";") else sql, bound

    def describe(self, text: str, bound: Bound, /, *, what: str) -> dict[str, str]:
        """Return the columns of a SELECT and their types."""
        self.run(f"SELECT * FROM (\n{text}\n) LIMIT 0", bound, what=what)
        return {str(column[0]): str(column[1]) for column in self._connection.description or ()}


def texts_of(rows: Iterable[Row], types: Types, /) -> Iterator[tuple[Texts, bool]]:
    """Yield checked rows' cells as texts, at most STAGE_ROWS rows at a time.

    With each part, whether it is the last; there is one also without rows.
    """
    left, is_last = iter(rows), False
    while not is_last:
        part = list(islice(left, STAGE_ROWS))
        is_last = len(part) < STAGE_ROWS
        yield {f"c{i}": [_cast_text(row[column]) for row in part] for i, column in enumerate(types)}, is_last


def _from_lists(types: Types, /) -> str:
    """Return the SELECT of one list of texts per column.

    The lists are ``$c0``, ``$c1``, …; the cells have these types.
    """
    cells = []
    for number, (column, sql_type) in enumerate(types.items()):
        cell = f"unnest($c{number}::VARCHAR[])"
        cell = f"unhex({cell})" if family(sql_type) == "bytes" else cell
        cells.append(f"CAST({cell} AS {sql_type}) AS {quoted(column)}")
    return f"SELECT {', '.join(cells)}"


def _cast_text(cell: object) -> str | None:
    """Return a checked cell as a text that DuckDB casts to the same value."""
    # Most cells are one of these; the general function takes 0.6 µs a cell (measured).
    if cell is None or type(cell) is str:
        return cell
    if type(cell) is int or isinstance(cell, float):
        return repr(cell)
    return prints.text(cell, scale=0)
