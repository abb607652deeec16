"""Processes that die at port calls, for runs on real adapters: what ``--faults crash=…`` uses.

A thread plays a process. Once it has died, every further port call of it dies too, so no ``finally`` tidies up
what a killed process would have left behind: leases stay held, messages stay unacknowledged.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, cast

from phasegate.bus import Bus
from phasegate.ports import Ports
from phasegate.store import Store
from phasegate.warehouse import Warehouse

DEADLY = ("write", "delete", "publish", "receive", "ack", "postpone", "prepare")


class ProcessDied(BaseException):
    """The process played by this thread is dead."""


class Crashes:
    """Kills the calling process at a port call with ``probability``, before the call or right after its effect.

    Dead is dead: from then on every changing call of the thread dies, until it is started again by ``live``.
    """

    def __init__(self, rng: random.Random, *, probability: float) -> None:
        self._rng, self._probability = rng, probability
        self._thread = threading.local()
        self._lock = threading.Lock()
        self.count = 0

    def wrap(self, ports: Ports) -> Ports:
        """Return the ports with a point of death before and after each call that changes something."""
        return replace(
            ports,
            store=cast("Store", _Mortal(ports.store, self)),
            bus=cast("Bus", _Mortal(ports.bus, self)),
            warehouse=cast("Warehouse", _MortalWarehouse(ports.warehouse, self)),
        )

    def live(self, body: Callable[[], object]) -> bool:
        """Run ``body`` as a process in this thread; return whether it lived to its end."""
        self._thread.state = "alive"
        try:
            body()
        except ProcessDied:
            return False
        finally:
            self._thread.state = "immortal"
        return True

    def point(self) -> None:
        """Die here, perhaps; certainly when dead already. A thread that plays no process passes."""
        state = getattr(self._thread, "state", "immortal")
        if state == "immortal":
            return
        with self._lock:
            dies = state == "dead" or self._rng.random() < self._probability
        if dies:
            self.count += state == "alive"
            self._thread.state = "dead"
            raise ProcessDied


class _Mortal:
    """Any port: its verbs that change something are points of death. To die at a read is to die before the next."""

    def __init__(self, inner: object, crashes: Crashes) -> None:
        self._inner, self._crashes = inner, crashes

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._inner, name)
        if name not in DEADLY:
            return verb

        def call(*args: object, **kwargs: object) -> object:
            self._crashes.point()
            answer = verb(*args, **kwargs)
            self._crashes.point()
            return answer

        return call


class _MortalWarehouse(_Mortal):
    """A warehouse whose transactions may die before and after their commit."""

    def transaction(self) -> AbstractContextManager[Any]:
        return self._block(cast("Warehouse", self._inner).transaction())

    @contextmanager
    def _block(self, inner: AbstractContextManager[Any]) -> Iterator[Any]:
        self._crashes.point()
        with inner as opened:
            yield opened
            self._crashes.point()
        self._crashes.point()
