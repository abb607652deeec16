"""A store in one SQLite file, for threads and processes of one machine.

Not for network file systems. A statement commits in WAL mode with synchronous=FULL: an answered write survives a crash
of the machine.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from phasegate.base.disk import FULL
from phasegate.errors import Ambiguous, BadInput, PhasegateError, Unavailable
from phasegate.stores.sql import Spelling, SqlStore, Statements

APPLICATION_ID = 0x50474154  # "PGAT", in the file's header: it distinguishes our files from foreign ones
SCHEMA = 1
BUSY_S = 10.0
IDLE_MAX = 16

_CREATE = (
    """CREATE TABLE documents (
        key TEXT NOT NULL PRIMARY KEY,
        version INTEGER NOT NULL,
        body TEXT NOT NULL CHECK (json_valid(body)),
        due REAL
    )""",
    "CREATE INDEX documents_due ON documents (due, key) WHERE due IS NOT NULL",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA}",
)
# One statement, so that the three are read in one snapshot.
_RECOGNISE = """SELECT (SELECT application_id FROM pragma_application_id),
    (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_master)"""
STATEMENTS = Statements(Spelling(
    table="documents", mark="?",
    # Otherwise the planner may choose the key's index and sort every document of the prefix, settled ones too.
    by_due=" INDEXED BY documents_due",
    beyond=b"",  # SQLite sorts every text before every BLOB
))  # fmt: skip

# What SQLite's result codes mean for the caller. After each of these the statement had no effect:
# an autocommit statement that raises was rolled back.
_PROBLEMS = {
    sqlite3.SQLITE_BUSY: "locked by another writer for more than {busy_s:g} s; stop that process, or raise busy_s",
    sqlite3.SQLITE_LOCKED: "locked by another writer for more than {busy_s:g} s; stop that process, or raise busy_s",
    sqlite3.SQLITE_PROTOCOL: "locked by too many processes at once; try again",
    sqlite3.SQLITE_READONLY: "read-only; give this user write permission on the file and on its directory",
    sqlite3.SQLITE_PERM: "not accessible; give this user read and write permission on the file and on its directory",
    sqlite3.SQLITE_CANTOPEN: "not open ({error}); give this user permission on the file and on its directory",
    sqlite3.SQLITE_NOTADB: "not a SQLite database; give another path",
    sqlite3.SQLITE_CORRUPT: "damaged; stop all processes and restore it from a backup",
    sqlite3.SQLITE_FULL: f"not writable, nothing was written: {FULL}",
    sqlite3.SQLITE_ERROR: "not usable ({error}); restore it from a backup",
    sqlite3.SQLITE_NOMEM: "not usable, memory ran out; nothing was written",
}


class SQLiteStore(SqlStore):
    """Documents in one file, created on first use.

    ``busy_s`` bounds the wait for another writer. Each thread uses its own connection while a verb runs; at most
    IDLE_MAX idle ones stay open for the next. A forked child opens its own.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_s: float = BUSY_S) -> None:
        """Open the file, or create it.

        Raises Unavailable, with the reason, if it cannot be used or belongs to another program.
        """
        if str(path).startswith(":memory:") or not str(path):
            raise BadInput("SQLiteStore needs a file that all connections share; for memory use MemoryStore")
        super().__init__(STATEMENTS)
        self.path, self.busy_s = Path(path), busy_s
        self._pool = _Pool()
        self._inherited: list[_Pool] = []
        with self._connection("read"):
            pass

    def close(self) -> None:
        """Release file and connections; a later use opens the store again."""
        pool, self._pool = self._mine(), _Pool()
        pool.close()

    def _fetch(self, statement: str, values: Sequence[object], /) -> list[tuple[Any, ...]]:
        with self._connection("read") as connection:
            return connection.execute(statement, values).fetchall()

    def _change(self, statement: str, values: Sequence[object], /) -> int:
        write_lock = self._mine().write_lock
        # The threads of one process write one at a time here; SQLite's own waiting is polling. Measured with 8 writing
        # threads (2 cores): 2,820 writes a second and 20 ms at worst for one, against 2,140 and 500 ms without this
        # lock.
        if not write_lock.acquire(timeout=self.busy_s):
            raise Unavailable(self._text(_PROBLEMS[sqlite3.SQLITE_BUSY]))
        try:
            with self._connection("write") as connection:
                return connection.execute(statement, values).rowcount
        finally:
            write_lock.release()

    @contextlib.contextmanager
    def _connection(self, purpose: Literal["read", "write"]) -> Iterator[sqlite3.Connection]:
        pool = self._mine()
        connection: sqlite3.Connection | None = None
        try:
            if pool.identity and pool.identity != self._stat():
                # Writes to a file that was replaced while open would be confirmed, and lost.
                raise Unavailable(self._text("no longer the file that was opened; restart this process"))
            connection = pool.take() or self._open()
            pool.identity = pool.identity or self._stat()
            yield connection
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.Error):
                raise self._explained(error, purpose) from error
            raise
        if pool is self._pool and len(pool.idle) < IDLE_MAX:
            pool.idle.append(connection)
        else:
            connection.close()

    def _mine(self) -> "_Pool":
        """Return this process's pool.

        Connections inherited through a fork are stored, but never used and never closed.
        """
        if self._pool.pid != os.getpid():
            self._inherited.append(self._pool)
            self._pool = _Pool()
        return self._pool

    def _stat(self) -> tuple[int, int]:
        try:
            found = self.path.stat()
        except OSError as error:
            raise Unavailable(self._text(f"gone ({error.strerror}); restore it, then restart this process")) from error
        return found.st_dev, found.st_ino

    def _open(self) -> sqlite3.Connection:
        try:
            if not self.path.parent.is_dir():
                raise Unavailable(f"store {self.path}: there is no directory {self.path.parent}; create it first")
            if self.path.is_dir():
                raise Unavailable(self._text("a directory; give the path of a file"))
        except PermissionError as error:
            text = self._text("in a directory that this user may not enter; give this user permission on it")
            raise Unavailable(text) from error
        connection = sqlite3.connect(self.path, timeout=self.busy_s, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            if self._is_new(connection):
                self._create(connection)
            self._use_wal(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _is_new(self, connection: sqlite3.Connection) -> bool:
        application, schema, tables = connection.execute(_RECOGNISE).fetchone()
        if application == APPLICATION_ID:
            if schema > SCHEMA:
                text = f"of a newer Phasegate (schema {schema}, this one reads {SCHEMA}); upgrade this process"
                raise Unavailable(self._text(text))
            return False
        if application or tables:
            raise Unavailable(self._text("the SQLite database of another program; give a path of its own"))
        return True

    def _create(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        if self._is_new(connection):
            for statement in _CREATE:
                connection.execute(statement)
        connection.execute("COMMIT")

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # SQLite does not wait here while another process makes the same switch (measured: 5 of 1,200 first
            # openings by 8 processes). The mode belongs to the file and every mode is correct, so nothing is lost.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise

    def _explained(self, error: sqlite3.Error, purpose: Literal["read", "write"]) -> PhasegateError:
        code = getattr(error, "sqlite_errorcode", None)
        problem = "not usable ({error})" if code is None else _PROBLEMS.get(code & 0xFF)
        if problem is not None:
            return Unavailable(self._text(problem, error))
        if purpose == "read":
            return Unavailable(self._text("not readable ({error}); check the disk, then try again", error))
        # An I/O error while committing: the frames may have reached the log nevertheless.
        return Ambiguous(f"store {self.path}: {error}; the write may or may not have happened: read again")

    def _text(self, problem: str, error: Exception | None = None) -> str:
        return f"store {self.path} is {problem.format(busy_s=self.busy_s, error=error)}"


class _Pool:
    """The idle connections of one process, and its write lock."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.idle: list[sqlite3.Connection] = []
        self.identity: tuple[int, int] | None = None
        self.write_lock = threading.Lock()

    def take(self) -> sqlite3.Connection | None:
        try:
            return self.idle.pop()
        except IndexError:
            return None

    def close(self) -> None:
        while connection := self.take():
            connection.close()
