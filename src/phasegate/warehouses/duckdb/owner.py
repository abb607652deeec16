"""The process that has a DuckDB file open, as it serves the others.

Each connection has a thread, which runs the verbs of one other thread at a time. A verb never opens the file: once it
is closed, the answer is MOVED, and the other process opens it. When a client ends in a statement, the statement is
interrupted.
"""

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from phasegate.errors import BadInput, PhasegateError, words
from phasegate.warehouse import Reader
from phasegate.warehouses.duckdb.turns import Elsewhere
from phasegate.warehouses.duckdb.wire import HELLO, Gone, Wire, socket_of

A = TypeVar("A")
OK, ERROR, MOVED = "ok", "error", "moved"
END = "end"
# By the kind of a session, its verbs.
SESSIONS = {
    "snapshot": {name for name in dir(Reader) if not name.startswith("_")} | {"find_write"},
    "staging": {"open", "fill_query", "add_texts", "fill_texts", "types_to_fill", "commit"},
}
CALLS = ("prepare", "create", "adopt", "change_fence", "reshape")
_Request = tuple[str, tuple[object, ...], dict[str, object]]
POLL_S = 0.2
# How long a process that closes the file waits for sessions that can begin again elsewhere.
GRACE_S = 1.0


class Interruptible(Protocol):
    """Work that another thread can stop."""

    def interrupt(self) -> None:
        """Stop the running statement."""
        ...


@dataclass
class _Visit:
    """What one connection does now.

    ``restarts``: it loses nothing by beginning again, in another process.
    """

    channel: Wire
    work: Interruptible | None = None
    restarts: bool = True
    running: bool = False

    def stop(self) -> None:
        """End it: the client begins again."""
        self.channel.hang_up()
        if self.work is not None:
            self.work.interrupt()


class Owner:
    """Serves the file of this process to others.

    ``joined`` is a block in which the file stays open; it raises Elsewhere if it is not. ``local`` has the verbs.
    """

    def __init__(self, path: Path, *, local: object, joined: Callable[[], AbstractContextManager[object]]) -> None:
        self._path, self._local, self._joined = socket_of(path), local, joined
        self._changed = threading.Condition()
        self._visits: set[int] = set()
        self._channels: dict[int, _Visit] = {}
        self._listening: socket.socket | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Listen; the file's lock is held, so a socket found is a dead one's.

        Where no socket can be made (a path beyond an AF_UNIX address, a read-only folder), processes take turns.
        """
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.unlink(missing_ok=True)
            listening.bind(str(self._path))
            self._path.chmod(0o600)
            listening.listen(64)
        except OSError:
            listening.close()
            return
        self._listening = listening
        self._start(self._accept, listening)

    def stop(self) -> None:
        """Stop listening, and end the connections, which are idle."""
        with self._changed:
            listening, self._listening = self._listening, None
            visits = list(self._channels.values())
        if listening is None:
            return
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        for visit in visits:
            visit.channel.hang_up()

    def _start(self, work: Callable[[A], None], about: A) -> None:
        thread = threading.Thread(target=work, args=(about,), name="phasegate-owner", daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()

    def leave(self, *, timeout_s: float) -> None:
        """Wait until no other process uses the file here.

        After GRACE_S, what can begin again elsewhere is stopped; the rest has ``timeout_s``.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self._visits, GRACE_S):
                for descriptor in self._visits:
                    if self._channels[descriptor].restarts:
                        self._channels[descriptor].stop()
                self._changed.wait_for(lambda: not self._visits, timeout_s)
        if self._listening is None:
            # At the end of the process none must refer to the library's objects.
            for thread in self._threads:
                thread.join(GRACE_S)

    def _accept(self, listening: socket.socket) -> None:
        with closing(listening):
            while self._listening is listening:
                poller = select.poll()
                poller.register(listening, select.POLLIN)
                with self._changed:
                    running = {number: visit for number, visit in self._channels.items() if visit.running}
                for number in running:
                    poller.register(number, 0)  # its end only
                for number, _ in poller.poll(POLL_S * 1000):
                    if number in running:
                        self._interrupt(number, running[number])
                    else:
                        self._welcome(listening)

    def _interrupt(self, number: int, visit: _Visit) -> None:
        with self._changed:
            if self._channels.get(number) is visit and visit.running and visit.work is not None:
                visit.work.interrupt()
                visit.running = False

    def _welcome(self, listening: socket.socket) -> None:
        try:
            end, _ = listening.accept()
        except OSError:
            return  # stopped, or the client has gone
        self._start(self._serve, Wire(end))

    def _serve(self, channel: Wire) -> None:
        number, visit = channel.descriptor, _Visit(channel)
        with self._changed:
            self._channels[number] = visit
        try:
            with suppress(Gone):
                channel.send(HELLO)
                while self._do(visit, _request(channel)):
                    pass
        finally:
            with self._changed:
                del self._channels[number]
            channel.close()

    def _do(self, visit: _Visit, request: _Request) -> bool:
        """Serve one request; return whether the connection goes on."""
        verb, args, kwargs = request
        try:
            # The answer is sent before the file may be closed, and this process end.
            with self._visited(visit), self._joined():
                if verb in SESSIONS:
                    answer = _answer(lambda: self._session(visit, verb, args, kwargs))
                elif verb in CALLS:
                    answer = _answer(lambda: getattr(self._local, verb)(*args, **kwargs))
                else:
                    answer = (ERROR, "BadInput", f"{verb} is no verb of a warehouse")
                visit.channel.send(answer)
        except Elsewhere:
            visit.channel.send((MOVED,))
            return False
        return True

    @contextmanager
    def _visited(self, visit: _Visit) -> Iterator[None]:
        number = visit.channel.descriptor
        with self._changed:
            self._visits.add(number)
        try:
            yield
        finally:
            with self._changed:
                self._visits.discard(number)
                visit.work, visit.restarts, visit.running = None, True, False
                self._changed.notify_all()

    def _session(self, visit: _Visit, kind: str, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        """Run a staging or snapshot until the client ends it."""
        calls, channel = 0, visit.channel
        with getattr(self._local, kind)(*args, **kwargs) as work:
            visit.work = work
            channel.send((OK, None))
            while True:
                verb, given, named = _request(channel)
                if verb == END:
                    return
                calls += 1
                visit.restarts = kind == "staging" or calls == 1
                visit.running = True
                found = getattr(work, verb) if verb in SESSIONS[kind] else None
                answer = _answer(lambda: found(*given, **named)) if found else (ERROR, "BadInput", f"no verb {verb}")  # noqa: B023
                visit.running = False
                channel.send(answer)


def _request(channel: Wire) -> _Request:
    """Return the next request that can be read; any other is answered."""
    while True:
        try:
            match channel.receive():
                case (str(verb), tuple(args), dict(kwargs)):
                    return verb, args, kwargs
            raise Gone
        except BadInput as error:
            channel.send((ERROR, "BadInput", str(error)))


def _answer(work: Callable[[], object]) -> tuple[object, ...]:
    try:
        return OK, work()
    except (Gone, Elsewhere):
        raise
    except PhasegateError as error:
        return ERROR, type(error).__name__, str(error)
    except Exception as error:  # noqa: BLE001  any error is the client's; it is sent to it
        return ERROR, "", words(error)
