"""The log of a step in one run: what its last attempts printed and raised.

It is a document of its own, so that the phase's stays small. It is bounded in attempts and bytes, and refuses to decide
anything: a log that cannot be read is begun again, and nothing depends on what it holds.
"""

import traceback

import msgspec

from phasegate import errors
from phasegate.base import keys
from phasegate.base.codec import State, decode
from phasegate.base.keys import Run
from phasegate.errors import BadDocument, PhasegateError, legible
from phasegate.plan.gate import Status
from phasegate.ports import Ports, ReadPorts
from phasegate.transact import transact

ATTEMPTS_KEPT = 5
LINES_MAX = 200
# As JSON a control character takes six bytes: five attempts then still fit into the smallest store's document.
OUTPUT_BYTES_MAX, TRACEBACK_BYTES_MAX = 20_000, 10_000
ERROR_MAX = 2_000
_OWN = errors.__file__.removesuffix("errors.py")


class LoggedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to build a step, and what it left.

    ``number``: of the attempts at its request, from 1. ``traceback``: of the error, without Phasegate's own frames.
    ``output``: the last LINES_MAX lines that the step printed.
    """

    id: str
    at: float
    status: Status
    number: int = 1
    request: str = ""
    error: str = ""
    traceback: str = ""
    output: str = ""

    @property
    def text(self) -> str:
        """Return the output and the traceback, "" if it left neither."""
        return "\n".join(filter(None, (self.output, self.traceback)))


class StepLog(State, frozen=True):
    """The last attempts at one step of one run, the newest last."""

    attempts: tuple[LoggedAttempt, ...] = ()


class Tail:
    """Collects text and keeps its end."""

    def __init__(self) -> None:
        self._text = ""

    def add(self, text: str, /) -> None:
        """Append a text."""
        self._text = (self._text + text)[-OUTPUT_BYTES_MAX:]

    @property
    def text(self) -> str:
        """Return the last lines, as a store takes them."""
        lines = legible(self._text).rstrip("\n").split("\n")[-LINES_MAX:]
        return _end("\n".join(lines), OUTPUT_BYTES_MAX)


class StepLogs:
    """The logs of one pipeline's steps, for those that build them."""

    def __init__(self, pipeline: str, ports: Ports) -> None:
        self._pipeline, self._ports = pipeline, ports

    def add(
        self, step: str, run: Run, *, status: Status, number: int = 1, request: str = "",
        error: BaseException | str = "", output: str = "",
    ) -> LoggedAttempt:  # fmt: skip
        """Store what an attempt left, and return it.

        A log that cannot be written is reported as an event: the attempt's own report must not fail for it.
        """
        text, trace = (error, "") if isinstance(error, str) else (errors.words(error), trace_of(error))
        attempt = LoggedAttempt(
            id=self._ports.ids(), at=self._ports.clock.now(), status=status, number=number, request=request,
            error=legible(text)[:ERROR_MAX], traceback=trace, output=output,
        )  # fmt: skip

        def decide(log: StepLog | None) -> tuple[StepLog, None]:
            known = () if log is None else log.attempts
            if any(one.id == attempt.id for one in known):
                return StepLog(attempts=known), None
            return StepLog(attempts=(*known, attempt)[-ATTEMPTS_KEPT:]), None

        key = keys.log_key(self._pipeline, step, run=run)
        try:
            transact(self._ports, key, kind=StepLog, decide=decide, derived=True)
        except PhasegateError as e:
            self._ports.observer.event("log not written", key=key, error=str(e))
        return attempt


def read_log(ports: ReadPorts, pipeline: str, step: str, *, run: Run) -> tuple[LoggedAttempt, ...]:
    """Return the stored attempts at a step, the newest last; () for none.

    Also for a log that cannot be read: nothing depends on it, and the next attempt begins it again.
    """
    key = keys.log_key(pipeline, step, run=run)
    doc = ports.store.read(key)
    if doc is None:
        return ()
    try:
        return decode(StepLog, doc.body, key=key).attempts
    except BadDocument:
        return ()


def trace_of(error: BaseException, /) -> str:
    """Return the traceback of an error and its causes, for its step's author.

    Frames of Phasegate are left out: what the author wrote is below or above them.
    """
    found = traceback.TracebackException.from_exception(error)
    left: list[traceback.TracebackException | None] = [found]
    for one in left:  # grows while it is read
        if one is None:
            continue
        frames = [frame for frame in one.stack if not frame.filename.startswith(_OWN)]
        one.stack = traceback.StackSummary.from_list(frames)
        left += [one.__cause__, one.__context__]
    return _end(legible("".join(found.format())).rstrip("\n"), TRACEBACK_BYTES_MAX)


def _end(text: str, size: int, /) -> str:
    """Return the end of a text, of at most ``size`` bytes of whole characters."""
    return text.encode()[-size:].decode(errors="ignore")
