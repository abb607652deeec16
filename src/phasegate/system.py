"""The machine's clock, threads, random ids and disk."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from phasegate.base.disk import Disk
from phasegate.ports import Observer


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


def new_id() -> str:
    """Return a unique id: 96 random bits in hex."""
    return os.urandom(12).hex()


def disk_of(state: Path, warehouse: Path) -> Disk:
    """Return the free and total bytes of the fuller file system.

    That of the state or of the warehouse's folder, if there is one. Raises OSError if they cannot be read.
    """
    import shutil  # with its compressors it takes longer than the rest of this module

    folders = [state, warehouse] if warehouse.is_dir() else [state]
    usages = [(shutil.disk_usage(folder), folder) for folder in folders]
    usage, path = min(usages, key=lambda one: one[0].free)
    return Disk(path=str(path), free=usage.free, total=usage.total)


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
