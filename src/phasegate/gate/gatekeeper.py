"""Applies commands to phases' documents, and publishes their messages.

Each command is a pure decision, applied by compare-and-set; what the document then has due is sent and propagated at
once (``flush``). If a process crashes between the two, the document is still due, and the next sweep flushes it. The
gatekeeper refuses to decide anything: decisions are in ``decisions``, ``operator``, ``outbox`` and ``propagation``.
"""

from collections.abc import Callable
from typing import Literal, TypeVar

from msgspec.structs import replace

from phasegate.base import keys
from phasegate.base.backoff import is_ahead
from phasegate.base.codec import Decision, decode
from phasegate.base.keys import Run
from phasegate.calendar.calendar import Calendar
from phasegate.errors import BadDocument, BadInput, NotFound, PhasegateError
from phasegate.gate import decisions, operator, outbox, propagation
from phasegate.gate.applied import apply, by_build
from phasegate.gate.decisions import Answer, Report
from phasegate.gate.evaluate import without_times_ahead
from phasegate.gate.mirror import Mirror
from phasegate.gate.phase import LOOK_BY_S, Phase
from phasegate.gate.propagator import Propagator
from phasegate.gate.records import Input
from phasegate.plan.gate import Ack, Gate
from phasegate.plan.model import Plan
from phasegate.ports import Ports, bound
from phasegate.quarantine import Quarantine
from phasegate.scan import scanned
from phasegate.store import Doc
from phasegate.transact import AtHand

A = TypeVar("A")
Opener = Literal["message", "schedule", "operator"]
FLUSH_MAX = 1_000
# Outcomes of a report that may be of long ago.
NOT_NEWER = ("duplicate", "older", "unknown member", decisions.READ_AGAIN, decisions.OTHER_ORDER, "void")


