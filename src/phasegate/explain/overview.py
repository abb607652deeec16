"""The one read service behind the command line, web pages and others.

It never opens the warehouse. A document that cannot be read raises BadDocument; with a list ``broken``, the error goes
there and the rest is read.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, TypeVar

import msgspec

from phasegate.base.codec import State, decode
from phasegate.base.dates import shift
from phasegate.base.keys import Run, parse_run, phase_of
from phasegate.errors import BadDocument, NotFound
from phasegate.explain.documents import Documents
from phasegate.explain.lateness import no_answer
from phasegate.explain.phase_view import GenerationView, PhaseView, explain
from phasegate.gate.phase import Phase
from phasegate.plan.model import Plan
from phasegate.ports import ReadPorts
from phasegate.quarantine import Quarantined
from phasegate.scan import DUE_MAX, due, scanned
from phasegate.steplog import LoggedAttempt, read_log
from phasegate.store import Doc
from phasegate.write.lease import Lease

LAST = "9999-99-99"
DATE_LENGTH = len("2026-02-03")
# Days: most stores hold years, and the newest dates are near today. None: everything.
LOOK_BACK = (30, 365, None)
# More phases of long ago are not read where years of them would be.
OLDER_MAX = 500

S = TypeVar("S", bound=State)
Broken: TypeAlias = list[BadDocument] | None


class LeaseView(msgspec.Struct, frozen=True, kw_only=True):
    """A lease, held or free.

    ``left_s`` is negative once it has expired.
    """

    key: str
    token: int
    holder: str | None
    purpose: str
    since: float
    left_s: float

    @property
    def place(self) -> str:
        """Return the table and the partition."""
        return "/".join(self.key.split(":", 3)[2:])


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not retried without an operator command.

    ``command`` brings it back.
    """

    kind: str
    subject: str
    run: str
    reason: str
    at: float
    command: str

    @property
    def discard(self) -> str:
        """Return the command that hides it; "" if only bringing it back helps."""
        return f"phasegate dead --discard {self.subject}" if self.kind == "message" else ""


