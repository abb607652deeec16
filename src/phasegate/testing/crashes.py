"""Processes that crash at port calls, on real adapters.

``--faults crash=…`` uses it. A thread plays a process. Once it has crashed, every further port call of it crashes too,
so no ``finally`` cleans up what a killed process would have left: leases stay held, messages stay unacknowledged.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from phasegate.bus import Bus
from phasegate.ports import Ports
from phasegate.store import Store
from phasegate.warehouse import Warehouse

CHANGING = ("write", "delete", "publish", "receive", "ack", "postpone", "prepare", "commit", "change_fence")


class ProcessCrashed(BaseException):
    """The process played by this thread has crashed."""


class Crashes:
    """Crashes the calling process at a port call with ``probability``.

    Before the call or right after its effect. From then on every changing call of the thread crashes, until ``run``
    starts the process again.
    """

    def __init__(self, rng: random.Random, *, probability: float) -> None:
        self._rng, self._probability = rng, probability
        self._thread = threading.local()
        self._lock = threading.Lock()
        self.count = 0

    def wrap(self, ports: Ports) -> Ports:
        """Return the ports with a crash point around each changing call.

        There is one before and one after it.
        """
        return replace(
            ports,
            store=cast("Store", _Crashing(ports.store, self)),
            bus=cast("Bus", _Crashing(ports.bus, self)),
            warehouse=cast("Warehouse", _Crashing(ports.warehouse, self)),
        )

    def run(self, body: Callable[[], object]) -> bool:
        """Run ``body`` as a process in this thread.

        Return whether it ended without a crash.
        """
        self._thread.state = "running"
        try:
            body()
        except ProcessCrashed:
            return False
        finally:
            self._thread.state = "exempt"
        return True

    def point(self) -> None:
        """Crash here, perhaps; certainly if the process has crashed before.

        A thread that plays no process passes.
        """
        state = getattr(self._thread, "state", "exempt")
        if state == "exempt":
            return
        with self._lock:
            crashes = state == "crashed" or self._rng.random() < self._probability
        if crashes:
            self.count += state == "running"
            self._thread.state = "crashed"
            raise ProcessCrashed


class _Crashing:
    """Any port; its changing verbs are crash points.

    A crash at a read has the same effect as one before the next change.
    """

    def __init__(self, inner: object, crashes: Crashes) -> None:
        self._inner, self._crashes = inner, crashes

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._inner, name)
        if name not in CHANGING:
            return verb

        def call(*args: object, **kwargs: object) -> object:
            self._crashes.point()
            answer = verb(*args, **kwargs)
            self._crashes.point()
            return answer

        return call
