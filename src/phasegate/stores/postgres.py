"""A store in one table of PostgreSQL, for processes on many machines.

The compare-and-set is one autocommit statement, and nothing is state of a session: a pooler in transaction mode may
stand between. Not through a replica. A version is 63 random bits drawn for each write, so no version is used twice: not
after delete and create, and not after an older copy of the database is restored.
"""

import os
from collections.abc import Sequence

from phasegate.errors import Conflict
from phasegate.postgresql.address import parse_address
from phasegate.postgresql.pool import CONNECT_TIMEOUT_S, CONNECTIONS_MAX, STATEMENT_TIMEOUT_S, Pool
from phasegate.postgresql.schema import Component, Migration, check_of, migrate
from phasegate.store import ALL, Body, Doc
from phasegate.stores.rules import any_of, check_key, check_limit, checked_due, decode, encode, prefix_end, spans

# json: jsonb would respell numbers, and refuse a NUL character in a text. "C": keys are in order of their bytes.
STORE = Component("store", (
    Migration(usable_from=1, statements=(
        """CREATE TABLE phasegate.documents (
            key text COLLATE "C" NOT NULL PRIMARY KEY,
            version bigint NOT NULL,
            body json NOT NULL,
            due double precision
        )""",
        "CREATE INDEX documents_due ON phasegate.documents (due, key) WHERE due IS NOT NULL",
    )),
))  # fmt: skip
_COLUMNS = "SELECT key, version, body::text, due FROM phasegate.documents"
_READ = f"{_COLUMNS} WHERE key = %s"
_INSERT = """INSERT INTO phasegate.documents (version, body, due, key) VALUES (%s, %s, %s, %s)
    ON CONFLICT (key) DO NOTHING"""
_UPDATE = """UPDATE phasegate.documents SET version = %s, body = %s, due = %s
    WHERE key = %s AND version::text = %s"""
_DELETE = "DELETE FROM phasegate.documents WHERE key = %s AND version::text = %s"
_SCAN = f"{_COLUMNS} WHERE key >= %s AND key > %s AND key < %s AND key < %s ORDER BY key LIMIT %s"
_DUE = f"{_COLUMNS} WHERE due <= %s AND {{within}} AND (due, key) > (%s, %s) ORDER BY due, key LIMIT %s"
_NEXT_DUE = "SELECT due FROM phasegate.documents WHERE due IS NOT NULL AND {within} ORDER BY due, key LIMIT 1"
_WITHIN = "(key >= %s AND key < %s)"
_BEYOND_ALL_KEYS = "\x7f"  # keys are printable ASCII
_BEFORE_ALL = (float("-inf"), "")


class PostgresStore:
    """Documents in one database, which ``migrate_store`` has prepared.

    Each thread uses its own connection while a verb runs, at most ``connections_max`` at once; a statement that takes
    longer than ``statement_timeout_s`` is stopped. A forked child opens its own.
    """

    def __init__(
        self,
        url: str,
        *,
        connections_max: int = CONNECTIONS_MAX,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        statement_timeout_s: float = STATEMENT_TIMEOUT_S,
    ) -> None:
        """Connect.

        Raises BadInput for a wrong address, Unavailable, with the reason, if the database cannot be used.
        """
        address = parse_address(url)
        self._pool = Pool(
            address,
            what=STORE.name,
            connections_max=connections_max,
            connect_timeout_s=connect_timeout_s,
            statement_timeout_s=statement_timeout_s,
            greet=check_of(STORE, address=address),
        )
        with self._pool.connection("read"):
            pass

    def read(self, key: str, /) -> Doc | None:
        """Return the newest committed document, or None."""
        return next(iter(self._docs(_READ, key)), None)

    def write(self, key: str, body: Body, /, *, due: float | None, expect: str | None) -> str:
        """Store the body if ``expect`` is its version; see ports.Store."""
        check_key(key)
        version = int.from_bytes(os.urandom(8)) >> 1  # 63 bits
        values = (version, encode(key, body).decode(), checked_due(key, due), key)
        self._change(key, _INSERT if expect is None else _UPDATE, *values, *(() if expect is None else (expect,)))
        return str(version)

    def delete(self, key: str, /, *, expect: str) -> None:
        """Remove the document if ``expect`` is still its version; see ports.Store."""
        self._change(key, _DELETE, key, expect)

    def scan(self, prefix: str, /, *, after: str = "", until: str | None = None, limit: int = 100) -> Sequence[Doc]:
        """Return documents by key order; see ports.Store."""
        check_limit(limit)
        return self._docs(_SCAN, prefix, after, _end(prefix), _BEYOND_ALL_KEYS if until is None else until, limit)

    def due(
        self, now: float, /, *, prefixes: Sequence[str] = ALL, after: tuple[float, str] | None = None, limit: int = 100
    ) -> Sequence[Doc]:
        """Return the documents that are due, the oldest first; see ports.Store."""
        check_limit(limit)
        within, bounds = _within(prefixes)
        return self._docs(_DUE.format(within=within), now, *bounds, *(after or _BEFORE_ALL), limit)

    def next_due(self, *, prefixes: Sequence[str] = ALL) -> float | None:
        """Return the earliest ``due``, or None; see ports.Store."""
        within, bounds = _within(prefixes)
        with self._pool.connection("read") as connection:
            row = connection.execute(_NEXT_DUE.format(within=within).encode(), bounds).fetchone()
        return None if row is None else float(row[0])

    def close(self) -> None:
        """Release the connections; a later use opens the store again."""
        self._pool.close()

    def _docs(self, sql: str, *values: object) -> list[Doc]:
        with self._pool.connection("read") as connection:
            rows = connection.execute(sql.encode(), values).fetchall()
        return [Doc(key, str(version), decode(body), due) for key, version, body, due in rows]

    def _change(self, key: str, sql: str, *values: object) -> None:
        with self._pool.connection("write") as connection:
            changed = connection.execute(sql.encode(), values).rowcount
        if changed != 1:
            raise Conflict(f"document {key} changed under us: read it again, decide again")


def migrate_store(url: str, /, *, connect_timeout_s: float = CONNECT_TIMEOUT_S) -> tuple[str, int, int]:
    """Create the store in a database, or bring it to this version.

    Return the address without secrets, and the schema's version before, 0 for none, and after. Raises as ``migrate``,
    and BadInput for a wrong address.
    """
    address = parse_address(url)
    pool = Pool(address, what=STORE.name, connections_max=1, connect_timeout_s=connect_timeout_s)
    try:
        return address.shown, *migrate(pool, STORE)
    finally:
        pool.close()


def _end(prefix: str) -> str:
    end = prefix_end(prefix)
    return _BEYOND_ALL_KEYS if end is None else end


def _within(prefixes: Sequence[str]) -> tuple[str, list[str]]:
    """Return the condition that a key has one of the prefixes, and its values."""
    found = spans(prefixes)
    values = [value for first, end in found for value in (first, _BEYOND_ALL_KEYS if end is None else end)]
    return any_of([_WITHIN] * len(found)), values
