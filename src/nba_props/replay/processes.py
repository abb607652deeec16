"""Bodies that run at the same time, each as a process of its own: it may die, and is started again.

Whoever stops the replay stops them all, and none is left at work. Nothing runs in the caller's thread: there an
interrupt would fall into a query, and be taken for its failure.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from phasegate import SkippingClock, SystemClock
from phasegate.testing import Crashes

A = TypeVar("A")
WAKE_S = 0.1
"""A signal that comes just before a thread begins to wait does not wake it."""


class Processes:
    """Threads that play processes. `stopping` is set once somebody stops the replay: bodies end by themselves then."""

    def __init__(self, crashes: Crashes, *, clock: SkippingClock | SystemClock) -> None:
        self._crashes, self.clock = crashes, clock
        self.stopping = threading.Event()

    def at_once(self, bodies: Sequence[Callable[[], A]]) -> list[A]:
        """Run bodies at the same time and return their answers in any order; what one raised is raised again."""
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
            for ended in ends:  # not by `join`: one that is interrupted takes its thread for ended
                while not ended.wait(WAKE_S):
                    pass
        except BaseException:  # somebody stops the replay: whoever still writes ends first
            self.stopping.set()
            _await(threads, ends)
            raise
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return answers

    def wait_until(self, moment: float) -> None:
        """Let time pass: at once where the clock skips, else until somebody stops the replay."""
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
