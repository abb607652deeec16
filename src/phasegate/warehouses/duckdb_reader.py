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


class DuckDBReader:
    """One snapshot, on a connection of its own, taken when it is opened."""

    _begin = "BEGIN TRANSACTION READ ONLY"

    def __init__(self, connection: "DuckDBPyConnection", *, path: Path) -> None:
        self._connection, self._path = connection, path
        self._failed: PhasegateError | None = None
        self._types: dict[str, dict[str, str]] = {}
        self.broken = False
        self._run(self._begin, what="a new transaction")
        self._tables = {(str(schema), str(name)) for schema, name in self._run(sqls.TABLES, what="the catalog")}

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
        if not chosen or (sqls.SCHEMA, "receipts") not in self._tables:
            return {}
        bound = {"tables": [part.table for part in chosen], "partitions": [part.partition for part in chosen]}
        found = [_receipt(row) for row in self._run(sqls.NEWEST, bound, what="receipts")]
        return {receipt.part: receipt for receipt in found}

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Return the receipt of a write."""
        if (sqls.SCHEMA, "receipts") not in self._tables:
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
        if table.name not in self._types:
            found: dict[str, str] = {}
            if sqls.split(table.name) in self._tables:
                found = self._describe(f"SELECT * FROM {sqls.reference(table.name)}", {}, what=f"table {table.name}")
            self._types[table.name] = {name: found[name] for name in stored(found, table=table)}
        return self._types[table.name]

    def is_prepared(self, part: Part, /) -> bool:
        """Tell whether the system tables, the table with its lineage column, and the fence row are there."""
        needed = {(sqls.SCHEMA, "fence"), (sqls.SCHEMA, "receipts"), sqls.split(part.table)}
        if not needed <= self._tables:
            return False
        columns = self._describe(f"SELECT * FROM {sqls.reference(part.table)}", {}, what=f"table {part.table}")
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
        with suppress(Exception):
            self._connection.execute("ROLLBACK")
        self._connection.close()

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
