"""Bodies that run at the same time, each as a separate process.

A body may crash, and is started again. Stopping the replay stops all of them, and none is left at work. Nothing runs
in the caller's thread: there an interrupt would occur inside a query, and be mistaken for its failure.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from phasegate import SkippingClock, SystemClock
from phasegate.testing import Crashes

A = TypeVar("A")
WAKE_S = 0.1
"""A signal just before a thread begins to wait does not wake it."""


class Processes:
    """Threads that play processes.

    `stopping` is set once the replay is stopped: bodies then end by themselves.
    """

    def __init__(self, crashes: Crashes, *, clock: SkippingClock | SystemClock) -> None:
        self._crashes, self.clock = crashes, clock
        self.stopping = threading.Event()

    def at_once(self, bodies: Sequence[Callable[[], A]]) -> list[A]:
        """Run bodies at the same time, and return their results in any order.

        The first error of a body is raised.
        """
        answers: list[A] = []
        failures: list[BaseException] = []

        def run(body: Callable[[], A], ended: threading.Event) -> None:
            try:
                while not self._crashes.run(lambda: answers.append(body())):
                    pass  # its supervisor starts it again at once
            except BaseException as e:  # noqa: BLE001  raised again below, in the caller's thread
                failures.append(e)
            finally:
                ended.set()

        ends = [threading.Event() for _ in bodies]
        threads = [threading.Thread(target=run, args=pair) for pair in zip(bodies, ends, strict=True)]
        try:
            for thread in threads:
                thread.start()
            for ended in ends:  # not by `join`: an interrupted one treats its thread as ended
                while not ended.wait(WAKE_S):
                    pass
        except BaseException:  # the replay is stopped: bodies that still write end first
            self.stopping.set()
            _await(threads, ends)
            raise
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return answers

    def wait_until(self, moment: float) -> None:
        """Wait until a moment; a skipping clock moves there at once.

        Waiting ends early when the replay is stopped.
        """
        if isinstance(self.clock, SkippingClock):
            self.clock.skip_to(moment)
        else:
            self.stopping.wait(max(0.0, moment - self.clock.now()))


def _await(threads: Sequence[threading.Thread], ends: Sequence[threading.Event]) -> None:
    """Wait for the threads that were started."""
    for thread, ended in zip(threads, ends, strict=True):
        if thread.ident is not None:
            ended.wait()
            thread.join()
