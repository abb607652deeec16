"""Reports what a table holds to the document that owns it: from its newest receipt, else from a read of the rows.

A read of a foreign table is ordered by the document, not by a clock: it counts only if the result that was accepted
before the read is still the accepted one, so a slow reader never puts an older content over a newer one.
"""

from phasegate.base.fingerprint import rows_of
from phasegate.base.keys import Run
from phasegate.base.receipt import Receipt, Stamp
from phasegate.errors import BadInput, Contended
from phasegate.gate.decisions import READ_AGAIN, Answer, Report
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.records import Result
from phasegate.plan.model import Step
from phasegate.ports import Ports
from phasegate.write.inputs import part_of

READS_MAX = 16


def report_of(step: str, receipt: Receipt, *, request: str = "") -> Report:
    """Return what a receipt says to the phase's document; nothing is read again after the commit."""
    return Report(
        member=step,
        status="success" if receipt.rows else "empty",
        order=float(receipt.token),
        stamp=receipt.stamp,
        built_from=receipt.built_from,
        rows=receipt.rows,
        request=request,
        write_id=receipt.write_id,
        code=receipt.code,
    )


class TableReporter:
    """Tells phases what the tables of their members hold."""

    def __init__(self, ports: Ports, *, gatekeeper: Gatekeeper) -> None:
        self._ports, self._gatekeeper = ports, gatekeeper

    def report(self, step: Step, run: Run, *, built_from: dict[str, Stamp] | None = None, request: str = "") -> Answer:
        """Report what the step's partition holds now.

        Raises Contended when it keeps changing under the read, BadInput when a guarded partition does not hold what
        its newest receipt says: nobody could tell what its readers saw.
        """
        assert step.table is not None, f"step {step.name} has no table to read"
        self._gatekeeper.open(step.phase, run)
        for _ in range(READS_MAX):
            accepted = self._accepted(step, run)
            seen = 0.0 if accepted is None else accepted.order
            with self._ports.warehouse.snapshot() as reader:
                receipt = reader.receipts([part_of(step, run)]).get(part_of(step, run))
                if receipt is not None:
                    if receipt.fingerprint != reader.fingerprint(step.table, partition=run.date):
                        raise BadInput(
                            f"{step.table.name}/{run.date} was changed past Phasegate since its last receipt; "
                            "write it with begin and run.write"
                        )
                    return self._gatekeeper.report(step.phase, run, report_of(step.name, receipt, request=request))
                stamp = Stamp(reader.fingerprint(step.table, partition=run.date))
            rows = rows_of(stamp.fingerprint)
            said = Report(member=step.name, status="success" if rows else "empty", after=seen, rows=rows, stamp=stamp,
                          built_from=built_from, request=request)  # fmt: skip
            answer = self._gatekeeper.report(step.phase, run, said)
            if answer.outcome != READ_AGAIN:
                return answer
        raise Contended(f"{step.table.name}/{run.date}", READS_MAX)

    def correct(self, step: Step, run: Run) -> None:
        """Tell the owner of an input that its partition holds something else than it believes.

        A foreign table is taken to be built from what its accepted result was: nobody re-ran its step. A step of
        Phasegate's own without a receipt has lost it, with its rows perhaps: it is asked for again.
        """
        accepted = self._accepted(step, run)
        if accepted is None:
            return
        with self._ports.warehouse.snapshot() as reader:
            lost = step.kind != "external" and part_of(step, run) not in reader.receipts([part_of(step, run)])
        if lost:
            self._gatekeeper.mark_stale(step.phase, run, step=step.name)
        else:
            self.report(step, run, built_from=accepted.built_from)

    def _accepted(self, step: Step, run: Run) -> Result | None:
        phase = self._gatekeeper.read(step.phase, run)
        return None if phase is None else phase.result_of(step.name)
