"""The state of each date, phase by phase, and the gaps.

One word for each phase of each run, and for each gap the command that closes it. It describes the state now: whether a
complete run was once late is reported by ``phasegate late``. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

import msgspec
from msgspec.structs import replace

from phasegate.base.dates import local_time, shift
from phasegate.base.keys import Run
from phasegate.errors import BadInput
from phasegate.explain.lateness import DateFacts, arrived_at, ask_calendar, late_at, no_answer
from phasegate.explain.phase_view import PhaseView, explain
from phasegate.gate.phase import Phase
from phasegate.gate.records import Member
from phasegate.plan.model import Plan

# The worst first.
Cover = Literal["UNKNOWN", "MISSED", "PARTIAL", "LATE", "RUNNING", "COMPLETE", "VOID", "EMPTY_OK"]
COVERS: tuple[Cover, ...] = get_args(Cover)
GAPS: tuple[Cover, ...] = ("UNKNOWN", "MISSED", "PARTIAL", "LATE")
# A phase without a deadline or an expectation is late so long after its date has ended; so are an unacknowledged
# trigger, and a rebuild, after so long.
PATIENCE_S = 24 * 3600.0
NOT_OPENED = "its run was never opened"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One phase of one run.

    ``command``: what to type if ``state`` is a gap.
    """

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
    """Dates of one mode that have the same gap.

    ``phases``: those that lack something, and their state; ``reason`` and ``command`` are those of the first.
    ``dates`` counts the dates with the gap; dates without work may be between them, others are not.
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
        """Return the worst state of its phases."""
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
    """Return the phases and runs of one date that are open or should be.

    They are in the plan's order; none for what is ahead. ``modes``: only these, () for all. ``inside``: the date is
    between others that have runs.
    """
    cells = []
    for phase in plan.phases.values():
        for mode in phase.modes:
            if not modes or mode in modes:
                cell = _cell(plan, phase.name, run=Run(on, mode), known=known, now=now, inside=inside)
                cells += [] if cell is None else [cell]
    return cells


def absent(plan: Plan, *, on: str, known: DateFacts, now: float) -> list[Cell]:
    """Return the runs of one date that should be open by now and are not.

    Only those of root phases: no trigger opens these.
    """
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
    except BadInput as e:  # the calendar lacks the anchor
        return replace(cell, reason=str(e))


def _open(plan: Plan, cell: Cell, phase: Phase, *, run: Run, known: DateFacts, now: float) -> Cell:
    """Return the cell of an open run."""
    upstream = plan.upstream(cell.phase, mode=run.mode)
    before = [known.phases[name, run.mode] for name in upstream if (name, run.mode) in known.phases]
    view = explain(phase, name=cell.phase, run=run, now=now, before=before)
    cell = replace(cell, reason=view.reason, command=view.commands[0] if len(view.commands) == 1 else cell.command)
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
    """Return the time up to which an incomplete run is not late.

    A run that has fired is counted from its last change.
    """
    if view.generation:
        return view.since + PATIENCE_S
    return _due(plan, view.phase, run=run, known=known, deadline=phase.gate.deadline)


def _absent(plan: Plan, cell: Cell, *, run: Run, known: DateFacts, now: float, inside: bool) -> Cell | None:
    """Return the cell of a run that is not open.

    None when no run is expected, or not yet.
    """
    opens = _opens_at(plan, cell.phase, run=run, known=known)
    if opens is None:
        return None
    quiet = _quiet(plan, cell, run=run, known=known)
    ahead = now < opens
    if quiet is not None:
        return None if ahead and quiet.state == "UNKNOWN" and not known.refused else quiet
    if ahead:
        return None
    if not known.calendar and not _is_expected(plan, cell.phase, run=run, known=known):
        reason = "no run, and without a calendar it is unknown whether one was expected"
        return replace(cell, reason=reason, command=f"phasegate begin {run}") if inside else None
    moment = plan.phases[cell.phase].modes[run.mode].deadline
    anchors = None if known.day is None else known.day.anchors
    deadline = None if moment is None else moment.at(run, timezone=plan.timezone, opened_at=opens, anchors=anchors)
    is_late = now > _due(plan, cell.phase, run=run, known=known, deadline=deadline)
    return _awaited(plan, cell, run=run, known=known, is_late=is_late)


def _quiet(plan: Plan, cell: Cell, *, run: Run, known: DateFacts) -> Cell | None:
    """Return the cell of a date on which no run is expected, or unknown.

    None where a run is expected.
    """
    void = [phase.void for up in _roots(plan, cell.phase) if (phase := known.phases.get((up, run.mode)))]
    if any(void):
        return replace(cell, state="VOID", reason=next(filter(None, void)), command="")
    if not known.calendar or (known.day is not None and known.day.state == "work"):
        return None
    if known.day is None:
        reason = no_answer(run.date, error=known.calendar_error)
        return replace(cell, reason=reason, command=ask_calendar(run.date, known))
    return replace(cell, state="VOID" if known.day.state == "void" else "EMPTY_OK", reason=known.day.reason, command="")


def _awaited(plan: Plan, cell: Cell, *, run: Run, known: DateFacts, is_late: bool) -> Cell:
    """Return the cell of a run that should be open and is not.

    It is running, or late, or missed; a run that waits for upstream phases is not missed.
    """
    before = plan.phases[cell.phase].after
    waits_for = _waits_for(plan, cell.phase, known=known, mode=run.mode)
    reason = f"it waits for {', '.join(waits_for)}"
    if not is_late:
        return replace(cell, state="RUNNING", reason=reason if waits_for else "its run is not open yet", command="")
    if waits_for:
        return replace(cell, state="LATE", reason=reason)
    span = f"--from {run.date} --to {run.date}"
    if before and all((up, run.mode) in known.phases for up in before):
        reason = f"{' and '.join(before)} fired, and it never began"
        return replace(cell, state="MISSED", reason=reason, command=f"phasegate reconcile {span} --fix")
    command = f"phasegate backfill {span} --mode {run.mode}"
    return replace(cell, state="MISSED", reason=NOT_OPENED, command=command)


def _due(plan: Plan, name: str, *, run: Run, known: DateFacts, deadline: float | None) -> float:
    """Return when a phase is late.

    At its deadline, or when the first of its missing results is late.
    """
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
    """Return when a run should be open: when its root phases are.

    None: only an operator opens it.
    """
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
    """Return the root phases before a phase, itself if it is one."""
    before = plan.phases[name].after
    return {root for up in before for root in _roots(plan, up)} if before else {name}


def _is_expected(plan: Plan, name: str, *, run: Run, known: DateFacts) -> bool:
    """Return, without a calendar, whether a run should be open.

    It should if another phase of it is open, or a step is expected by a time. A phase whose upstream phases are
    expected is expected too.
    """
    if any(mode == run.mode for _, mode in known.phases):
        return True
    own = any(step.phase == name and run.mode in step.expected_by for step in plan.steps.values())
    return own or any(_is_expected(plan, up, run=run, known=known) for up in plan.phases[name].after)


def _waits_for(plan: Plan, name: str, *, known: DateFacts, mode: str) -> list[str]:
    """Return the upstream phases that are open and have not fired.

    At any distance upstream.
    """
    found: dict[str, None] = {}
    for up in plan.phases[name].after:
        phase = known.phases.get((up, mode))
        if phase is None:
            found |= dict.fromkeys(_waits_for(plan, up, known=known, mode=mode))
        elif not phase.firings:
            found[up] = None
    return list(found)


def gaps(cells: Sequence[Cell]) -> list[Gap]:
    """Return the gaps, the oldest first.

    Dates in a row with the same gap and the same command are one gap.
    """
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
    """Return the gap of one run; the first phase is to be fixed first."""
    cell = lacking[0]
    return Gap(first=cell.date, last=cell.date, mode=cell.mode, dates=1, reason=cell.reason, command=cell.command,
               phases={cell.phase: cell.state for cell in lacking})  # fmt: skip


def _joined(before: Gap, gap: Gap) -> Gap | None:
    """Return one gap for two alike that one command fixes; else None."""
    command = before.command.replace(f"--to {before.last}", f"--to {gap.last}")
    alike = command == gap.command.replace(f"--from {gap.first}", f"--from {before.first}")
    if not alike or before.phases != gap.phases:
        return None
    same = before.reason.replace(before.first, gap.first) == gap.reason
    return replace(before, last=gap.last, dates=before.dates + 1, command=command, reason=before.reason if same else "")
