"""One snapshot of a DuckDB file: a connection of its own, and the reading verbs. Refuses to write."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from phasegate.core import fingerprint as prints
from phasegate.core.receipt import Part, Receipt
from phasegate.core.table import TOKEN_COLUMN, Table
from phasegate.errors import BadInput, PhasegateError, Unavailable
from phasegate.ports import Params
from phasegate.warehouses import duckdb_errors as errors
from phasegate.warehouses import duckdb_sql as sqls
from phasegate.warehouses.cells import check_texts, stored

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Catalog:
    """What is known to be there while this process has the file open: tables are created here, and never dropped.

    Looking it up anew costs 2 ms a transaction and 1 ms a table (measured), a third of a small write.
    """

    def __init__(self) -> None:
        self.tables: set[tuple[str, str]] = set()
        self.types: dict[str, dict[str, str]] = {}


class DuckDBReader:
    """One snapshot, on a connection of its own, taken when it is opened."""

    _begin = "BEGIN TRANSACTION READ ONLY"

    def __init__(self, connection: "DuckDBPyConnection", *, path: Path, catalog: Catalog) -> None:
        self._connection, self._path, self._catalog = connection, path, catalog
        self._failed: PhasegateError | None = None
        self._seen: set[tuple[str, str]] | None = None
        self.broken = self.over = False
        self._run(self._begin, what="a new transaction")
        if sqls.FENCE_TABLE in catalog.tables:
            # The first statement takes the snapshot.
            self._run(sqls.PIN, what="a new transaction")
        else:
            self._has(sqls.FENCE_TABLE)

    def query(self, sql: str, params: Params, /) -> list[dict[str, object]]:
        """Return the rows of a SELECT as dicts; timestamps with a zone come back in UTC.

        Raises BadInput for anything but one SELECT.
        """
        what = f"query {' '.join(sql.split())[:60]!r}"
        text, bound = self._select(sql, params, what=what)
        columns = self._describe(text, bound, what=what)
        zoned = {name for name, sql_type in columns.items() if "TIME ZONE" in sql_type}
        if zoned:
            # Fetching TIMESTAMPTZ would need pytz.
            utc = (f"make_timestamp(epoch_us({sqls.quoted(name)})) AS {sqls.quoted(name)}" for name in sorted(zoned))
            text = f"SELECT * REPLACE ({', '.join(utc)}) FROM (\n{text}\n)"
        rows = [dict(zip(columns, row, strict=True)) for row in self._run(text, bound, what=what)]
        for row in rows if zoned else ():
            for name in zoned:
                cell = row[name]
                row[name] = cell.replace(tzinfo=UTC) if isinstance(cell, datetime) else cell
        return rows

    def receipts(self, parts: Iterable[Part], /) -> dict[Part, Receipt]:
        """Return the newest receipt (highest token) of each partition that has one."""
        chosen = list(parts)
        if not chosen or not self._has(sqls.RECEIPTS_TABLE):
            return {}
        bound = {f"table{n}": part.table for n, part in enumerate(chosen)}
        bound |= {f"partition{n}": part.partition for n, part in enumerate(chosen)}
        newest = {(row[1], row[2]): row for row in self._run(sqls.receipts(len(chosen)), bound, what="receipts")}
        return {Part(*names): _receipt(row) for names, row in newest.items()}

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Return the receipt of a write."""
        if not self._has(sqls.RECEIPTS_TABLE):
            return None
        rows = self._run(sqls.FIND_WRITE, {"write_id": write_id}, what="receipts")
        return _receipt(rows[0]) if rows else None

    def fingerprint(self, table: Table, /, *, partition: str | None) -> str:
        """Return the fingerprint of a partition's rows now (None: of the whole table)."""
        types = self.types_of(table)
        if not types:
            return prints.EMPTY
        check_texts(table, types)
        statement = sqls.fingerprint(table, types, partition=partition is not None)
        ((count, *sums),) = self._run(statement, _part(partition), what=f"fingerprint of {table.name}")
        return prints.fold(int(count), [int(one or 0) for one in sums])

    def count(self, table: Table, /, *, partition: str | None) -> int:
        """Return the number of rows of a partition (None: of the whole table); 0 for a missing table."""
        types = self.types_of(table)
        if not types:
            return 0
        where = f"WHERE {sqls.inside(table, types)}" if partition is not None else ""
        statement = f"SELECT count(*) FROM {sqls.reference(table.name)} t {where}"
        return int(self._run(statement, _part(partition), what=f"count of {table.name}")[0][0])

    def types_of(self, table: Table) -> dict[str, str]:
        """Return the stored columns of a table and their types; none for a missing table."""
        found = self._columns(table.name)
        return {name: found[name] for name in stored(found, table=table)}

    def is_prepared(self, part: Part, /) -> bool:
        """Tell whether the system tables, the table with its lineage column, and the fence row are there."""
        if not all(self._has(name) for name in (sqls.FENCE_TABLE, sqls.RECEIPTS_TABLE, sqls.split(part.table))):
            return False
        columns = self._columns(part.table)
        bound = {"table": part.table, "partition": part.partition}
        return TOKEN_COLUMN in columns and bool(self._run(sqls.READ_FENCE, bound, what="fence"))

    def interrupt(self) -> None:
        """Stop a running statement, from any thread; every later verb and the commit raise Unavailable."""
        if self._failed is None:
            self._failed = Unavailable("the transaction was interrupted; nothing was written")
        with suppress(Exception):
            self._connection.interrupt()

    def close(self) -> None:
        """Drop what was not committed, staging tables included."""
        if not self.over:
            with suppress(Exception):
                self._connection.execute("ROLLBACK")
        self._connection.close()

    def _has(self, name: tuple[str, str]) -> bool:
        """Tell whether a table is there; what is not known to be is looked up once, in this snapshot."""
        if name in self._catalog.tables:
            return True
        if self._seen is None:
            rows = self._run(sqls.TABLES, what="the catalog")
            self._seen = {(str(schema), str(table)) for schema, table in rows}
            self._learn(self._seen)
        return name in self._seen

    def _learn(self, tables: set[tuple[str, str]]) -> None:
        """Remember tables for later snapshots."""
        self._catalog.tables |= tables

    def _columns(self, name: str) -> dict[str, str]:
        """Return all columns of a table and their types; none for a missing table."""
        if not self._has(sqls.split(name)):
            return {}
        if name in self._catalog.types:
            return self._catalog.types[name]
        found = self._describe(f"SELECT * FROM {sqls.reference(name)}", {}, what=f"table {name}")
        if sqls.split(name) in self._catalog.tables and TOKEN_COLUMN in found:
            self._catalog.types[name] = found
        return found

    def _run(self, sql: str, bound: Mapping[str, object] | None = None, *, what: str) -> list[tuple[Any, ...]]:
        """Run a statement. After the first error every other raises it again: DuckDB would commit nothing, silently."""
        if self._failed is not None:
            raise self._failed
        try:
            return self._connection.execute(sql, dict(bound) if bound else None).fetchall()
        except Exception as error:
            if not errors.is_duckdb(error):
                raise
            self.broken = errors.is_broken(error)
            self._failed = errors.of_statement(error, path=self._path, what=what)
            raise self._failed from error

    def _select(self, sql: str, params: Params, *, what: str) -> tuple[str, dict[str, object]]:
        """Return the text of one SELECT without its semicolon, and those parameters that it names."""
        try:
            statements = self._connection.extract_statements(sql)
        except Exception as error:
            if not errors.is_duckdb(error):
                raise
            raise errors.of_statement(error, path=self._path, what=what) from error
        if len(statements) != 1 or statements[0].type.name != "SELECT":
            raise BadInput(f"{what}: must be one SELECT")
        bound = {name: params[name] for name in statements[0].named_parameters if name in params}
        return sql[: sql.rindex(";")] if sql.rstrip().endswith(";") else sql, bound

    def _describe(self, text: str, bound: Mapping[str, object], *, what: str) -> dict[str, str]:
        """Return the columns of a SELECT and their types."""
        self._run(f"SELECT * FROM (\n{text}\n) LIMIT 0", bound, what=what)
        return {str(column[0]): str(column[1]) for column in self._connection.description or ()}


def _part(partition: str | None) -> dict[str, object]:
    return {} if partition is None else {"partition": partition}


def _receipt(row: tuple[Any, ...]) -> Receipt:
    fields = dict(zip(sqls.RECEIPT_FIELDS, row, strict=True))
    fields["built_from"] = json.loads(fields["built_from"])
    return msgspec.convert(fields, Receipt)
