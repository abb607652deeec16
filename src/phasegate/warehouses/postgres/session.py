"""One connection to PostgreSQL, in one transaction.

Staging tables are ordinary unlogged ones in a schema of their own: they outlive the transaction, and a pooler in
transaction mode may stand between. Their names begin with the time of their making, after which they expire.
"""

import re
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from phasegate.errors import BadInput, PhasegateError, Unavailable
from phasegate.warehouse import Params, Row
from phasegate.warehouses.postgres.dialect import plain_type, quoted, split, type_of
from phasegate.warehouses.sql import own_tables as own
from phasegate.warehouses.sql.dialect import Types
from phasegate.warehouses.sql.session import Bound

if TYPE_CHECKING:
    import psycopg

A = TypeVar("A")
STAGING = "phasegate_staging"
EXPIRES_S = 6 * 3600
# A parameter, and before it what may hold a dollar that is none: texts, names and comments.
_NAME = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$([A-Za-z_]\w*)""", re.DOTALL)
_SELECT = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:SELECT|WITH|VALUES|\()", re.IGNORECASE | re.DOTALL)
# By the first two characters of SQLSTATE: what the statement or its values are to blame for.
_WRONG = ("0A", "21", "22", "23", "42")
# A grant mends it, and no other text of the statement.
_FORBIDDEN = "42501"
_CASTS: dict[str, Callable[[str], object]] = {
    "date": date.fromisoformat,
    "int": int,
    "timestamp": datetime.fromisoformat,
}
_COLUMNS = """SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $schema AND c.relname = $name AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""


