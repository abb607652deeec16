"""Fixes what an inspection found by ordinary commands, and inspects again.

It sets no flag and writes no table past the fence. A command whose effect is already there does nothing, so two
reconcilers at once, or one beside workers, do no harm. What was done is recorded in a document.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec.structs import replace

from phasegate import messages
from phasegate.base import keys
from phasegate.base.codec import State
from phasegate.base.findings import GRACE_S, CheckResult, listed
from phasegate.base.keys import Run, parse_run
from phasegate.check.documents import aged
from phasegate.check.fixes import Fix, fixes_for
from phasegate.check.inspector import Inspector
from phasegate.errors import NotFound, words
from phasegate.gate import outbox
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.quarantine import Quarantine
from phasegate.transact import transact
from phasegate.work.scheduler import Scheduler
from phasegate.work.worker import Worker
from phasegate.write.deduplicator import Deduplicator
from phasegate.write.reports import TableReporter
from phasegate.write.rescuer import Rescuer

ROUNDS_MAX = 5
RECORDED_MAX = 500


class RecordedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding as it is recorded."""

    code: str
    subject: str
    text: str


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """One fix that was applied, and why it failed, "" if it did not."""

    text: str
    error: str = ""


class Reconciliation(State, frozen=True):
    """The record of one ``reconcile --fix``: findings before and after, fixes.

    ``finished_at`` None: it was stopped, or is under way. The lists hold the first RECORDED_MAX; the counts are of all.
    """

    first: str
    last: str
    started_at: float
    finished_at: float | None = None
    found: int = 0
    left: int = 0
    before: tuple[RecordedFinding, ...] = ()
    applied: tuple[Applied, ...] = ()
    after: tuple[RecordedFinding, ...] = ()


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """The result: the fixes applied, and the outcomes of a last inspection.

    ``record``: the key of the document. ``errors``: of the workers, from who ran them.
    """

    applied: tuple[Applied, ...]
    after: tuple[CheckResult, ...]
    record: str
    errors: tuple[str, ...] = ()