class Overview:
    """Reads documents and explains them."""

    def __init__(self, plan: Plan, ports: ReadPorts) -> None:
        self._plan, self._ports = plan, ports

    def phases(self, *, first: str = "", last: str = LAST, broken: Broken = None) -> list[PhaseView]:
        """Return all phases of the runs from date ``first`` to ``last``.

        Sorted by run, then in the plan's order.
        """
        now = self._ports.clock.now()
        runs: dict[Run, dict[str, Phase]] = {}
        for name in self._plan.phases:
            prefix = f"phase:{self._plan.pipeline}:{name}:"
            for doc in scanned(self._ports.store, prefix, after=prefix + first, until=f"{prefix}{last}~"):
                phase = self._read(Phase, doc, broken)
                if phase is not None:
                    runs.setdefault(phase_of(doc.key)[2], {})[name] = phase
        return [
            explain(phase, name=name, run=run, now=now, before=self._before(name, run, phases))
            for run, phases in sorted(runs.items(), key=lambda item: str(item[0]))
            for name, phase in phases.items()
        ]

    def unsettled(self, *, last: str, limit: int, broken: Broken = None) -> list[PhaseView]:
        """Return the phases of runs up to a date that are not settled.

        At most ``limit``, those that are due first. They are found by when they are due, so what is settled costs
        nothing. What drifted in the phases before them is not shown.
        """
        now, views = self._ports.clock.now(), list[PhaseView]()
        for doc in due(self._ports.store, DUE_MAX, prefixes=(f"phase:{self._plan.pipeline}:",)):
            _, name, run = phase_of(doc.key)
            phase = self._read(Phase, doc, broken) if name in self._plan.phases and run.date <= last else None
            if phase is not None:
                views.append(explain(phase, name=name, run=run, now=now))
            if len(views) == limit:
                break
        return views

    def _before(self, phase: str, run: Run, phases: Mapping[str, Phase]) -> list[Phase]:
        return [phases[name] for name in self._plan.upstream(phase, mode=run.mode) if name in phases]

    def recent(self, *, dates: int, last: str = LAST, broken: Broken = None) -> list[PhaseView]:
        """Return the phases of the newest ``dates`` dates that have any.

        Only dates up to ``last``.
        """
        today = datetime.fromtimestamp(self._ports.clock.now(), UTC).date()
        views: list[PhaseView] = []
        newest: list[str] = []
        found: list[BadDocument] = []
        for back in LOOK_BACK:
            found.clear()
            first = "" if back is None else (today - timedelta(days=back)).isoformat()
            views = self.phases(first=first, last=last, broken=found)
            newest = sorted({view.run[:DATE_LENGTH] for view in views})[-dates:]
            if len(newest) == dates:
                break
        if found and broken is None:
            raise found[0]
        if broken is not None:
            broken += found
        return [view for view in views if view.run[:DATE_LENGTH] in newest]

    def why(self, run: Run | str, *, broken: Broken = None) -> list[PhaseView]:
        """Explain every phase of one run.

        Raises NotFound when none is open, BadInput for what is no run.
        """
        run = parse_run(run) if isinstance(run, str) else run
        views = [view for view in self.phases(first=run.date, last=run.date, broken=broken) if view.run == str(run)]
        if not views and not broken:
            why = "nothing was reported for it and no trigger arrived; see phasegate status"
            book = Documents(self._plan, self._ports, first=run.date, last=run.date)
            if self._plan.calendar is not None and book.day(run.date) is None and (error := book.error(run.date)):
                why = f"{no_answer(run.date, error=error)}; fix its source, then: phasegate sweep"
            raise NotFound(f"run {run} is not open: {why}")
        return views

    def log(self, run: Run, step: str) -> tuple[LoggedAttempt, ...]:
        """Return what the last attempts at a step of a run left, the newest last."""
        return read_log(self._ports, self._plan.pipeline, step, run=run)

    def attempts(self, run: Run, steps: Iterable[str]) -> dict[str, LoggedAttempt]:
        """Return the last attempt at each of these steps that left a log."""
        return {name: found[-1] for name in steps if (found := self.log(run, name))}

    def failures(self, run: Run, views: Iterable[PhaseView]) -> dict[str, LoggedAttempt]:
        """Return the last attempt at each step that failed and is not fresh since."""
        return failed(self.attempts(run, unfinished(views)))

    def leases(self, *, free: bool = False, broken: Broken = None) -> list[LeaseView]:
        """Return the leases that are held; with ``free`` also the free ones."""
        now, views = self._ports.clock.now(), []
        # one that is held is due when it expires: those of every partition that was ever written need not be read
        docs = scanned(self._ports.store, "lease:") if free else due(self._ports.store, DUE_MAX, prefixes=("lease:",))
        for doc in sorted(docs, key=lambda doc: doc.key):
            lease = self._read(Lease, doc, broken)
            if lease is not None and (lease.holder is not None or free):
                left = lease.until - now if lease.holder is not None else 0.0
                views.append(LeaseView(key=doc.key, token=lease.token, holder=lease.holder, purpose=lease.purpose,
                                       since=lease.since, left_s=left))  # fmt: skip
        return views

    def dead(self, *, first: str = "", broken: Broken = None) -> list[DeadLetter]:
        """Return dead requests, dead triggers and quarantined messages.

        ``first``: runs before this date are read only if they are not settled, OLDER_MAX of them: what is dead of a
        settled one, which is a trigger, is not found.
        """
        older = self.unsettled(last=shift(first, -1), limit=OLDER_MAX, broken=broken) if first else []
        found = [letter for view in (*older, *self.phases(first=first, broken=broken)) for letter in dead_of(view)]
        return found + self.quarantined(broken=broken)

    def quarantined(self, *, broken: Broken = None) -> list[DeadLetter]:
        """Return the quarantined messages alone."""
        found = []
        for doc in scanned(self._ports.store, f"quarantine:{self._plan.pipeline}:"):
            kept = self._read(Quarantined, doc, broken)
            if kept is None or kept.discarded:
                continue
            run, command = (
                str(kept.body.get("run", "")),
                f"correct its sender or the plan, then: phasegate redrive {doc.key}",
            )
            letter = DeadLetter(
                kind="message", subject=doc.key, run=run, reason=kept.reason, at=kept.last_at, command=command
            )
            found.append(letter)
        return found

    @staticmethod
    def _read(kind: type[S], doc: Doc, broken: Broken) -> S | None:
        try:
            return decode(kind, doc.body, key=doc.key)
        except BadDocument as e:
            if broken is None:
                raise
            broken.append(e)
            return None


def unfinished(views: Iterable[PhaseView]) -> list[str]:
    """Return the steps without a fresh result."""
    return [member.name for view in views for member in view.members if member.state not in ("fresh", "partial")]


def failed(attempts: Mapping[str, LoggedAttempt]) -> dict[str, LoggedAttempt]:
    """Return those of some attempts that failed."""
    return {name: attempt for name, attempt in attempts.items() if attempt.status not in ("success", "empty")}


def dead_of(view: PhaseView) -> Iterator[DeadLetter]:
    """Give the dead requests and triggers of one phase."""
    for member in view.members:
        if member.state == "dead":
            command = f"phasegate redrive {view.run} --step {member.name}"
            forced = next((c for c in view.commands if c.endswith(f"redrive {view.run} --force")), command)
            command = next((c for c in view.commands if c.removesuffix(" --force").endswith(command)), forced)
            at = member.since or 0.0
            yield DeadLetter(kind="request", subject=member.name, run=view.run, reason=member.reason, at=at,
                             command=command)  # fmt: skip
    for generation in view.generations:
        for receiver, state in generation.receivers.items():
            if state == "dead":
                command = f"phasegate redrive {view.run} --step {receiver}"
                yield DeadLetter(kind="trigger", subject=receiver, run=view.run, reason="never acknowledged",
                                 at=generation.at, command=command)  # fmt: skip


def held_back(view: PhaseView, /) -> list[tuple[GenerationView, str]]:
    """Return the generations and receivers of held triggers.

    A quiet backfill holds them back.
    """
    return [(generation, receiver) for generation in view.generations
            for receiver, state in generation.receivers.items() if state == "held"]  # fmt: skip
