"""Several workers in one process: they stop together, and none dies unnoticed.

It refuses to decide what is worked on: that is the pipeline's. Several processes are simply several crews.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from phasegate.errors import words

if TYPE_CHECKING:
    from phasegate.pipeline import Pipeline

THREADS_MAX = 64
IDLE_PAUSE_S = 0.02


class Crew:
    """``threads`` workers on one pipeline. ``stop`` may be called from a signal handler: it takes no lock."""

    def __init__(self, pipeline: "Pipeline", *, threads: int = 1) -> None:
        assert 1 <= threads <= THREADS_MAX, threads
        self._pipeline, self._threads = pipeline, threads
        self._stopping = False
        self._lock = threading.Lock()
        self._done = 0
        self._found_nothing: dict[int, int] = {}
        self._deaths: list[str] = []

    def stop(self) -> None:
        """Have every worker finish the unit in hand, give back its lease, and end."""
        self._stopping = True

    def work(self, *, until_idle: bool = False) -> tuple[str, ...]:
        """Work in all threads until ``stop``, or until nothing can be done now.

        Return what each worker died of: one that dies of an error stops the others, and is told to the observer.
        """
        workers = [
            threading.Thread(target=self._work, args=(number, until_idle), name=f"phasegate-worker-{number}")
            for number in range(1, self._threads + 1)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return tuple(self._deaths)

    def _work(self, number: int, until_idle: bool) -> None:
        try:
            if until_idle:
                self._work_until_idle(number)
            else:
                self._pipeline.work(self._stopped)
        except BaseException as e:  # noqa: BLE001  a thread's death must end the crew; it is told and returned
            error = words(e)
            self._deaths.append(f"worker {number} died: {error}")
            self.stop()
            self._pipeline.ports.observer.event("worker died", worker=number, error=error)

    def _work_until_idle(self, number: int) -> None:
        """Work until every worker has looked and found nothing since the last unit was done."""
        while not self._stopping:
            before = self._done
            if self._pipeline.work_one():
                with self._lock:
                    self._done += 1
            elif self._is_over(number, before):
                return
            else:
                self._pipeline.ports.clock.sleep(IDLE_PAUSE_S)

    def _is_over(self, number: int, before: int) -> bool:
        """Note that a worker found nothing, where ``before`` units were done; tell whether it may go."""
        with self._lock:
            self._found_nothing[number] = before
            over = len(self._found_nothing) == self._threads and set(self._found_nothing.values()) == {self._done}
            if over:
                del self._found_nothing[number]
                self._threads -= 1
        return over

    def _stopped(self) -> bool:
        return self._stopping


class Unit:
    """One look for work; ``done`` says whether there was any. It stays True when the look ends in an error."""

    done = True


class Hands:
    """Counts the looks for work that are under way, and those that did something."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy = 0
        self._finished = 0

    @property
    def finished(self) -> int:
        """Return how many looks did something so far."""
        return self._finished

    @contextmanager
    def unit(self) -> Iterator[Unit]:
        """Have a look for work in hand during the block."""
        unit = Unit()
        with self._changed:
            self._busy += 1
        try:
            yield unit
        finally:
            with self._changed:
                self._busy -= 1
                self._finished += unit.done
                self._changed.notify_all()

    def wait(self, seen: int, /) -> bool:
        """Wait until another look did something since ``seen``, and return True; False once nobody is at it."""
        with self._changed:
            self._changed.wait_for(lambda: self._finished != seen or not self._busy)
            return self._finished != seen
