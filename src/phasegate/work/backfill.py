"""Backfills: bring a span of dates up to date, oldest first.

A backfill handles phases that are missing, stale, dead or drifted, and steps to be rebuilt. It gives ordinary commands
only, and stores its progress: the same backfill started again continues. It refuses to invent data: a date whose
external steps have neither a report nor rows is named and left alone.
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
    """The order of a backfill.

    ``steps`` are rebuilt whatever they hold. ``modes``: only these; none: the open ones and the main one. ``cascade``:
    drifted windows are read again. ``quiet``: no triggers are sent to receivers outside the plan.
    """

    first: str
    last: str
    steps: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    cascade: bool = False
    quiet: bool = True


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One phase of one run, and the reasons to change it.

    ``lacking``: external steps with no report and no rows. ``rebuild``: steps that are rebuilt whatever they hold.
    """

    phase: str
    run: Run
    reasons: tuple[str, ...]
    lacking: tuple[str, ...] = ()
    rebuild: tuple[str, ...] = ()


class Progress(State, frozen=True):
    """The progress of a backfill: ``upto`` is the last date that was done.

    ``left``: dates until then with requests that were not answered; they are done again. On other dates until ``upto``
    the order's steps are not rebuilt again.
    """

    job: BackfillJob
    started_at: float
    upto: str = ""
    finished: bool = False
    left: tuple[str, ...] = ()

    def is_done(self, day: str) -> bool:
        """Return whether a date was done completely."""
        return not self.finished and day <= self.upto and day not in self.left


