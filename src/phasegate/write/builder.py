"""Serves one request: builds a step from its inputs, and reports it.

The order is fixed: commit in the warehouse, report, release the lease. The builder refuses to report success without a
receipt: if another worker holds the lease, the inputs changed or the token is stale, the request stays open.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from phasegate.base import keys
from phasegate.base.keys import Run
from phasegate.base.receipt import Part, Receipt, Stamp
from phasegate.errors import (
    OUTAGES,
    BadInput,
    Busy,
    Fenced,
    ForeignStore,
    InputsChanged,
    LeaseLost,
    Partial,
    words,
)
from phasegate.gate.decisions import Report
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.phase import Phase, same
from phasegate.gate.records import CommandOutcome, Member, Request
from phasegate.plan.gate import Status
from phasegate.plan.model import Plan, Step
from phasegate.ports import Ports
from phasegate.steplog import StepLogs, Tail
from phasegate.warehouse import Reader, Row
from phasegate.write import preconditions
from phasegate.write.inputs import part_of, stamps_now
from phasegate.write.leases import HeldLease, Leases
from phasegate.write.read_repair import ReadRepair
from phasegate.write.reading import Reading
from phasegate.write.reports import report_of
from phasegate.write.writer import WriteJob, Writer

PythonStep = Callable[[Reading], Sequence[Row]]
RequestOutcome = Literal["built", "busy", "not asked for", "lease lost"] | CommandOutcome
"""What became of a request: the outcome of the report, or why there was none."""


class Attempted:
    """One attempt at a request, the ``number``-th, and what its step printed.

    ``phase``: the document, as it was when the attempt began. ``error``: why it failed, "" unless it has.
    """

    def __init__(self, step: Step, run: Run, request: Request, *, phase: Phase) -> None:
        self.step, self.run, self.request, self.phase = step, run, request, phase
        self.number, self.printed, self.error = phase.failures_of(step.name) + 1, Tail(), ""


def attempted(phase: Phase | None, step: Step, run: Run, *, request_id: str) -> Attempted | None:
    """Return a new attempt at a request, None if it no longer stands."""
    request = None if phase is None else phase.requests.get(step.name)
    if phase is None or request is None or request.id != request_id or request.state == "dead":
        return None
    return Attempted(step, run, request, phase=phase)


class Ending:
    """How an attempt ended.

    ``outcome``: that of its report, or why there was none; ``error``: what went wrong, "" for nothing.
    """

    def __init__(self) -> None:
        self.outcome, self.error = "interrupted", ""


@contextmanager
def observed(
    ports: Ports, step: Step, run: Run, /, *, phase: Phase, request: str, inputs: Mapping[str, Stamp], token: int
) -> Iterator[Ending]:
    """Report an attempt, which the block is, to the observer.

    ``request``: the id of the request that it serves, "" for none. ``token``: of the lease, 0 where there is
    none; no two leases of a partition have the same one.
    """
    ending, number, generation = Ending(), phase.failures_of(step.name) + 1, phase.generation + 1
    began_at, began = ports.clock.now(), ports.clock.monotonic()
    ports.observer.event(
        "attempt begun", step=step.name, phase=step.phase, run=str(run), generation=generation, request=request,
        attempt=number, token=token, inputs=inputs, at=began_at,
    )  # fmt: skip
    try:
        yield ending
    except BaseException as e:
        ending.error = ending.error or (words(e) if isinstance(e, Exception) else type(e).__name__)
        raise
    finally:
        ports.observer.event(
            "attempt ended", step=step.name, phase=step.phase, run=str(run), generation=generation, request=request,
            attempt=number, token=token, at=began_at, took_s=ports.clock.monotonic() - began,
            outcome=ending.outcome, error=ending.error,
        )  # fmt: skip


class Builder:
    """Builds ``sql`` and ``python`` steps on request."""

    def __init__(
        self,
        plan: Plan,
        ports: Ports,
        *,
        gatekeeper: Gatekeeper,
        leases: Leases,
        writer: Writer,
        read_repair: ReadRepair,
        functions: Mapping[str, PythonStep],
    ) -> None:
        self._plan, self._ports, self._gatekeeper, self._read_repair = plan, ports, gatekeeper, read_repair
        self._leases, self._writer, self._functions, self._tables = leases, writer, functions, read_repair.tables
        self._logs = StepLogs(plan.pipeline, ports)

    def serve(self, step: Step, run: Run, *, request_id: str) -> RequestOutcome:
        """Serve the phase's standing request for a step; return the outcome.

        The outcome is that of the report, or ``busy`` (another worker holds the lease), ``not asked for`` (the request
        ``request_id`` no longer stands), ``lease lost``.
        """
        if step.kind == "external":
            return self._compare(step, run, request_id=request_id)
        return self.leased(step, run, part=part_of(step, run), request_id=request_id, serve=self._serve)

    def leased(
        self, step: Step, run: Run, *, part: Part, request_id: str,
        serve: Callable[[Attempted, HeldLease], RequestOutcome],
    ) -> RequestOutcome:  # fmt: skip
        """Hold the lease of a part while ``serve`` attempts a standing request.

        Return its outcome, or ``busy`` or ``not asked for``, without a call. Raises Busy if a newer plan has other code
        of the step: a process with that plan must build it, as in a rolling restart.
        """
        document = keys.phase_key(self._plan.pipeline, step.phase, run=run)
        with self._leases.hold(part, purpose=request_id, owner=document) as held:
            if held is None:
                return "busy"
            phase = self._gatekeeper.read(step.phase, run)
            attempt = attempted(phase, step, run, request_id=request_id)
            if attempt is None:
                return "not asked for"
            if attempt.phase.gate.is_newer(step.name, code=step.code, since=self._gatekeeper.since):
                raise Busy(f"{step.name} of {run} has other code by a newer plan; start this process with that plan")
            with observed(self._ports, step, run, phase=attempt.phase, request=request_id,
                          inputs=attempt.request.inputs, token=held.token) as ending:  # fmt: skip
                ending.outcome = serve(attempt, held)
                ending.error = attempt.error
                return ending.outcome

    def _compare(self, step: Step, run: Run, *, request_id: str) -> RequestOutcome:
        """Report again what an external step's table lacks, and the outcome.

        Its rows are as they were; the table that it must cover has changed.
        """
        phase = self._gatekeeper.read(step.phase, run)
        spec = None if phase is None else phase.gate.members.get(step.name)
        if phase is None or spec is None or spec.covers is None:
            raise BadInput(f"request {request_id}: step {step.name} is external; a worker has nothing to build")
        attempt, result = attempted(phase, step, run, request_id=request_id), phase.result_of(step.name)
        if attempt is None or result is None:
            return "not asked for"
        try:
            answer = self._tables.report(step, run, built_from=result.built_from, request=request_id, compare=True)
        except BadInput as e:
            failed = self.failure(attempt, status="failed", error=e)
            return self._gatekeeper.report(step.phase, run, failed).outcome
        self._tables.correct_covered(step, run, request=request_id)
        return answer.outcome

    def _serve(self, attempt: Attempted, held: HeldLease, /) -> RequestOutcome:
        step, run, request = attempt.step, attempt.run, attempt.request
        forced = attempt.phase.members.get(step.name, Member()).stale == "forced"
        try:
            receipt = self._build(attempt, held=held, forced=forced)
            report = report_of(step.name, receipt, request=request.id)
            report = self._tables.compared(report, step, run, strict=True, phase=attempt.phase)
        except InputsChanged as e:
            self._read_repair.report_to_owners(request, step, run=run)
            report = self.failure(attempt, status="inputs_changed", error=e)
        except (Fenced, LeaseLost) as e:
            self._ports.observer.event("stale holder stopped", step=step.name, run=str(run), error=str(e))
            return "lease lost"
        except OUTAGES:
            raise
        except Partial as e:
            report = self.failure(attempt, status="partial", error=e)
        except (BadInput, ForeignStore) as e:
            report = self.failure(attempt, status="failed", error=e)
        except Exception as e:  # noqa: BLE001  a step may raise anything; it is reported, counted and bounded
            report = self.failure(attempt, status="transient", error=e)
        else:
            if attempt.printed.text:
                self._logs.add(step.name, run, status=report.status, number=attempt.number, request=request.id,
                               output=attempt.printed.text)  # fmt: skip
        outcome = self._gatekeeper.report(step.phase, run, report).outcome
        # a failure does not report what may have been committed before it
        held.unreported = held.unreported and report.write_id == ""
        if report.lacks is not None:
            self._tables.correct_covered(step, run, request=request.id)
        return outcome

    def failure(self, attempt: Attempted, *, status: Status, error: Exception | str) -> Report:
        """Log what a failed attempt left; return its report."""
        step, request, log = attempt.step, attempt.request, ""
        text = attempt.error = error if isinstance(error, str) else words(error)
        if status != "inputs_changed":  # that is no failure: the step is requested again with the new ones
            log = self._logs.add(step.name, attempt.run, status=status, number=attempt.number, request=request.id,
                                 error=error, output=attempt.printed.text).text  # fmt: skip
        self._ports.observer.event("step not built", step=step.name, run=str(attempt.run), attempt=attempt.number,
                                   request=request.id, status=status, error=text, log=log)  # fmt: skip
        return Report(member=step.name, status=status, error=text, request=request.id, build=self._ports.build.name())

    def _build(self, attempt: Attempted, *, held: HeldLease, forced: bool) -> Receipt:
        """Return a receipt of these inputs and this code, by a write if needed.

        The newest receipt is enough if it has the same inputs and code, unless ``forced``.
        """
        step, run, request = attempt.step, attempt.run, attempt.request
        part = part_of(step, run)
        with self._ports.warehouse.snapshot() as reader:
            newest = reader.receipts([part]).get(part)
            if (
                newest is not None
                and not forced
                and newest.code == step.code
                and same(newest.built_from, request.inputs)
            ):
                self._check_reads(reader, step, run, asked=request.inputs)
                return newest
        self._writer.create_inputs(step, run)
        work = WriteJob(step, run, request.inputs, allow_shrink=request.allow_shrink)
        if step.kind == "python":
            work = self._prepared(work, held=held, printed=attempt.printed)
        return self._writer.write(work, held=held)

    def _check_reads(self, reader: Reader, step: Step, run: Run, *, asked: Mapping[str, Stamp]) -> None:
        """Raise InputsChanged if a foreign table holds other content.

        Two reads of a foreign table have no order: the older one may be reported last, and a receipt built from it
        must then not settle the step.
        """
        reads = {name: stamp for name, stamp in asked.items() if not stamp.token}
        now = stamps_now(self._plan, reader, asked=reads, run=run) if reads else {}
        changed = preconditions.changed_inputs(reads, now)
        if changed:
            raise InputsChanged(f"{step.name}: {', '.join(changed)} changed since the request; it is not confirmed")

    def _prepared(self, work: WriteJob, *, held: HeldLease, printed: Tail) -> WriteJob:
        """Run a Python step: take the stamps, let it read, take its rows."""
        step = work.step
        function = self._functions.get(step.python)
        if function is None:
            raise BadInput(f"step {step.name}: {step.python} was not found; check module and function")
        reading = Reading(self._plan, self._ports.warehouse, asked=work.inputs, run=work.run, check=held.check,
                          params=work.params)  # fmt: skip
        changed = preconditions.changed_inputs(work.inputs, reading.before)
        if changed:
            raise InputsChanged(f"{step.name}: {', '.join(changed)} changed since the request; it was not run")
        with self._ports.output.into(printed.add):
            rows = function(reading)
        before = reading.before if step.reads == "attested" else {}
        if not isinstance(rows, Sequence):
            raise BadInput(f"step {step.name}: {step.python} returned {type(rows).__name__}; return a list of dicts")
        return WriteJob(step, work.run, work.inputs, rows=rows, before=before, allow_shrink=work.allow_shrink)
