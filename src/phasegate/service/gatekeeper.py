"""Brings commands to the documents of phases, and their messages to the bus. It decides nothing itself."""

from collections.abc import Callable
from typing import TypeVar

from phasegate.core import decisions, keys, outbox
from phasegate.core.codec import decode
from phasegate.core.decisions import Answer, Report
from phasegate.core.keys import Run
from phasegate.core.phase import Ack, Input, Phase
from phasegate.core.plan import Plan
from phasegate.errors import NotFound, PhasegateError
from phasegate.ports import Message, Ports
from phasegate.transact import transact

A = TypeVar("A")


class Gatekeeper:
    """Opens, reports to, begins, looks at and flushes the documents of one plan's phases."""

    def __init__(self, plan: Plan, ports: Ports) -> None:
        self.plan, self._ports = plan, ports

    def read(self, phase: str, run: Run) -> Phase | None:
        """Return the document of a phase, or None when the run is not open."""
        key = keys.phase_key(self.plan.pipeline, phase, run=run)
        doc = self._ports.store.read(key)
        return None if doc is None else decode(Phase, doc.body, key=key)

    def open(self, phase: str, run: Run) -> Answer:
        """Open a run of a phase unless it is open. Raises NotFound for a phase or mode that the plan lacks."""
        known = self.plan.phases.get(phase)
        if known is None:
            raise NotFound(f"unknown phase {phase!r}; the plan has {', '.join(self.plan.phases)}")
        if run.mode not in known.modes:
            raise NotFound(f"phase {phase} has no mode {run.mode!r}; it has {', '.join(known.modes)}")
        now = self._ports.clock.now()
        gate = self.plan.gate(phase, run=run, opened_at=now)
        return self._decide(
            phase, run, lambda key, attempt: decisions.open_phase(phase, key=key, gate=gate, now=now, attempt=attempt)
        )

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
        return self._opened(phase, run, lambda key, attempt: decisions.pause(reason, key=key, now=now, attempt=attempt))

    def void(self, phase: str, run: Run, *, reason: str) -> Answer:
        """Declare that a run of a phase does not take place."""
        now = self._ports.clock.now()
        return self._opened(phase, run, lambda key, attempt: decisions.void(reason, key=key, now=now, attempt=attempt))

    def replan(self, phase: str, run: Run) -> Answer:
        """Pin today's plan to an open run. The deadline counts from when the run was opened."""
        now, open_ = self._ports.clock.now(), self.read(phase, run)
        gate = self.plan.gate(phase, run=run, opened_at=now if open_ is None else open_.opened_at)
        return self._opened(phase, run, lambda key, attempt: decisions.replan(gate, key=key, now=now, attempt=attempt))

    def redrive(self, phase: str, run: Run, *, step: str | None, force: bool = False) -> tuple[str, ...]:
        """Bring back the dead requests and triggers of a phase (or of one step); return what is asked for again."""
        now = self._ports.clock.now()
        answer = self._decide(
            phase,
            run,
            lambda key, attempt: decisions.redrive(step, key=key, now=now, attempt=attempt, force=force),
        )
        return () if answer == decisions.UNKNOWN_RUN else tuple(answer.outcome.split())

    def look(self, key: str) -> None:
        """Draw the consequences of time in one document, and send what is due."""
        now = self._ports.clock.now()
        self._transact(key, decisions.look(key=key, now=now, attempt=self._ports.ids()))
        self.flush(key)

    def flush(self, key: str) -> int:
        """Publish what a document has due, then note it; return how many messages went out."""
        now, doc = self._ports.clock.now(), self._ports.store.read(key)
        if doc is None:
            return 0
        messages = outbox.outgoing(decode(Phase, doc.body, key=key), key=key, now=now)
        gone, failure = [], None
        for m in messages:  # one that the bus refuses must not keep the others back
            try:
                self._ports.bus.publish(Message(m.id, m.topic, m.body))
            except PhasegateError as e:
                failure = failure or e
            else:
                gone.append(m)
                self._ports.observer.event("sent", id=m.id, topic=m.topic)
        if gone:
            self._transact(key, outbox.sent(gone, key=key, now=now))
        if failure is not None:
            raise failure
        return len(gone)

    def doubt(self, phase: str, run: Run, *, step: str) -> Answer:
        """Make a phase ask for a step again: its table does not hold what the document believes."""
        now = self._ports.clock.now()
        return self._opened(phase, run, lambda key, attempt: decisions.doubt(step, key=key, now=now, attempt=attempt))

    def _opened(self, phase: str, run: Run, command: Callable[[str, str], decisions.Decision[Answer]]) -> Answer:
        answer = self._decide(phase, run, command)
        if answer == decisions.UNKNOWN_RUN:
            self.open(phase, run)
            answer = self._decide(phase, run, command)
        return answer

    def _decide(self, phase: str, run: Run, command: Callable[[str, str], decisions.Decision[Answer]]) -> Answer:
        key = keys.phase_key(self.plan.pipeline, phase, run=run)
        answer = self._transact(key, command(key, self._ports.ids()))
        self._ports.observer.event("decided", key=key, outcome=answer.outcome, generation=answer.generation)
        if answer != decisions.UNKNOWN_RUN:
            self.flush(key)
        return answer

    def _transact(self, key: str, decide: decisions.Decision[A]) -> A:
        return transact(self._ports.store, key, kind=Phase, decide=decide, clock=self._ports.clock)
