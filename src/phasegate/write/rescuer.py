"""Reports writes that were committed but never reported.

A holder commits, reports and releases its lease, in this order, and does not release it if it could not report. So
after a lost report the lease expires, its document is due, and the sweeper calls the rescuer.
"""

from typing import Final, Literal, NamedTuple

from phasegate.base import keys
from phasegate.base.backoff import is_ahead
from phasegate.base.keys import Run, parse_run
from phasegate.base.receipt import Part, Receipt
from phasegate.errors import BadInput, Busy, NotFound
from phasegate.gate import decisions
from phasegate.gate.applied import apply
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.records import CommandOutcome
from phasegate.plan.model import Plan, Step
from phasegate.ports import Ports
from phasegate.store import Doc
from phasegate.transact import AtHand
from phasegate.write.lease import TTL_MAX_S
from phasegate.write.leases import HeldLease, Leases
from phasegate.write.reports import report_of

# Another holder has the lease, or that of the table: what is due is left to a later sweep.
HELD: Final = "held"
RescueOutcome = CommandOutcome | Literal["held", "nothing", "not ours"]


class Adopted(NamedTuple):
    """What an adoption did, by partition.

    ``tokens``: the token of each lease. ``reported``: what this store did not have, with the outcome of its report.
    ``lost``: rows that differ from their receipt, with what is done about it.
    """

    tokens: dict[Part, int]
    reported: dict[Part, str]
    lost: dict[Part, str]


class Rescuer:
    """Takes expired leases, raises the fence, and reports the newest receipt."""

    def __init__(self, plan: Plan, ports: Ports, *, gatekeeper: Gatekeeper, leases: Leases, store_id: str) -> None:
        self._ports, self._gatekeeper, self._leases, self._store_id = ports, gatekeeper, leases, store_id
        self._steps = {step.table.name: step for step in plan.steps.values() if step.table is not None}

    def rescue(self, key: str) -> RescueOutcome:
        """Handle the lease document ``key`` if it has expired; return the outcome.

        The outcome is that of the report, or ``held``, ``nothing`` (no receipt), ``not ours`` (no document to report
        to). If this crashes, its own lease expires and the next sweep retries.
        """
        _, _, table, partition = key.split(":", 3)
        part = Part(table, partition)
        with self._leases.hold(part, purpose="rescue") as held:
            if held is None:
                return HELD
            held.unreported = True
            receipt, lease = self._raise_fence(part, held), self._leases.read(key)
            outcome: RescueOutcome = "nothing"
            if receipt is not None:
                owner = "" if lease is None else lease.owner
                outcome = self._report(self._steps.get(table), receipt, owner=owner)
            held.unreported = False
            return outcome

    def let_go(self, key: str) -> RescueOutcome:
        """Take a lease from its holder now, as if it had expired; rescue it.

        A holder that still works stops at its next heartbeat, and cannot commit into a partition that was written
        before: its fence names us. Raises BadInput for a lease of another warehouse, NotFound if it is not held, and
        Busy if its holder renewed it just now, or another one works on the whole table.
        """
        if not self._leases.expire(key):
            raise NotFound(f"{key}: no such lease is held; see phasegate leases")
        outcome = self.rescue(key)
        if outcome == HELD:
            raise Busy(f"{key}: it was renewed just now, or the lease of its table is held; see phasegate leases")
        return outcome

    def adopt(self) -> Adopted:
        """Make the warehouse obey this store, and report what it does not have.

        Every fence gets this store's id and a new holder, and each lease is raised above it: writes of another store,
        and of a copy of this one, are refused from then on. Each partition's newest receipt is reported to its phase,
        if that has another result. One whose rows differ from its receipt is to be built or delivered again.
        """
        holder, adopted = self._ports.ids(), Adopted({}, {}, {})
        fences = self._ports.warehouse.adopt(None, store_id=self._store_id, holder=holder)
        for part, token in fences.items():
            adopted.tokens[part] = self._leases.raise_to(part, token=token, holder=holder)
        for part in sorted(fences):
            step = self._steps.get(part.table)
            with self._ports.warehouse.snapshot() as reader:
                receipt = reader.receipts([part]).get(part)
                if step is None or step.table is None or receipt is None:
                    continue
                held = reader.fingerprint(step.table, partition=part.partition)
            run = parse_run(receipt.run)
            phase = self._gatekeeper.read(step.phase, run)
            result = None if phase is None else phase.result_of(step.name)
            if receipt.fingerprint != held:
                adopted.lost[part] = self._build_again(step, run)
            elif result is None or result.stamp != receipt.stamp:
                adopted.reported[part] = self._adopt_result(step, receipt)
        return adopted

    def _adopt_result(self, step: Step, receipt: Receipt) -> str:
        try:
            return self._report(step, receipt, owner="")
        except BadInput as e:  # a date that is not expected here, say: the others are reported all the same
            return f"not reported: {e}"

    def _build_again(self, step: Step, run: Run) -> str:
        """Request a partition that differs from its receipt; return what to do."""
        if step.kind == "external":
            return f"deliver it again, with: phasegate begin {run} --step {step.name}"
        self._gatekeeper.open(step.phase, run)
        self._gatekeeper.rebuild(step.phase, run, steps=(step.name,), quiet=False)
        return "requested again"

    @staticmethod
    def is_ahead(doc: Doc, now: float) -> bool:
        """Return whether a lease ends later than any lease can."""
        return is_ahead(doc.due, now=now, bound_s=TTL_MAX_S)

    def _raise_fence(self, part: Part, held: HeldLease) -> Receipt | None:
        """Raise the fence to our token; return the newest receipt.

        The earlier holder can no longer commit.
        """
        warehouse = self._ports.warehouse
        held.fenced = warehouse.change_fence(part, token=held.token, store_id=self._store_id, holders=held.writers)
        with warehouse.snapshot() as reader:
            return reader.receipts([part]).get(part)

    def _report(self, step: Step | None, receipt: Receipt, *, owner: str) -> RescueOutcome:
        if step is not None:
            report = report_of(receipt.step, receipt)
            outcome: RescueOutcome = self._gatekeeper.report(step.phase, parse_run(receipt.run), report).outcome
        else:
            outcome = self._report_to_other_plan(owner, receipt)
        if outcome == "accepted":
            self._ports.observer.event("rescued", step=receipt.step, run=receipt.run, token=receipt.token)
        return outcome

    def _report_to_other_plan(self, owner: str, receipt: Receipt) -> RescueOutcome:
        """Report to a document of another plan on this store.

        That plan's own sweeper sends the messages that follow.
        """
        if not owner or str(keys.phase_of(owner)[2]) != receipt.run:
            return "not ours"
        now, report = self._ports.clock.now(), report_of(receipt.step, receipt)
        decide = decisions.report(report, key=owner, now=now, attempt=self._ports.ids())
        return apply(self._ports, owner, decide=decide, known=AtHand())[0].outcome
