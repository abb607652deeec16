"""The observers that hand events on: to several observers, or by attempt.

An attempt's events come from one thread, the first before the last, so what belongs together is found by the thread.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from phasegate.base.receipt import Stamp
from phasegate.ports import Observer

K = TypeVar("K", bound=msgspec.Struct)


class AttemptSignal(msgspec.Struct, kw_only=True):
    """An attempt to build a step, from what the observer received of it.

    ``at``: when it began. ``result``: what its phase took; ``rows``: that it wrote, and how many were duplicates.
    """

    step: str
    phase: str
    run: str
    generation: int
    request: str
    attempt: int
    token: int
    at: float
    inputs: Mapping[str, Stamp] = {}
    seconds: float = 0.0
    outcome: str = ""
    error: str = ""
    result: "ResultSignal | None" = None
    rows: int | None = None
    duplicates: int = 0


class ResultSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A result that a phase took."""

    step: str
    phase: str
    run: str
    generation: int
    status: str
    rows: int | None
    fingerprint: str
    token: int
    request: str
    at: float


class FiringSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A firing: what it carries, and what it was built on."""

    phase: str
    run: str
    generation: int
    members: Mapping[str, Stamp]
    missing: Sequence[str]
    inputs: Mapping[str, int]
    since: float
    at: float


class Signals(Protocol):
    """What makes signals of attempts, results and firings."""

    def begun(self, attempt: AttemptSignal, /) -> None:
        """Take an attempt that begins."""
        ...

    def ended(self, attempt: AttemptSignal, /) -> None:
        """Take an attempt that ended."""
        ...

    def accepted(self, result: ResultSignal, /) -> None:
        """Take a result that is of no attempt of this thread."""
        ...

    def fired(self, firing: FiringSignal, /) -> None:
        """Take a firing."""
        ...

    def failed(self, error: str, /) -> None:
        """Report that a signal could not be made."""
        ...

    def close(self) -> None:
        """Send what is queued, within a bounded time."""
        ...


def _made(kind: type[K], fields: Mapping[str, object]) -> K:
    """Return a struct of an event's own fields, without those that are bound."""
    return kind(**{name: fields[name] for name in kind.__struct_fields__ if name in fields})


class SignalObserver:
    """Gathers the events of each attempt, for one kind of signals."""

    def __init__(self, signals: Signals) -> None:
        self._signals, self._local = signals, threading.local()

    def event(self, name: str, /, **fields: object) -> None:
        """Take one event; never raise."""
        try:
            self._take(name, fields)
        except Exception as e:  # noqa: BLE001  a signal that cannot be made must not stop the work
            self._signals.failed(f"{type(e).__name__}: {e}")

    def close(self) -> None:
        """Send what is queued, within a bounded time."""
        self._signals.close()

    def _take(self, name: str, fields: dict[str, object]) -> None:
        attempts: list[AttemptSignal] = self._local.__dict__.setdefault("attempts", [])
        match name:
            case "attempt begun":
                attempts.append(_made(AttemptSignal, fields))
                self._signals.begun(attempts[-1])
            case "attempt ended":
                ended = attempts.pop()
                ended.seconds, ended.outcome, ended.error = (fields[n] for n in ("took_s", "outcome", "error"))  # type: ignore[assignment]
                self._signals.ended(ended)
            case "written" if attempts and attempts[-1].step == fields["step"]:
                attempts[-1].rows, attempts[-1].duplicates = fields["rows"], fields["duplicates"]  # type: ignore[assignment]
            case "result accepted":
                self._accept(_made(ResultSignal, fields), attempts)
            case "fired":
                self._signals.fired(_made(FiringSignal, fields))

    def _accept(self, result: ResultSignal, attempts: list[AttemptSignal]) -> None:
        if attempts and (attempts[-1].step, attempts[-1].run) == (result.step, result.run):
            attempts[-1].result = result
        else:
            self._signals.accepted(result)


class Observers:
    """An observer, and those that make signals of the same events."""

    def __init__(self, inner: Observer, *signals: SignalObserver) -> None:
        self._inner, self._signals = inner, signals

    def event(self, name: str, /, **fields: object) -> None:
        """Pass one event on to each."""
        self._inner.event(name, **fields)
        for observer in self._signals:
            observer.event(name, **fields)

    def close(self) -> None:
        """Send what is queued, within a bounded time.

        The first observer is closed by its owner.
        """
        for observer in self._signals:
            observer.close()
