"""The worker pool: the threads that work on one pipeline, in one process.

It decides when the threads are idle, how they stop, and which of them failed. What the work is, is the pipeline's.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from phasegate.errors import words
from phasegate.ports import Observer

THREADS_MAX = 64
JOIN_S = 0.2
Stop = Callable[[], bool]


def never() -> bool:
    """Return False: do not stop."""
    return False


class Unit:
    """One unit of work; ``done``: it did something, or ended in an error."""

    done = True


class WorkerPool:
    """Runs ``work_one`` in several threads, and detects when all are idle.

    ``work_one`` does one unit of work and returns whether there was any. ``work`` goes on until its argument returns
    True.
    """

    def __init__(self, *, work_one: Callable[[], bool], work: Callable[[Stop], None], observer: Observer) -> None:
        self._work_one, self._work, self._observer = work_one, work, observer
        self._changed = threading.Condition()
        self._busy = 0
        self._finished = 0

    def run(self, *, threads: int = 1, until_idle: bool = False, stop: Stop = never) -> tuple[str, ...]:
        """Work in ``threads`` threads until ``stop`` returns True.

        ``until_idle``: also stop when nothing can be done now. Each thread finishes its unit first. Returns the errors
        of threads that failed: one failure stops the others.
        """
        assert 1 <= threads <= THREADS_MAX, threads
        errors: list[str] = []

        def stopping() -> bool:
            return bool(errors) or stop()

        def work(number: int) -> None:
            try:
                if until_idle:
                    self.until_idle(stop=stopping)
                else:
                    self._work(stopping)
            except BaseException as e:  # noqa: BLE001  a failed thread ends the pool; its error is returned
                error = words(e)
                errors.append(f"worker {number} failed: {error}")
                self._observer.event("worker failed", worker=number, error=error)

        workers = [
            threading.Thread(target=work, args=(number,), name=f"phasegate-worker-{number}")
            for number in range(1, threads + 1)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():  # a join without limit may sleep through a signal
                worker.join(JOIN_S)
        return tuple(errors)

    def until_idle(self, *, units_max: int = 1_000_000, stop: Stop = never) -> int:
        """Work in the calling thread until nothing is left; return the units done.

        With several threads, each waits until no other has a unit in progress: a unit may lead to more work.
        """
        done = 0
        while done < units_max and not stop():
            seen = self._finished
            with self.unit() as unit:
                unit.done = self._work_one()
            if unit.done:
                done += 1
            elif not self.wait(seen):
                break
        return done

    @property
    def finished(self) -> int:
        """Return how many units have done something."""
        return self._finished

    @contextmanager
    def unit(self) -> Iterator[Unit]:
        """Count a unit as in progress during the block."""
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
        """Wait until ``finished`` is not ``seen``; return False if all are idle."""
        with self._changed:
            self._changed.wait_for(lambda: self._finished != seen or not self._busy)
            return self._finished != seen
