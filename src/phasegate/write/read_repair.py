"""Read repair: reports inputs that differ from the request.

If a report was lost, a document still has an old stamp, and requests name it. The first worker that finds other content
in the warehouse reports it to the document, so the loss corrects itself.
"""

from phasegate.base.keys import Run
from phasegate.base.receipt import ABSENT, Stamp
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.phase import Phase
from phasegate.gate.propagation import DateChange
from phasegate.gate.propagator import Propagator
from phasegate.gate.records import Request
from phasegate.ledger import differing
from phasegate.plan.gate import Need
from phasegate.plan.model import Plan, Step
from phasegate.ports import Ports
from phasegate.write import preconditions
from phasegate.write.inputs import owner, stamps_now, window_now
from phasegate.write.reports import TableReporter


class ReadRepair:
    """Compares a request's inputs with the warehouse, reports differences."""

    def __init__(
        self, plan: Plan, ports: Ports, *, gatekeeper: Gatekeeper, tables: TableReporter, propagator: Propagator
    ) -> None:
        self._plan, self._ports = plan, ports
        self._gatekeeper, self.tables, self._propagator = gatekeeper, tables, propagator

    def report_to_owners(self, request: Request, step: Step, *, run: Run) -> None:
        """Report the present content of a request's inputs to their documents.

        A window is compared with its ledgers date by date. The run of the request then reads its windows again, if the
        request still stands.
        """

        def is_answered(phase: Phase) -> bool:
            standing = phase.requests.get(step.name)
            return standing is None or standing.id != request.id

        with self._ports.warehouse.snapshot() as reader:
            now = stamps_now(self._plan, reader, asked=request.inputs, run=run)
            needs = {name: owner(self._plan, name) for name in preconditions.changed_inputs(request.inputs, now)}
            windows = {need: window_now(self._plan, reader, need=need, run=run) for need in needs.values() if need.back}
        readings = self._propagator.windows.readings(windows, run.date)
        for need, stamps in windows.items():
            for date in differing(stamps, readings[need].stamps):
                self._correct_date(need, date, stamps.get(date, ABSENT))
        for need in needs.values():
            if not need.back:
                self.tables.correct(self._plan.steps[need.step], run)
        if windows:
            self._gatekeeper.refresh(step.phase, run, unless=is_answered)

    def _correct_date(self, need: Need, date: str, stamp: Stamp) -> None:
        """Correct the stamp of a date in its run's document and in the ledger.

        The run's document alone does not suffice: if it has this content already, it propagates nothing, and it may
        have accepted it before any window held the date.
        """
        step, origin = self._plan.steps[need.step], date
        for mode in self._plan.phases[step.phase].modes:
            phase = self._gatekeeper.read(step.phase, Run(date, mode))
            if phase is not None and step.name in phase.members and phase.void is None:
                self.tables.correct(step, Run(date, mode))
                origin = self._origin(step, Run(date, mode), stamp=stamp) or origin
        number = self._propagator.record(step.name, date, stamp=stamp)
        if number:  # later runs have the older stamp; those that change are due, and the sweeper flushes them
            self._propagator.propagate_later(step.name, DateChange(date, number, origin=origin))

    def _origin(self, step: Step, run: Run, *, stamp: Stamp) -> str:
        """Return the earlier date whose change led to a content; "": not known."""
        phase = self._gatekeeper.read(step.phase, run)
        result = None if phase is None else phase.result_of(step.name)
        return "" if result is None or result.stamp.fingerprint != stamp.fingerprint else result.origin
