"""PostgreSQL as a warehouse.

Transactions are REPEATABLE READ, so that all reads of one are of one snapshot. A serialization failure is Conflict; the
writer retries the whole write. Tables are created one process at a time.
"""

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Self

from phasegate.base.receipt import Part, Receipt, Staged, Stamp
from phasegate.base.table import Difference, Draft, DraftShape, Table
from phasegate.code.translated import Translator
from phasegate.errors import BadInput, Conflict, PhasegateError, Unavailable
from phasegate.postgresql.address import parse_address
from phasegate.postgresql.failures import Purpose
from phasegate.postgresql.pool import CONNECT_TIMEOUT_S, CONNECTIONS_MAX, Pool
from phasegate.postgresql.schema import Component, Migration, check_of, migrate, migrate_at
from phasegate.warehouse import InputRead, Params, Reader, Row, Scope, Staging, Write, WriteAnswer, Written
from phasegate.warehouses.postgres import dialect
from phasegate.warehouses.postgres.dialect import PostgresOwn, PostgresSql, create_schema, quoted
from phasegate.warehouses.postgres.session import EXPIRES_S, STAGING, PostgresSession
from phasegate.warehouses.sql import commits
from phasegate.warehouses.sql.cells import check_shape, stored
from phasegate.warehouses.sql.reader import SqlReader
from phasegate.warehouses.sql.staging import SqlStaging, Stage
from phasegate.warehouses.sql.transaction import SqlTransaction

if TYPE_CHECKING:
    import psycopg

SQL, OWN = PostgresSql(dialect), PostgresOwn(dialect)
CREATE_STAGING = create_schema(quoted(STAGING))
# What is absent only: the first write of a role that may create makes it too.
WAREHOUSE = Component(
    "warehouse", (Migration(usable_from=1, statements=(*OWN.system(), CREATE_STAGING)),), is_made_on_use=True
)
Sessions = Callable[[str, Purpose], AbstractContextManager[PostgresSession]]
STATEMENT_TIMEOUT_S = 3600.0
READS = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
WRITES = "BEGIN ISOLATION LEVEL REPEATABLE READ"
# A commit joins whole sets of rows; of a table without statistics one row is expected, and a loop in a loop planned.
COMMITS = f"{WRITES}; SET LOCAL enable_nestloop = off"
# With fewer digits a float's text is not its own; the SELECT takes the snapshot. All of it is one round trip.
LOCAL = "SET LOCAL TimeZone = 'UTC'; SET LOCAL extra_float_digits = 1; SELECT 1"
# Who waits for the lock sees what the one before it has committed.
CREATES = "BEGIN ISOLATION LEVEL READ COMMITTED"
_LOCK = 7_250_193_110_846_552


