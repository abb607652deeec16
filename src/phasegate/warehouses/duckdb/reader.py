"""One snapshot of a DuckDB file: a connection, and the reading verbs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from phasegate.base import fingerprint as prints
from phasegate.base.receipt import Fence, Part, Receipt, Stamp
from phasegate.base.table import (
    TOKEN_COLUMN,
    Dependency,
    Difference,
    Disagreement,
    Repeats,
    Table,
    Uncovered,
)
from phasegate.errors import BadInput, PhasegateError, Unavailable
from phasegate.warehouse import Params
from phasegate.warehouses.duckdb import dialect, errors
from phasegate.warehouses.duckdb.dialect import inside, quoted, reference, split
from phasegate.warehouses.duckdb.interrupts import interruptible
from phasegate.warehouses.sql import own_tables as own
from phasegate.warehouses.sql.cells import check_named, check_texts, stored
from phasegate.warehouses.sql.rows import RowSql
from phasegate.warehouses.sql.shapes import difference

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Statement

SQLS = RowSql(dialect)
STATEMENTS_MAX = 1_000


class Catalog:
    """Tables and columns found while this process has the file open.

    Tables are created here, and never dropped. Reading the catalog again costs 2 ms a transaction and 1 ms a table
    (measured), a third of a small write.
    """

    def __init__(self) -> None:
        self.tables: set[tuple[str, str]] = set()
        self.types: dict[str, dict[str, str]] = {}
        self.statements: dict[str, list[Statement]] = {}
        self.whole = False


class DuckDBReader:
    """One snapshot on its own connection, taken when it is opened."""

    _begin = "BEGIN TRANSACTION READ ONLY"

    def __init__(self, connection: "DuckDBPyConnection", *, path: Path, catalog: Catalog) -> None:
        self._connection, self._path, self._catalog = connection, path, catalog
        self._failed: PhasegateError | None = None
        self._seen: set[tuple[str, str]] | None = None
        self.broken = self.over = False
        # Before the snapshot: tables that another thread finds afterwards may be newer than it.
        self._known = frozenset(catalog.tables)
        self._run(self._begin, what="a new transaction")
        if own.FENCE_TABLE in self._known:
            # The first statement takes the snapshot.
            self._run(own.PIN, what="a new transaction")
        else:
            self._has(own.FENCE_TABLE)

    def query(self, sql: str, params: Params, /) -> list[dict[str, object]]:
        """Return the rows of a SELECT as dicts; zoned timestamps are in UTC.

        Raises BadInput for anything but one SELECT.
        """
        what = f"query {' '.join(sql.split())[:60]!r}"
        text, bound = self._select(sql, params, what=what, why=": queries only read, and steps write tables")
        columns = self._describe(text, bound, what=what)
        zoned = {name for name, sql_type in columns.items() if "TIME ZONE" in sql_type}
        if zoned:
            # Fetching TIMESTAMPTZ would need pytz.
            utc = (f"make_timestamp(epoch_us({quoted(name)})) AS {quoted(name)}" for name in sorted(zoned))
            text = f"SELECT * REPLACE ({', '.join(utc)}) FROM (\n{text}\n)"
        rows = [dict(zip(columns, row, strict=True)) for row in self._run(text, bound, what=what)]
        for row in rows if zoned else ():
            for name in zoned:
                cell = row[name]
                row[name] = cell.replace(tzinfo=UTC) if isinstance(cell, datetime) else cell
        return rows

    def receipts(self, parts: Iterable[Part], /) -> dict[Part, Receipt]:
        """Return the newest receipt of each partition that has one.

        That is the one with the highest token.
        """
        chosen = list(parts)
        if not chosen or not self._has(own.RECEIPTS_TABLE):
            return {}
        tables, partitions = (sorted(set(names)) for names in zip(*chosen, strict=True))
        bound = {f"table{n}": name for n, name in enumerate(tables)}
        bound |= {f"partition{n}": name for n, name in enumerate(partitions)}
        statement = own.receipts(tables=len(tables), partitions=len(partitions))
        wanted = set(chosen)
        newest: dict[Part, tuple[tuple[int, int], list[Any]]] = {}
        for *row, changes in self._run(self._of_receipts(statement), bound, what="receipts"):
            part, order = Part(row[1], row[2]), (row[5], changes)
            if part in wanted and (part not in newest or order > newest[part][0]):
                newest[part] = order, row
        return {part: _receipt(row) for part, (_, row) in newest.items()}

    def receipts_between(self, table: str, /, *, first: str, last: str) -> dict[str, Receipt]:
        """Return the newest receipt of each partition in a range.

        The range is ``first <= partition <= last``; the result is by partition.
        """
        if not self._has(own.RECEIPTS_TABLE):
            return {}
        bound = {"table": table, "first": first, "last": last}
        rows = self._run(self._of_receipts(own.RECEIPTS_BETWEEN), bound, what=f"receipts of {table}")
        return {row[2]: _receipt(row) for row in rows}

    def stamps_between(self, table: str, /, *, first: str, last: str) -> dict[str, Stamp]:
        """Return the stamp of the newest receipt of each partition in a range.

        The range is ``first <= partition <= last``; the result is by partition.
        """
        if not self._has(own.RECEIPTS_TABLE):
            return {}
        bound = {"table": table, "first": first, "last": last}
        rows = self._run(own.STAMPS_BETWEEN, bound, what=f"receipts of {table}")
        return {partition: Stamp(fingerprint, token) for partition, (token, _, fingerprint) in rows}

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Return the receipt of a write."""
        if not self._has(own.RECEIPTS_TABLE):
            return None
        rows = self._run(self._of_receipts(own.FIND_WRITE), {"write_id": write_id}, what="receipts")
        return _receipt(rows[0]) if rows else None

    def fingerprint(self, table: Table, /, *, partition: str | None) -> str:
        """Return the fingerprint of a partition's rows now.

        ``partition`` None: of the whole table.
        """
        types = self.types_of(table)
        if not types:
            return prints.EMPTY
        check_texts(table, types)
        statement = SQLS.fingerprint(table, types, partition=partition is not None)
        ((count, *sums),) = self._run(statement, _part(partition), what=f"fingerprint of {table.name}")
        return prints.fold(int(count), [int(one or 0) for one in sums])

    def fingerprints(self, table: Table, /, *, first: str, last: str) -> dict[str, str]:
        """Return the fingerprints of the partitions with rows in a range.

        The range is ``first <= partition <= last``; the result is by partition.
        """
        types = self.types_of(table)
        if not types:
            return {}
        check_texts(table, types)
        bound = {"first": first, "last": last}
        statement = SQLS.fingerprints(table, types, dates=_is_date(first) and _is_date(last))
        rows = self._run(statement, bound, what=f"fingerprints of {table.name}")
        return {str(text): prints.fold(int(count), [int(one) for one in sums]) for text, count, *sums in rows}

    def repeats(
        self, table: Table, /, *, first: str, last: str, key: Sequence[str] | None = None
    ) -> dict[str, Repeats]:
        """Return the partitions in a range that have more rows than keys.

        The range is ``first <= partition <= last``.
        """
        types = self.types_of(table)
        if not types:
            return {}
        statement = SQLS.repeats(table, types, key=key or table.key, dates=_is_date(first) and _is_date(last))
        rows = self._run(statement, {"first": first, "last": last}, what=f"repeated keys of {table.name}")
        return {str(text): Repeats(rows=n, keys=keys, contents=contents) for text, n, keys, contents in rows}

    def disagreements(self, table: Table, dependency: Dependency, /, *, first: str, last: str) -> list[Disagreement]:
        """Return the keys of a dependency with several values, sorted.

        Those with a row in ``first <= partition <= last``.
        """
        types = self.types_of(table)
        if not types:
            return []
        check_named(table, (*dependency.columns, dependency.determined), known=types)
        dates = _is_date(first) and _is_date(last)
        statement = SQLS.disagreements(table, types, dependency=dependency, dates=dates)
        rows = self._run(statement, {"first": first, "last": last}, what=f"identities of {table.name}")
        found = [Disagreement(key=tuple(key), values=tuple(values), partitions=tuple(p)) for key, values, p in rows]
        return sorted(found, key=lambda one: one.key)

    def sums(
        self, table: Table, /, *, column: str, by: Sequence[str], first: str, last: str
    ) -> dict[tuple[str, ...], Decimal]:
        """Return the sums of a column by partition and ``by``.

        The range is ``first <= partition <= last``.
        """
        types = self.types_of(table)
        if not types:
            return {}
        check_named(table, (column, *by), known=types)
        statement = SQLS.sums(table, types, column=column, by=by, dates=_is_date(first) and _is_date(last))
        rows = self._run(statement, {"first": first, "last": last}, what=f"sums of {table.name}")
        return {tuple(key): Decimal(str(prints.text(total, scale=table.scale(column)))) for key, total in rows}

    def uncovered(
        self, table: Table, /, *, by: Table, on: Sequence[str], where: str, first: str, last: str
    ) -> dict[str, Uncovered]:
        """Return the keys in ``table`` that ``by`` lacks, by partition.

        The range is ``first <= partition <= last``.
        """
        types, theirs = self.types_of(table), self.types_of(by)
        if not types:
            return {}
        for one, known in ((table, types), (by, theirs or types)):
            check_named(one, on, known=known)
        statement = SQLS.uncovered(
            (table, types), (by, theirs), on=on, where=where, dates=_is_date(first) and _is_date(last)
        )
        rows = self._run(statement, {"first": first, "last": last}, what=f"rows of {table.name} missing in {by.name}")
        return {str(text): Uncovered(count=count, keys=tuple(keys)) for text, count, keys in rows}

    def fences(self, *, first: str, last: str) -> dict[Part, Fence]:
        """Return the fence rows with ``first <= partition <= last``."""
        bound = {"first": first, "last": last}
        rows = self._run(own.FENCES, bound, what="fences") if self._has(own.FENCE_TABLE) else []
        return {Part(table, partition): Fence(*fence) for table, partition, *fence in rows}

    def count(self, table: Table, /, *, partition: str | None) -> int:
        """Return the number of rows of a partition; 0 for a missing table.

        ``partition`` None: of the whole table.
        """
        types = self.types_of(table)
        if not types:
            return 0
        where = f"WHERE {inside(table, types)}" if partition is not None else ""
        statement = f"SELECT count(*) FROM {reference(table.name)} t {where}"
        return int(self._run(statement, _part(partition), what=f"count of {table.name}")[0][0])

    def compare(self, table: Table, columns: Mapping[str, str], /) -> Difference:
        """Return how the stored table differs from these columns and its key."""
        rows = []
        if self._has(own.KEYS_TABLE):
            rows = self._run(own.READ_KEY, {"table": table.name}, what=f"key of {table.name}")
        return difference(table, stored=self.types_of(table), wanted=columns, key=rows[0][0] if rows else None)

    def types_of(self, table: Table) -> dict[str, str]:
        """Return the stored columns of a table and their types.

        Empty for a missing table.
        """
        found = self._columns(table.name)
        return {name: found[name] for name in stored(found, table=table)}

    def is_prepared(self, part: Part, /) -> bool:
        """Return whether a partition can be written.

        It needs the system tables, the table with its lineage column, and the fence row.
        """
        if not all(self._has(name) for name in (own.FENCE_TABLE, own.RECEIPTS_TABLE, split(part.table))):
            return False
        if "holder" not in self._columns(own.FENCE) or not self._has_undecided():  # made by an older version
            return False
        columns = self._columns(part.table)
        bound = {"table": part.table, "partition": part.partition}
        return TOKEN_COLUMN in columns and bool(self._run(own.READ_FENCE, bound, what="fence"))

    def _of_receipts(self, sql: str) -> str:
        return sql if self._has_undecided() else own.of_older(sql)

    def _has_undecided(self) -> bool:
        found = self._catalog.whole or "undecided" in self._columns(own.RECEIPTS)
        self._catalog.whole = found and own.RECEIPTS_TABLE in self._catalog.tables
        return found

    def interrupt(self) -> None:
        """Stop a running statement, from any thread.

        Every later verb and the commit raise Unavailable.
        """
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
        """Return whether a table exists.

        A table that is not in the catalog yet is looked up once, in this snapshot.
        """
        if name in self._known:
            return True
        if self._seen is None:
            rows = self._run(own.TABLES, what="the catalog")
            self._seen = {(str(schema), str(table)) for schema, table in rows}
            self._learn(self._seen)
        return name in self._seen

    def _learn(self, tables: set[tuple[str, str]]) -> None:
        """Add tables to the catalog for later snapshots."""
        self._catalog.tables |= tables

    def _columns(self, name: str) -> dict[str, str]:
        """Return all columns of a table and their types.

        Empty for a missing table.
        """
        if not self._has(split(name)):
            return {}
        if name in self._catalog.types:
            return self._catalog.types[name]
        found = self._describe(f"SELECT * FROM {reference(name)}", {}, what=f"table {name}")
        if split(name) in self._catalog.tables and TOKEN_COLUMN in found:
            self._catalog.types[name] = found
        return found

    def _run(self, sql: str, bound: Mapping[str, object] | None = None, *, what: str) -> list[tuple[Any, ...]]:
        """Run a statement.

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

    def _parsed(self, sql: str) -> "list[Statement]":
        """Return the statements of a text, parsed once.

        Parsing a statement of 40 columns takes DuckDB 3 ms, more than running it (measured).
        """
        known = self._catalog.statements
        if sql not in known:
            if len(known) >= STATEMENTS_MAX:
                known.clear()
            known[sql] = self._connection.extract_statements(sql)
        return known[sql]

    def _select(self, sql: str, params: Params, *, what: str, why: str = "") -> tuple[str, dict[str, object]]:
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

    def _describe(self, text: str, bound: Mapping[str, object], *, what: str) -> dict[str, str]:
        """Return the columns of a SELECT and their types."""
        self._run(f"SELECT * FROM (\n{text}\n) LIMIT 0", bound, what=what)
        return {str(column[0]): str(column[1]) for column in self._connection.description or ()}


def _part(partition: str | None) -> dict[str, object]:
    return {} if partition is None else {"partition": partition}


def _is_date(text: str) -> bool:
    with suppress(ValueError):
        return date.fromisoformat(text).isoformat() == text
    return False


def _receipt(row: Sequence[Any]) -> Receipt:
    fields = dict(zip(own.RECEIPT_FIELDS, row, strict=True))
    fields["built_from"] = json.loads(fields["built_from"])
    return msgspec.convert(fields, Receipt)
