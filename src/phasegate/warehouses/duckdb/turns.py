"""One file that several processes open in turns, under a lock.

The threads of the process that has the file open share it. Two lock files are beside it: ``.lock`` is held while the
file is open, ``.turn`` by the one process that waits for it. So the holder sees that a process waits, lets its running
users finish, closes, and queues up again behind the waiter: none starves. Both are advisory locks on open files
(flock): when a process is killed the system releases them. Waiting is bounded, and polls, because flock has no time
limit. Two objects on one path take turns as processes do.

A process that the holder can serve need not wait: it is sent Elsewhere. What is done with the file is not decided here,
and nothing is retried.
"""

import atexit
import fcntl
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from phasegate.base.disk import FULL, is_full
from phasegate.errors import Unavailable

T = TypeVar("T")
PAUSE_MIN_S, PAUSE_MAX_S = 0.001, 0.02
# How long a process that waits is not noticed: it may only be about to find that it is served.
TURN_MIN_S = 0.05


class Elsewhere(Exception):
    """The file is open in another process that serves it, or not open here."""


@dataclass
class _Open(Generic[T]):
    """The opened file: the thing, which file on disk it is, and its users."""

    thing: T
    lock: int
    identity: tuple[int, int] | None
    users: dict[int, int] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)
    idle_since: float = 0.0
    leaving: bool = False


