"""Looks after partitions whose holder fell silent: a write that was committed and never reported is reported here.

A holder commits, reports, gives the lease back, in this order. So a lost report always leaves a lease behind that
runs out, and a document (the lease) that is due.
"""

from phasegate.core.keys import parse_run
from phasegate.core.plan import Plan, Step
from phasegate.core.receipt import Part, Receipt
from phasegate.ports import Ports
from phasegate.service.gatekeeper import Gatekeeper
from phasegate.service.leases import Held, Leases
from phasegate.service.tables import report_of


class Rescuer:
    """Takes leases that have run out, shuts the fence behind their holders, and reports what these left."""

    def __init__(self, plan: Plan, ports: Ports, *, gatekeeper: Gatekeeper, leases: Leases, store_id: str) -> None:
        self._ports, self._gatekeeper, self._leases, self._store_id = ports, gatekeeper, leases, store_id
        self._steps = {step.table.name: step for step in plan.steps.values() if step.table is not None}

    def rescue(self, key: str) -> str:
        """Handle the lease document ``key``, if its time is over; return what was found, in a word.

        Dying on the way leaves our own lease behind, which runs out in its turn.
        """
        _, _, table, partition = key.split(":", 3)
        step = self._steps.get(table)
        if step is None:
            return "expired" if self._leases.expire(key) else "held"
        with self._leases.hold(Part(table, partition), purpose="rescue") as held:
            if held is None:
                return "held"
            receipt = self._shut(Part(table, partition), held)
            return "nothing" if receipt is None else self._report(step, receipt)

    def _shut(self, part: Part, held: Held) -> Receipt | None:
        """Raise the fence to our token, so that the silent holder can no longer commit; return the newest receipt."""
        with self._ports.warehouse.transaction() as tx:
            tx.change_fence(part, token=held.token, store_id=self._store_id)
            return tx.receipts([part]).get(part)

    def _report(self, step: Step, receipt: Receipt) -> str:
        outcome = self._gatekeeper.report(step.phase, parse_run(receipt.run), report_of(step.name, receipt)).outcome
        if outcome == "accepted":
            self._ports.observer.event("rescued", step=step.name, run=receipt.run, token=receipt.token)
        return outcome
