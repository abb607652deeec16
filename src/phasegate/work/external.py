"""External steps in Python: the caller's code builds them.

It does so between ``begin`` and ``complete``.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from msgspec.structs import replace

from phasegate import messages
from phasegate.base import keys
from phasegate.base.keys import Run
from phasegate.base.receipt import Receipt, Stamp
from phasegate.errors import OUTAGES, BadInput, Busy, Fenced, LeaseLost, NotFound, Partial, words
from phasegate.gate import outbox
from phasegate.gate.decisions import Answer, Report
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.phase import Phase, fresh_members, present_inputs
from phasegate.plan.gate import Status
from phasegate.plan.model import Plan, Step
from phasegate.ports import OwnBuild, Ports, bind, bound
from phasegate.steplog import StepLogs
from phasegate.warehouse import Row
from phasegate.work.worker import Worker
from phasegate.write.builder import observed
from phasegate.write.inputs import part_of
from phasegate.write.leases import HeldLease, Leases
from phasegate.write.reports import report_of
from phasegate.write.writer import WriteJob, Writer

TRIGGER = "trigger."


class StepRun:
    """One step of one run, while the caller builds it."""

    def __init__(  # noqa: PLR0913  what its methods use, from one place
        self, step: Step, run: Run, *, phase: Phase, held: HeldLease | None, writer: Writer, worker: Worker,
        logs: StepLogs, build: OwnBuild,
    ) -> None:  # fmt: skip
        self._step, self._run, self._held, self._logs = step, run, held, logs
        self._phase, self._writer, self._worker, self._build = phase, writer, worker, build
        self._receipt: Receipt | None = None
        self.answer: Answer | None = None
        self.error = ""

    @property
    def date(self) -> str:
        """Return the run's date, ISO."""
        return self._run.date

    @property
    def mode(self) -> str:
        """Return the run's mode."""
        return self._run.mode

    @property
    def needed(self) -> bool:
        """Return whether there is something to do.

        False if a result of the present inputs is accepted. Always True for a step without needs: whether its source
        has changed is not known here.
        """
        return not self._step.needs or self._step.name not in fresh_members(self._phase)

    @property
    def inputs(self) -> dict[str, Stamp]:
        """Return the inputs that the result will count as built from."""
        if self._step.name not in self._phase.gate.members:
            return {}
        return present_inputs(self._phase, self._step.name)

    def write(self, rows: Sequence[Row]) -> Receipt:
        """Write the step's rows in one fenced transaction and return the receipt.

        See ``Writer.write`` for errors. Raises BadInput after ``complete``: begin the step again for further rows.
        """
        if self.answer is not None:
            raise BadInput(f"step {self._step.name}: complete() was called; begin the step again to write more")
        if self._step.table is None or self._held is None:
            raise BadInput(f"step {self._step.name} has no table; give it one in the plan, or write elsewhere")
        work = WriteJob(self._step, self._run, self.inputs, rows=rows)
        self._receipt = self._writer.write(work, held=self._held)
        return self._receipt

    def complete(
        self, *, rows: int | None = None, execution_id: str = "", sequence: int | None = None, status: str = "",
        missing: Sequence[str] = (),
    ) -> Answer:  # fmt: skip
        """Report that the step is done; return the answer.

        The result is the receipt of ``write``, else the content of the step's table, else ``execution_id``. ``rows`` is
        compared with the receipt, if there is one. ``missing``: the keys that a ``partial`` result lacks.
        """
        if self._receipt is not None:
            if rows is not None and rows != self._receipt.rows:
                raise BadInput(
                    f"step {self._step.name}: complete(rows={rows}) but the partition holds {self._receipt.rows}; "
                    "leave rows out, or look for rows that were not written"
                )
            report = report_of(self._step.name, self._receipt, request=self.request)
            self.answer = self._worker.report(self._step, self._run, report)
            assert self._held is not None
            self._held.unreported = False
            return self.answer
        body = {"kind": "completion", "step": self._step.name, "run": str(self._run), "rows": rows,
                "execution_id": execution_id, "status": status or ("empty" if rows == 0 else "success"),
                "trigger_id": self.trigger_id, "missing": list(missing), "build": self._build.name()}  # fmt: skip
        if sequence is not None:
            body["sequence"] = sequence
        message = messages.parse(body, where=f"complete of {self._step.name}")
        assert isinstance(message, messages.CompletionMessage)
        self.answer = self._worker.complete(message, where=f"complete of {self._step.name}")
        return self.answer

    def fail(self, error: BaseException | str, *, final: bool = False, output: str = "") -> Answer:
        """Report that the step failed.

        ``final``: do not try it again. The traceback of an exception and the ``output`` go to the step's log.
        """
        return self.report_failure(error, status="failed" if final else "transient", output=output)

    def report_failure(self, error: BaseException | str, *, status: Status, output: str = "") -> Answer:
        """Report a failure with its status."""
        self.log(status, error=error, output=output)
        self.error = error if isinstance(error, str) else words(error)
        report = Report(member=self._step.name, status=status, error=self.error, request=self.request,
                        build=self._build.name())  # fmt: skip
        self.answer = self._worker.report(self._step, self._run, report)
        return self.answer

    def log(self, status: Status, *, error: BaseException | str = "", output: str = "") -> None:
        """Store what the attempt printed or raised in the step's log."""
        self._logs.add(self._step.name, self._run, status=status, number=self._phase.failures_of(self._step.name) + 1,
                       request=self.request, error=error, output=output)  # fmt: skip

    @property
    def request(self) -> str:
        """Return the id of the request that stood when the step was begun."""
        request = self._phase.requests.get(self._step.name)
        return "" if request is None else request.id

    @property
    def trigger_id(self) -> str:
        """Return the id of the trigger that the step is built on, "" for none."""
        needed = {need.phase for need in self._step.needs}
        begun = next(((name, i.generation) for name, i in self._phase.inputs.items() if name in needed), None)
        if begun is None:
            return ""
        upstream = keys.phase_key(self._worker.pipeline, begun[0], run=self._run)
        return keys.trigger_id(upstream, begun[1], receiver=self._step.phase)