class PostgresSession:
    """A connection in a transaction; its first statement takes the snapshot.

    ``known``: the columns of our own tables, which never change once they are those of this version; it is added to.
    """

    def __init__(self, connection: "psycopg.Connection", *, known: dict[str, dict[str, str]] | None = None) -> None:
        self._connection, self._known = connection, {} if known is None else known
        self._failed: PhasegateError | None = None
        self._types: dict[str, dict[str, str]] = {}
        self._has_changed_shapes = False
        self.made: list[str] = []

    def run(self, sql: str, bound: Bound | None = None, /, *, what: str) -> list[tuple[Any, ...]]:
        """Run a SELECT and return its rows."""
        return self._do(sql, bound or {}, what=what, then=lambda cursor: cursor.fetchall())

    def change(self, sql: str, bound: Bound | None = None, /, *, what: str) -> int:
        """Run any other statement and return how many rows it changed."""
        if not sql.startswith(("INSERT", "UPDATE", "DELETE")):
            self._types.clear()
            self._has_changed_shapes = True
        return self._changed(sql, bound or {}, what=what)

    def _changed(self, sql: str, bound: Bound, *, what: str) -> int:
        return self._do(sql, bound, what=what, then=lambda cursor: max(0, cursor.rowcount))

    def _do(self, sql: str, bound: Bound, *, what: str, then: "Callable[[psycopg.Cursor], A]") -> A:
        import psycopg

        if self._failed is not None:
            raise self._failed
        try:
            text, values = _named(sql, bound, what=what)
            with psycopg.ClientCursor(self._connection) as cursor:
                cursor.execute(text.encode(), values)
                return then(cursor)
        except BadInput as error:
            self._failed = error
            raise
        except psycopg.Error as error:
            if (error.sqlstate or "")[:2] not in _WRONG or error.sqlstate == _FORBIDDEN:
                if (error.sqlstate or "") == "57014" and self._failed is not None:
                    raise self._failed from error
                self._failed = Unavailable(f"{what}: the transaction has failed; nothing was written")
                raise
            said = " ".join(str(error.diag.message_primary or error).split())
            self._failed = BadInput(f"{what}: {said}")
            raise self._failed from error

    def has(self, name: str, /) -> bool:
        """Return whether a table exists."""
        return bool(self.columns(name))

    def columns(self, name: str, /) -> Types:
        """Return all columns of a table and their types; {} for a missing one."""
        if name in self._known:
            return self._known[name]
        if name not in self._types:
            schema, table = split(name)
            rows = self.run(_COLUMNS, {"schema": schema, "name": table}, what=f"table {name}")
            self._types[name] = {str(column): plain_type(str(found)) for column, found in rows}
            if name in own.NAMES and own.is_whole(name, self._types[name]) and not self._has_changed_shapes:
                self._known[name] = self._types[name]
        return self._types[name]

    def select(self, sql: str, params: Params, /, *, what: str, why: str = "") -> tuple[str, dict[str, object]]:
        """Return the text of one SELECT, and the parameters that it names."""
        if not _SELECT.match(sql):
            raise BadInput(f"{what}: must be one SELECT{why}")
        text = sql[: sql.rindex(";")] if sql.rstrip().endswith(";") else sql
        return text, {name: params[name] for name in _NAME.findall(text) if name in params}

    def describe(self, text: str, bound: Bound, /, *, what: str) -> dict[str, str]:
        """Return the columns of a SELECT and their types."""
        found = self._do(f"SELECT * FROM (\n{text}\n) q LIMIT 0", bound, what=what, then=_described)
        if not found:
            return {}
        asked = ", ".join(f"format_type({oid}, {modifier})" for _, oid, modifier in found)
        (types,) = self.run(f"SELECT {asked}", what=what)
        return {name: plain_type(str(kind)) for (name, _, _), kind in zip(found, types, strict=True)}

    def query(self, text: str, bound: Bound, /, *, what: str) -> list[dict[str, object]]:
        """Return the rows of a SELECT as dicts; zoned timestamps are in UTC."""
        rows, names = self._do(
            f"SELECT * FROM (\n{text}\n) q", bound, what=what,
            then=lambda cursor: (cursor.fetchall(), [one.name for one in cursor.description or ()]),
        )  # fmt: skip
        return [{name: _in_utc(cell) for name, cell in zip(names, row, strict=True)} for row in rows]

    def keep(self, name: str, text: str, bound: Bound, /, *, what: str) -> int:
        """Store the rows of a SELECT as a staging table; return how many.

        Without statistics its joins are planned as nested loops: 350 rows merged into as many took 3.9 s, and take 0.45
        (measured).
        """
        rows = self._changed(f"CREATE UNLOGGED TABLE {name} AS SELECT * FROM (\n{text}\n) q", bound, what=what)
        self._changed(f"ANALYZE {name}", {}, what=what)
        return rows

    def load(self, rows: Iterable[Row], types: Types, /, *, what: str) -> tuple[str, Bound]:
        """Return a SELECT of given rows, which are copied into a staging table."""
        name = self.stage_name("rows")
        columns = ", ".join(f"{quoted(column)} {type_of(sql_type)}" for column, sql_type in types.items())
        self._changed(f"CREATE UNLOGGED TABLE {name} ({columns})", {}, what=what)
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {name} FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row([row[column] for column in types])
        return f"SELECT * FROM {name}", {}

    def stage_name(self, kind: str, /) -> str:
        """Return a name for a staging table that no other use has."""
        name = f"{STAGING}.{kind}_{int(time.time())}_{uuid.uuid4().hex}"
        self.made.append(name)
        return name

    def interrupt(self) -> None:
        """Stop a running statement, from any thread."""
        if self._failed is None:
            self._failed = Unavailable("the transaction was interrupted; nothing was written")
        with suppress(Exception):
            self._connection.cancel_safe(timeout=5.0)

    def check(self) -> None:
        """Raise what a statement has raised, or an interrupt."""
        if self._failed is not None:
            raise self._failed


def _named(sql: str, bound: Bound, *, what: str) -> tuple[str, dict[str, object]]:
    """Return a text in psycopg's placeholders, and the values that it names."""
    values: dict[str, object] = {}

    def one(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return found[0]
        plain, cast, kind = name.partition("_as_")
        if name in bound:
            values[name] = bound[name]
        elif cast and plain in bound:
            values[name] = _cast(str(bound[plain]), kind)
        else:
            raise BadInput(f"{what}: Values were not provided for the parameter ${name}")
        return f"%({name})s"

    return _NAME.sub(one, sql.replace("%", "%%")), values


def _cast(text: str, kind: str) -> object:
    """Return a text as a value, None unless it is exactly that value's text."""
    with suppress(ValueError):
        value = _CASTS[kind](text)
        return value if kind == "timestamp" or str(value) == text else None
    return None


def _described(cursor: "psycopg.Cursor") -> list[tuple[str, int, int]]:
    """Return name, type and modifier of each column of a result."""
    result = cursor.pgresult
    names = [one.name for one in cursor.description or ()]
    return [(name, result.ftype(n), result.fmod(n)) for n, name in enumerate(names)] if result is not None else []


def _in_utc(cell: object) -> object:
    return cell.astimezone(UTC) if isinstance(cell, datetime) and cell.tzinfo is not None else cell
