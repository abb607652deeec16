"""Calls that block, in a bounded number of threads.

A bounded number waits. The threads are daemons: a call that does not end in time is left behind when the process ends,
as after a crash.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from phasegate.errors import PhasegateError

T = TypeVar("T")
FULL = "the service has too much to do; send it again later"


class Overloaded(PhasegateError):
    """Too much at once: nothing was begun, send it again after ``retry_s``."""

    def __init__(self, text: str, *, retry_s: int = 1) -> None:
        super().__init__(text)
        self.retry_s = retry_s


class Stopping(PhasegateError):
    """The service stops, and the call is not finished: send it again."""


class _Call:
    """A call, and the future of the loop that waits for it."""

    def __init__(self, function: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self._function, self._loop = function, loop
        self.future: asyncio.Future[Any] = loop.create_future()

    def work(self) -> None:
        try:
            value = self._function()
        except BaseException as e:  # noqa: BLE001  whatever it is, the one who waits gets it
            self._settle(self._fail, e)
        else:
            self._settle(self._succeed, value)

    def give_up(self) -> None:
        """Answer the one who waits, though the call is not done."""
        self._fail(Stopping("the service stops, and this is not finished; send it again"))

    def _settle(self, how: Callable[[Any], None], value: object) -> None:
        try:
            self._loop.call_soon_threadsafe(how, value)
        except RuntimeError:  # the loop is closed: the process ends, and nothing waits
            return

    def _succeed(self, value: object) -> None:
        if not self.future.done():
            self.future.set_result(value)

    def _fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Threads:
    """Runs calls in threads, and refuses them when ``waiting_max`` wait."""

    def __init__(self, name: str, *, threads: int, waiting_max: int) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[_Call] = deque()
        self._running: set[_Call] = set()
        self._stopped = False
        self._threads_max, self._waiting_max = threads, waiting_max
        self._threads = [
            threading.Thread(target=self._serve, name=f"phasegate-{name}-{number}", daemon=True)
            for number in range(1, threads + 1)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Return how many calls wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Return how many calls are in progress."""
        return len(self._running)

    @property
    def is_full(self) -> bool:
        """Return whether one more call would be refused now."""
        return len(self._waiting) >= self._waiting_max + max(0, self._threads_max - len(self._running))

    async def run(self, function: Callable[[], T], /) -> T:
        """Call a function in a thread; return its result, or raise its error.

        Raises Overloaded, and Stopping once the pool stops, also for what is in progress then.
        """
        call = _Call(function, asyncio.get_running_loop())
        with self._changed:
            if self._stopped:
                raise Stopping("the service stops; send it again")
            if self.is_full:
                raise Overloaded(FULL)
            self._waiting.append(call)
            self._changed.notify()
        result: T = await call.future
        return result

    def stop(self) -> None:
        """Begin no call any more, and answer those that wait with Stopping."""
        with self._changed:
            self._stopped = True
            waiting = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        for call in waiting:
            call.give_up()

    def abandon(self) -> None:
        """Answer the calls in progress with Stopping; their threads go on."""
        with self._changed:
            running = list(self._running)
        for call in running:
            call.give_up()

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopped:
                    self._changed.wait()
                if not self._waiting:
                    return
                call = self._waiting.popleft()
                self._running.add(call)
            try:
                call.work()
            finally:
                with self._changed:
                    self._running.discard(call)
