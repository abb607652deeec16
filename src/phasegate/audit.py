"""The audit log: what people changed, who did it, when, and how it ended.

An entry is a document of its own. It is written before the change and completed after it: one without an end is of a
process that was killed, or still works. What cannot be recorded is not done. It refuses to forget: no entry is deleted
or overwritten.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from msgspec.structs import replace

from phasegate.base.codec import State, decode
from phasegate.base.keys import WORD
from phasegate.errors import BadDocument, NotFound, PhasegateError, legible, words
from phasegate.ports import Ports, ReadPorts
from phasegate.scan import scanned
from phasegate.transact import transact

Via = Literal["command line", "page", "http"]
TEXT_MAX = 2_000


class About(NamedTuple):
    """What an act is about: one run, or the dates from ``first`` to ``last``.

    Neither for what is about no date, such as a message.
    """

    run: str = ""
    first: str = ""
    last: str = ""


class AuditEntry(State, frozen=True):
    """One act: who did it, by which way, and the command that does the same.

    ``finished_at`` None: it still works, or its process was killed.
    """

    by: str
    via: Via
    command: str
    at: float
    run: str = ""
    first: str = ""
    last: str = ""
    finished_at: float | None = None
    outcome: str = ""
    failed: bool = False

    @property
    def ended(self) -> str:
        """Return how it ended, in words."""
        if self.finished_at is None:
            return "not ended"
        return f"{'failed: ' if self.failed else ''}{self.outcome or 'done'}"

    def is_about(self, run: str, /) -> bool:
        """Return whether it is about a run, or about its date."""
        return self.run == run or (bool(self.first) and self.first <= run.partition(".")[0] <= self.last)


class Act:
    """An act while it is done; ``outcome``: what is recorded at its end."""

    def __init__(self, key: str) -> None:
        self.key, self.outcome, self.failed = key, "", False


class AuditLog:
    """Records the acts on one pipeline."""

    def __init__(self, pipeline: str, ports: Ports) -> None:
        self._pipeline, self._ports = pipeline, ports

    @contextmanager
    def acting(self, command: str, *, by: str, via: Via, about: About = About()) -> Iterator[Act]:  # noqa: B008  fixed
        """Record an act around the block that does it.

        An error of the block is the outcome, and is raised. Raises what the store does if the act cannot be recorded,
        before the block. If only its end cannot be, that is an event: the act is done.
        """
        now = self._ports.clock.now()
        entry = AuditEntry(by=_cut(by), via=via, command=_cut(command), at=now, **about._asdict())
        act = Act(key_of(self._pipeline, now, number=self._ports.ids()))
        self._store(act.key, entry)
        try:
            yield act
        except BaseException as e:
            act.outcome, act.failed = words(e) if isinstance(e, Exception) else "stopped", True
            raise
        finally:
            ended = replace(entry, finished_at=self._ports.clock.now(), outcome=_cut(act.outcome), failed=act.failed)
            try:
                self._store(act.key, ended)
            except PhasegateError as e:
                self._ports.observer.event("audit entry not completed", key=act.key, error=str(e))

    def _store(self, key: str, entry: AuditEntry) -> None:
        def decide(_old: AuditEntry | None) -> tuple[AuditEntry, None]:
            return entry, None

        transact(self._ports, key, kind=AuditEntry, decide=decide)


def key_of(pipeline: str, at: float, *, number: str) -> str:
    """Return the key of an entry: sorted by time, unique by its number.

    >>> key_of("nba", 1770120000.5, number="5D0C9A1B2E3F")
    'audit:nba:2026-02-03:120000500-5d0c9a1b2e3f'
    """
    moment = datetime.fromtimestamp(at, UTC)
    clock = f"{moment:%H%M%S}{moment.microsecond // 1000:03d}"
    return f"audit:{pipeline}:{moment:%Y-%m-%d}:{clock}-{number[-12:].lower()}"


def entries(
    ports: ReadPorts, pipeline: str, *, first: str, last: str, broken: list[BadDocument]
) -> list[tuple[str, AuditEntry]]:
    """Return the acts of some days (UTC) with their keys, the newest first."""
    prefix, found = f"audit:{pipeline}:", list[tuple[str, AuditEntry]]()
    for doc in scanned(ports.store, prefix, after=prefix + first, until=f"{prefix}{last}~"):
        try:
            found.append((doc.key, decode(AuditEntry, doc.body, key=doc.key)))
        except BadDocument as e:
            broken.append(e)
    return found[::-1]


def read_entry(ports: ReadPorts, key: str, /) -> AuditEntry:
    """Return one act; raise NotFound, or BadDocument if it cannot be read."""
    doc = ports.store.read(key) if WORD.fullmatch(key.rpartition(":")[2]) else None
    if doc is None:
        raise NotFound(f"{key[:200]}: there is no such act; see phasegate audit")
    return decode(AuditEntry, doc.body, key=key)


def entries_of(
    ports: ReadPorts, pipeline: str, run: str, *, times: Iterable[float], broken: list[BadDocument]
) -> list[AuditEntry]:
    """Return the acts on a run, the newest first.

    ``times``: when its documents were commanded. Only the days of these times are read, so that a run of years ago
    costs no more than one of today; and the day before each, on which an act that commands for hours may have begun.
    """
    moments = [datetime.fromtimestamp(at, UTC) for at in times]
    days = {f"{one:%Y-%m-%d}" for moment in moments for one in (moment, moment - timedelta(days=1))}
    found = [one for day in sorted(days, reverse=True)
             for one in entries(ports, pipeline, first=day, last=day, broken=broken)]  # fmt: skip
    return [entry for _, entry in found if entry.is_about(run)]


def _cut(text: str) -> str:
    return legible(text)[:TEXT_MAX]