class ExternalSteps:
    """Begins external steps: by a trigger, a request, or the name of a run."""

    def __init__(
        self, plan: Plan, ports: Ports, *, gatekeeper: Gatekeeper, leases: Leases, writer: Writer, worker: Worker
    ) -> None:
        self._plan, self._ports, self._gatekeeper, self._leases = plan, ports, gatekeeper, leases
        self._logs = StepLogs(plan.pipeline, ports)
        self._writer, self._worker = writer, worker

    @contextmanager
    def begin(self, trigger: str | Mapping[str, object], *, step: str | None = None) -> Iterator[StepRun]:
        """Hold a step of a run during the block.

        If the block raises, or ends without ``complete`` or ``fail``, a transient failure is reported; not for an
        outage, nor when a newer holder took over: the step has not failed.

        ``trigger``: the body of a trigger or request message, or a run such as ``2026-02-03.overnight``.
        ``step`` may be left out where the phase has one external step only.

        Raises Busy while another process holds the step's partition (let the message be delivered again), BadInput,
        NotFound.
        """
        with bound(), ExitStack() as stack:
            chosen, run = self.resolve(trigger, step)
            bind(step=chosen.name, run=str(run))
            document, held = keys.phase_key(self._plan.pipeline, chosen.phase, run=run), None
            if chosen.table is not None:
                held = stack.enter_context(
                    self._leases.hold(part_of(chosen, run), purpose=f"begin {chosen.name}", owner=document)
                )
                if held is None:
                    raise Busy(f"{chosen.name} of {run} is being written by another process; deliver it again later")
            phase = self._opened(chosen, run)
            handle = self._handle(chosen, run, phase=phase, held=held)
            if handle.request:
                bind(request=handle.request)
            ending = stack.enter_context(
                observed(self._ports, chosen, run, phase=phase, request=handle.request, inputs=handle.inputs,
                         token=0 if held is None else held.token)
            )  # fmt: skip
            try:
                yield handle
            except (*OUTAGES, Fenced, LeaseLost):
                raise
            except Exception as e:
                if handle.answer is None:
                    handle.report_failure(e, status="partial" if isinstance(e, Partial) else "transient")
                raise
            else:
                if handle.answer is None:
                    handle.fail("the block ended without complete() or fail()")
            finally:
                ending.outcome = ending.outcome if handle.answer is None else handle.answer.outcome
                ending.error = handle.error

    def handle(self, step: Step, run: Run) -> StepRun:
        """Return a step of a run as it stands now, without a lease.

        Raises NotFound for a run that is not open.
        """
        return self._handle(step, run, phase=self._opened(step, run), held=None)

    def _opened(self, step: Step, run: Run) -> Phase:
        phase = self._gatekeeper.read(step.phase, run)
        if phase is None:
            raise NotFound(f"begin: {step.phase} of {run} is not open; a trigger opens it, or phasegate begin {run}")
        # an external step builds on the newest inputs, also those that wait for a build to end
        return replace(phase, inputs={**phase.inputs, **phase.waiting})

    def _handle(self, step: Step, run: Run, *, phase: Phase, held: HeldLease | None) -> StepRun:
        return StepRun(step, run, phase=phase, held=held, writer=self._writer, worker=self._worker, logs=self._logs,
                       build=self._ports.build)  # fmt: skip

    def resolve(self, trigger: str | Mapping[str, object], step: str | None) -> tuple[Step, Run]:
        """Return the step and the run that a trigger, a request or a run means.

        A trigger, also by its id, is begun, and a run is opened. The id of the message is bound. Raises BadInput,
        NotFound.
        """
        if not isinstance(trigger, str):
            trigger = messages.meant_by_platform(trigger, self._plan, step=step, where="begin") or trigger
        if isinstance(trigger, str) and trigger.startswith(TRIGGER):
            trigger = self._fired(trigger)
        if isinstance(trigger, str):
            run = keys.parse_run(trigger)
            chosen = self._step(step, phase=None)
            self._gatekeeper.open(chosen.phase, run)
            return chosen, run
        message = messages.parse(trigger, where="begin", plan=self._plan)
        match message:
            case messages.TriggerMessage():
                bind(trigger=message.id)
                self._check_pipeline(message.pipeline)
                chosen = self._step(step, phase=message.receiver)  # before anything is begun for another's step
                self._worker.begin(message)
                return chosen, keys.parse_run(message.run)
            case messages.RequestMessage():
                bind(request=message.id)
                self._check_pipeline(message.pipeline)
                chosen = self._step(message.step, phase=message.phase)
                return chosen, keys.parse_run(message.run)
            case messages.CompletionMessage():
                raise BadInput("begin: this is a completion message; begin takes a trigger, a request, or a run")

    def _fired(self, number: str) -> Mapping[str, object]:
        """Return the stored trigger of this id."""
        pipeline, phase, run, generation, receiver = keys.parse_trigger(number)
        key = keys.phase_key(self._plan.pipeline, phase, run=run)
        known = pipeline == self._plan.pipeline and phase in self._plan.phases
        document = self._gatekeeper.read(phase, run) if known else None
        body = None if document is None else outbox.trigger_of(document, generation, receiver=receiver, key=key)
        if body is None:
            raise NotFound(f"begin: no trigger {number} is stored; begin by the run: {run}")
        return body

    def _check_pipeline(self, given: str) -> None:
        if given != self._plan.pipeline:
            raise BadInput(f"begin: the message is of pipeline {given[:80]!r}, this is {self._plan.pipeline!r}")

    def _step(self, name: str | None, *, phase: str | None) -> Step:
        external = [s for s in self._plan.steps.values() if s.kind == "external" and phase in (None, s.phase)]
        if name is None:
            if len(external) == 1:
                return external[0]
            raise BadInput(f"begin: name the step; choose one of {', '.join(s.name for s in external) or 'none'}")
        for candidate in external:
            if candidate.name == name:
                return candidate
        raise NotFound(f"begin: {name!r} is no external step here; choose one of {', '.join(s.name for s in external)}")
