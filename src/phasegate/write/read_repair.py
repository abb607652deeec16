"""Tells documents what their tables really hold, when a worker saw something else than it was asked to build on.

So a lost report heals itself: whoever meets its consequence reports it.
"""

from phasegate.base.keys import Run
from phasegate.base.receipt import ABSENT, Stamp
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.ledger import differing
from phasegate.gate.phase import Phase
from phasegate.gate.propagation import DateChange
from phasegate.gate.propagator import Propagator
from phasegate.gate.records import Request
from phasegate.plan.gate import Need
from phasegate.plan.model import Plan, Step
from phasegate.ports import Ports
from phasegate.write import preconditions
from phasegate.write.inputs import owner, stamps_now, window_now
from phasegate.write.reports import TableReporter


class ReadRepair:
    """Compares the inputs that were asked for with the warehouse, and reports each difference to its owner."""

    def __init__(
        self, plan: Plan, ports: Ports, *, gatekeeper: Gatekeeper, tables: TableReporter, propagator: Propagator
    ) -> None:
        self._plan, self._ports = plan, ports
        self._gatekeeper, self._tables, self._propagator = gatekeeper, tables, propagator

    def tell_owners(self, request: Request, step: Step, *, run: Run) -> None:
        """Report what a request's inputs hold now to the documents that own them: a lost report heals itself.

        A window is compared date by date with its ledgers; the asker then reads it anew, if it still asks.
        """

        def is_answered(phase: Phase) -> bool:
            stands = phase.requests.get(step.name)
            return stands is None or stands.id != request.id

        with self._ports.warehouse.snapshot() as reader:
            now = stamps_now(self._plan, reader, asked=request.inputs, run=run)
            needs = {name: owner(self._plan, name) for name in preconditions.changed_inputs(request.inputs, now)}
            windows = {need: window_now(self._plan, reader, need=need, run=run) for need in needs.values() if need.back}
        for need, stamps in windows.items():
            for day in differing(stamps, self._propagator.reading(need, run.date).stamps):
                self._correct_date(need, day, stamps.get(day, ABSENT))
        for need in needs.values():
            if not need.back:
                self._tables.correct(self._plan.steps[need.step], run)
        if windows:
            self._gatekeeper.refresh(step.phase, run, unless=is_answered)

    def _correct_date(self, need: Need, day: str, stamp: Stamp) -> None:
        """See to it that the ledger hears of a date: from the run that owns it, and from us.

        An owner that knows the content already says nothing: it may have been told before anybody's window held the
        date. What the warehouse holds now counts.
        """
        step = self._plan.steps[need.step]
        for mode in self._plan.phases[step.phase].modes:
            there = self._gatekeeper.read(step.phase, Run(day, mode))
            if there is not None and step.name in there.members and there.void is None:
                self._tables.correct(step, Run(day, mode))
        number = self._propagator.record(step.name, day, stamp=stamp)
        if number:  # whoever heard the older read; all of these are due
            self._propagator.tell_later(step.name, DateChange(day, number, origin=day))