class PostgresWarehouse:
    """Tables of one PostgreSQL database, for any number of machines.

    ``translator``: translates queries and conditions into PostgreSQL's SQL; None: they are written in it.
    """

    scope: Scope = "partition"

    def __init__(
        self, url: str, *, connections_max: int = CONNECTIONS_MAX, connect_timeout_s: float = CONNECT_TIMEOUT_S,
        statement_timeout_s: float = STATEMENT_TIMEOUT_S, translator: Translator | None = None,
    ) -> None:  # fmt: skip
        self._translator, self._known = translator, dict[str, dict[str, str]]()
        address = parse_address(url)
        self._pool = Pool(
            address, what=WAREHOUSE.name, connections_max=connections_max, connect_timeout_s=connect_timeout_s,
            statement_timeout_s=statement_timeout_s, greet=check_of(WAREHOUSE, address=address),
        )  # fmt: skip

    def prepare(
        self, draft: Draft, /, *, partition: str, store_id: str, params: Params, beside: Collection[str] = ()
    ) -> None:
        """Create what a write needs, where it is absent."""
        with self._session(READS, "read") as session:
            reader = SqlReader(session, sql=SQL, own_sql=OWN)
            if reader.is_prepared(Part(draft.table.name, partition)):
                check_shape(draft.table, reader.types_of(draft.table))
                return
            begun = reader.has_own_tables()
        with self._creating(begun=begun) as tx:
            tx.create(draft.table, sql=draft.sql or None, params=params)
            known = {name for name in beside if tx.session.has(name)}
            tx.add_fences({draft.table.name, *known}, partition=partition, store_id=store_id)
            self._drop_expired(tx)

    def create(self, table: Table, /, *, sql: str | None = None, params: Params | None = None) -> None:
        """Create an empty table to be read, if it is absent."""
        with self._session(READS, "read") as session:
            reader = SqlReader(session, sql=SQL, own_sql=OWN)
            if reader.types_of(table):
                return
            begun = reader.has_own_tables()
        with self._creating(begun=begun) as tx:
            if not tx.types_of(table):
                tx.create(table, sql=sql, params=params or {})

    def shapes(self, drafts: Sequence[Draft], params: Params, /) -> list[DraftShape]:
        """Return the shape of each draft.

        Of a SELECT it is known if the tables that it reads are stored.
        """
        return [self._shape(draft, params) for draft in drafts]

    def _shape(self, draft: Draft, params: Params) -> DraftShape:
        table = draft.table
        if table.columns:
            words = {name: dialect.plain_type(table.columns[name]) for name in stored(table.columns, table=table)}
            return DraftShape(columns=words)
        if not draft.sql:
            return DraftShape()
        try:
            with self._session(READS, "read") as session:
                text, bound = session.select(draft.sql, params, what=f"SQL for table {table.name}")
                yielded = session.describe(text, bound, what=f"SQL for table {table.name}")
        except BadInput:
            return DraftShape()
        return DraftShape(columns={name: yielded[name] for name in stored(yielded, table=table)})

    def reshape(self, table: Table, change: Difference, /, *, columns: Mapping[str, str], store_id: str) -> bool:
        """Change the columns and the recorded key; see ``Warehouse.reshape``."""
        with suppress(_Undone), self._writing() as tx:
            if not tx.reshape(table, change, columns=columns, store_id=store_id):
                raise _Undone
            return True
        return False

    def stage(
        self, table: Table, /, *, partition: str, version_max: float, reads: Sequence[InputRead] = (),
        sql: str | None = None, params: Params | None = None, rows: Iterable[Row] = (),
    ) -> "PostgresStaging":  # fmt: skip
        """Return a staging of the rows of a SELECT, or of these rows."""

        def fill(verbs: SqlStaging) -> Stage:
            if sql is None:
                return verbs.stage_rows(table, rows)
            return verbs.stage_query(table, sql, params or {})

        return PostgresStaging(self._session, reads=reads, fill=fill, partition=partition, version_max=version_max)

    def commit(self, write: Write, staging: Staging, /) -> WriteAnswer:
        """Write the staged rows in one transaction; see ``Warehouse.commit``."""
        assert isinstance(staging, PostgresStaging)
        return staging.commit(write)

    def change_fence(self, part: Part, /, *, token: int, store_id: str, holders: Sequence[str]) -> bool:
        """Change a fence row, and nothing else; return whether."""
        with self._writing() as tx:
            return tx.change_fence(part, token=token, store_id=store_id, holders=holders)

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Open a read-only snapshot."""
        with self._session(READS, "read") as session:
            yield SqlReader(session, sql=SQL, own_sql=OWN, translator=self._translator)

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Return the receipt of a write, if it was committed."""
        with self._session(READS, "read") as session:
            return SqlReader(session, sql=SQL, own_sql=OWN).find_write(write_id)

    def adopt(self, parts: Iterable[Part] | None, /, *, store_id: str, holder: str) -> dict[Part, int]:
        """Write our store id and a holder into fence rows; return their tokens."""
        with self._writing() as tx:
            return tx.adopt(parts, store_id=store_id, holder=holder)

    def close(self) -> None:
        """Close the idle connections; a later use opens new ones."""
        self._pool.close()

    @contextmanager
    def _session(self, mode: str, purpose: Purpose) -> Iterator[PostgresSession]:
        """Open a transaction; leaving the block commits, an exception rolls back."""
        with self._pool.connection(purpose) as connection:
            session = PostgresSession(connection, known=self._known)
            try:
                connection.execute(f"{mode}; {LOCAL}".encode())
                yield session
                session.check()
                connection.execute("COMMIT")
            except (PhasegateError, _Undone) as error:
                _roll_back(connection)
                raise error

    @contextmanager
    def _writing(self) -> Iterator[SqlTransaction]:
        with self._session(WRITES, "write") as session:
            yield SqlTransaction(session, sql=SQL, own_sql=OWN)

    @contextmanager
    def _creating(self, *, begun: bool) -> Iterator[SqlTransaction]:
        """Open a transaction that creates tables; others wait for it.

        ``begun``: our own tables are there.
        """
        if not begun:
            migrate(self._pool, WAREHOUSE)
        with self._session(CREATES, "write") as session:
            session.run(f"SELECT pg_advisory_xact_lock({_LOCK})", what="the lock of new tables")
            session.change(CREATE_STAGING, what="the schema of staging tables")
            yield SqlTransaction(session, sql=SQL, own_sql=OWN)

    @staticmethod
    def _drop_expired(tx: SqlTransaction) -> None:
        """Drop the staging tables of processes that have ended.

        Those of a role that this one is not stay: it may not drop them.
        """
        found = f"""SELECT tablename FROM pg_tables WHERE schemaname = '{STAGING}'
            AND pg_has_role(tableowner, 'USAGE')"""
        for (name,) in tx.session.run(found, what="staging tables"):
            made = re.fullmatch(r"[a-z]+_(\d+)_[0-9a-f]+", str(name))
            if made is not None and int(made[1]) < time.time() - EXPIRES_S:
                tx.session.change(f"DROP TABLE IF EXISTS {STAGING}.{name}", what="staging tables")


