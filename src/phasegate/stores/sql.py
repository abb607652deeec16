"""The verbs of a store in one table of an SQL database, the same for each.

The compare-and-set is one autocommit statement, and its row count is the answer. A version is 63 random bits drawn for
each write, so no version is used twice: not after delete and create, and not after an older copy is restored. It opens
no connection: an engine's store runs the statements.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phasegate.errors import Conflict
from phasegate.store import ALL, Body, Doc
from phasegate.stores.rules import any_of, check_key, check_limit, checked_due, decode, encode, prefix_end, spans

_BEFORE_ALL = (float("-inf"), "")


@dataclass(frozen=True)
class Spelling:
    """How an engine spells the table of documents.

    ``mark``: a parameter; ``body`` and ``version``: these columns as texts; ``by_due``: what makes a query use the
    index of ``due``; ``beyond``: a value that is greater than every key.
    """

    table: str
    mark: str
    beyond: str | bytes
    body: str = "body"
    version: str = "version"
    by_due: str = ""


class Statements:
    """The statements of a store, as an engine spells them."""

    def __init__(self, spelled: Spelling, /) -> None:
        table, m = spelled.table, spelled.mark
        listed = f"SELECT key, version, {spelled.body}, due FROM {table}"
        same = f"key = {m} AND {spelled.version} = {m}"
        self.beyond, self._within = spelled.beyond, f"(key >= {m} AND key < {m})"
        self.read = f"{listed} WHERE key = {m}"
        self.insert = f"""INSERT INTO {table} (version, body, due, key) VALUES ({m}, {m}, {m}, {m})
            ON CONFLICT (key) DO NOTHING"""
        self.update = f"UPDATE {table} SET version = {m}, body = {m}, due = {m} WHERE {same}"
        self.delete = f"DELETE FROM {table} WHERE {same}"
        self.scan = f"{listed} WHERE key >= {m} AND key > {m} AND key < {m} AND key < {m} ORDER BY key LIMIT {m}"
        self._due = f"{listed}{spelled.by_due} WHERE due <= {m} AND "
        self._due_page = f" AND (due, key) > ({m}, {m}) ORDER BY due, key LIMIT {m}"
        self._next_due = f"SELECT due FROM {table}{spelled.by_due} WHERE due IS NOT NULL AND "

    def end(self, prefix: str, /) -> str | bytes:
        """Return the smallest value beyond all keys with a prefix."""
        end = prefix_end(prefix)
        return self.beyond if end is None else end

    def due(self, prefixes: Sequence[str], /) -> tuple[str, list[str | bytes]]:
        """Return the SELECT of a page of due documents, and its bounds."""
        within, bounds = self._bounds(prefixes)
        return self._due + within + self._due_page, bounds

    def next_due(self, prefixes: Sequence[str], /) -> tuple[str, list[str | bytes]]:
        """Return the SELECT of the earliest ``due``, and its bounds."""
        within, bounds = self._bounds(prefixes)
        return f"{self._next_due}{within} ORDER BY due, key LIMIT 1", bounds

    def _bounds(self, prefixes: Sequence[str]) -> tuple[str, list[str | bytes]]:
        """Return the condition that a key has one of the prefixes, and its values."""
        found = spans(prefixes)
        values = [value for first, end in found for value in (first, self.beyond if end is None else end)]
        return any_of([self._within] * len(found)), values


class SqlStore(ABC):
    """Documents in one table; an engine's store connects and runs statements."""

    def __init__(self, statements: Statements) -> None:
        self._sql = statements

    def read(self, key: str, /) -> Doc | None:
        """Return the newest committed document, or None."""
        return next(iter(self._docs(self._sql.read, key)), None)

    def write(self, key: str, body: Body, /, *, due: float | None, expect: str | None) -> str:
        """Store the body if ``expect`` is its version; see ports.Store."""
        check_key(key)
        version = int.from_bytes(os.urandom(8)) >> 1  # 63 bits
        values = (version, encode(key, body).decode(), checked_due(key, due), key)
        if expect is None:
            self._write(key, self._sql.insert, *values)
        else:
            self._write(key, self._sql.update, *values, expect)
        return str(version)

    def delete(self, key: str, /, *, expect: str) -> None:
        """Remove the document if ``expect`` is still its version; see ports.Store."""
        self._write(key, self._sql.delete, key, expect)

    def scan(self, prefix: str, /, *, after: str = "", until: str | None = None, limit: int = 100) -> Sequence[Doc]:
        """Return documents by key order; see ports.Store."""
        check_limit(limit)
        last = self._sql.beyond if until is None else until
        return self._docs(self._sql.scan, prefix, after, self._sql.end(prefix), last, limit)

    def due(
        self, now: float, /, *, prefixes: Sequence[str] = ALL, after: tuple[float, str] | None = None, limit: int = 100
    ) -> Sequence[Doc]:
        """Return the documents that are due, the oldest first; see ports.Store."""
        check_limit(limit)
        statement, bounds = self._sql.due(prefixes)
        return self._docs(statement, now, *bounds, *(after or _BEFORE_ALL), limit)

    def next_due(self, *, prefixes: Sequence[str] = ALL) -> float | None:
        """Return the earliest ``due``, or None; see ports.Store."""
        rows = self._fetch(*self._sql.next_due(prefixes))
        return float(rows[0][0]) if rows else None

    def _docs(self, statement: str, *values: object) -> list[Doc]:
        rows = self._fetch(statement, values)
        return [Doc(key, str(version), decode(body), due) for key, version, body, due in rows]

    def _write(self, key: str, statement: str, *values: object) -> None:
        if self._change(statement, values) != 1:
            raise Conflict(f"document {key} changed under us: read it again, decide again")

    @abstractmethod
    def _fetch(self, statement: str, values: Sequence[object], /) -> list[tuple[Any, ...]]:
        """Run a SELECT; return its rows."""

    @abstractmethod
    def _change(self, statement: str, values: Sequence[object], /) -> int:
        """Run a statement that writes, and commit it; return the rows changed."""
