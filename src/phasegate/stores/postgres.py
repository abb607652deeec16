"""A store in one table of PostgreSQL, for processes on many machines.

Nothing is state of a session: a pooler in transaction mode may stand between. Not through a replica.
"""

from collections.abc import Sequence
from typing import Any

from phasegate.postgresql.address import parse_address
from phasegate.postgresql.pool import CONNECT_TIMEOUT_S, CONNECTIONS_MAX, STATEMENT_TIMEOUT_S, Pool
from phasegate.postgresql.schema import Component, Migration, check_of, migrate_at
from phasegate.stores.sql import Spelling, SqlStore, Statements

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
STATEMENTS = Statements(Spelling(
    table="phasegate.documents", mark="%s", body="body::text", version="version::text",
    beyond="\x7f",  # keys are printable ASCII
))  # fmt: skip


class PostgresStore(SqlStore):
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
        super().__init__(STATEMENTS)
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

    def close(self) -> None:
        """Release the connections; a later use opens the store again."""
        self._pool.close()

    def _fetch(self, statement: str, values: Sequence[object], /) -> list[tuple[Any, ...]]:
        with self._pool.connection("read") as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def _change(self, statement: str, values: Sequence[object], /) -> int:
        with self._pool.connection("write") as connection:
            return connection.execute(statement.encode(), values).rowcount


def migrate_store(url: str, /, *, connect_timeout_s: float = CONNECT_TIMEOUT_S) -> tuple[str, int, int]:
    """Create the store in a database, or bring it to this version.

    Returns and raises as ``migrate_at``.
    """
    return migrate_at(url, STORE, connect_timeout_s=connect_timeout_s)
