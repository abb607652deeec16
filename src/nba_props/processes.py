"""Bodies that run at the same time, each as a process of its own: it may die, and is started again.

Whoever stops the replay stops them all, and none is left at work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from phasegate.testing import Crashes


class Processes:
    """Threads that play processes. `stopping` is set once somebody stops the replay: bodies end by themselves then."""

    def __init__(self, crashes: Crashes) -> None:
        self._crashes = crashes
        self.stopping = threading.Event()

    def at_once(self, bodies: Sequence[Callable[[], bool]]) -> list[bool]:
        """Run bodies at the same time and return their answers in any order; what one raised is raised again."""
        answers: list[bool] = []
        failures: list[BaseException] = []
        ended = threading.Semaphore(0)

        def run(body: Callable[[], bool]) -> None:
            try:
                while not self._crashes.live(lambda: answers.append(body())):
                    pass  # its supervisor starts it again at once
            except BaseException as e:  # noqa: BLE001  raised again below, in the caller's thread
                failures.append(e)
            finally:
                ended.release()

        if len(bodies) == 1:
            run(bodies[0])
        else:
            threads = [threading.Thread(target=run, args=(body,)) for body in bodies]
            for thread in threads:
                thread.start()
            try:
                self._await(ended, count=len(bodies))
            finally:
                for thread in threads:
                    thread.join()
        if failures:
            raise failures[0]
        return answers

    def _await(self, ended: threading.Semaphore, *, count: int) -> None:
        """Wait for the end of so many threads. If somebody stops the replay, whoever still writes ends first.

        Not by ``join``: one that is interrupted takes its thread for ended.
        """
        left = count
        try:
            while left:
                ended.acquire()
                left -= 1
        except BaseException:
            self.stopping.set()
            for _ in range(left):
                ended.acquire()
            raise
