"""The connections of a process to one PostgreSQL database.

A connection serves one statement, or one transaction, at a time and has no state of its own, so a pooler in
transaction mode may stand between. No thread, no log, no retry.
"""

import contextlib
import math
import os
import select
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from phasegate.errors import BadInput, Unavailable
from phasegate.postgresql.address import Address
from phasegate.postgresql.failures import Purpose, explained, refused

if TYPE_CHECKING:
    import psycopg

CONNECTIONS_MAX = 8
CONNECT_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 30.0
APPLICATION = "phasegate"


class Pool:
    """At most ``connections_max`` connections, opened when they are needed.

    ``what``: the word for the database in errors. ``greet``: called with each new connection; if it raises, the
    connection is closed. A forked child opens its own connections.
    """

    def __init__(
        self,
        address: Address,
        *,
        what: str,
        connections_max: int = CONNECTIONS_MAX,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        statement_timeout_s: float = STATEMENT_TIMEOUT_S,
        greet: "Callable[[psycopg.Connection], None] | None" = None,
    ) -> None:
        try:
            import psycopg  # noqa: F401  120 ms, and an extra: only who names a database needs it
        except ImportError as error:
            needs = f"{what} {address.shown} needs psycopg; run: pip install 'phasegate[postgresql]'"
            raise BadInput(needs) from error
        self.address, self.what = address, what
        self._connections_max, self._greet = connections_max, greet
        self._connect_timeout_s, self._statement_timeout_s = connect_timeout_s, statement_timeout_s
        self._takes_options = True
        self._open = _Connections(connections_max)
        self._inherited: list[_Connections] = []

    @contextlib.contextmanager
    def connection(self, purpose: Purpose) -> "Iterator[psycopg.Connection]":
        """Lend a connection for the block.

        Errors of PostgreSQL in the block are raised as ``explained`` says. Raises Unavailable if there is no
        connection in time.
        """
        import psycopg

        mine = self._mine()
        if not mine.turns.acquire(timeout=self._connect_timeout_s):
            used = f"all {self._connections_max} connections are in use for {self._connect_timeout_s:g} s"
            raise Unavailable(f"{self.what} {self.address.shown}: {used}; raise connections_max")
        try:
            connection = mine.take() or self.connect()
            try:
                yield connection
            except psycopg.Error as error:
                connection.close()
                raise explained(error, what=self.what, address=self.address, purpose=purpose) from error
            except BaseException:
                connection.close()
                raise
            mine.idle.append(connection)
        finally:
            mine.turns.release()
        if mine is not self._open:
            # Closed in the meantime.
            mine.close()

    def connect(self) -> "psycopg.Connection":
        """Return a new connection, which the caller closes.

        Raises Unavailable, BadInput.
        """
        import psycopg

        try:
            connection = self._connected()
        except psycopg.ProgrammingError as error:
            raise BadInput(f"{self.what} {self.address.shown}: {self.address.without_secrets(str(error))}") from error
        except psycopg.Error as error:
            raise refused(error, what=self.what, address=self.address) from error
        try:
            if self._greet is not None:
                self._greet(connection)
        except psycopg.Error as error:
            connection.close()
            raise explained(error, what=self.what, address=self.address, purpose="read") from error
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close the idle connections; a later use opens new ones."""
        before, self._open = self._mine(), _Connections(self._connections_max)
        before.close()

    def _connected(self) -> "psycopg.Connection":
        import psycopg

        given = self._parameters()
        if self._takes_options:
            timeout = f"-c statement_timeout={math.ceil(1000 * self._statement_timeout_s)}"
            options = f"{timeout} {self.address.options.get('options', '')}".rstrip()
            try:
                return self._dial({**given, "options": options})
            except psycopg.OperationalError as error:
                # PgBouncer takes no options of a session; statement_timeout is then that of the role.
                if "unsupported startup parameter" not in str(error):
                    raise
                self._takes_options = False
        return self._dial(given)

    def _dial(self, parameters: dict[str, str]) -> "psycopg.Connection":
        import psycopg

        # Named statements would be state of a session.
        return psycopg.connect(self.address.url, autocommit=True, prepare_threshold=None, **parameters)  # type: ignore[arg-type]

    def _parameters(self) -> dict[str, str]:
        """Return the parameters of libpq that the URL leaves open.

        Those of TCP end a connection whose server is gone without a word.
        """
        defaults = {
            "application_name": APPLICATION,
            "client_encoding": "UTF8",
            "connect_timeout": str(max(2, math.ceil(self._connect_timeout_s))),
            "target_session_attrs": "read-write",
            "keepalives_idle": "30",
            "keepalives_interval": "10",
            "keepalives_count": "3",
            "tcp_user_timeout": str(math.ceil(1000 * self._statement_timeout_s)),
        }
        return {name: value for name, value in defaults.items() if name not in self.address.options}

    def _mine(self) -> "_Connections":
        """Return this process's connections.

        Those of its parent are stored, but never used and never closed.
        """
        if self._open.pid != os.getpid():
            self._inherited.append(self._open)
            self._open = _Connections(self._connections_max)
        return self._open


class _Connections:
    """The idle connections of one process, and the turns of those in use."""

    def __init__(self, connections_max: int) -> None:
        self.pid = os.getpid()
        self.idle: list[psycopg.Connection] = []
        self.turns = threading.BoundedSemaphore(connections_max)

    def take(self) -> "psycopg.Connection | None":
        """Return an idle connection that the server has not ended."""
        while True:
            try:
                connection = self.idle.pop()
            except IndexError:
                return None
            if _is_quiet(connection):
                return connection
            connection.close()

    def close(self) -> None:
        while True:
            try:
                self.idle.pop().close()
            except IndexError:
                return

    def __del__(self) -> None:
        # A command that only reads ends without closing its store.
        if self.pid == os.getpid():
            self.close()


def _is_quiet(connection: "psycopg.Connection") -> bool:
    """Return whether a connection can be used.

    Between statements a server says nothing, except that it ends the connection. Without this look a write on it would
    be Ambiguous.
    """
    if connection.closed:
        return False
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN)
    return not poller.poll(0)
