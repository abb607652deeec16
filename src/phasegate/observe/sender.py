"""Sends what was observed to another system, from a thread of its own.

The work never waits for it and never fails by it: what the other system does not take is lost, counted, and reported
once for each outage.
"""

import atexit
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from phasegate.ports import Observer

QUEUE_MAX = 4096
BATCH_MAX = 256
EVERY_S = 1.0
CLOSE_S = 3.0
T = TypeVar("T")


class Sender(Generic[T]):
    """A bounded queue, and a thread that sends what is in it.

    ``send`` takes a batch, and returns why it could not be sent, "" if it was. ``to``: the name of the other system.
    ``every_s``: how long a batch is collected; ``close_s``: how long ``close`` waits for the rest to be sent.
    """

    def __init__(
        self, to: str, send: Callable[[Sequence[T]], str], *, observer: Observer, queue_max: int = QUEUE_MAX,
        batch_max: int = BATCH_MAX, every_s: float = EVERY_S, close_s: float = CLOSE_S,
    ) -> None:  # fmt: skip
        self._to, self._send, self._observer = to, send, observer
        self._queue_max, self._batch_max, self._every_s, self._close_s = queue_max, batch_max, every_s, close_s
        self._queue: deque[T] = deque()
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None
        self._is_failing = False
        self.lost = 0

    def put(self, item: T, /) -> None:
        """Queue one item, without waiting.

        It is lost if the queue is full or closed.
        """
        with self._lock:
            is_taken = not self._closing.is_set() and len(self._queue) < self._queue_max
            if is_taken:
                self._queue.append(item)
            if is_taken and self._thread is None:
                name = f"phasegate-{self._to}"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
                atexit.register(self.close)
        if not is_taken:
            self.failed("its queue is full, or closed")

    def close(self) -> None:
        """Send what is queued, for ``close_s`` at most."""
        atexit.unregister(self.close)
        self._closing.set()
        if self._thread is not None:
            self._thread.join(self._close_s)
            if self._thread.is_alive():
                self.failed(f"not all was sent: no answer within {self._close_s:g} s of the end", lost=len(self._queue))

    def failed(self, error: str, /, *, lost: int = 1) -> None:
        """Count lost items; report the first ones of an outage."""
        with self._lock:
            self.lost += lost
            was_failing, self._is_failing = self._is_failing, True
        if not was_failing:
            self._observer.event("signals lost", to=self._to, error=error)

    def _run(self) -> None:
        while not self._closing.wait(self._every_s):
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        while batch := self._batch():
            try:
                error = self._send(batch)
            except Exception as e:  # noqa: BLE001  a signal that cannot be sent must not stop the work
                error = f"{type(e).__name__}: {e}"
            if error:
                self.failed(error, lost=len(batch))
            elif self._is_failing:
                self._is_failing = False
                self._observer.event("signals sent again", to=self._to, lost=self.lost)

    def _batch(self) -> list[T]:
        with self._lock:
            return [self._queue.popleft() for _ in range(min(len(self._queue), self._batch_max))]