class Turns(Generic[T]):
    """Opens, shares and closes the thing at ``path``; see the module."""

    def __init__(
        self,
        path: Path,
        *,
        lock_timeout_s: float,
        hold_s: float,
        open_thing: Callable[[], T],
        close_thing: Callable[[T], None],
        is_served: Callable[[], bool] = lambda: False,
    ) -> None:
        self._path, self._timeout_s, self._hold_s = path, lock_timeout_s, hold_s
        self._open_thing, self._close_thing, self._is_served = open_thing, close_thing, is_served
        self._forked: _Open[T] | None = None
        self._start()
        # Closes the file at exit while its library still works; the weak reference does not keep this object alive.
        atexit.register(_stop, weakref.ref(self))

    def _start(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._opened: _Open[T] | None = None
        self._opening = False
        self._idler: threading.Thread | None = None

    @contextmanager
    def use(self, *, patient: bool = True, opens: bool = True) -> Iterator[T]:
        """Yield the open thing while the block runs; a thread may nest its uses.

        Raises Unavailable when the lock was not free within ``lock_timeout_s``, or the file cannot be opened. Unless
        ``patient``, raises Elsewhere when another process has it open and serves it; unless it ``opens``, also when it
        is not open here.
        """
        self._check_fork()
        opened = self._join(patient=patient, opens=opens)
        try:
            yield opened.thing
        finally:
            self._leave(opened)

    def _check_fork(self) -> None:
        """Refuse a child that was forked while the file was open.

        The library's threads do not exist in the child.
        """
        if self._pid != os.getpid():
            inherited = self._opened
            self._start()
            if inherited is not None:
                # Without unlocking: the lock is the parent's, this is only a copy of its descriptor.
                os.close(inherited.lock)
                self._forked = inherited
        if self._forked is not None:
            raise Unavailable(
                f"this process was forked while {self._path} was open; start workers by spawn, or before the first use"
            )

    def discard(self) -> None:
        """Close as soon as the last user has left.

        For a file that is broken, or no longer wanted.
        """
        with self._changed:
            if self._opened is not None:
                self._opened.leaving = True
                self._close_if_idle(self._opened)

    def stop(self) -> None:
        """Discard, and wait a moment until no thread refers to it.

        For the end of the process.
        """
        self.discard()
        if self._idler is not None and self._opened is None:
            self._idler.join(1.0)

    def _join(self, *, patient: bool, opens: bool) -> _Open[T]:
        deadline = time.monotonic() + self._timeout_s
        me = threading.get_ident()
        with self._changed:
            while True:
                opened = self._opened
                if opened is not None:
                    if me in opened.users or not self._should_leave(opened):
                        opened.users[me] = opened.users.get(me, 0) + 1
                        return opened
                    opened.leaving = True
                    self._close_if_idle(opened)
                if not opens and not self._opening:
                    raise Elsewhere
                if self._opened is None and not self._opening:
                    self._opening = True
                    break
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise Unavailable(
                        f"{self._path} stayed busy in this process for {self._timeout_s:g} s; "
                        "run fewer writers at once, or raise lock_timeout_s"
                    )
        return self._open(deadline, me=me, patient=patient)

    def _open(self, deadline: float, *, me: int, patient: bool) -> _Open[T]:
        opened: _Open[T] | None = None
        lock = None
        try:
            lock = self._take_turn(deadline, patient=patient)
            thing = self._open_thing()
            opened = _Open(thing, lock, _identity(self._path), {me: 1})
        finally:
            if opened is None and lock is not None:
                _unlock(lock)
            with self._changed:
                self._opening, self._opened = False, opened
                self._changed.notify_all()
        if self._hold_s > 0:
            self._idler = threading.Thread(target=self._close_when_idle, args=(opened,), daemon=True)
            self._idler.start()
        return opened

    def _leave(self, opened: _Open[T]) -> None:
        with self._changed:
            me = threading.get_ident()
            opened.users[me] -= 1
            if not opened.users[me]:
                del opened.users[me]
            if not opened.users:
                opened.idle_since = time.monotonic()
                opened.leaving = opened.leaving or self._hold_s <= 0 or self._should_leave(opened)
                self._close_if_idle(opened)
            self._changed.notify_all()

    def _should_leave(self, opened: _Open[T]) -> bool:
        """Return whether new users must wait.

        They must when it is closing, another process waits, or the file was replaced.
        """
        return opened.leaving or self._is_waited_for(opened) or _identity(self._path) != opened.identity

    def _close_if_idle(self, opened: _Open[T]) -> None:
        if opened.leaving and not opened.users and self._opened is opened:
            self._opened = None
            try:
                self._close_thing(opened.thing)
            finally:
                _unlock(opened.lock)
                self._changed.notify_all()

    def _close_when_idle(self, opened: _Open[T]) -> None:
        with self._changed:
            while self._opened is opened:
                left = opened.idle_since + self._hold_s - time.monotonic()
                if opened.users:
                    self._changed.wait()
                elif left > 0 and not self._is_waited_for(opened):
                    self._changed.wait(min(left, PAUSE_MAX_S))
                else:
                    opened.leaving = True
                    self._close_if_idle(opened)

    def _lock_path(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    def _is_waited_for(self, opened: _Open[T]) -> bool:
        return time.monotonic() - opened.since >= TURN_MIN_S and self._another_waits()

    def _another_waits(self) -> bool:
        with suppress(OSError):
            turn = os.open(self._lock_path(".turn"), os.O_RDWR)
            try:
                return not _try_lock(turn)
            finally:
                _unlock(turn)
        return False

    def _take_turn(self, deadline: float, *, patient: bool) -> int:
        """Queue up, wait for the holder to close, and lock the file.

        Return the descriptor that holds the lock.
        """
        if not patient and self._is_served() and self._is_held():
            raise Elsewhere  # before it queues up, for which the holder would close
        turn = self._wait_for(".turn", deadline, patient=patient)
        try:
            lock = self._wait_for(".lock", deadline, patient=patient)
        finally:
            _unlock(turn)
        with suppress(OSError):  # for the error text of a waiting process; a full disk must not release the lock
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return lock

    def _is_held(self) -> bool:
        with suppress(OSError):
            lock = os.open(self._lock_path(".lock"), os.O_RDWR)
            try:
                return not _try_lock(lock)
            finally:
                _unlock(lock)
        return False

    def _wait_for(self, suffix: str, deadline: float, *, patient: bool) -> int:
        path, pause = self._lock_path(suffix), PAUSE_MIN_S
        while True:
            try:
                lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            except FileNotFoundError as error:
                raise Unavailable(f"the folder {path.parent} does not exist; create it") from error
            except OSError as error:
                fix = FULL if is_full(str(error)) else "make its folder writable"
                raise Unavailable(f"cannot write {path}: {error.strerror}; {fix}") from error
            # A lock on a file that was deleted in between excludes no process: lock the file that is there now.
            status = os.fstat(lock)
            if _try_lock(lock) and _identity(path) == (status.st_dev, status.st_ino):
                return lock
            _unlock(lock)
            if not patient and self._is_served():
                raise Elsewhere
            if time.monotonic() >= deadline:
                raise Unavailable(self.busy())
            time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(pause * 1.5, PAUSE_MAX_S)

    def busy(self) -> str:
        """Return why the file could not be used in time."""
        holder = ""
        with suppress(OSError):
            holder = self._lock_path(".lock").read_text().strip()
        return (
            f"{self._path} is in use by process {holder or 'unknown'}, and was for {self._timeout_s:g} s; "
            "wait for that process, stop it, or raise lock_timeout_s"
        )


def _stop(turns: "weakref.ref[Turns[T]]") -> None:
    living = turns()
    if living is not None:
        living.stop()


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlock(descriptor: int) -> None:
    # After a close alone, a forked child's copy of the descriptor would still hold the lock.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _identity(file: Path) -> tuple[int, int] | None:
    """Return which file on disk this is, None when it does not exist."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
