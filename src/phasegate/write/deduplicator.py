"""Rewrites a partition with the newest row of each key.

It is an ordinary fenced write of the partition's own rows. It refuses a partition without a receipt: its inputs are
unknown, and no fence guards it.
"""

from msgspec.structs import replace

from phasegate.base import keys
from phasegate.base.keys import Run
from phasegate.base.receipt import Receipt
from phasegate.errors import BadInput, Busy
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.plan.model import Plan
from phasegate.ports import Ports, bound
from phasegate.write.inputs import part_of
from phasegate.write.leases import Leases
from phasegate.write.reports import report_of
from phasegate.write.writer import WriteJob, Writer


class Deduplicator:
    """Rewrites partitions without their repeated keys."""

    def __init__(self, plan: Plan, ports: Ports, *, gatekeeper: Gatekeeper, leases: Leases, writer: Writer) -> None:
        self._plan, self._ports, self._gatekeeper = plan, ports, gatekeeper
        self._leases, self._writer = leases, writer

    def deduplicate(self, name: str, run: Run) -> Receipt:
        """Keep the newest row of each key; return the receipt.

        An external step's receipt is reported to its phase. For a step that Phasegate builds, the caller must request a
        rebuild afterwards. Raises Busy while another process holds the partition, InputsChanged when its inputs changed
        since it was written.
        """
        step = self._plan.steps[name]
        assert step.table is not None
        part, document = part_of(step, run), keys.phase_key(self._plan.pipeline, step.phase, run=run)
        with (
            bound(step=name, run=str(run)),
            self._leases.hold(part, purpose="deduplicate", owner=document) as held,
        ):
            if held is None:
                raise Busy(f"{part.table}/{part.partition} is being written by another process; try again later")
            with self._ports.warehouse.snapshot() as reader:
                newest = reader.receipts([part]).get(part)
            if newest is None:
                raise BadInput(f"{part.table}/{part.partition} has no receipt; its owner must write it again")
            rows = f'SELECT * FROM {step.table.name} WHERE "{step.table.partition}" = $run_date'  # noqa: S608  checked names
            whole = replace(step, sql=rows, table=replace(step.table, write="replace", tombstone=None))
            job = WriteJob(whole, run, newest.built_from, rewrites=newest.stamp, allow_shrink=True)
            receipt = self._writer.write(job, held=held)
            if step.kind == "external":
                self._gatekeeper.report(step.phase, run, report_of(step.name, receipt))
            held.unreported = False
        return receipt
