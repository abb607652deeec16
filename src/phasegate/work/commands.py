"""Steps whose command a shell runs, under a lease and without a fence.

The lease of the step is held and renewed while the command runs. What the command writes passes no fence, so a run of
it may begin again at any time: after a crash, a lost lease, or inputs that changed while it ran. The command is ended
with all that it started when the lease is lost, its time is up, or the worker stops. It refuses to count rows by the
command's word where the step has a table: the table is read.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from phasegate.base.keys import Run
from phasegate.base.receipt import Stamp, execution_stamp
from phasegate.errors import OUTAGES, BadInput, InputsChanged, LeaseLost, PhasegateError
from phasegate.gate.decisions import Report
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.phase import current
from phasegate.plan.gate import Status
from phasegate.plan.model import Plan, Step
from phasegate.ports import Ports
from phasegate.steplog import StepLogs
from phasegate.work.pool import Stop, never
from phasegate.write import preconditions
from phasegate.write.builder import Attempted, Builder, RequestOutcome
from phasegate.write.inputs import held_part, stamps_now
from phasegate.write.leases import HeldLease
from phasegate.write.read_repair import ReadRepair
from phasegate.write.reports import TableReporter

ROWS = re.compile(r"rows=(\d{1,18})", re.ASCII)
SHOWN_MAX = 80
SIGNALS = {1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE",
           15: "SIGTERM"}  # fmt: skip


class CommandFailed(PhasegateError):
    """The command of a step failed, or was ended: it is tried again."""


class Stopped(PhasegateError):
    """The worker stops, so the command was ended: no failed attempt."""


def rows_of_line(line: str, /) -> int | None:
    """Return the number of rows that a command's last line gives.

    None for a line that gives none. Raises BadInput for ``rows=`` without a whole number.

    >>> [rows_of_line(line) for line in ("rows=340", "done")]
    [340, None]
    """
    if not line.startswith("rows="):
        return None
    found = ROWS.fullmatch(line)
    if found is None:
        raise BadInput(f"the command's last line is {line[:SHOWN_MAX]!r}, wanted rows=N with a whole number, "
                       "such as rows=340; print that, or another last line")  # fmt: skip
    return int(found[1])


def ended_words(code: int, /) -> str:
    """Return how a command ended.

    >>> ended_words(3), ended_words(-9)
    ('exited with 3', 'was ended by SIGKILL')
    """
    return f"exited with {code}" if code >= 0 else f"was ended by {SIGNALS.get(-code, f'signal {-code}')}"


def variables_of(step: Step, run: Run, *, token: int | None) -> dict[str, str]:
    """Return what the command of a step finds in its environment.

    ``token``: of the lease, None where there is none.
    """
    found = {"PHASEGATE_RUN": str(run), "PHASEGATE_STEP": step.name, "PHASEGATE_DATE": run.date,
             "PHASEGATE_MODE": run.mode}  # fmt: skip
    return found if token is None else {**found, "PHASEGATE_TOKEN": str(token)}


class CommandSteps:
    """Builds ``command`` steps on request."""

    def __init__(
        self, plan: Plan, ports: Ports, *, gatekeeper: Gatekeeper, builder: Builder, tables: TableReporter,
        read_repair: ReadRepair,
    ) -> None:  # fmt: skip
        self._plan, self._ports, self._gatekeeper = plan, ports, gatekeeper
        self._builder, self._tables, self._read_repair = builder, tables, read_repair
        self._logs = StepLogs(plan.pipeline, ports)
        self._stop: Stop = never

    @contextmanager
    def until(self, stop: Stop) -> Iterator[None]:
        """End commands that run when ``stop`` returns True, during the block."""
        before, self._stop = self._stop, stop
        try:
            yield
        finally:
            self._stop = before

    def serve(self, step: Step, run: Run, *, request_id: str) -> RequestOutcome:
        """Serve the phase's standing request for a step; return the outcome.

        The outcome is that of the report, or ``busy`` (another worker runs it), ``not asked for``, ``lease lost``.
        Raises Stopped if the worker stopped while the command ran: the request stands.
        """
        part = held_part(self._plan.pipeline, step, run)
        return self._builder.leased(step, run, part=part, request_id=request_id, serve=self._serve)

    def _serve(self, attempt: Attempted, held: HeldLease, /) -> RequestOutcome:
        step, run, request = attempt.step, attempt.run, attempt.request
        try:
            # the result counts and is asked for all the same: its table is only to be compared with what it covers
            compared = step.table is not None and current(attempt.phase, step.name, request.inputs) is not None
            rows = None if compared else self._run(attempt, held=held)
            outcome = self._report(attempt, rows=rows, compare=compared)
        except InputsChanged as e:
            self._read_repair.report_to_owners(request, step, run=run)
            return self._failed(attempt, e, status="inputs_changed")
        except LeaseLost as e:
            self._ports.observer.event("stale holder stopped", step=step.name, run=str(run), error=str(e))
            return "lease lost"
        except (*OUTAGES, Stopped):
            raise
        except BadInput as e:
            return self._failed(attempt, e, status="failed")
        except CommandFailed as e:
            return self._failed(attempt, str(e), status="transient")
        except Exception as e:  # noqa: BLE001  whatever it is, it is reported, counted and bounded
            return self._failed(attempt, e, status="transient")
        if step.table is not None:
            self._tables.correct_covered(step, run, request=request.id)
        return outcome

    def _failed(self, attempt: Attempted, error: Exception | str, *, status: Status) -> RequestOutcome:
        report = self._builder.failure(attempt, status=status, error=error)
        return self._gatekeeper.report(attempt.step.phase, attempt.run, report).outcome

    def _run(self, attempt: Attempted, *, held: HeldLease) -> int | None:
        """Run the command; return the number of rows that it gives."""
        step, run = attempt.step, attempt.run
        before = self._inputs(attempt)
        changed = preconditions.changed_inputs(attempt.request.inputs, before)
        if changed:
            raise InputsChanged(f"{step.name}: {', '.join(changed)} changed since the request; it was not run")
        if step.table is not None or step.needs:
            self._ports.warehouse.close()  # the command may want the file for itself; the next use opens it again
        self._ports.observer.event("command begun", step=step.name, run=str(run), token=held.token)
        ended = self._ports.shell.run(
            step.command, environment=variables_of(step, run, token=held.token), sink=attempt.printed.add,
            watch=self._watch(step, held=held),
        )  # fmt: skip
        held.check()
        self._ports.observer.event("command ended", step=step.name, run=str(run), code=ended.code)
        if ended.code:
            raise CommandFailed(f"the command {ended_words(ended.code)}")
        rows = rows_of_line(ended.last_line)
        now = self._inputs(attempt)
        changed = preconditions.changed_inputs(attempt.request.inputs, now) or preconditions.written_since(before, now)
        if changed:
            raise InputsChanged(f"{step.name}: {', '.join(changed)} changed while its command ran; it is run again")
        return rows

    def _watch(self, step: Step, *, held: HeldLease) -> Callable[[], None]:
        """Return what raises when a running command must end."""
        clock = self._ports.clock
        until = clock.monotonic() + step.run_max_s

        def watch() -> None:
            held.check()
            if self._stop():
                raise Stopped(f"{step.name}: its command was ended because the worker stops; it will be run again")
            if clock.monotonic() >= until:
                raise CommandFailed(f"the command ran for {step.run_max_s:g} s (run_max_s) and was ended")

        return watch

    def _inputs(self, attempt: Attempted) -> dict[str, Stamp]:
        """Return the stamps of the step's inputs as they are now."""
        if not attempt.request.inputs:
            return {}
        with self._ports.warehouse.snapshot() as reader:
            return stamps_now(self._plan, reader, asked=attempt.request.inputs, run=attempt.run)

    def _report(self, attempt: Attempted, *, rows: int | None, compare: bool) -> RequestOutcome:
        """Report what the command made; return the outcome.

        The content of the step's table, else a new content with the command's number of rows.
        """
        step, run, request = attempt.step, attempt.run, attempt.request
        if attempt.printed.text:
            self._logs.add(step.name, run, status="success", number=attempt.number, request=request.id,
                           output=attempt.printed.text)  # fmt: skip
        if step.table is not None:
            covers = compare or step.covers is not None
            return self._tables.report(step, run, built_from=dict(request.inputs), request=request.id, code=step.code,
                                       build=self._ports.build.name(), compare=covers).outcome  # fmt: skip
        report = Report(
            member=step.name, status="empty" if rows == 0 else "success", order=self._ports.clock.now(),
            ordered="arrival", stamp=execution_stamp(self._ports.ids()), built_from=dict(request.inputs), rows=rows,
            request=request.id, code=step.code, build=self._ports.build.name(),
        )  # fmt: skip
        return self._gatekeeper.report(step.phase, run, report).outcome