class Gatekeeper:
    """The service for the phase documents of one plan."""

    def __init__(self, plan: Plan, ports: Ports, *, calendar: Calendar, propagator: Propagator) -> None:
        self.plan, self._ports, self._calendar, self._propagator = plan, ports, calendar, propagator
        self.mirror, self.quarantine = Mirror(plan, ports), Quarantine(plan.pipeline, ports)
        self.since = ports.clock.now()

    def read(self, phase: str, run: Run, *, known: AtHand | None = None) -> Phase | None:
        """Return the document of a phase, None if the run is not open.

        ``known``: remembers it, for a command of the same action.
        """
        key = keys.phase_key(self.plan.pipeline, phase, run=run)
        doc = (known or AtHand()).doc(self._ports.store, key)
        return None if doc is None else decode(Phase, doc.body, key=key)

    def of_date(self, phase: str, date: str) -> dict[str, Phase]:
        """Return the documents of a phase's open runs of a date by mode.

        It is one query. Modes that the plan does not have are left out.
        """
        pipeline = self.plan.pipeline
        modes = {keys.phase_key(pipeline, phase, run=Run(date, mode)): mode for mode in self.plan.phases[phase].modes}
        docs = scanned(self._ports.store, keys.phase_key(pipeline, phase, run=Run(date, "")))
        return {modes[doc.key]: decode(Phase, doc.body, key=doc.key) for doc in docs if doc.key in modes}

    def open(
        self, phase: str, run: Run, *, by: Opener = "message", void: str | None = None, known: AtHand | None = None
    ) -> Answer:
        """Open a run of a phase unless it is open.

        ``void``: open it as a run that does not take place, with this reason.

        Raises NotFound for a phase or mode that the plan does not have, BadInput for a date that the calendar does not
        expect, and for a run that only an operator opens (``start = "run"``).
        """
        known = known or AtHand()
        existing = self.read(phase, run, known=known)
        if existing is not None:
            return Answer("open", existing.generation)
        gate, order = self._gate(phase, run, opened_at=self._ports.clock.now(), by=by)
        now, alone = self._ports.clock.now(), self.plan.is_alone(phase, run=run)

        def decide(key: str, attempt: str) -> Decision[Phase, Answer]:
            opening = decisions.open_phase(key=key, gate=gate, now=now, attempt=attempt, alone=alone, order=order)
            if void is None:
                return opening
            return decisions.open_then(opening, operator.void(void, key=key, now=now, attempt=attempt))

        answer = self._decide(phase, run, decide, known=known)
        if not alone:
            self._catch_up(phase, run, known=known)
        return answer

    def _gate(self, phase: str, run: Run, *, opened_at: float, by: Opener) -> tuple[Gate, float | None]:
        """Return the present plan's gate, and the order of the calendar's change."""
        planned = self.plan.phases.get(phase)
        if planned is None:
            raise NotFound(f"unknown phase {phase!r}; the plan has {', '.join(self.plan.phases)}")
        if run.mode not in planned.modes:
            raise NotFound(f"phase {phase} has no mode {run.mode!r}; it has {', '.join(planned.modes)}")
        if by == "message" and planned.modes[run.mode].start.by == "run":
            raise BadInput(f"runs of {phase} in mode {run.mode} are opened by hand only; run: phasegate begin {run}")
        expected = self._calendar.expected(run.date) if self.plan.asks_calendar(phase, mode=run.mode) else None
        anchors = None if expected is None else expected.day.anchors
        gate = replace(self.plan.gate(phase, run=run, opened_at=opened_at, anchors=anchors), since=self.since)
        return gate, None if expected is None else expected.order

    def report(self, phase: str, run: Run, report: Report) -> Answer:
        """Apply a report of an attempt; open the run first if needed."""
        now, build = self._ports.clock.now(), "" if report.relayed else report.build

        def decide(key: str, attempt: str) -> Decision[Phase, Answer]:
            taken = decisions.report(report, key=key, now=now, attempt=attempt)
            return by_build(taken, build=build, attempt=attempt, unless=NOT_NEWER)

        return self._opened(phase, run, decide)

    def begin(self, phase: str, run: Run, *, upstream: str, given: Input) -> Answer:
        """Apply an upstream generation; open the run first if needed."""
        now, known = self._ports.clock.now(), AtHand()
        answer = self._opened(
            phase,
            run,
            lambda key, attempt: decisions.begin(upstream, given=given, key=key, now=now, attempt=attempt),
            known=known,
        )
        self._catch_up(phase, run, known=known)  # its windows may have waited for this
        return answer

    def acknowledge(
        self, phase: str, run: Run, *, generation: int, receiver: str, ack: Ack, known: AtHand | None = None
    ) -> bool:
        """Record that a receiver has a trigger; return whether the trigger exists."""
        key = keys.phase_key(self.plan.pipeline, phase, run=run)
        decide = outbox.acknowledged(generation, receiver=receiver, ack=ack, now=self._ports.clock.now())
        return self._transact(key, decide, known=known or AtHand())

    def pause(self, phase: str, run: Run, *, reason: str | None) -> Answer:
        """Pause a gate with this reason (None: resume)."""
        now = self._ports.clock.now()
        return self._opened(phase, run, lambda key, attempt: operator.pause(reason, key=key, now=now, attempt=attempt))

    def void(self, phase: str, run: Run, *, reason: str | None) -> Answer:
        """Declare that a run does not take place, with the reason (None: it does)."""
        now = self._ports.clock.now()
        if reason is not None and self.read(phase, run) is None:
            answer = self.open(phase, run, void=reason)
            if answer.outcome == "void":
                return answer  # else another process opened it first
        answer = self._opened(phase, run, lambda key, attempt: operator.void(reason, key=key, now=now, attempt=attempt))
        return self._brought_back(phase, run, answer)

    def expect(self, phase: str, run: Run, *, order: float, void: str | None) -> Answer:
        """Apply a change of the calendar of this order to a run.

        ``void``: why the run does not take place; None: it does.
        """
        now = self._ports.clock.now()
        answer = self._opened(
            phase,
            run,
            lambda key, attempt: operator.expect(order, void=void, key=key, now=now, attempt=attempt),
        )
        return self._brought_back(phase, run, answer)

    def _brought_back(self, phase: str, run: Run, answer: Answer) -> Answer:
        if answer.outcome == "open":
            self._catch_up(phase, run)
        return answer

    def _catch_up(self, phase: str, run: Run, *, known: AtHand | None = None) -> None:
        """Give a run the results of other runs, if it has not read them yet."""
        for key in self._propagator.catch_up(keys.phase_key(self.plan.pipeline, phase, run=run), known=known):
            self.flush(key)

    def replan(self, phase: str, run: Run) -> Answer:
        """Pin the present plan to a run.

        A deadline that counts from the opening still counts from when the run was opened.
        """
        now, existing = self._ports.clock.now(), self.read(phase, run)
        gate, _ = self._gate(phase, run, opened_at=now if existing is None else existing.opened_at, by="operator")
        answer = self._opened(phase, run, lambda key, attempt: operator.replan(gate, key=key, now=now, attempt=attempt))
        self._catch_up(phase, run)
        return answer

    def redrive(
        self, phase: str, run: Run, *, step: str | None, force: bool = False, held: bool = True
    ) -> tuple[str, ...]:
        """Send the dead requests and triggers of a phase, or of one step, again.

        Return their names. ``held``: also send the triggers that a quiet backfill holds.
        """
        now = self._ports.clock.now()
        answer = self._decide(
            phase,
            run,
            lambda key, attempt: operator.redrive(step, key=key, now=now, attempt=attempt, force=force, held=held),
        )
        return () if answer == decisions.UNKNOWN_RUN else tuple(answer.outcome.split())

    def look(self, key: str) -> None:
        """Apply what is due by the clock in one document, then flush it.

        The sweeper calls it for each phase document that is due.
        """
        failure: PhasegateError | None = None
        changed: list[str] = []
        try:
            changed = self._propagator.catch_up(key)
        except PhasegateError as e:  # an unreadable sibling run must not keep a deadline from passing
            failure = e
        now = self._ports.clock.now()
        known = AtHand()
        self._transact(key, decisions.look(key=key, now=now, attempt=self._ports.ids()), known=known)
        self.flush(key, known=known)
        for document in dict.fromkeys(changed):
            if document != key:
                self.flush(document)
        if failure is not None:
            raise failure

    @staticmethod
    def is_ahead(doc: Doc, now: float) -> bool:
        """Return whether a document waits for a time that a clock ahead has set."""
        try:
            phase = decode(Phase, doc.body, key=doc.key)
        except BadDocument:
            return is_ahead(doc.due, now=now, bound_s=LOOK_BY_S)
        return without_times_ahead(phase, now=now) is not phase

    def flush(self, key: str, *, known: AtHand | None = None) -> int:
        """Send and propagate what a document has due; return the messages sent.

        Documents that change by it are flushed too. Beyond FLUSH_MAX documents the rest is left to the next sweep: they
        are due. ``known``: the document as it was just decided.
        """
        todo, messages, documents = [key], 0, 0
        while todo and documents < FLUSH_MAX:
            sent, changed = self._flush(todo.pop(0), known=AtHand() if documents or known is None else known)
            messages, documents = messages + sent, documents + 1
            todo += [other for other in changed if other not in todo]
        return messages

    def _flush(self, key: str, *, known: AtHand) -> tuple[int, list[str]]:
        now, doc = self._ports.clock.now(), known.doc(self._ports.store, key)
        if doc is None:
            return 0, []
        phase = decode(Phase, doc.body, key=key)
        published, failure = [], None
        for m in outbox.outgoing(phase, key=key, now=now):  # one refused by the bus must not keep the others back
            try:
                for message in outbox.messages_of(m, self.plan):
                    self._ports.bus.publish(message)
            except PhasegateError as e:
                failure = failure or e
            else:
                published.append(m)
                with bound(**{m.kind: m.id, "run": str(keys.phase_of(key)[2])}):
                    self._ports.observer.event("sent", message=m.id, topic=m.topic)
        if published:
            self._transact(key, outbox.sent(published, key=key, now=now), known=known)
        changed: list[str] = []
        if phase.notices:
            outcome, changed = self._propagator.deliver(key, phase)
            self._transact(key, propagation.delivered(outcome, key=key, now=now), known=known)
        for waiting in self._propagator.waiting_for(key, phase):
            changed += self._propagator.catch_up(waiting)
        self.mirror.keep(key)
        if failure is not None:
            raise failure
        return len(published), changed

    def refresh(self, phase: str, run: Run, *, unless: Callable[[Phase], bool] = propagation.never) -> bool:
        """Read a run's windows again; return whether it was due after that.

        ``unless``: returns whether the document, as it is then, no longer needs it.
        """
        key = keys.phase_key(self.plan.pipeline, phase, run=run)
        changed = self._propagator.refresh(key, unless=unless)
        for document in {key: None} | dict.fromkeys(changed):
            self.flush(document)
        return bool(changed)

    def recheck_windows(self, date: str) -> None:
        """Make later runs that wait for a date check whether it is still expected."""
        for key in self._propagator.recheck_windows(date):
            self.flush(key)

    def derive_ledger(self, step: str, month: str) -> None:
        """Derive the ledger of a step and month again, if it cannot be read."""
        self._propagator.windows.ledger(step, month)

    def rebuild(self, phase: str, run: Run, *, steps: tuple[str, ...], quiet: bool) -> tuple[str, ...]:
        """Request steps again, whatever their receipts show; return which of them.

        ``quiet``: hold triggers for receivers outside the plan until ``end_quiet``.
        """
        now = self._ports.clock.now()
        answer = self._opened(
            phase,
            run,
            lambda key, attempt: operator.rebuild(steps, quiet=quiet, key=key, now=now, attempt=attempt),
        )
        return tuple(answer.outcome.split())

    def end_quiet(self, phase: str, run: Run) -> Answer:
        """End a quiet time: send later firings to every receiver again."""
        now = self._ports.clock.now()
        return self._decide(phase, run, lambda key, attempt: operator.end_quiet(key=key, now=now, attempt=attempt))

    def mark_stale(self, phase: str, run: Run, *, step: str) -> Answer:
        """Request a step again: its table does not hold the accepted result."""
        now = self._ports.clock.now()
        return self._opened(
            phase, run, lambda key, attempt: operator.mark_stale(step, key=key, now=now, attempt=attempt)
        )

    def _opened(
        self, phase: str, run: Run, command: Callable[[str, str], Decision[Phase, Answer]], *,
        known: AtHand | None = None,
    ) -> Answer:  # fmt: skip
        known = known or AtHand()
        answer = self._decide(phase, run, command, known=known)
        if answer == decisions.UNKNOWN_RUN:
            self.open(phase, run, known=known)
            answer = self._decide(phase, run, command, known=known)
        return answer

    def _decide(
        self, phase: str, run: Run, command: Callable[[str, str], Decision[Phase, Answer]], *,
        known: AtHand | None = None,
    ) -> Answer:  # fmt: skip
        key, known = keys.phase_key(self.plan.pipeline, phase, run=run), known or AtHand()
        attempt = self._ports.ids()
        decide = by_build(command(key, attempt), build=self._ports.build.known, attempt=attempt)
        answer, decided = apply(self._ports, key, decide=decide, known=known)
        last = decided.seen[-1] if decided is not None and decided.seen else None
        what, subject = ("open", "") if last is None or last.attempt != attempt else (last.what, last.subject)
        with bound(run=str(run)):
            self._ports.observer.event("decided", key=key, command=what, subject=subject, outcome=answer.outcome,
                                       generation=answer.generation)  # fmt: skip
        if answer != decisions.UNKNOWN_RUN:
            self.flush(key, known=known)
        return answer

    def _transact(self, key: str, decide: Decision[Phase, A], *, known: AtHand) -> A:
        return apply(self._ports, key, decide=decide, known=known)[0]
