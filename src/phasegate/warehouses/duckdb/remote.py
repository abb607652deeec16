"""A DuckDB file that another process has open.

Each thread uses a connection of its own while a verb or a session runs; idle ones are used again.
"""

import os
import socket
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import cast

from phasegate import errors
from phasegate.base.table import Table
from phasegate.errors import Ambiguous, BadInput, Conflict, Unavailable
from phasegate.warehouse import Reader, Row
from phasegate.warehouses.duckdb.owner import COMMIT, ERROR, MOVED, ROLLBACK
from phasegate.warehouses.duckdb.staging import texts_of
from phasegate.warehouses.duckdb.wire import HELLO, Gone, NotServed, Wire, socket_of

HELLO_S = 5.0
_ERRORS = {kind.__name__: kind for kind in (Ambiguous, BadInput, Conflict, errors.NotFound, Unavailable)}


class Remote:
    """Connections to the process that has the file open.

    ``timeout_s``: how often a process that does not answer is checked.
    """

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        self.path, self._timeout_s = path, timeout_s
        self._idle: list[Wire] = []
        self._pid = os.getpid()
        weakref.finalize(self, _close_all, self._idle)

    def call(self, verb: str, *args: object, **kwargs: object) -> object:
        """Run a verb of the warehouse there, and return its answer.

        Raises Gone if the file is not open there any more; it may have been run.
        """
        with self._connected() as channel:
            return self.ask(channel, verb, *args, **kwargs)

    @contextmanager
    def snapshot(self, reopen: Callable[[], Reader]) -> Iterator["RemoteReader"]:
        """Open a snapshot there.

        ``reopen`` opens another one, if the process ends before this one was read. Raises Gone.
        """
        with self._connected() as channel:
            self.ask(channel, "snapshot")
            reader = RemoteReader(self, channel, reopen=reopen)
            try:
                yield reader
            finally:
                reader.end()

    @contextmanager
    def transaction(self) -> Iterator["RemoteTransaction"]:
        """Open a transaction there; leaving the block commits.

        Raises Gone when it cannot be opened, Conflict when the process ends before the commit, Ambiguous in it.
        """
        with self._connected() as channel:
            self.ask(channel, "transaction")
            tx = RemoteTransaction(self, channel)
            try:
                yield tx
            except BaseException:
                tx.roll_back()
                raise
            tx.commit()

    def ask(self, channel: Wire, verb: str, *args: object, **kwargs: object) -> object:
        """Send a request, wait for its answer and return it, or raise its error.

        The wait has no limit while the process answers others. Raises Gone.
        """
        channel.send((verb, tuple(map(_plain, args)), {name: _plain(arg) for name, arg in kwargs.items()}))
        while not channel.arrives(self._timeout_s):
            self._connect().close()
        answer = cast("tuple[object, ...]", channel.receive())
        if answer[0] == MOVED:
            raise Gone
        if answer[0] == ERROR:
            raise _ERRORS.get(str(answer[1]), RuntimeError)(str(answer[2]))
        return answer[1]

    def close(self) -> None:
        """Close the idle connections."""
        _close_all(self._idle)

    @contextmanager
    def _connected(self) -> Iterator[Wire]:
        """Lend a connection; it is closed unless its last request was answered."""
        if self._pid != os.getpid():
            # Those of the parent process; only these copies are closed.
            self.close()
            self._pid = os.getpid()
        channel = None
        with suppress(IndexError):
            channel = self._idle.pop()
        channel = channel or self._connect()
        try:
            yield channel
        except errors.PhasegateError:
            self._return(channel)
            raise
        except BaseException:
            channel.close()
            raise
        self._return(channel)

    def _return(self, channel: Wire) -> None:
        if channel.is_between:
            self._idle.append(channel)
        else:
            channel.close()

    def _connect(self) -> Wire:
        """Connect, and wait until the process answers.

        Raises NotServed if it belongs to another user or another version; Gone.
        """
        path = socket_of(self.path)
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end.settimeout(min(HELLO_S, self._timeout_s))
        try:
            if path.stat().st_uid != os.geteuid():
                raise NotServed
            end.connect(str(path))
        except (NotServed, PermissionError):
            end.close()
            raise NotServed from None
        except OSError as error:
            end.close()
            raise Gone from error
        end.settimeout(None)
        channel = Wire(end)
        try:
            if not channel.arrives(min(HELLO_S, self._timeout_s)):
                raise Gone
            if channel.receive() != HELLO:
                raise NotServed
        except BadInput:
            channel.close()
            raise NotServed from None
        except BaseException:
            channel.close()
            raise
        return channel


