"""The machine's clock, threads, printed output, random ids and disk."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from phasegate.base.disk import Disk
from phasegate.ports import Observer, Sink


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Return epoch seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float, /) -> None:
        """Wait."""
        time.sleep(seconds)


class SkippingClock:
    """A clock for replays: ``sleep`` moves it on at once, so nothing waits.

    This is safe, since no promise rests on clocks. It starts at ``start`` (epoch seconds), or at the real time.
    """

    def __init__(self, start: float | None = None) -> None:
        self._ahead = 0.0 if start is None else start - time.time()
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return epoch seconds, skipped time included."""
        return time.time() + self._ahead

    def monotonic(self) -> float:
        """Return seconds that never go back, skipped time included."""
        return time.monotonic() + self._ahead

    def sleep(self, seconds: float, /) -> None:
        """Wait for at most a millisecond and move the clock on by the rest."""
        time.sleep(min(seconds, 0.001))
        with self._lock:
            self._ahead += max(0.0, seconds - 0.001)

    def skip_to(self, moment: float) -> None:
        """Move the clock on to a moment, if that is ahead."""
        with self._lock:
            self._ahead += max(0.0, moment - self.now())


def user_name() -> str:
    """Return who runs this process, and where: ``NAME@HOST``.

    The account as the machine knows it, whatever the variables say.
    """
    import platform  # what most processes never ask for
    import pwd

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # an account without a name, as containers have
        name = f"uid {os.getuid()}"
    return f"{name}@{platform.node() or 'unknown host'}"


def new_id() -> str:
    """Return a unique id: 96 random bits in hex."""
    return os.urandom(12).hex()


def disks_of(state: Path, warehouse: Path | None) -> tuple[Disk, ...]:
    """Return the file systems of the state and of the warehouse's folder.

    One if both are on the same, or if there is no such folder; None: the warehouse is on a server, whose disks are not
    looked at. Raises OSError if they cannot be read.
    """
    import shutil  # with its compressors it takes longer than the rest of this module

    beside = [warehouse] if warehouse is not None and warehouse.is_dir() else []
    folders = {folder.stat().st_dev: folder for folder in (*beside, state)}
    usages = [(folder, shutil.disk_usage(folder)) for folder in folders.values()]
    return tuple(Disk(path=str(folder), free=usage.free, total=usage.total) for folder, usage in usages)


class ThreadBackground:
    """Runs each repeated call in a daemon thread of its own."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def every(self, seconds: float, tick: Callable[[], bool], /) -> Callable[[], None]:
        """Call ``tick`` every ``seconds`` of real time.

        It ends when ``tick`` returns False, or by the function that this returns.
        """
        stopped = threading.Event()

        def run() -> None:
            while not stopped.wait(seconds):
                try:
                    if not tick():
                        return
                except Exception as e:  # noqa: BLE001  a heartbeat goes on; the error is reported
                    self._observer.event("background failed", error=f"{type(e).__name__}: {e}")

        thread = threading.Thread(target=run, name="phasegate-heartbeat", daemon=True)
        thread.start()

        def stop() -> None:
            stopped.set()
            thread.join()

        return stop


class _Routed:
    """A stream in place of ``sys.stdout`` or ``sys.stderr``.

    What a collecting thread writes goes to its sink, and to standard error. What other threads write goes on as before.
    """

    def __init__(self, stream: TextIO, *, errors: TextIO, sinks: dict[int, Sink]) -> None:
        self._stream, self._errors, self._sinks = stream, errors, sinks

    def write(self, text: str, /) -> int:
        """Write a text where the calling thread's belongs."""
        sink = self._sinks.get(threading.get_ident())
        if sink is None:
            return self._stream.write(text)
        sink(text)
        shown = text.encode(self._errors.encoding or "utf-8", errors="backslashreplace")
        self._errors.write(shown.decode(self._errors.encoding or "utf-8"))
        return len(text)

    def __getattr__(self, name: str) -> object:
        collects = threading.get_ident() in self._sinks
        return getattr(self._errors if collects else self._stream, name)


class PrintedOutput:
    """Collects what threads print, each for itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sinks: dict[int, Sink] = {}
        self._before: tuple[TextIO, TextIO] | None = None
        self._ours: tuple[object, object] | None = None

    @contextmanager
    def into(self, sink: Sink, /) -> Iterator[None]:
        """Pass what the calling thread prints during the block to ``sink`` too.

        Its standard output goes to standard error, so that it never mixes with the data of a command.
        """
        me = threading.get_ident()
        with self._lock:
            if not self._sinks:
                self._install()
            self._sinks[me] = sink
        try:
            yield
        finally:
            with self._lock:
                del self._sinks[me]
                if not self._sinks:
                    self._remove()

    def _install(self) -> None:
        out, err = sys.stdout, sys.stderr
        if out is None or err is None:  # a process without a console: there is nothing to route
            return
        ours = _Routed(out, errors=err, sinks=self._sinks), _Routed(err, errors=err, sinks=self._sinks)
        self._before, self._ours = (out, err), ours
        sys.stdout, sys.stderr = ours

    def _remove(self) -> None:
        """Put the streams back, unless another has been put in place since."""
        if self._before is None or self._ours is None:
            return
        if sys.stdout is self._ours[0]:
            sys.stdout = self._before[0]
        if sys.stderr is self._ours[1]:
            sys.stderr = self._before[1]
        self._before = self._ours = None
