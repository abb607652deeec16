"""Brings commands to the documents of phases, and their messages to the bus. It decides nothing itself."""

from collections.abc import Callable
from typing import Literal, TypeVar

from phasegate.base import keys
from phasegate.base.backoff import RESEND_FIRST_S
from phasegate.base.codec import Decision, decode
from phasegate.base.keys import Run
from phasegate.bus import Message
from phasegate.calendar.calendar import Calendar
from phasegate.errors import BadInput, NotFound, PhasegateError
from phasegate.gate import decisions, operator, outbox, propagation
from phasegate.gate.decisions import Answer, Report
from phasegate.gate.mirror import Mirror
from phasegate.gate.phase import Phase
from phasegate.gate.propagator import Propagator
from phasegate.gate.quarantine import Quarantine
from phasegate.gate.records import Input
from phasegate.plan.gate import Ack, Gate
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.transact import transact

A = TypeVar("A")
Opener = Literal["message", "schedule", "operator"]
FLUSH_MAX = 1_000


class Gatekeeper:
    """Opens, reports to, begins, looks at and flushes the documents of one plan's phases."""

    def __init__(self, plan: Plan, ports: Ports, *, calendar: Calendar, propagator: Propagator) -> None:
        self.plan, self._ports, self._calendar, self._propagator = plan, ports, calendar, propagator
        self.mirror, self.quarantine = Mirror(plan, ports), Quarantine(plan.pipeline, ports)

    def read(self, phase: str, run: Run) -> Phase | None:
        """Return the document of a phase, or None when the run is not open."""
        key = keys.phase_key(self.plan.pipeline, phase, run=run)
        doc = self._ports.store.read(key)
        return None if doc is None else decode(Phase, doc.body, key=key)

    def open(self, phase: str, run: Run, *, by: Opener = "message", void: str | None = None) -> Answer:
        """Open a run of a phase unless it is open; ``void``: as one that does not take place, with the reason.

        Raises NotFound for a phase or mode that the plan lacks, BadInput for a date that the calendar does not expect,
        and for a run that only an operator opens (``start = "run"``).
        """
        there = self.read(phase, run)
        if there is not None:
            return Answer("open", there.generation)
        gate, order = self._gate(phase, run, opened_at=self._ports.clock.now(), by=by)
        now, alone = self._ports.clock.now(), self.plan.is_alone(phase, run=run)

        def decide(key: str, attempt: str) -> Decision[Phase, Answer]:
            opening = decisions.open_phase(key=key, gate=gate, now=now, attempt=attempt, alone=alone, order=order)
            if void is None:
                return opening
            return decisions.opened_and(opening, operator.void(void, key=key, now=now, attempt=attempt))

        answer = self._decide(phase, run, decide)
        if not alone:
            self._catch_up(phase, run)
        return answer

    def _gate(self, phase: str, run: Run, *, opened_at: float, by: Opener) -> tuple[Gate, float | None]:
        """Return the gate of today's plan and the calendar's change that it follows."""
        known = self.plan.phases.get(phase)
        if known is None:
            raise NotFound(f"unknown phase {phase!r}; the plan has {', '.join(self.plan.phases)}")
        if run.mode not in known.modes:
            raise NotFound(f"phase {phase} has no mode {run.mode!r}; it has {', '.join(known.modes)}")
        if by == "message" and known.modes[run.mode].start.by == "run":
            raise BadInput(f"runs of {phase} in mode {run.mode} are opened by hand only; run: phasegate begin {run}")
        expected = self._calendar.expected(run.date) if self.plan.asks_calendar(phase, mode=run.mode) else None
        anchors = None if expected is None else expected.day.anchors
        gate = self.plan.gate(phase, run=run, opened_at=opened_at, anchors=anchors)
        return gate, None if expected is None else expected.order

    def report(self, phase: str, run: Run, said: Report) -> Answer:
        """Report what became of a try of a member; opens the run if it is not open."""
        now = self._ports.clock.now()
        return self._opened(phase, run, lambda key, attempt: decisions.report(said, key=key, now=now, attempt=attempt))

    def begin(self, phase: str, run: Run, *, upstream: str, given: Input) -> Answer:
        """Give a phase the stamps of an upstream generation; opens the run if it is not open."""
        now = self._ports.clock.now()
        return self._opened(
            phase,
            run,
            lambda key, attempt: decisions.begin(upstream, given=given, key=key, now=now, attempt=attempt),
        )

    def acknowledge(self, phase: str, run: Run, *, generation: int, receiver: str, ack: Ack) -> bool:
        """Note that a receiver has a generation of this phase's triggers; return whether there is such a trigger."""
        key = keys.phase_key(self.plan.pipeline, phase, run=run)
        decide = outbox.acknowledged(generation, receiver=receiver, ack=ack, now=self._ports.clock.now())
        return self._transact(key, decide)

    def pause(self, phase: str, run: Run, *, reason: str | None) -> Answer:
        """Hold a gate, with the reason (None: let go)."""
        now = self._ports.clock.now()
        return self._opened(phase, run, lambda key, attempt: operator.pause(reason, key=key, now=now, attempt=attempt))

    def void(self, phase: str, run: Run, *, reason: str | None) -> Answer:
        """Declare that a run of a phase does not take place, with the reason (None: that it does after all)."""
        now = self._ports.clock.now()
        if reason is not None and self.read(phase, run) is None:
            answer = self.open(phase, run, void=reason)
            if answer.outcome == "void":
                return answer  # else somebody has opened it meanwhile
        answer = self._opened(phase, run, lambda key, attempt: operator.void(reason, key=key, now=now, attempt=attempt))
        return self._brought_back(phase, run, answer)

    def expect(self, phase: str, run: Run, *, order: float, void: str | None) -> Answer:
        """Bring a change of the calendar: that the run does not take place (``void``: why not), or that it does."""
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

    def _catch_up(self, phase: str, run: Run) -> None:
        """Tell a run what others know, if it has not heard it yet."""
        key = keys.phase_key(self.plan.pipeline, phase, run=run)
        if self._propagator.catch_up(key):
            self.flush(key)

    def replan(self, phase: str, run: Run) -> Answer:
        """Pin today's plan to an open run. The deadline counts from when the run was opened."""
        now, open_ = self._ports.clock.now(), self.read(phase, run)
        gate, _ = self._gate(phase, run, opened_at=now if open_ is None else open_.opened_at, by="operator")
        answer = self._opened(phase, run, lambda key, attempt: operator.replan(gate, key=key, now=now, attempt=attempt))
        self._catch_up(phase, run)
        return answer

    def redrive(
        self, phase: str, run: Run, *, step: str | None, force: bool = False, held: bool = True
    ) -> tuple[str, ...]:
        """Bring back the dead requests and triggers of a phase (or of one step); return what is asked for again.

        ``held``: also the triggers that a quiet backfill held back.
        """
        now = self._ports.clock.now()
        answer = self._decide(
            phase,
            run,
            lambda key, attempt: operator.redrive(step, key=key, now=now, attempt=attempt, force=force, held=held),
        )
        return () if answer == decisions.UNKNOWN_RUN else tuple(answer.outcome.split())

    def look(self, key: str) -> None:
        """Draw the consequences of time in one document, and send and tell what is due."""
        failure: PhasegateError | None = None
        try:
            self._propagator.catch_up(key)
        except PhasegateError as e:  # a sister that cannot be read keeps no deadline from passing
            failure = e
        now = self._ports.clock.now()
        self._transact(key, decisions.look(key=key, now=now, attempt=self._ports.ids()))
        self.flush(key)
        if failure is not None:
            raise failure

    def flush(self, key: str) -> int:
        """Send and tell what a document has due, and what follows from it in others; return how many messages went.

        Beyond FLUSH_MAX documents the rest is left to whoever sweeps: they are due.
        """
        todo, gone, done = [key], 0, 0
        while todo and done < FLUSH_MAX:
            sent, changed = self._flush(todo.pop(0))
            gone, done = gone + sent, done + 1
            todo += [other for other in changed if other not in todo]
        return gone

    def _flush(self, key: str) -> tuple[int, list[str]]:
        now, doc = self._ports.clock.now(), self._ports.store.read(key)
        if doc is None:
            return 0, []
        phase = decode(Phase, doc.body, key=key)
        gone, failure = [], None
        for m in outbox.outgoing(phase, key=key, now=now):  # one that the bus refuses must not keep the others back
            try:
                self._ports.bus.publish(Message(m.id, m.topic, m.body))
            except PhasegateError as e:
                failure = failure or e
            else:
                gone.append(m)
                self._ports.observer.event("sent", id=m.id, topic=m.topic)
        if gone:
            self._transact(key, outbox.sent(gone, key=key, now=now))
        changed: list[str] = []
        if phase.notices:
            told, changed = self._propagator.deliver(key, phase)
            self._transact(key, propagation.delivered(told, until=now + RESEND_FIRST_S))
        self.mirror.keep(key)
        if failure is not None:
            raise failure
        return len(gone), changed

    def refresh(self, phase: str, run: Run, *, unless: Callable[[Phase], bool] = propagation.never) -> bool:
        """Have a run read its windows anew, however old the change; return whether something must be built again.

        ``unless``: whether the document, when it is changed, no longer needs it.
        """
        key = keys.phase_key(self.plan.pipeline, phase, run=run)
        changed = self._propagator.refresh(key, unless=unless)
        self.flush(key)
        return changed

    def release(self, day: str) -> None:
        """Have the later runs that wait for a date look whether it is still expected."""
        for key in self._propagator.release(day):
            self.flush(key)

    def rebuild(self, phase: str, run: Run, *, steps: tuple[str, ...], quiet: bool) -> tuple[str, ...]:
        """Ask for steps anew, whatever their receipts say; ``quiet`` tells no foreign receiver. Return which are."""
        now = self._ports.clock.now()
        answer = self._opened(
            phase,
            run,
            lambda key, attempt: operator.rebuild(steps, quiet=quiet, key=key, now=now, attempt=attempt),
        )
        return tuple(answer.outcome.split())

    def loud(self, phase: str, run: Run) -> Answer:
        """End a quiet time."""
        now = self._ports.clock.now()
        return self._decide(phase, run, lambda key, attempt: operator.loud(key=key, now=now, attempt=attempt))

    def doubt(self, phase: str, run: Run, *, step: str) -> Answer:
        """Make a phase ask for a step again: its table does not hold what the document believes."""
        now = self._ports.clock.now()
        return self._opened(phase, run, lambda key, attempt: operator.doubt(step, key=key, now=now, attempt=attempt))

    def _opened(self, phase: str, run: Run, command: Callable[[str, str], Decision[Phase, Answer]]) -> Answer:
        answer = self._decide(phase, run, command)
        if answer == decisions.UNKNOWN_RUN:
            self.open(phase, run)
            answer = self._decide(phase, run, command)
        return answer

    def _decide(self, phase: str, run: Run, command: Callable[[str, str], Decision[Phase, Answer]]) -> Answer:
        key = keys.phase_key(self.plan.pipeline, phase, run=run)
        answer = self._transact(key, command(key, self._ports.ids()))
        self._ports.observer.event("decided", key=key, outcome=answer.outcome, generation=answer.generation)
        if answer != decisions.UNKNOWN_RUN:
            self.flush(key)
        return answer

    def _transact(self, key: str, decide: Decision[Phase, A]) -> A:
        return transact(self._ports, key, kind=Phase, decide=decide)
