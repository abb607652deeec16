"""LISTEN and NOTIFY as the wake-up of a bus whose store is PostgreSQL.

A pooler in transaction mode accepts LISTEN and never delivers, so each listening is probed with a NOTIFY of its own,
from another connection; where it does not arrive, waiting polls.
"""

import contextlib
import os
import secrets
import select
import socket
import threading
import time
from typing import TYPE_CHECKING

from phasegate.buses.wake import POLL_S, NoWake
from phasegate.errors import PhasegateError
from phasegate.ports import Clock
from phasegate.postgresql.address import parse_address
from phasegate.postgresql.pool import CONNECT_TIMEOUT_S, Pool

if TYPE_CHECKING:
    import psycopg

CHANNEL = "phasegate"
POKE = "poke"
PROBE_S = 1.0
AGAIN_S = 60.0
# More than threads wait would only make them look in vain.
POKES_MAX = 16
_UNDELIVERED = (
    "LISTEN is accepted and NOTIFY not delivered: a pooler in transaction mode stands between; give the URL of the "
    "server, or of a pool in session mode, to be woken at once"
)


class PostgresWake:
    """One listening connection for each process that waits.

    ``poke`` wakes all of them. The first ``wait`` listens and returns at once, because something may have been
    published before. While it cannot listen, waiting polls every ``poll_s``, ``polling_because`` has the reason, and
    listening is tried again every AGAIN_S.
    """

    def __init__(
        self, url: str, *, clock: Clock, poll_s: float = POLL_S, connect_timeout_s: float = CONNECT_TIMEOUT_S
    ) -> None:
        address = parse_address(url)
        self._pool = Pool(address, what="wake-up", connections_max=1, connect_timeout_s=connect_timeout_s)
        self.polling_because = ""
        self._clock, self._polling, self._poll_s = clock, NoWake(clock, poll_s=poll_s), poll_s
        self._changed = threading.Condition()
        self._listening: psycopg.Connection | None = None
        self._pid = os.getpid()
        self._inherited: list[psycopg.Connection | None] = []
        self._is_read = False
        self._pokes = 0
        self._again_at = float("-inf")

    def poke(self) -> None:
        """Wake every process that waits; never raise."""
        self._notify(POKE)

    def wait(self, timeout_s: float, /) -> bool:
        """Wait for a wake-up, the next poll or the timeout.

        Return whether something may have been published. One thread of a process reads; each wake-up ends the wait of
        one thread.
        """
        nap_s = max(0.0, min(timeout_s, self._poll_s))
        with self._changed:
            self._forget_parent()
            if self._is_read and not self._pokes:
                self._changed.wait_for(lambda: self._pokes or not self._is_read, nap_s)
            if self._took_poke():
                return True
            if self._is_read:
                return nap_s < timeout_s
            self._is_read = True
        try:
            return self._read(timeout_s, nap_s)
        finally:
            with self._changed:
                self._is_read = False
                self._changed.notify_all()

    def close(self) -> None:
        """Stop listening, and wake waiting threads; ``wait`` listens again."""
        with self._changed:
            self._forget_parent()
            listening, is_read, self._listening = self._listening, self._is_read, None
        if listening is not None and not listening.closed:
            # A shutdown wakes the thread in poll(), which then closes the connection; a close would not.
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(listening.fileno())) as duplicate:
                duplicate.shutdown(socket.SHUT_RDWR)
            if not is_read:
                listening.close()
        self._pool.close()

    def _read(self, timeout_s: float, nap_s: float) -> bool:
        """Listen for a wake-up, as the only thread of the process."""
        listening = self._listening
        if listening is None:
            if self._listen():
                return True
            return self._polling.wait(timeout_s)
        import psycopg

        try:
            found = _notices(listening, nap_s, until=POKE)
        except psycopg.Error as error:
            self._lose(listening, str(error))
            return True
        with self._changed:
            # Other words are probes.
            self._pokes = min(POKES_MAX, self._pokes + found.count(POKE))
            return self._took_poke() or nap_s < timeout_s

    def _listen(self) -> bool:
        """Listen, and return whether wake-ups arrive."""
        if self._clock.monotonic() < self._again_at:
            return False
        try:
            listening = self._pool.connect()
        except PhasegateError as error:
            self._poll_on(str(error))
            return False
        import psycopg

        word = secrets.token_hex(8)
        try:
            listening.execute(f"LISTEN {CHANNEL}".encode())
            arrived = self._notify(word) and word in _notices(listening, PROBE_S, until=word)
        except psycopg.Error as error:
            listening.close()
            self._poll_on(str(error))
            return False
        if not arrived:
            listening.close()
            self._poll_on(_UNDELIVERED)
            return False
        with self._changed:
            self._listening, self.polling_because = listening, ""
        return True

    def _notify(self, word: str) -> bool:
        try:
            with self._pool.connection("read") as connection:
                connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, word))
        except PhasegateError:
            # The message is stored; who waits polls.
            return False
        return True

    def _poll_on(self, because: str) -> None:
        self.polling_because, self._again_at = because, self._clock.monotonic() + AGAIN_S

    def _lose(self, listening: "psycopg.Connection", because: str) -> None:
        """Close a connection that ended; the next wait listens again."""
        listening.close()
        with self._changed:
            if self._listening is listening:
                self._listening, self.polling_because = None, because

    def _took_poke(self) -> bool:
        if not self._pokes:
            return False
        self._pokes -= 1
        return True

    def _forget_parent(self) -> None:
        """Leave the connection of the parent process alone, without closing it."""
        if self._pid != os.getpid():
            self._inherited.append(self._listening)
            self._listening, self._pid, self._pokes, self._is_read = None, os.getpid(), 0, False


def _notices(listening: "psycopg.Connection", timeout_s: float, *, until: str) -> list[str]:
    """Return the words that arrive, as soon as one is ``until``.

    Raises psycopg.Error when the connection has ended.
    """
    found: list[str] = []
    end, poller = time.monotonic() + timeout_s, select.poll()
    poller.register(listening.fileno(), select.POLLIN)
    while True:
        listening.pgconn.consume_input()
        while notice := listening.pgconn.notifies():
            found.append(notice.extra.decode())
        left_s = end - time.monotonic()
        if until in found or left_s <= 0:
            return found
        poller.poll(1000 * left_s)
