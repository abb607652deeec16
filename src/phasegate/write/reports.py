"""Reports the content of a table to its phase.

The content is that of the newest receipt, else of a read of the rows. A read of a foreign table is ordered by the
document, not by a clock: it counts only if the result accepted before the read is still the accepted one. So a slow
reader never puts older content over newer content.

The report of a step that must cover another table says what is lacking. If that cannot be found out, the result is
reported without it: the phase then requests the comparison, and shows why that fails.
"""

from contextlib import nullcontext

from msgspec.structs import replace

from phasegate.base.fingerprint import rows_of
from phasegate.base.keys import Run
from phasegate.base.receipt import Receipt, Stamp
from phasegate.errors import BadInput, Contended
from phasegate.gate.decisions import READ_AGAIN, Answer, Report
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.phase import Phase
from phasegate.gate.records import Lacks, Result
from phasegate.plan.model import Step
from phasegate.ports import Ports
from phasegate.warehouse import Reader
from phasegate.write.inputs import is_foreign, lacks_now, part_of

READS_MAX = 16


def report_of(step: str, receipt: Receipt, *, request: str = "") -> Report:
    """Return the report of a receipt; nothing is read again after the commit."""
    return Report(
        member=step,
        status="success" if receipt.rows else "empty",
        order=float(receipt.token),
        stamp=receipt.stamp,
        built_from=receipt.built_from,
        request=request,
        write_id=receipt.write_id,
        code=receipt.code,
        build=receipt.build,
    )


class TableReporter:
    """Reports the content of members' tables to their phases."""

    def __init__(self, ports: Ports, *, gatekeeper: Gatekeeper) -> None:
        self._ports, self._gatekeeper = ports, gatekeeper

    def report(  # noqa: PLR0913  what a report may say of a table
        self, step: Step, run: Run, *, built_from: dict[str, Stamp] | None = None, request: str = "",
        lacks: Lacks | None = None, compare: bool = False, code: str | None = None, build: str = "",
    ) -> Answer:  # fmt: skip
        """Report the present content of the step's partition.

        ``lacks``: what its reporter says is missing. ``compare``: raise BadInput if it cannot be compared with the
        table that it must cover. ``code``: of what wrote the rows; None: of what wrote the accepted result.
        ``build``: that wrote rows without a receipt, "" where that is unknown.

        Raises Contended if the accepted result keeps changing during the read, BadInput if a partition with a receipt
        does not hold that receipt's content: what its readers saw is then unknown.
        """
        assert step.table is not None, f"step {step.name} has no table to read"
        self._gatekeeper.open(step.phase, run)
        for _ in range(READS_MAX):
            accepted = self._accepted(step, run)
            seen = 0.0 if accepted is None else accepted.order
            if lacks is None and step.covers is None and accepted is not None and accepted.lacks is not None:
                lacks = Lacks()  # the content is the same, and its reporter misses nothing any more
            part = part_of(step, run)
            with self._ports.warehouse.snapshot() as reader:
                receipt = reader.receipts([part]).get(part)
                if receipt is not None:
                    if receipt.fingerprint != reader.fingerprint(step.table, partition=run.date):
                        raise BadInput(
                            f"{step.table.name}/{run.date} was changed past Phasegate since its last receipt; "
                            "write it with begin and run.write"
                        )
                    written = replace(report_of(step.name, receipt, request=request), lacks=lacks)
                    written = self.compared(written, step, run, reader=reader, strict=compare)
                    return self._gatekeeper.report(step.phase, run, written)
                stamp = Stamp(reader.fingerprint(step.table, partition=run.date))
                rows = rows_of(stamp.fingerprint)
                of = code if code is not None else "" if accepted is None else accepted.code
                report = Report(member=step.name, status="success" if rows else "empty", after=seen,
                                stamp=stamp, built_from=built_from, request=request, code=of, build=build,
                                lacks=lacks)  # fmt: skip
                report = self.compared(report, step, run, reader=reader, strict=compare)
            answer = self._gatekeeper.report(step.phase, run, report)
            if answer.outcome != READ_AGAIN:
                return answer
        raise Contended(f"{step.table.name}/{run.date}", READS_MAX)

    def compared(
        self, report: Report, step: Step, run: Run, *, reader: Reader | None = None, strict: bool = False,
        phase: Phase | None = None,
    ) -> Report:  # fmt: skip
        """Return the report of a table with what the table lacks.

        By the rule that the run has pinned, in ``phase`` if that is given: the phase compares a result again whose rule
        is not its own. ``strict``: raise BadInput if the tables cannot be compared.
        """
        if report.stamp is None or step.table is None or not (step.covers or strict):
            return report
        phase = phase or self._gatekeeper.read(step.phase, run)
        spec = None if phase is None else phase.gate.members.get(step.name)
        if spec is None or spec.covers is None:
            return report
        try:
            with nullcontext(reader) if reader is not None else self._ports.warehouse.snapshot() as tables:
                lacks = lacks_now(self._gatekeeper.plan, tables, step=step, covers=spec.covers, run=run)
        except BadInput as e:
            if strict:
                raise
            self._ports.observer.event("tables not compared", step=step.name, run=str(run), error=str(e))
            return report
        return replace(report, lacks=lacks)

    def correct_covered(self, step: Step, run: Run, *, request: str) -> None:
        """Report the table that a step must cover, if a request still stands.

        The comparison was then with other content than the phase has.
        """
        phase = self._gatekeeper.read(step.phase, run)
        standing, spec = (None, None) if phase is None else (phase.requests.get(step.name),
                                                             phase.gate.members.get(step.name))  # fmt: skip
        if standing is not None and standing.id == request and spec is not None and spec.covers is not None:
            self.correct(self._gatekeeper.plan.steps[spec.covers.need.step], run)

    def correct(self, step: Step, run: Run) -> None:
        """Report an input whose partition differs from its accepted result.

        A foreign table's content counts as built from the inputs of the accepted result: its step was not run again. A
        step that Phasegate builds and that has no receipt has lost it, and perhaps its rows: it is requested again.
        """
        accepted = self._accepted(step, run)
        if accepted is None:
            return
        part = part_of(step, run)
        with self._ports.warehouse.snapshot() as reader:
            lost = not is_foreign(step) and part not in reader.receipts([part])
        if lost:
            self._gatekeeper.mark_stale(step.phase, run, step=step.name)
        else:
            self.report(step, run, built_from=accepted.built_from)

    def _accepted(self, step: Step, run: Run) -> Result | None:
        phase = self._gatekeeper.read(step.phase, run)
        return None if phase is None else phase.result_of(step.name)
