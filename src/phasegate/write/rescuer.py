"""Reports writes that were committed but never reported.

A holder commits, reports and releases its lease, in this order, and does not release it if it could not report. So
after a lost report the lease expires, its document is due, and the sweeper calls the rescuer.
"""

from phasegate.base import keys
from phasegate.base.backoff import is_ahead
from phasegate.base.keys import parse_run
from phasegate.base.receipt import Part, Receipt
from phasegate.gate import decisions
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.phase import Phase
from phasegate.plan.model import Plan, Step
from phasegate.ports import Ports
from phasegate.store import Doc
from phasegate.transact import transact
from phasegate.write.lease import TTL_MAX_S
from phasegate.write.leases import HeldLease, Leases
from phasegate.write.reports import report_of


class Rescuer:
    """Takes expired leases, raises the fence, and reports the newest receipt."""

    def __init__(self, plan: Plan, ports: Ports, *, gatekeeper: Gatekeeper, leases: Leases, store_id: str) -> None:
        self._ports, self._gatekeeper, self._leases, self._store_id = ports, gatekeeper, leases, store_id
        self._steps = {step.table.name: step for step in plan.steps.values() if step.table is not None}

    def rescue(self, key: str) -> str:
        """Handle the lease document ``key`` if it has expired; return the outcome.

        The outcome is that of the report, or ``held``, ``nothing`` (no receipt), ``not ours`` (no document to report
        to). If this crashes, its own lease expires and the next sweep retries.
        """
        _, _, table, partition = key.split(":", 3)
        part = Part(table, partition)
        with self._leases.hold(part, purpose="rescue") as held:
            if held is None:
                return "held"
            held.unreported = True
            receipt, lease = self._raise_fence(part, held), self._leases.read(key)
            outcome = "nothing"
            if receipt is not None:
                owner = "" if lease is None else lease.owner
                outcome = self._report(self._steps.get(table), receipt, owner=owner)
            held.unreported = False
            return outcome

    @staticmethod
    def is_ahead(doc: Doc, now: float) -> bool:
        """Return whether a lease ends later than any lease can."""
        return is_ahead(doc.due, now=now, bound_s=TTL_MAX_S)

    def _raise_fence(self, part: Part, held: HeldLease) -> Receipt | None:
        """Raise the fence to our token; return the newest receipt.

        The earlier holder can no longer commit.
        """
        with self._ports.warehouse.transaction() as tx:
            tx.change_fence(part, token=held.token, store_id=self._store_id)
            return tx.receipts([part]).get(part)

    def _report(self, step: Step | None, receipt: Receipt, *, owner: str) -> str:
        if step is not None:
            report = report_of(receipt.step, receipt)
            outcome = self._gatekeeper.report(step.phase, parse_run(receipt.run), report).outcome
        else:
            outcome = self._report_to_other_plan(owner, receipt)
        if outcome == "accepted":
            self._ports.observer.event("rescued", step=receipt.step, run=receipt.run, token=receipt.token)
        return outcome

    def _report_to_other_plan(self, owner: str, receipt: Receipt) -> str:
        """Report to a document of another plan on this store.

        That plan's own sweeper sends the messages that follow.
        """
        if not owner or str(keys.phase_of(owner)[2]) != receipt.run:
            return "not ours"
        now, report = self._ports.clock.now(), report_of(receipt.step, receipt)
        decide = decisions.report(report, key=owner, now=now, attempt=self._ports.ids())
        return transact(self._ports, owner, kind=Phase, decide=decide).outcome
