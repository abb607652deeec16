"""Looks after partitions whose holder fell silent: a write that was committed and never reported is reported here.

A holder commits, reports, gives the lease back, in this order, and keeps it when it could not report. So a lost
report always leaves a lease behind that runs out, and a document (the lease) that is due.
"""

from phasegate.base import keys
from phasegate.base.keys import parse_run
from phasegate.base.receipt import Part, Receipt
from phasegate.gate import decisions
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.phase import Phase
from phasegate.plan.model import Plan, Step
from phasegate.ports import Ports
from phasegate.transact import transact
from phasegate.write.leases import HeldLease, Leases
from phasegate.write.reports import report_of


class Rescuer:
    """Takes leases that have run out, shuts the fence behind their holders, and reports what these left."""

    def __init__(self, plan: Plan, ports: Ports, *, gatekeeper: Gatekeeper, leases: Leases, store_id: str) -> None:
        self._ports, self._gatekeeper, self._leases, self._store_id = ports, gatekeeper, leases, store_id
        self._steps = {step.table.name: step for step in plan.steps.values() if step.table is not None}

    def rescue(self, key: str) -> str:
        """Handle the lease document ``key``, if its time is over; return what was found, in a word.

        Whoever dies or fails on the way leaves a lease behind, which runs out in its turn.
        """
        _, _, table, partition = key.split(":", 3)
        part = Part(table, partition)
        with self._leases.hold(part, purpose="rescue") as held:
            if held is None:
                return "held"
            held.unreported = True
            receipt, lease = self._shut(part, held), self._leases.read(key)
            found = "nothing"
            if receipt is not None:
                owner = "" if lease is None else lease.owner
                found = self._report(self._steps.get(table), receipt, owner=owner)
            held.unreported = False
            return found

    def _shut(self, part: Part, held: HeldLease) -> Receipt | None:
        """Raise the fence to our token, so that the silent holder can no longer commit; return the newest receipt."""
        with self._ports.warehouse.transaction() as tx:
            tx.change_fence(part, token=held.token, store_id=self._store_id)
            return tx.receipts([part]).get(part)

    def _report(self, step: Step | None, receipt: Receipt, *, owner: str) -> str:
        said = report_of(receipt.step, receipt)
        if step is not None:
            outcome = self._gatekeeper.report(step.phase, parse_run(receipt.run), said).outcome
        else:
            outcome = self._leave(owner, receipt)
        if outcome == "accepted":
            self._ports.observer.event("rescued", step=receipt.step, run=receipt.run, token=receipt.token)
        return outcome

    def _leave(self, owner: str, receipt: Receipt) -> str:
        """Report to a document of another plan on this store; its own sweeper sends what follows."""
        if not owner or str(keys.phase_of(owner)[2]) != receipt.run:
            return "nobody's"
        now, said = self._ports.clock.now(), report_of(receipt.step, receipt)
        decide = decisions.report(said, key=owner, now=now, attempt=self._ports.ids())
        return transact(self._ports, owner, kind=Phase, decide=decide).outcome
