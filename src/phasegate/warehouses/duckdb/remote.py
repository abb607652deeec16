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
from phasegate.base.receipt import Staged, Stamp
from phasegate.base.table import Table
from phasegate.errors import Ambiguous, BadInput, Conflict, Unavailable
from phasegate.warehouse import InputRead, Params, Reader, Row, Write, WriteAnswer
from phasegate.warehouses.duckdb.owner import END, ERROR, MOVED
from phasegate.warehouses.duckdb.session import texts_of
from phasegate.warehouses.duckdb.wire import HELLO, Gone, NotServed, Unsent, Wire, socket_of
from phasegate.warehouses.sql.cells import check_rows

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
    def staging(self, table: Table, /, *, partition: str, version_max: float) -> Iterator["RemoteStaging"]:
        """Open a staging there.

        Raises Gone when it cannot be opened.
        """
        with self._connected() as channel:
            self.ask(channel, "staging", table, partition=partition, version_max=version_max)
            staging = RemoteStaging(self, channel, table=table)
            try:
                yield staging
            finally:
                staging.end()

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
                self._remote.ask(self._channel, END)

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


class RemoteStaging:
    """A staging in another process.

    If that process ends, it raises Conflict: nothing was written. Once a commit was sent it raises Ambiguous.
    """

    def __init__(self, remote: Remote, channel: Wire, *, table: Table) -> None:
        self._remote, self._channel, self._table = remote, channel, table
        self._lost: errors.PhasegateError | None = None

    def open(self, reads: Sequence[InputRead], /) -> list[dict[str, Stamp]]:
        """Return the stamps of the reads."""
        return cast("list[dict[str, Stamp]]", self._call("open", reads))

    def fill_query(self, sql: str, params: Params, /) -> Staged:
        """Stage the rows of a SELECT."""
        return cast("Staged", self._call("fill_query", sql, params))

    def fill_rows(self, rows: Iterable[Row], /) -> Staged:
        """Stage given rows: they are checked here, and sent as texts."""
        types = dict(cast("Mapping[str, str]", self._call("types_to_fill")))
        checked = check_rows(self._table, rows, types=types)
        filled = {**types, self._table.tombstone: "BOOLEAN"} if self._table.tombstone else types
        for texts, is_last in texts_of(checked, filled):
            if is_last:
                break
            self._call("add_texts", texts)
        return cast("Staged", self._call("fill_texts", texts))

    def commit(self, write: Write, /) -> WriteAnswer:
        """Write the staged rows; see ``RemoteStaging``."""
        if self._lost is not None:
            raise self._lost
        try:
            return cast("WriteAnswer", self._remote.ask(self._channel, "commit", write))
        except Gone as error:
            if self._lost is None:
                text = f"{_ended(self._remote.path)} during the commit; check whether it was written, then retry"
                self._lost = self._nothing_written() if isinstance(error, Unsent) else Ambiguous(text)
            raise self._lost from error

    def interrupt(self) -> None:
        """Stop a running statement, from any thread; the staging fails."""
        self._lost = Unavailable("the transaction was interrupted; nothing was written")
        self._channel.hang_up()

    def end(self) -> None:
        """End the staging; the end of the connection does it too."""
        if self._lost is None and self._channel.is_between:
            with suppress(Gone, errors.PhasegateError):
                self._remote.ask(self._channel, END)

    def _call(self, verb: str, *args: object) -> object:
        if self._lost is not None:
            raise self._lost
        try:
            return self._remote.ask(self._channel, verb, *args)
        except Gone as error:
            if self._lost is None:
                self._lost = self._nothing_written()
            raise self._lost from error

    def _nothing_written(self) -> Conflict:
        return Conflict(f"{_ended(self._remote.path)}; nothing was written")


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
