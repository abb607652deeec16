"""Mends what an inspection found: causes each missing effect by an ordinary command, works, and looks again.

It sets no flag and writes no table past the fence. Each command is one that finds nothing to do where it was done
already, so two reconcilers at once, or one beside workers, do no harm. What it did is kept in a document.
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
from phasegate.check.fixes import Fix, plan_of
from phasegate.check.inspector import Inspector
from phasegate.errors import NotFound, words
from phasegate.gate import outbox
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.quarantine import Quarantine
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.transact import transact
from phasegate.work.scheduler import Scheduler
from phasegate.work.worker import Worker
from phasegate.write.deduplicator import Deduplicator
from phasegate.write.reports import TableReporter
from phasegate.write.rescuer import Rescuer

ROUNDS_MAX = 5
KEPT_MAX = 500


class RecordedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding as it is kept."""

    code: str
    subject: str
    text: str


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """One command that was given, and why it failed, "" if it did not."""

    text: str
    error: str = ""


class Reconciliation(State, frozen=True):
    """What one ``reconcile --fix`` found, did, and left. ``finished_at`` None: it was stopped, or is under way.

    The lists keep the first KEPT_MAX; the counts are of all.
    """

    first: str
    last: str
    started_at: float
    finished_at: float | None = None
    found: int = 0
    left: int = 0
    before: tuple[RecordedFinding, ...] = ()
    deeds: tuple[Applied, ...] = ()
    after: tuple[RecordedFinding, ...] = ()


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: the commands given, and what a last inspection says. ``record``: key of the document."""

    deeds: tuple[Applied, ...]
    after: tuple[CheckResult, ...]
    record: str


class Reconciler:
    """Carries out mends on one pipeline."""

    def __init__(  # noqa: PLR0913  one parameter for each of those whose commands it gives
        self, plan: Plan, ports: Ports, *, inspector: Inspector, gatekeeper: Gatekeeper, tables: TableReporter,
        worker: Worker, rescuer: Rescuer, scheduler: Scheduler, quarantine: Quarantine, deduplicator: Deduplicator,
        adopt: Callable[[], object],
    ) -> None:  # fmt: skip
        self._plan, self._ports, self._inspector = plan, ports, inspector
        self._gatekeeper, self._tables, self._worker = gatekeeper, tables, worker
        self._rescuer, self._scheduler, self._quarantine = rescuer, scheduler, quarantine
        self._deduplicator, self._adopt = deduplicator, adopt

    def plan_of(self, outcomes: Sequence[CheckResult]) -> list[Fix]:
        """Return what would be done about these outcomes, in the order in which it would be."""
        return plan_of(listed(outcomes), phases=tuple(self._plan.phases))

    def mend(
        self, outcomes: Sequence[CheckResult], *, first: str, last: str, phase: str | None = None,
        work: Callable[[], object],
    ) -> Fixed:  # fmt: skip
        """Do what mends these outcomes, oldest date first; ``work`` lets workers work until idle; look again.

        What shows only then, such as a later date that a rebuilt one changes, is mended too, in at most ROUNDS_MAX
        rounds. Raises nothing for a command that fails: its deed says so, and the finding is left.
        """
        started_at = self._ports.clock.now()
        key = f"reconcile:{self._plan.pipeline}:{first}.{last}:{int(started_at)}-{self._ports.ids()[-12:].lower()}"
        kept = Reconciliation(first=first, last=last, started_at=started_at, found=len(listed(outcomes)),
                              before=_kept(outcomes))  # fmt: skip
        self._keep(key, kept)
        done, deeds = set[Fix](), list[Applied]()
        after, touched = tuple(outcomes), set[str]()
        for _ in range(ROUNDS_MAX):
            todo = [mend for mend in self.plan_of(after) if mend not in done]
            if not todo:
                break
            deeds += self._round(todo, work=work)
            done |= set(todo)
            touched |= {mend.run for mend in todo if mend.run}
            after = self._look(first, last, phase=phase, touched=touched)
        kept = replace(kept, finished_at=self._ports.clock.now(), deeds=tuple(deeds[:KEPT_MAX]), after=_kept(after),
                       left=len(listed(after)))  # fmt: skip
        self._keep(key, kept)
        return Fixed(deeds=tuple(deeds), after=after, record=key)

    def _round(self, todo: Sequence[Fix], *, work: Callable[[], object]) -> list[Applied]:
        """Give the commands, working after those of each date, so that a later date is mended on finished ones."""
        deeds = []
        for number, mend in enumerate(todo):
            try:
                self._do(mend)
                error = ""
            except Exception as e:  # noqa: BLE001  one that fails must not keep the others back; it is told and kept
                error = words(e)
            self._ports.observer.event("mended", mend=mend.text, error=error)
            deeds.append(Applied(text=mend.text, error=error))
            if number + 1 == len(todo) or todo[number + 1].date != mend.date:
                work()
        return deeds

    def _look(self, first: str, last: str, *, phase: str | None, touched: Iterable[str]) -> tuple[CheckResult, ...]:
        """Inspect again. Of runs that were touched the age of the evidence is no excuse: what is there is left."""
        now, runs = self._ports.clock.now(), set(touched)

        def left(one: CheckResult) -> CheckResult:
            old = aged(one.findings, now=now, grace_s=GRACE_S)
            return replace(one, findings=tuple(f for f in one.findings if f in old or f.evidence.get("run") in runs))

        return tuple(map(left, self._inspector.inspect(first, last, phase=phase, grace_s=0.0)))

    def _do(self, mend: Fix) -> None:
        """Give one command."""
        match mend.verb:
            case "adopt":
                self._adopt()
            case "ask":
                self._scheduler.ask(mend.key)
            case "resend":
                self._quarantine.redrive(mend.key)
            case "rescue":
                self._rescuer.rescue(mend.key)
            case _:
                self._do_to(mend, parse_run(mend.run))

    def _do_to(self, mend: Fix, run: Run) -> None:
        """Give one command about a run."""
        gate, phase = self._gatekeeper, mend.phase
        key = keys.phase_key(self._plan.pipeline, phase, run=run)
        commands: dict[str, Callable[[], object]] = {
            "replan": lambda: gate.replan(phase, run),
            "report": lambda: self._report(mend, run),
            "deduplicate": lambda: self._deduplicator.deduplicate(mend.step, run),
            "rebuild": lambda: gate.rebuild(phase, run, steps=(mend.step,), quiet=False),
            "refresh": lambda: gate.refresh(phase, run),
            "look": lambda: gate.look(key),
            "begin": lambda: self._begin(mend, key),
            "redrive": lambda: gate.redrive(phase, run, step=mend.key),
            "mirror": lambda: gate.mirror.keep(key),
        }
        commands[mend.verb]()

    def _report(self, mend: Fix, run: Run) -> None:
        """Report a step, or all external steps of a run that have rows, from what the tables hold."""
        self._gatekeeper.open(mend.phase, run, by="operator")
        if mend.step:
            self._tables.report(self._plan.steps[mend.step], run)
            return
        for step in self._plan.members(mend.phase, mode=run.mode).values():
            if step.kind == "external" and step.table is not None:
                with self._ports.warehouse.snapshot() as reader:
                    rows = reader.count(step.table, partition=run.date)
                if rows:
                    self._tables.report(step, run)

    def _begin(self, mend: Fix, key: str) -> None:
        """Begin a phase by the very trigger that was fired for it, as the worker that receives it does."""
        phase = self._gatekeeper.read(mend.phase, parse_run(mend.run))
        body = None if phase is None else outbox.trigger_of(phase, mend.generation, receiver=mend.key, key=key)
        if body is None:
            raise NotFound(f"{mend.phase} of {mend.run} knows no trigger of generation {mend.generation} any more")
        said = messages.parse(body, where=mend.text)
        assert isinstance(said, messages.TriggerMessage)
        self._worker.begin(said)

    def _keep(self, key: str, kept: Reconciliation) -> None:
        def decide(old: Reconciliation | None) -> tuple[Reconciliation, None]:
            del old
            return kept, None

        transact(self._ports, key, kind=Reconciliation, decide=decide)


def _kept(outcomes: Iterable[CheckResult]) -> tuple[RecordedFinding, ...]:
    findings = listed(list(outcomes))[:KEPT_MAX]
    return tuple(RecordedFinding(code=f.code, subject=f.subject, text=f.text) for f in findings)
