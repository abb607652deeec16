"""What is to be done for a date today: one word for each phase and run, and the gaps with the command for each. Pure.

It says where a run stands now. That a complete run was once late is ``phasegate late``'s to say.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

import msgspec
from msgspec.structs import replace

from phasegate.base.dates import local_time, shift
from phasegate.base.keys import Run
from phasegate.errors import BadInput
from phasegate.explain.lateness import DateFacts, arrived_at, ask_calendar, late_at
from phasegate.explain.phase_view import PhaseView, explain
from phasegate.gate.phase import Phase
from phasegate.gate.records import Member
from phasegate.plan.model import Plan

# The worst first.
Cover = Literal["UNKNOWN", "MISSED", "PARTIAL", "LATE", "RUNNING", "COMPLETE", "VOID", "EMPTY_OK"]
COVERS: tuple[Cover, ...] = get_args(Cover)
GAPS: tuple[Cover, ...] = ("UNKNOWN", "MISSED", "PARTIAL", "LATE")
# A phase without a deadline or an expectation is late when its date has been over for so long; so are a trigger that
# nobody acknowledged, and a rebuild, after so long.
PATIENCE_S = 24 * 3600.0
NOT_OPENED = "its run was never opened"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One phase of one run. ``command`` is what to type where ``state`` is a gap."""

    run: str
    phase: str
    state: Cover
    reason: str = ""
    command: str = ""

    @property
    def date(self) -> str:
        """Return the run's date."""
        return self.run.partition(".")[0]

    @property
    def mode(self) -> str:
        """Return the run's mode."""
        return self.run.partition(".")[2]


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Dates of one mode that lack the same: the phases and what they are, the first one's reason and its command.

    ``dates`` counts those that lack it; dates without work lie between, and others do not.
    """

    first: str
    last: str
    mode: str
    dates: int
    phases: Mapping[str, Cover]
    reason: str
    command: str

    @property
    def state(self) -> Cover:
        """Return the worst of its phases."""
        return worst(self.phases.values())


def worst(states: Iterable[Cover]) -> Cover:
    """Return the worst of some states.

    >>> worst(["COMPLETE", "LATE", "EMPTY_OK"])
    'LATE'
    """
    return min(states, key=COVERS.index)


def cover(
    plan: Plan, *, on: str, known: DateFacts, now: float, modes: Sequence[str] = (), inside: bool = True
) -> list[Cell]:
    """Return the phases and runs of one date that are open or should be, in the plan's order; none for what is ahead.

    ``modes``: only these, () for all. ``inside``: the date lies between others that have runs.
    """
    cells = []
    for phase in plan.phases.values():
        for mode in phase.modes:
            if not modes or mode in modes:
                cell = _cell(plan, phase.name, run=Run(on, mode), known=known, now=now, inside=inside)
                cells += [] if cell is None else [cell]
    return cells


def absent(plan: Plan, *, on: str, known: DateFacts, now: float) -> list[Cell]:
    """Return the runs of one date that should be open by now and are not: of phases that no trigger opens."""
    cells = []
    for phase in plan.phases.values():
        for run in [Run(on, mode) for mode in phase.modes]:
            place = (phase.name, run.mode)
            if not phase.after and place not in known.phases and place not in known.unreadable:
                cell = _cell(plan, phase.name, run=run, known=known, now=now, inside=False)
                cells += [cell] if cell is not None and cell.state in ("MISSED", "UNKNOWN") else []
    return cells


def _cell(plan: Plan, name: str, *, run: Run, known: DateFacts, now: float, inside: bool) -> Cell | None:
    cell = Cell(run=str(run), phase=name, state="UNKNOWN", command=f"phasegate why {run}")
    if (name, run.mode) in known.unreadable:
        return replace(cell, reason="its document cannot be read")
    phase = known.phases.get((name, run.mode))
    try:
        if phase is not None:
            return _open(plan, cell, phase, run=run, known=known, now=now)
        return _absent(plan, cell, run=run, known=known, now=now, inside=inside)
    except BadInput as e:  # an anchor that the calendar does not give
        return replace(cell, reason=str(e))


def _open(plan: Plan, cell: Cell, phase: Phase, *, run: Run, known: DateFacts, now: float) -> Cell:
    """Say where an open run stands."""
    view = explain(phase, run=run, now=now)
    cell = replace(cell, reason=view.reason, command=view.mends[0] if len(view.mends) == 1 else cell.command)
    if view.state == "void":
        return replace(cell, state="VOID", command="")
    if view.state == "complete" and not view.drifted:
        return replace(cell, state="COMPLETE", command="")
    if view.state in ("complete", "degraded", "dead"):
        return replace(cell, state="PARTIAL")
    if now > _patience(plan, view, phase, run=run, known=known):
        return replace(cell, state="LATE")
    return replace(cell, state="RUNNING", command="")


def _patience(plan: Plan, view: PhaseView, phase: Phase, *, run: Run, known: DateFacts) -> float:
    """Return up to when a run that is not complete is on its way: one that has fired, counted from its last change."""
    if view.generation:
        return view.since + PATIENCE_S
    return _due(plan, phase.name, run=run, known=known, deadline=phase.gate.deadline)


def _absent(plan: Plan, cell: Cell, *, run: Run, known: DateFacts, now: float, inside: bool) -> Cell | None:
    """Say of a run that is not open whether it should be; None when nobody expects it, or not yet."""
    opens = _opens_at(plan, cell.phase, run=run, known=known)
    if opens is None:
        return None
    quiet = _quiet(plan, cell, run=run, known=known)
    ahead = now < opens
    if quiet is not None:
        return None if ahead and quiet.state == "UNKNOWN" else quiet
    if ahead:
        return None
    if not known.calendar and not _is_expected(plan, cell.phase, run=run, known=known):
        told = "no run, and without a calendar nobody knows whether one was expected"
        return replace(cell, reason=told, command=f"phasegate begin {run}") if inside else None
    moment = plan.phases[cell.phase].modes[run.mode].deadline
    anchors = None if known.day is None else known.day.anchors
    deadline = None if moment is None else moment.at(run, timezone=plan.timezone, opened_at=opens, anchors=anchors)
    is_late = now > _due(plan, cell.phase, run=run, known=known, deadline=deadline)
    return _awaited(plan, cell, run=run, known=known, is_late=is_late)


def _quiet(plan: Plan, cell: Cell, *, run: Run, known: DateFacts) -> Cell | None:
    """Say of a date on which nothing is expected, or of which nobody knows; None where something is."""
    void = [phase.void for up in _roots(plan, cell.phase) if (phase := known.phases.get((up, run.mode)))]
    if any(void):
        return replace(cell, state="VOID", reason=next(filter(None, void)), command="")
    if not known.calendar or (known.day is not None and known.day.state == "work"):
        return None
    if known.day is None:
        told = f"the calendar knows nothing of {run.date}" + (f" ({known.told})" if known.told else "")
        return replace(cell, reason=told, command=ask_calendar(run.date, failed=bool(known.told)))
    return replace(cell, state="VOID" if known.day.state == "void" else "EMPTY_OK", reason=known.day.reason, command="")


def _awaited(plan: Plan, cell: Cell, *, run: Run, known: DateFacts, is_late: bool) -> Cell:
    """Say of a run that should be open whether it waits for phases before it, and whether that is too long."""
    before = plan.phases[cell.phase].after
    waits_for = _waits_for(plan, cell.phase, known=known, mode=run.mode)
    told = f"it waits for {', '.join(waits_for)}"
    if not is_late:
        return replace(cell, state="RUNNING", reason=told if waits_for else "its run is not open yet", command="")
    if waits_for:
        return replace(cell, state="LATE", reason=told)
    span = f"--from {run.date} --to {run.date}"
    if before and all((up, run.mode) in known.phases for up in before):
        told = f"{' and '.join(before)} fired, and it never began"
        return replace(cell, state="MISSED", reason=told, command=f"phasegate reconcile {span} --fix")
    command = f"phasegate backfill {span} --mode {run.mode}"
    return replace(cell, state="MISSED", reason=NOT_OPENED, command=command)


def _due(plan: Plan, name: str, *, run: Run, known: DateFacts, deadline: float | None) -> float:
    """Return when a phase is late: its deadline, or when the first of its results that are not there is late."""
    times = [] if deadline is None else [deadline]
    phase = known.phases.get((name, run.mode))
    for step in plan.steps.values():
        if step.phase != name or run.mode not in step.expected_by or (known.calendar and known.day is None):
            continue
        member = Member() if phase is None else phase.members.get(step.name, Member())
        if arrived_at(member) is None:
            times.append(late_at(plan, step, run=run, day=known.day)[1])
    over = local_time("00:00", shift(run.date, 1), timezone=plan.timezone)
    return min(times, default=over + PATIENCE_S)


def _opens_at(plan: Plan, name: str, *, run: Run, known: DateFacts) -> float | None:
    """Return when a run should be open: when the first phases of it are. None: only an operator opens it."""
    times = []
    for root in _roots(plan, name):
        if run.mode not in plan.phases[root].modes:
            return None
        start, is_open = plan.phases[root].modes[run.mode].start, (root, run.mode) in known.phases
        if start.by == "run" and not is_open:
            return None
        at = local_time("00:00", run.date, timezone=plan.timezone)
        if is_open:
            at = min(at, known.phases[root, run.mode].opened_at)
        elif start.at is not None and known.day is not None and known.day.state == "work":
            at = start.at.at(run, timezone=plan.timezone, opened_at=at, anchors=known.day.anchors)
        times.append(at)
    return max(times)


def _roots(plan: Plan, name: str) -> set[str]:
    """Return the phases that a phase's runs begin with."""
    before = plan.phases[name].after
    return {root for up in before for root in _roots(plan, up)} if before else {name}


