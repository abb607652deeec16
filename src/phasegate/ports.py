"""The ports: store, bus, warehouse, clock, observer, background, output.

The last two fields of ``Ports`` draw ids and collect what is printed. The contracts of store, bus and warehouse are in
modules of their own, as are those of alert channels. No adapter calls back, retries, or depends on what a phase is.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
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
        """Report one event; never raise."""
        ...


class Background(Protocol):
    """Calls a function repeatedly beside the caller, as for heartbeats."""

    def every(self, seconds: float, tick: Callable[[], bool], /) -> Callable[[], None]:
        """Call ``tick`` every ``seconds``; return a function that stops it.

        It also stops when ``tick`` returns False.
        """
        ...


class Output(Protocol):
    """What a user's function prints while it runs."""

    def into(self, sink: Callable[[str], None], /) -> AbstractContextManager[None]:
        """Pass what the calling thread prints during the block to ``sink`` too."""
        ...


class Uncollected:
    """An output that nothing collects: what is printed goes where it goes."""

    def into(self, _sink: Callable[[str], None], /) -> AbstractContextManager[None]:
        """Collect nothing."""
        return nullcontext()


@dataclass(frozen=True, slots=True)
class ReadPorts:
    """The two adapters that reading documents takes."""

    store: Store
    clock: Clock


@dataclass(frozen=True, slots=True)
class Ports(ReadPorts):
    """All of them, wired: what every other service takes."""

    bus: Bus
    warehouse: Warehouse
    observer: Observer
    background: Background
    ids: Callable[[], str] = field()
    output: Output = field(default_factory=Uncollected)
