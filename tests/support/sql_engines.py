"""PostgreSQL and Google's reference evaluator as places where a translated text is run. Each takes tables of rows."""

import fcntl
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import date, datetime
from decimal import Decimal
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn, Protocol

import pytest

from tests.support.postgres import system_server

Columns = Mapping[str, str]
Rows = Sequence[Sequence[object]]
EPOCH = date(1970, 1, 1).toordinal()
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "phasegate-tests"
KINDS = {
    "VARCHAR": "STRING", "BIGINT": "INT64", "INTEGER": "INT64", "SMALLINT": "INT64", "DOUBLE": "DOUBLE",
    "BOOLEAN": "BOOL", "DATE": "DATE", "TIMESTAMP": "DATETIME", "DECIMAL": "NUMERIC", "HUGEINT": "INT64",
}  # fmt: skip


class SqlEngine(Protocol):
    """A place for tables, and for one SELECT at a time."""

    def put(self, table: str, columns: Columns, rows: Rows) -> None: ...
    def ask(self, sql: str, params: Mapping[str, str]) -> list[tuple[object, ...]]: ...


def alike(rows: Sequence[Sequence[object]]) -> list[tuple[str, ...]]:
    """Give rows as texts in one order: numbers with 14 digits, as a fingerprint keeps them."""
    return sorted(tuple(map(_text, row)) for row in rows)


def _text(cell: object) -> str:
    is_number = isinstance(cell, int | float | Decimal) and not isinstance(cell, bool)
    return f"{float(cell):.14g}" if is_number else str(cell)  # type: ignore[arg-type]  # it is a number


def missing(reason: str) -> NoReturn:
    """Skip at home, fail in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextmanager
def postgresql() -> Iterator[SqlEngine]:
    """Give a database of the system's PostgreSQL."""
    import psycopg

    with system_server() as server, closing(psycopg.connect(server.address(server.database()))) as connection:
        yield Postgres(connection)


class Postgres:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def put(self, table: str, columns: Columns, rows: Rows) -> None:
        schema = table.partition(".")[0]
        types = {name: kind.replace("DOUBLE", "DOUBLE PRECISION").replace("HUGEINT", "NUMERIC(38)")
                 for name, kind in columns.items()}  # fmt: skip
        listed = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
        with self._connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}; DROP TABLE IF EXISTS {table}")
            cursor.execute(f"CREATE TABLE {table} ({listed})")
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        self._connection.commit()

    def ask(self, sql: str, params: Mapping[str, str]) -> list[tuple[object, ...]]:
        try:
            with self._connection.cursor() as cursor:
                return list(cursor.execute(sql, params).fetchall())
        finally:
            self._connection.rollback()


