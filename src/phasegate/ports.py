"""The interfaces to the world outside: Store, Bus, Warehouse, Clock, Observer; Channel and Pinger for alerts.

Adapters are dumb: none of them calls back, retries, or knows what a phase is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from phasegate.bus import Bus
from phasegate.store import Store
from phasegate.warehouse import Warehouse


class Clock(Protocol):
    """Time, injected everywhere."""

    def now(self) -> float:
        """Return epoch seconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Wait."""
        ...


class Observer(Protocol):
    """Where events go: logs, metrics, traces."""

    def event(self, name: str, /, **fields: object) -> None:
        """Report one thing that happened. Never raises."""
        ...


class Background(Protocol):
    """Runs a function again and again beside the caller: the heartbeat's engine."""

    def every(self, seconds: float, tick: Callable[[], bool], /) -> Callable[[], None]:
        """Call ``tick`` every ``seconds`` until it answers False; return a function that stops it."""
        ...


@dataclass(frozen=True, slots=True)
class ReadPorts:
    """The two that reading documents takes."""

    store: Store
    clock: Clock


@dataclass(frozen=True, slots=True)
class Ports(ReadPorts):
    """All five, wired: what every other service takes."""

    bus: Bus
    warehouse: Warehouse
    observer: Observer
    background: Background
    ids: Callable[[], str] = field()
