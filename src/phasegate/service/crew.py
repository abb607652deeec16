"""Several workers in one process: they stop together, and none dies unnoticed.

It refuses to decide what is worked on: that is the pipeline's. Several processes are simply several crews.
"""

import threading

from phasegate.errors import PhasegateError
from phasegate.service.pipeline import Pipeline

THREADS_MAX = 64
IDLE_PAUSE_S = 0.02


class Crew:
    """``threads`` workers on one pipeline. ``stop`` may be called from a signal handler: it takes no lock."""

    def __init__(self, pipeline: Pipeline, *, threads: int = 1) -> None:
        assert 1 <= threads <= THREADS_MAX, threads
        self._pipeline, self._threads = pipeline, threads
        self._stopping = False
        self._lock = threading.Lock()
        self._busy = 0
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
                self._work_until_idle()
            else:
                self._pipeline.work(self._stopped)
        except BaseException as e:  # noqa: BLE001  a thread's death must end the crew; it is told and returned
            error = str(e) if isinstance(e, PhasegateError) else f"{type(e).__name__}: {e}"
            self._deaths.append(f"worker {number} died: {error}")
            self.stop()
            self._pipeline.ports.observer.event("worker died", worker=number, error=error)

    def _work_until_idle(self) -> None:
        """Work until nothing can be done and nobody is in the middle of what could make more work."""
        while not self._stopping:
            self._count(1)
            try:
                done = self._pipeline.worker.work() or self._pipeline.sweeper.sweep() > 0
            finally:
                self._count(-1)
            if not done and self._busy == 0:
                return
            if not done:
                self._pipeline.ports.clock.sleep(IDLE_PAUSE_S)

    def _stopped(self) -> bool:
        return self._stopping

    def _count(self, change: int) -> None:
        with self._lock:
            self._busy += change