def evaluator() -> SqlEngine:
    """Give Google's evaluator; its module is compiled once, and kept in the user's cache folder."""
    if find_spec("zetasql") is None:
        missing("NO EVALUATOR: pip install zetasql")
    import wasmtime
    import zetasql.core.wasm_client as client

    class Compiled:
        """wasmtime's Module, read from the cache."""

        @staticmethod
        def from_file(engine: Any, path: str) -> Any:
            kept = CACHE / f"zetasql-{Path(path).stat().st_size}-{version('wasmtime')}-{sys.platform}.compiled"
            CACHE.mkdir(parents=True, exist_ok=True)
            # Of several processes one compiles, and the others wait for it.
            with (CACHE / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if kept.exists():
                    with suppress(wasmtime.WasmtimeError):
                        return wasmtime.Module.deserialize_file(engine, str(kept))
                module = wasmtime.Module.from_file(engine, path)
                kept.write_bytes(module.serialize())
                return module

    def quick() -> Any:
        """Compile without optimising: 20 seconds of a processor in place of a minute and a half."""
        config = wasmtime.Config()
        config.cranelift_opt_level = "none"
        return config

    client.Module, client.Config = Compiled, quick
    return Evaluator()


class Evaluator:
    """The evaluator knows no schemas: `a`.`b` is the table `a__b`."""

    def __init__(self) -> None:
        self._tables: dict[str, tuple[Columns, Any]] = {}

    def put(self, table: str, columns: Columns, rows: Rows) -> None:
        from zetasql.types import TableContent, TableData

        kinds = [_kind(kind) for kind in columns.values()]
        data = TableData(row=[TableData.Row(cell=[_cell(value, kind) for value, kind in zip(row, kinds, strict=True)])
                              for row in rows])  # fmt: skip
        self._tables[table.replace(".", "__")] = (columns, TableContent(table_data=data))

    def ask(self, sql: str, params: Mapping[str, str]) -> list[tuple[object, ...]]:
        from zetasql.api import CatalogBuilder, PreparedQuery, TableBuilder
        from zetasql.types import AnalyzerOptions, LanguageOptions, TypeKind, ZetaSQLBuiltinFunctionOptions

        for name in self._tables:
            schema, _, table_name = name.partition("__")
            sql = sql.replace(f"`{schema}`.`{table_name}`", f"`{name}`")
        for name, value in params.items():
            sql = sql.replace(f"@{name}", f"'{value}'")
        used = {name: one for name, one in self._tables.items() if f"`{name}`" in sql}
        language = LanguageOptions.maximum_features()
        catalog = CatalogBuilder("tables")
        for name, (columns, _) in used.items():
            table = TableBuilder(name)
            for column, kind in columns.items():
                table = table.add_column(column, getattr(TypeKind, f"TYPE_{_kind(kind)}"))
            catalog = catalog.add_table(table.build())
        catalog = catalog.with_builtin_functions(ZetaSQLBuiltinFunctionOptions(language_options=language))
        query = (
            PreparedQuery.builder().set_sql(sql).set_catalog(catalog.build())
            .set_table_content({name: content for name, (_, content) in used.items()})
            .set_analyzer_options(AnalyzerOptions(language_options=language)).prepare()
        )  # fmt: skip
        try:
            rows = query.execute().content.table_data.row
            return [tuple(_value(cell) for cell in row.cell) for row in rows]
        finally:
            query.close()


def _kind(sql_type: str) -> str:
    return KINDS[sql_type.partition("(")[0]]


def _cell(value: Any, kind: str) -> Any:
    from zetasql.types import Value

    if value is None:
        return Value()
    if kind == "DATE":
        return Value(date_value=value.toordinal() - EPOCH)
    if kind == "DATETIME":
        seconds = value.year << 26 | value.month << 22 | value.day << 17
        seconds |= value.hour << 12 | value.minute << 6 | value.second
        moment = Value.Datetime(bit_field_datetime_seconds=seconds, nanos=value.microsecond * 1000)
        return Value(datetime_value=moment)
    if kind == "NUMERIC":
        scaled = int(Decimal(value).scaleb(9))
        return Value(numeric_value=scaled.to_bytes((scaled.bit_length() + 8) // 8, "little", signed=True))
    return Value(**{f"{kind.lower()}_value": float(value) if kind == "DOUBLE" else value})


def _value(cell: Any) -> object:
    for name in ("int64_value", "string_value", "double_value", "bool_value"):
        if (found := getattr(cell, name)) is not None:
            return found
    if cell.date_value is not None:
        return date.fromordinal(cell.date_value + EPOCH)
    if cell.numeric_value is not None:
        return Decimal(int.from_bytes(cell.numeric_value, "little", signed=True)).scaleb(-9)
    if cell.datetime_value is not None:
        bits = cell.datetime_value.bit_field_datetime_seconds
        return datetime(  # noqa: DTZ001  a DATETIME has no zone
            bits >> 26, bits >> 22 & 15, bits >> 17 & 31, bits >> 12 & 31, bits >> 6 & 63, bits & 63,
            (cell.datetime_value.nanos or 0) // 1000,
        )  # fmt: skip
    return None