class RemoteReader:
    """A snapshot in another process; its verbs are those of a Reader."""

    def __init__(self, remote: Remote, channel: Wire, *, reopen: Callable[[], Reader]) -> None:
        self._remote, self._channel, self._reopen = remote, channel, reopen
        self._answered = False
        self._instead: Reader | None = None

    def __getattr__(self, verb: str) -> Callable[..., object]:
        """Return a verb."""
        return partial(self._call, verb)

    def end(self) -> None:
        """End the snapshot; that it has ended already does not matter."""
        if self._channel.is_between:
            with suppress(Gone):
                self._remote.ask(self._channel, ROLLBACK)

    def _call(self, verb: str, *args: object, **kwargs: object) -> object:
        if self._instead is None:
            try:
                answer = self._remote.ask(self._channel, verb, *args, **kwargs)
            except Gone as error:
                if self._answered:
                    raise Unavailable(f"{_ended(self._remote.path)} while it was read; read again") from error
                self._instead = self._reopen()
            else:
                self._answered = True
                return answer
        return cast("object", getattr(self._instead, verb)(*args, **kwargs))


class RemoteTransaction:
    """A transaction in another process; its verbs are those of a Transaction."""

    def __init__(self, remote: Remote, channel: Wire) -> None:
        self._remote, self._channel = remote, channel
        self._lost: errors.PhasegateError | None = None

    def __getattr__(self, verb: str) -> Callable[..., object]:
        """Return a verb."""
        return partial(self._call, verb)

    def stage_rows(self, table: Table, rows: Sequence[Row], /) -> None:
        """Stage given rows: they are checked here, and sent as texts."""
        types = cast("Mapping[str, str]", self._call("types_to_fill", table))
        self._call("stage_texts", table, list(texts_of(table, rows, types=types)))

    def interrupt(self) -> None:
        """Stop a running statement, from any thread; the transaction fails."""
        self._lost = Unavailable("the transaction was interrupted; nothing was written")
        self._channel.hang_up()

    def roll_back(self) -> None:
        """Drop what was not committed; the end of the connection does it too."""
        if self._lost is None and self._channel.is_between:
            with suppress(Gone, errors.PhasegateError):
                self._remote.ask(self._channel, ROLLBACK)

    def commit(self) -> None:
        """Commit; see ``Remote.transaction``."""
        if self._lost is not None:
            raise self._lost
        try:
            self._remote.ask(self._channel, COMMIT)
        except Gone as error:
            text = f"{_ended(self._remote.path)} during the commit; check whether it was written, then retry"
            raise Ambiguous(text) from error

    def _call(self, verb: str, *args: object, **kwargs: object) -> object:
        if self._lost is not None:
            raise self._lost
        try:
            return self._remote.ask(self._channel, verb, *args, **kwargs)
        except Gone as error:
            raise self._loss() from error

    def _loss(self) -> errors.PhasegateError:
        """Return why the connection ended."""
        if self._lost is None:
            self._lost = Conflict(f"{_ended(self._remote.path)}; nothing was written")
        return self._lost


def _close_all(channels: list[Wire]) -> None:
    while channels:
        channels.pop().close()


def _plain(arg: object) -> object:
    """Return an argument in a form that can be sent."""
    if isinstance(arg, Mapping):
        return dict(arg)
    return list(arg) if isinstance(arg, Iterable) and not isinstance(arg, str | bytes | tuple) else arg


def _ended(path: Path) -> str:
    return f"the process that had {path} open closed it"