class Backfill:
    """Checks a span of dates, and brings each up to date."""

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
        """Refuse an order with unknown names or unknown dates."""
        if self._job.first > self._job.last:
            raise BadInput(f"backfill: --from {self._job.first} is after --to {self._job.last}; swap them")
        if len(self._span()) > DAYS_MAX:
            span = f"{self._job.first} to {self._job.last}"
            raise BadInput(f"backfill: {span} is more than {DAYS_MAX} days; do it in parts")
        for step in self._job.steps:
            if step not in self._plan.steps:
                raise NotFound(f"backfill: unknown step {step!r}; the plan has {', '.join(self._plan.steps)}")
            if self._plan.steps[step].kind == "external" and not self._plan.steps[step].topic:
                raise BadInput(f"backfill: step {step} is external; its owner must report it again")
        for mode in self._job.modes:
            if mode not in self._plan.modes:
                raise NotFound(f"backfill: unknown mode {mode!r}; the plan has {', '.join(self._plan.modes)}")
        if any(asks for _, _, asks in self._gates()):
            unknown = [day for day in self._span() if self._calendar.foresee(day) is None]
            if unknown:
                raise BadInput(f"backfill: the calendar has no answer for {listed(unknown)}; fix its "
                               "source, or choose other dates")  # fmt: skip

    def items(self) -> list[Item]:
        """Return the phases to change, by date, then in the plan's order.

        Reads the warehouse and changes nothing. If this same order was stopped before, its steps are rebuilt only on
        the dates that it did not complete.
        """
        key = self._key()
        doc = self._ports.store.read(key)
        stored = None if doc is None else decode(Progress, doc.body, key=key)
        return [
            item
            for day, expected in self._days()
            for item in self._items(
                day, steps=() if stored is not None and stored.is_done(day) else self._job.steps, expected=expected
            )
        ]

    def carry_out(
        self,
        items: Sequence[Item],
        *,
        work: Callable[[], bool],
        progress: Callable[[int, int, str], None],
    ) -> None:
        """Bring the items up to date, date by date and phase by phase.

        ``work`` runs workers until they are idle, and returns False to stop the backfill. ``progress`` is called after
        each date with its number, the number of dates, and the date.
        """
        self._begin()
        days = sorted({item.run.date for item in items if item.reasons})
        until = self._ports.clock.now() + HELD_MAX_S
        for number, day in enumerate(days, start=1):
            chosen = [item for item in items if item.run.date == day and item.reasons]
            phases = self._phases(chosen)
            goes_on = self._date(chosen, phases=phases, work=work, until=until)
            for phase, run in phases:
                self._gatekeeper.end_quiet(phase, run)
            if not goes_on:
                return
            left = self._is_requested(phases)
            if not left:
                until = self._ports.clock.now() + HELD_MAX_S  # consecutive dates without an answer share one limit
            self._note(upto=day, left=left)
            progress(number, len(days), day)
        self._finish()

    def _date(self, items: Sequence[Item], *, phases: RunPhases, work: Callable[[], bool], until: float) -> bool:
        """Do one date; return whether to go on.

        All its phases are opened first, so that those opened by a trigger are quiet too.
        """
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
        """Work until these phases are done; return False if stopped.

        A step may be held by another process, or by the lease of one that was killed. The next dates are built from
        this one, so wait for it, but not after ``until``, and not for a step that has failed.
        """
        while work():
            if not self._is_requested(phases, unanswered=True) or self._ports.clock.now() >= until:
                return True
            self._ports.clock.sleep(LOOK_EVERY_S)
        return False

    def _is_requested(self, phases: RunPhases, *, unanswered: bool = False) -> bool:
        """Return whether steps of these phases are still requested.

        ``unanswered``: count only requests for Phasegate's own steps that are open and have not failed.
        """
        for phase, run in phases:
            current = self._gatekeeper.read(phase, run)
            for name, request in {} if current is None or current.paused is not None else current.requests.items():
                fails = current is not None and current.failures_of(name) > 0
                waits = request.state == "open" and not fails and self._plan.steps[name].kind != "external"
                if waits or not unanswered:
                    return True
        return False

    def _phases(self, items: Sequence[Item]) -> RunPhases:
        """Return every phase of the items' runs that the calendar expects."""
        runs = {item.run: self._is_expected(item.run.date) for item in items}
        return [
            (name, run)
            for run, expected in runs.items()
            for name, plan in self._plan.phases.items()
            if run.mode in plan.modes and (expected or not self._plan.asks_calendar(name, mode=run.mode))
        ]

    def _begin(self) -> None:
        """Record that this order begins now, or continues where it was stopped."""
        begun = Progress(job=self._job, started_at=self._ports.clock.now())
        self._change_progress(lambda stored: begun if stored.finished else stored)

    def _note(self, *, upto: str, left: bool) -> None:
        """Record that a date is done.

        ``left``: it has requests without an answer, and is to be done again.
        """

        def noted(stored: Progress) -> Progress:
            others = tuple(day for day in stored.left if day != upto)
            return replace(stored, upto=max(upto, stored.upto), left=(*others, upto) if left else others)

        self._change_progress(noted)

    def _finish(self) -> None:
        """Record that all dates are done.

        Dates that are left are done when the order is given again.
        """
        self._change_progress(lambda stored: replace(stored, upto=self._job.last, finished=not stored.left))

    def _change_progress(self, change: Callable[[Progress], Progress]) -> None:
        """Change the stored progress of this order."""
        now = self._ports.clock.now()

        def decide(stored: Progress | None) -> tuple[Progress, None]:
            return change(stored or Progress(job=self._job, started_at=now)), None

        transact(self._ports, self._key(), kind=Progress, decide=decide)

    def _apply(self, item: Item) -> None:
        """Give the commands that bring one phase of one run up to date."""
        phase, run = item.phase, item.run
        self._gatekeeper.open(phase, run, by="operator")
        current = self._gatekeeper.read(phase, run)
        assert current is not None
        if current.gate.hash != self._hash(phase, run, current, keep=True):
            self._gatekeeper.replan(phase, run)
        members = self._plan.members(phase, mode=run.mode)
        self._gatekeeper.rebuild(phase, run, steps=item.rebuild, quiet=self._job.quiet)
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
                current = self._gatekeeper.read(phase, run)
                if current is not None and current.void is not None:
                    continue
                if current is None and (plan.after or not expected):
                    continue  # a trigger opens it, or it is not expected
                if not expected and self._plan.asks_calendar(phase, mode=run.mode):
                    continue
                lacking = self._lacking(phase, run, current)
                members = self._plan.members(phase, mode=run.mode)
                external = [s for s in members.values() if s.kind == "external"]
                is_empty = current is None and bool(external) and len(lacking) == len(external)
                rebuild = tuple(s for s in steps if s in members and owners.get(s, run.mode) == run.mode
                                and not self._is_forced(s, current))  # fmt: skip
                reasons = () if is_empty else tuple(self._reasons(phase, run, current, rebuild=rebuild))
                if reasons or lacking:
                    yield Item(phase=phase, run=run, reasons=reasons, lacking=lacking, rebuild=rebuild)

    def _owners(self, runs: Sequence[Run], steps: Sequence[str]) -> dict[str, str]:
        """Return for each step with a table the mode in which it is rebuilt.

        It is a mode that has built the step before, and of several the one that has built most of ``steps``. The table
        is built once; the result is propagated to the other modes.
        """
        owners: dict[str, str] = {}
        held = {run.mode: [s for s in steps if self._has_built(s, run)] for run in runs if steps}
        for mode in sorted(held, key=lambda mode: -len(held[mode])):
            owners |= {step: mode for step in held[mode] if step not in owners and self._plan.steps[step].table}
        return owners

    @staticmethod
    def _is_forced(step: str, current: Phase | None) -> bool:
        """Return whether a stopped order has requested the rebuild already."""
        member = None if current is None else current.members.get(step)
        return member is not None and member.stale == "forced"

    def _has_built(self, step: str, run: Run) -> bool:
        phase = self._plan.steps[step].phase
        if run.mode not in self._plan.phases[phase].modes or step not in self._plan.members(phase, mode=run.mode):
            return False
        current = self._gatekeeper.read(phase, run)
        if current is None or current.void is not None or current.paused is not None:
            return False
        return current.result_of(step) is not None

    def _reasons(self, phase: str, run: Run, current: Phase | None, *, rebuild: Sequence[str]) -> Iterator[str]:
        if current is None:
            yield "not open"
            return
        if current.gate.hash != self._hash(phase, run, current, keep=False):
            yield "plan changed"
        if rebuild:
            yield f"rebuilt: {', '.join(rebuild)}"
        drifted = {day for window in current.windows.values() for day in window.drifted}
        if drifted and self._job.cascade:
            yield f"window changed on {len(drifted)} date{'s' if len(drifted) > 1 else ''}"
        if current.quiet:
            yield "left quiet by a backfill that was stopped"
        view = explain(current, name=phase, run=run, now=self._ports.clock.now())
        if view.state == "dead":
            yield "dead"
        elif missing(current):
            yield f"missing {', '.join(missing(current))}"

    def _lacking(self, phase: str, run: Run, current: Phase | None) -> tuple[str, ...]:
        """Return the external steps that have neither a result nor rows."""
        members = {} if current is None else current.members
        external = [s for s in self._plan.members(phase, mode=run.mode).values() if s.kind == "external"]
        unreported = [s for s in external if s.name not in members or members[s.name].result is None]
        return tuple(step.name for step in unreported if not self._holds(step, run))

    def _holds(self, step: Step, run: Run) -> bool:
        if step.table is None:
            return False
        with self._ports.warehouse.snapshot() as reader:
            return bool(reader.receipts([part_of(step, run)])) or reader.count(step.table, partition=run.date) > 0

    def _hash(self, phase: str, run: Run, current: Phase, *, keep: bool) -> str:
        asks = self._plan.asks_calendar(phase, mode=run.mode)
        anchors = self._calendar.expected(run.date, keep=keep).day.anchors if asks else None
        return self._plan.gate(phase, run=run, opened_at=current.opened_at, anchors=anchors).hash

    def _runs(self, day: str) -> list[Run]:
        if self._job.modes:
            return [Run(day, mode) for mode in self._job.modes]
        opened = [
            Run(day, mode)
            for mode in self._plan.modes
            if any(self._gatekeeper.read(phase, Run(day, mode)) is not None for phase in self._plan.phases)
        ]
        main = self._plan.main_mode
        return opened if any(run.mode == main for run in opened) else [*opened, Run(day, main)]

    def _days(self) -> Iterator[tuple[str, bool]]:
        """Yield the dates to check, and whether each has work.

        A date without work is checked only for open runs that ask no calendar.
        """
        free = [(phase, mode) for phase, mode, asks in self._gates() if not asks]
        for day in self._span():
            expected = self._is_expected(day)
            if expected or any(self._gatekeeper.read(p, Run(day, m)) is not None for p, m in free):
                yield day, expected

    def _is_expected(self, day: str) -> bool:
        """Return whether a date has work; without a calendar every date has."""
        learned = self._calendar.foresee(day) if self._calendar.exists else None
        return not self._calendar.exists or (learned is not None and learned.state == "work")

    def _gates(self) -> Iterator[tuple[str, str, bool]]:
        """Yield the order's phases and modes, and whether each asks the calendar."""
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
