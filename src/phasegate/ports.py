"""The ports: store, bus, warehouse, clock, observer, background, shell.

The last fields of ``Ports`` draw ids, collect what is printed, run commands, and name our build. The contracts of
store, bus and warehouse are in modules of their own, as are those of alert channels. What is ``bound`` is added to each
event. No adapter calls back, retries, or depends on what a phase is.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from phasegate.bus import Bus
from phasegate.errors import BadInput
from phasegate.foreign import ForeignDocuments
from phasegate.store import Store
from phasegate.warehouse import Warehouse

Sink = Callable[[str], None]
A = TypeVar("A")
# What every event of the unit of work in progress has: the run, step, request and token need not be passed to all that
# may report something. A thread begins with none.
_FIELDS: ContextVar[Mapping[str, str | int]] = ContextVar("phasegate_fields", default={})  # noqa: B039  never changed


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


def bound_fields() -> Mapping[str, str | int]:
    """Return the fields that are bound now."""
    return _FIELDS.get()


@contextmanager
def bound(**given: str | int) -> Iterator[None]:
    """Add fields to every event of the block, besides those bound already.

    At its end those before it are bound again, also when the block has bound more.

    >>> with bound(run="2026-02-03.daily"):
    ...     with bound(step="orders"):
    ...         print(bound_fields())
    {'run': '2026-02-03.daily', 'step': 'orders'}
    >>> bound_fields()
    {}
    """
    before = _FIELDS.get()
    _FIELDS.set({**before, **given})
    try:
        yield
    finally:
        _FIELDS.set(before)  # not reset(): a block may begin in one context and end in another


def bind(**given: str | int) -> None:
    """Bind more fields until the end of the block that is around."""
    _FIELDS.set({**_FIELDS.get(), **given})


def keeping(function: Callable[[], A], /) -> Callable[[], A]:
    """Return the function with the fields that are bound now.

    For a call in another thread.
    """
    here = _FIELDS.get()

    def call() -> A:
        with bound(**here):
            return function()

    return call


class Background(Protocol):
    """Calls a function repeatedly beside the caller, as for heartbeats."""

    def every(self, seconds: float, tick: Callable[[], bool], /) -> Callable[[], None]:
        """Call ``tick`` every ``seconds``; return a function that stops it.

        It also stops when ``tick`` returns False.
        """
        ...


class Output(Protocol):
    """What a user's function prints while it runs."""

    def into(self, sink: Sink, /) -> AbstractContextManager[None]:
        """Pass what the calling thread prints during the block to ``sink`` too."""
        ...


class Uncollected:
    """An output that nothing collects: what is printed goes where it goes."""

    def into(self, _sink: Sink, /) -> AbstractContextManager[None]:
        """Collect nothing."""
        return nullcontext()


class Ended(NamedTuple):
    """How a command ended.

    ``code``: its exit code, or the negative number of the signal that ended it. ``last_line``: the last line that is
    not blank on its standard output, "" for none.
    """

    code: int
    last_line: str = ""


class Shell(Protocol):
    """What runs the commands of steps."""

    def run(
        self, command: str, /, *, environment: Mapping[str, str], sink: Sink, watch: Callable[[], None]
    ) -> Ended:  # fmt: skip
        """Run a command to its end, with these variables besides our own.

        What it prints is passed to ``sink``. ``watch`` is called again and again while it runs: if it raises, the
        command and all that it started are ended, and the error is passed on. Nothing of it outlives the call. Raises
        BadInput for a command that cannot be started.
        """
        ...


class NoShell:
    """A shell that runs nothing: where a plan's commands are not to run."""

    def run(
        self, command: str, /, *, environment: Mapping[str, str], sink: Sink, watch: Callable[[], None]
    ) -> Ended:  # fmt: skip
        """Refuse the command."""
        del environment, sink, watch
        raise BadInput(f"there is no shell to run {command!r}; give the ports one")


class OwnBuild(Protocol):
    """Which build this process is, as ``build`` spells it."""

    @property
    def known(self) -> str:
        """Return it if that takes no time, else ""; never wait."""
        ...

    def name(self) -> str:
        """Return it, "" for none; the first call may ask git."""
        ...


class NoBuild:
    """A process that names no build."""

    known = ""

    def name(self) -> str:
        """Return none."""
        return self.known


@dataclass(frozen=True, slots=True)
class ReadPorts:
    """The two adapters that reading documents takes."""

    store: Store
    clock: Clock


@dataclass(frozen=True, slots=True)
class Ports(ReadPorts):
    """All of them, wired: what every other service takes.

    ``foreign``: where mirrors are, None for the store.
    """

    bus: Bus
    warehouse: Warehouse
    observer: Observer
    background: Background
    ids: Callable[[], str] = field()
    output: Output = field(default_factory=Uncollected)
    shell: Shell = field(default_factory=NoShell)
    foreign: ForeignDocuments | None = None
    build: OwnBuild = field(default_factory=NoBuild)
