"""Which threads of this process have work in hand, so that an idle one can wait for what theirs leads to.

It refuses to decide what is worked on, and knows nothing of other processes: those answer for their own work.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