def migrate_warehouse(url: str, /, *, connect_timeout_s: float = CONNECT_TIMEOUT_S) -> tuple[str, int, int]:
    """Create what Phasegate has of its own beside tables in a database.

    Or bring it to this version. Returns and raises as ``migrate_at``.
    """
    return migrate_at(url, WAREHOUSE, connect_timeout_s=connect_timeout_s)


class _Undone(Exception):
    """A transaction has nothing to commit."""


def _roll_back(connection: "psycopg.Connection") -> None:
    if not connection.closed:
        connection.execute("ROLLBACK")


class PostgresStaging:
    """A staging; see ``warehouse.Staging``."""

    def __init__(
        self, session: Sessions, *, reads: Sequence[InputRead],
        fill: Callable[[SqlStaging], Stage], partition: str, version_max: float,
    ) -> None:  # fmt: skip
        self._open, self._reads, self._fill = session, reads, fill
        self._partition, self._version_max = partition, version_max
        self._working: PostgresSession | None = None
        self._stage: Stage | None = None
        self._made: list[str] = []
        self._stopped = False
        self.stamps: Sequence[Mapping[str, Stamp]] = []
        self.counts = Staged(rows=0)

    def __enter__(self) -> Self:
        """Take the stamps, stage the rows and count them, in one snapshot."""
        try:
            with self._session(WRITES, "read") as session:
                verbs = SqlStaging(session, sql=SQL, own_sql=OWN)
                self.stamps = verbs.stamps(self._reads)
                stage = self._fill(verbs)
                self.counts = verbs.inspect(stage, partition=self._partition, version_max=self._version_max)
                self._stage = stage
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Drop the staging tables; those that stay expire."""
        self._stopped = False
        if self._made:
            with suppress(PhasegateError), self._session(CREATES, "write") as session:
                self._drop(session)
            self._made = []

    def _drop(self, session: PostgresSession) -> None:
        """Drop the staging tables in a transaction."""
        session.change(f"DROP TABLE IF EXISTS {', '.join((*self._made, *session.made))}", what="staging tables")

    def interrupt(self) -> None:
        """Stop what runs, from any thread; staging and commit then fail."""
        self._stopped = True
        if self._working is not None:
            self._working.interrupt()

    def commit(self, write: Write, /) -> WriteAnswer:
        """Write the staged rows."""
        assert self._stage is not None, "a commit is inside the block of its staging"
        answer: WriteAnswer | None = None
        with suppress(_Undone), self._session(COMMITS, "write") as session:
            tx = SqlTransaction(session, sql=SQL, own_sql=OWN)
            tx.take(self._stage)
            # A server that crashed since has emptied the table, which is in no log.
            ((rows,),) = session.run(f"SELECT count(*) FROM {self._stage.name}", what="staged rows")
            if rows != self._stage.rows:
                raise Conflict(f"the rows staged for {self._stage.table.name} are gone; stage them again")
            answer = commits.run(tx, write)
            if not isinstance(answer, Written):
                raise _Undone
            self._drop(session)
        if isinstance(answer, Written):
            self._made.clear()
        assert answer is not None
        return answer

    @contextmanager
    def _session(self, mode: str, purpose: Purpose) -> Iterator[PostgresSession]:
        if self._stopped:
            raise Unavailable("the transaction was interrupted; nothing was written")
        with ExitStack() as stack:
            session = stack.enter_context(self._open(mode, purpose))
            self._working = session
            try:
                yield session
            finally:
                self._working = None
                self._made += session.made
