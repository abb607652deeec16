"""Brings a span of dates up to date, oldest first: what is missing, stale, dead, drifted, or to be built anew.

It gives ordinary commands only, and remembers how far it came: the same backfill started again goes on. It refuses to
invent data: a date whose external steps have neither a report nor rows is named and left alone.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

import msgspec
from msgspec.structs import replace

from phasegate.base.codec import State, decode
from phasegate.base.keys import Run
from phasegate.base.wording import listed
from phasegate.calendar.calendar import Calendar
from phasegate.errors import BadInput, NotFound
from phasegate.explain.phase_view import explain
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.phase import Phase, missing
from phasegate.plan.model import Plan, Step
from phasegate.ports import Ports
from phasegate.transact import transact
from phasegate.write.inputs import part_of
from phasegate.write.reports import TableReporter

DAYS_MAX = 4_000
HELD_MAX_S = 600.0
LOOK_EVERY_S = 1.0

RunPhases = Sequence[tuple[str, Run]]


class BackfillJob(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. ``steps`` are built anew whatever they hold. ``modes`` (): those open, and the main one.

    ``cascade``: windows that drifted are read anew. ``quiet``: receivers outside the plan hear nothing of it.
    """

    first: str
    last: str
    steps: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    cascade: bool = False
    quiet: bool = True


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One phase of one run, and why it is touched. ``lacking``: external steps with no report and no rows.

    ``anew``: steps that are built whatever they hold.
    """

    phase: str
    run: Run
    reasons: tuple[str, ...]
    lacking: tuple[str, ...] = ()
    anew: tuple[str, ...] = ()


class Progress(State, frozen=True):
    """How far a backfill came: ``upto`` is the last date that was done. Its steps are not built anew again.

    ``left``: dates until then of which something was asked for and not answered; they are done again.
    """

    job: BackfillJob
    started_at: float
    upto: str = ""
    finished: bool = False
    left: tuple[str, ...] = ()

    def is_done(self, day: str) -> bool:
        """Tell whether a date was done whole."""
        return not self.finished and day <= self.upto and day not in self.left


class Backfill:
    """Looks at a span of dates, and brings each up to date."""

    def __init__(
        self,
        plan: Plan,
        ports: Ports,
        *,
        gatekeeper: Gatekeeper,
        tables: TableReporter,
        calendar: Calendar,
        job: BackfillJob,
    ) -> None:
        self._plan, self._ports, self._gatekeeper = plan, ports, gatekeeper
        self._tables, self._calendar, self._job = tables, calendar, job

    def check(self) -> None:
        """Refuse an order that cannot be carried out: unknown names, dates that the calendar knows nothing of."""
        if self._job.first > self._job.last:
            raise BadInput(f"backfill: --from {self._job.first} lies after --to {self._job.last}; swap them")
        if len(self._span()) > DAYS_MAX:
            span = f"{self._job.first} to {self._job.last}"
            raise BadInput(f"backfill: {span} is more than {DAYS_MAX} days; do it in parts")
        for step in self._job.steps:
            if step not in self._plan.steps:
                raise NotFound(f"backfill: unknown step {step!r}; the plan has {', '.join(self._plan.steps)}")
            if self._plan.steps[step].kind == "external" and not self._plan.steps[step].topic:
                raise BadInput(f"backfill: step {step} is external; whoever builds it must report it again")
        for mode in self._job.modes:
            if mode not in self._plan.modes:
                raise NotFound(f"backfill: unknown mode {mode!r}; the plan has {', '.join(self._plan.modes)}")
        if any(asks for _, _, asks in self._gates()):
            unknown = [day for day in self._span() if self._calendar.foresee(day) is None]
            if unknown:
                raise BadInput(f"backfill: the calendar knows nothing of {listed(unknown)}; mend its "
                               "source, or choose other dates")  # fmt: skip

    def items(self) -> list[Item]:
        """Return what would be touched, by date, then in the plan's self._job. Opens the warehouse, changes nothing.

        Where this very order was stopped before, its steps are built anew only on the dates that it did not reach.
        """
        key = self._key()
        doc = self._ports.store.read(key)
        known = None if doc is None else decode(Progress, doc.body, key=key)
        return [
            item
            for day, expected in self._days()
            for item in self._items(
                day, steps=() if known is not None and known.is_done(day) else self._job.steps, expected=expected
            )
        ]

    def carry_out(
        self,
        items: Sequence[Item],
        *,
        work: Callable[[], bool],
        told: Callable[[int, int, str], None],
    ) -> None:
        """Do date by date, phase by phase: each works on what the one before has handed on.

        ``work`` lets workers work until idle, and answers False to be stopped; ``told`` hears of each date done.
        """
        self._begin()
        days = sorted({item.run.date for item in items if item.reasons})
        until = self._ports.clock.now() + HELD_MAX_S
        for number, day in enumerate(days, start=1):
            chosen = [item for item in items if item.run.date == day and item.reasons]
            phases = self._phases(chosen)
            goes_on = self._date(chosen, phases=phases, work=work, until=until)
            for phase, run in phases:
                self._gatekeeper.loud(phase, run)
            if not goes_on:
                return
            left = self._asked(phases)
            if not left:
                until = self._ports.clock.now() + HELD_MAX_S  # dates on which nobody answers share one patience
            self._note(upto=day, left=left)
            told(number, len(days), day)
        self._finish()

    def _date(self, items: Sequence[Item], *, phases: RunPhases, work: Callable[[], bool], until: float) -> bool:
        """Do one date; answer whether to go on. Phases that a trigger would open are opened first, as quiet as all."""
        for phase, run in phases:
            self._gatekeeper.open(phase, run, by="operator")
            self._gatekeeper.rebuild(phase, run, steps=(), quiet=self._job.quiet)
        for phase in self._plan.phases:
            chosen = [item for item in items if item.phase == phase]
            for item in chosen:
                self._apply(item)
            if chosen and not self._worked(phases, work=work, until=until):
                return False
        return self._worked(phases, work=work, until=until)

    def _worked(self, phases: RunPhases, *, work: Callable[[], bool], until: float) -> bool:
        """Let workers work until idle, and go on while somebody else is at it: a process that was killed, say.

        His lease runs out, and the next date is to be built of this one. It is not waited for longer than ``until``,
        nor for a step that has failed.
        """
        while work():
            if not self._asked(phases, unanswered=True) or self._ports.clock.now() >= until:
                return True
            self._ports.clock.sleep(LOOK_EVERY_S)
        return False

    def _asked(self, phases: RunPhases, *, unanswered: bool = False) -> bool:
        """Tell whether steps of these runs are still asked for; ``unanswered``: and nobody has said anything of it."""
        for phase, run in phases:
            there = self._gatekeeper.read(phase, run)
            for name, request in {} if there is None or there.paused is not None else there.requests.items():
                fails = there is not None and there.failures_of(name) > 0
                waits = request.state == "open" and not fails and self._plan.steps[name].kind != "external"
                if waits or not unanswered:
                    return True
        return False

    def _phases(self, items: Sequence[Item]) -> RunPhases:
        """Return every phase of the runs that are touched, apart from those that the calendar does not expect."""
        runs = {item.run: self._is_expected(item.run.date) for item in items}
        return [
            (name, run)
            for run, expected in runs.items()
            for name, plan in self._plan.phases.items()
            if run.mode in plan.modes and (expected or not self._plan.asks_calendar(name, mode=run.mode))
        ]

    def _begin(self) -> None:
        """Note that this order begins now, or goes on where it was stopped."""
        begun = Progress(job=self._job, started_at=self._ports.clock.now())
        self._progress(lambda known: begun if known.finished else known)

    def _note(self, *, upto: str, left: bool) -> None:
        """Remember that all dates up to one are done; ``left``: but this one, of which something is asked for."""

        def noted(known: Progress) -> Progress:
            others = tuple(day for day in known.left if day != upto)
            return replace(known, upto=max(upto, known.upto), left=(*others, upto) if left else others)

        self._progress(noted)

    def _finish(self) -> None:
        """Remember that all dates are done; those that are left are done by the same order again."""
        self._progress(lambda known: replace(known, upto=self._job.last, finished=not known.left))

    def _progress(self, change: Callable[[Progress], Progress]) -> None:
        """Change what is known of how far an order came; of a new one nothing is."""
        now = self._ports.clock.now()

        def decide(known: Progress | None) -> tuple[Progress, None]:
            return change(known or Progress(job=self._job, started_at=now)), None

        transact(self._ports, self._key(), kind=Progress, decide=decide)

    def _apply(self, item: Item) -> None:
        """Give the commands that bring one phase of one run up to date; workers do the rest."""
        phase, run = item.phase, item.run
        self._gatekeeper.open(phase, run, by="operator")
        there = self._gatekeeper.read(phase, run)
        assert there is not None
        if there.gate.hash != self._hash(phase, run, there, keep=True):
            self._gatekeeper.replan(phase, run)
        members = self._plan.members(phase, mode=run.mode)
        self._gatekeeper.rebuild(phase, run, steps=item.anew, quiet=self._job.quiet)
        for step in members.values():
            if step.kind == "external" and step.table is not None and step.name not in item.lacking:
                self._tables.report(step, run)
        if self._job.cascade:
            self._gatekeeper.refresh(phase, run)
        if "dead" in item.reasons:
            self._gatekeeper.redrive(phase, run, step=None)

    def _items(self, day: str, *, steps: Sequence[str], expected: bool) -> Iterator[Item]:
        runs = self._runs(day)
        owners = self._owners(runs, steps)
        for run in runs:
            for phase, plan in self._plan.phases.items():
                if run.mode not in plan.modes:
                    continue
                there = self._gatekeeper.read(phase, run)
                if there is not None and there.void is not None:
                    continue
                if there is None and (plan.after or not expected):
                    continue  # a trigger opens it, or nobody expects it
                if not expected and self._plan.asks_calendar(phase, mode=run.mode):
                    continue
                lacking = self._lacking(phase, run, there)
                members = self._plan.members(phase, mode=run.mode)
                external = [s for s in members.values() if s.kind == "external"]
                is_empty = there is None and bool(external) and len(lacking) == len(external)
                anew = tuple(s for s in steps if s in members and owners.get(s, run.mode) == run.mode
                             and not self._is_asked_anew(s, there))  # fmt: skip
                reasons = () if is_empty else tuple(self._reasons(phase, run, there, anew=anew))
                if reasons or lacking:
                    yield Item(phase=phase, run=run, reasons=reasons, lacking=lacking, anew=anew)

    def _owners(self, runs: Sequence[Run], steps: Sequence[str]) -> dict[str, str]:
        """Return in which mode a step is built anew that several share: one that has built it, and most of the others.

        The table is built once, and the other modes hear of it.
        """
        owners: dict[str, str] = {}
        held = {run.mode: [s for s in steps if self._has_built(s, run)] for run in runs if steps}
        for mode in sorted(held, key=lambda mode: -len(held[mode])):
            owners |= {step: mode for step in held[mode] if step not in owners and self._plan.steps[step].table}
        return owners

    @staticmethod
    def _is_asked_anew(step: str, there: Phase | None) -> bool:
        """Tell whether an order that was stopped has a step built anew already, and it is still to come."""
        member = None if there is None else there.members.get(step)
        return member is not None and member.stale == "forced"

    def _has_built(self, step: str, run: Run) -> bool:
        phase = self._plan.steps[step].phase
        if run.mode not in self._plan.phases[phase].modes or step not in self._plan.members(phase, mode=run.mode):
            return False
        there = self._gatekeeper.read(phase, run)
        if there is None or there.void is not None or there.paused is not None:
            return False
        return there.result_of(step) is not None

    def _reasons(self, phase: str, run: Run, there: Phase | None, *, anew: Sequence[str]) -> Iterator[str]:
        if there is None:
            yield "not open"
            return
        if there.gate.hash != self._hash(phase, run, there, keep=False):
            yield "the plan has changed"
        if anew:
            yield f"built anew: {', '.join(anew)}"
        drifted = {day for window in there.windows.values() for day in window.drifted}
        if drifted and self._job.cascade:
            yield f"window changed on {len(drifted)} date{'s' if len(drifted) > 1 else ''}"
        if there.quiet:
            yield "a backfill that was stopped left it quiet"
        view = explain(there, name=phase, run=run, now=self._ports.clock.now())
        if view.state == "dead":
            yield "dead"
        elif missing(there):
            yield f"missing {', '.join(missing(there))}"

    def _lacking(self, phase: str, run: Run, there: Phase | None) -> tuple[str, ...]:
        """Return the expected external steps of which nothing is known and whose tables hold nothing."""
        known = {} if there is None else there.members
        external = [s for s in self._plan.members(phase, mode=run.mode).values() if s.kind == "external"]
        asked = [s for s in external if s.name not in known or known[s.name].result is None]
        return tuple(step.name for step in asked if not self._holds(step, run))

    def _holds(self, step: Step, run: Run) -> bool:
        if step.table is None:
            return False
        with self._ports.warehouse.snapshot() as reader:
            return bool(reader.receipts([part_of(step, run)])) or reader.count(step.table, partition=run.date) > 0

    def _hash(self, phase: str, run: Run, there: Phase, *, keep: bool) -> str:
        asks = self._plan.asks_calendar(phase, mode=run.mode)
        anchors = self._calendar.expected(run.date, keep=keep).day.anchors if asks else None
        return self._plan.gate(phase, run=run, opened_at=there.opened_at, anchors=anchors).hash

    def _runs(self, day: str) -> list[Run]:
        if self._job.modes:
            return [Run(day, mode) for mode in self._job.modes]
        known = [
            Run(day, mode)
            for mode in self._plan.modes
            if any(self._gatekeeper.read(phase, Run(day, mode)) is not None for phase in self._plan.phases)
        ]
        main = self._plan.main_mode
        return known if any(run.mode == main for run in known) else [*known, Run(day, main)]

    def _days(self) -> Iterator[tuple[str, bool]]:
        """Give the dates that may have something to do, and whether they have work: else runs that ask no calendar."""
        free = [(phase, mode) for phase, mode, asks in self._gates() if not asks]
        for day in self._span():
            expected = self._is_expected(day)
            if expected or any(self._gatekeeper.read(p, Run(day, m)) is not None for p, m in free):
                yield day, expected

    def _is_expected(self, day: str) -> bool:
        """Tell whether a date has work; without a calendar every date has."""
        known = self._calendar.foresee(day) if self._calendar.is_kept else None
        return not self._calendar.is_kept or (known is not None and known.state == "work")

    def _gates(self) -> Iterator[tuple[str, str, bool]]:
        """Give the phases and modes of an self._job, and whether the calendar says on which dates they have runs."""
        for phase, plan in self._plan.phases.items():
            for mode in self._job.modes or self._plan.modes:
                if mode in plan.modes:
                    yield phase, mode, self._plan.asks_calendar(phase, mode=mode)

    def _span(self) -> Sequence[str]:
        first, last = date.fromisoformat(self._job.first), date.fromisoformat(self._job.last)
        return [(first + timedelta(days=n)).isoformat() for n in range(min((last - first).days, DAYS_MAX) + 1)]

    def _key(self) -> str:
        digest = hashlib.sha256(msgspec.json.encode(self._job, order="sorted")).hexdigest()[:16]
        return f"backfill:{self._plan.pipeline}:{digest}:{self._job.first}.{self._job.last}"