def _is_expected(plan: Plan, name: str, *, run: Run, known: DateFacts) -> bool:
    """Tell, without a calendar, whether a run should be open: another phase of it is, or a step is expected by a time.

    A phase whose upstream phases are expected is expected too.
    """
    if any(mode == run.mode for _, mode in known.phases):
        return True
    own = any(step.phase == name and run.mode in step.expected_by for step in plan.steps.values())
    return own or any(_is_expected(plan, up, run=run, known=known) for up in plan.phases[name].after)


def _waits_for(plan: Plan, name: str, *, known: DateFacts, mode: str) -> list[str]:
    """Return the phases before one that are open and have not fired, however far before."""
    found: dict[str, None] = {}
    for up in plan.phases[name].after:
        phase = known.phases.get((up, mode))
        if phase is None:
            found |= dict.fromkeys(_waits_for(plan, up, known=known, mode=mode))
        elif not phase.firings:
            found[up] = None
    return list(found)


def gaps(cells: Sequence[Cell]) -> list[Gap]:
    """Return what is missing, the oldest first. Dates in a row that lack the same, by one command, are one gap."""
    runs: dict[str, list[Cell]] = {}
    for cell in cells:
        runs.setdefault(cell.run, []).append(cell)
    found: list[Gap] = []
    newest: dict[str, int] = {}  # mode -> the place of a gap that the next date may make longer
    for run in sorted(runs):
        mode, lacking = runs[run][0].mode, [cell for cell in runs[run] if cell.state in GAPS]
        if not lacking:
            if any(cell.state not in ("EMPTY_OK", "VOID") for cell in runs[run]):
                newest.pop(mode, None)
            continue
        gap = _gap(lacking)
        longer = _joined(found[newest[mode]], gap) if mode in newest else None
        if longer is not None:
            found[newest[mode]] = longer
        else:
            newest[mode] = len(found)
            found.append(gap)
    return found


def _gap(lacking: Sequence[Cell]) -> Gap:
    """Return the gap of one run: what comes first is to be mended first, and the rest follows it."""
    cell = lacking[0]
    return Gap(first=cell.date, last=cell.date, mode=cell.mode, dates=1, reason=cell.reason, command=cell.command,
               phases={cell.phase: cell.state for cell in lacking})  # fmt: skip


def _joined(before: Gap, gap: Gap) -> Gap | None:
    """Return one gap for two that lack the same, if one command mends both."""
    command = before.command.replace(f"--to {before.last}", f"--to {gap.last}")
    alike = command == gap.command.replace(f"--from {gap.first}", f"--from {before.first}")
    if not alike or before.phases != gap.phases:
        return None
    same = before.reason.replace(before.first, gap.first) == gap.reason
    return replace(before, last=gap.last, dates=before.dates + 1, command=command, reason=before.reason if same else "")