class Reconciler:
    """Applies fixes to one pipeline."""

    def __init__(  # noqa: PLR0913  one parameter for each service whose commands it gives
        self, plan: Plan, ports: Ports, *, inspector: Inspector, gatekeeper: Gatekeeper, tables: TableReporter,
        worker: Worker, rescuer: Rescuer, scheduler: Scheduler, quarantine: Quarantine, deduplicator: Deduplicator,
        adopt: Callable[[], object],
    ) -> None:  # fmt: skip
        self._plan, self._ports, self._inspector = plan, ports, inspector
        self._gatekeeper, self._tables, self._worker = gatekeeper, tables, worker
        self._rescuer, self._scheduler, self._quarantine = rescuer, scheduler, quarantine
        self._deduplicator, self._adopt = deduplicator, adopt

    def fixes_for(self, outcomes: Sequence[CheckResult]) -> list[Fix]:
        """Return the fixes for these outcomes, in the order of application."""
        return fixes_for(listed(outcomes), phases=tuple(self._plan.phases))

    def fix(
        self, outcomes: Sequence[CheckResult], *, first: str, last: str, phase: str | None = None,
        work: Callable[[], object],
    ) -> Fixed:  # fmt: skip
        """Apply the fixes for these outcomes, oldest date first; inspect again.

        ``work`` runs workers until idle. What is found only then, such as a later date that a rebuilt one changes, is
        fixed too, in at most ROUNDS_MAX rounds. A command that fails raises nothing: its error is recorded, and the
        finding is left.
        """
        started_at = self._ports.clock.now()
        key = f"reconcile:{self._plan.pipeline}:{first}.{last}:{int(started_at)}-{self._ports.ids()[-12:].lower()}"
        record = Reconciliation(first=first, last=last, started_at=started_at, found=len(listed(outcomes)),
                              before=_recorded(outcomes))  # fmt: skip
        self._store(key, record)
        tried, applied = set[Fix](), list[Applied]()
        after, touched = tuple(outcomes), set[str]()
        for _ in range(ROUNDS_MAX):
            todo = [fix for fix in self.fixes_for(after) if fix not in tried]
            if not todo:
                break
            applied += self._round(todo, work=work)
            tried |= set(todo)
            touched |= {fix.run for fix in todo if fix.run}
            after = self._inspect(first, last, phase=phase, touched=touched)
        record = replace(record, finished_at=self._ports.clock.now(), applied=tuple(applied[:RECORDED_MAX]),
                         after=_recorded(after), left=len(listed(after)))  # fmt: skip
        self._store(key, record)
        return Fixed(applied=tuple(applied), after=after, record=key)

    def _round(self, todo: Sequence[Fix], *, work: Callable[[], object]) -> list[Applied]:
        """Apply the fixes, with work after those of each date.

        So a later date is fixed when the earlier ones are finished.
        """
        applied = []
        for number, fix in enumerate(todo):
            try:
                self._apply(fix)
                error = ""
            except Exception as e:  # noqa: BLE001  one failure must not stop the others; it is reported and recorded
                error = words(e)
            self._ports.observer.event("fixed", fix=fix.text, error=error)
            applied.append(Applied(text=fix.text, error=error))
            if number + 1 == len(todo) or todo[number + 1].date != fix.date:
                work()
        return applied

    def _inspect(self, first: str, last: str, *, phase: str | None, touched: Iterable[str]) -> tuple[CheckResult, ...]:
        """Inspect again; findings of touched runs count at any age."""
        now, runs = self._ports.clock.now(), set(touched)

        def left(one: CheckResult) -> CheckResult:
            old = aged(one.findings, now=now, grace_s=GRACE_S)
            kept = tuple(f for f in one.findings if f in old or f.evidence.get("run") in runs)
            return replace(one, findings=kept, settling=tuple(f for f in one.findings if f not in kept))

        return tuple(map(left, self._inspector.inspect(first, last, phase=phase, grace_s=0.0)))

    def _apply(self, fix: Fix) -> None:
        """Apply one fix."""
        match fix.verb:
            case "adopt":
                self._adopt()
            case "ask":
                self._scheduler.ask(fix.key)
            case "derive":
                self._gatekeeper.derive_ledger(fix.step, fix.key.rpartition(":")[2])
            case "resend":
                self._quarantine.redrive(fix.key)
            case "rescue":
                self._rescuer.rescue(fix.key)
            case _:
                self._apply_to_run(fix, parse_run(fix.run))

    def _apply_to_run(self, fix: Fix, run: Run) -> None:
        """Apply one fix of a run."""
        gate, phase = self._gatekeeper, fix.phase
        key = keys.phase_key(self._plan.pipeline, phase, run=run)
        commands: dict[str, Callable[[], object]] = {
            "replan": lambda: gate.replan(phase, run),
            "report": lambda: self._report(fix, run),
            "deduplicate": lambda: self._deduplicator.deduplicate(fix.step, run),
            "rebuild": lambda: gate.rebuild(phase, run, steps=(fix.step,), quiet=False),
            "refresh": lambda: gate.refresh(phase, run),
            "evaluate": lambda: gate.look(key),
            "begin": lambda: self._begin(fix, key),
            "redrive": lambda: gate.redrive(phase, run, step=fix.key),
            "mirror": lambda: gate.mirror.keep(key),
        }
        commands[fix.verb]()

    def _report(self, fix: Fix, run: Run) -> None:
        """Report a step from its table, or all external steps with rows."""
        self._gatekeeper.open(fix.phase, run, by="operator")
        if fix.step:
            self._tables.report(self._plan.steps[fix.step], run)
            return
        for step in self._plan.members(fix.phase, mode=run.mode).values():
            if step.kind == "external" and step.table is not None:
                with self._ports.warehouse.snapshot() as reader:
                    rows = reader.count(step.table, partition=run.date)
                if rows:
                    self._tables.report(step, run)

    def _begin(self, fix: Fix, key: str) -> None:
        """Begin a phase by the trigger that was fired for it, as a worker does."""
        phase = self._gatekeeper.read(fix.phase, parse_run(fix.run))
        body = None if phase is None else outbox.trigger_of(phase, fix.generation, receiver=fix.key, key=key)
        if body is None:
            raise NotFound(f"{fix.phase} of {fix.run} has no trigger of generation {fix.generation} any more")
        message = messages.parse(body, where=fix.text, plan=self._plan)
        assert isinstance(message, messages.TriggerMessage)
        self._worker.begin(message)

    def _store(self, key: str, record: Reconciliation) -> None:
        def decide(old: Reconciliation | None) -> tuple[Reconciliation, None]:
            del old
            return record, None

        transact(self._ports, key, kind=Reconciliation, decide=decide)


def _recorded(outcomes: Iterable[CheckResult]) -> tuple[RecordedFinding, ...]:
    findings = listed(list(outcomes))[:RECORDED_MAX]
    return tuple(RecordedFinding(code=f.code, subject=f.subject, text=f.text) for f in findings)
