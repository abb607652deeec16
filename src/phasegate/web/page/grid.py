"""The grid of runs: what each place of it shows. Pure.

A row is a run, the newest first; its columns are the phases of the plan, each with its steps. A place shows a sign and
a colour for the state that `status` and `why` name; nothing is decided here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from phasegate.base.findings import Severity, Verdict
from phasegate.explain.coverage import GAPS, Cell
from phasegate.explain.member_view import MemberState, MemberView
from phasegate.explain.phase_view import PhaseState, PhaseView
from phasegate.plan.model import Plan

Tone = Literal["good", "wait", "warn", "bad", "none"]
TONE_WORDS: Mapping[Tone, str] = {
    "good": "✓ fine",
    "wait": "▸ at work or waiting",
    "warn": "! needs a look",
    "bad": "✗ wrong",
    "none": "∅ nothing to do",
}
"""What is said of a whole run."""


class Sign(NamedTuple):
    """How a state looks: by a sign and a colour, since not everyone sees both."""

    text: str
    tone: Tone


PHASES: Mapping[PhaseState, Sign] = {
    "complete": Sign("✓", "good"),
    "sending": Sign("→", "wait"),
    "settling": Sign("…", "wait"),
    "building": Sign("▸", "wait"),
    "waiting": Sign("…", "wait"),
    "paused": Sign("‖", "warn"),
    "void": Sign("∅", "none"),
    "degraded": Sign("!", "warn"),
    "dead": Sign("✗", "bad"),
}
STEPS: Mapping[MemberState, Sign] = {
    "fresh": Sign("✓", "good"),
    "partial": Sign("½", "warn"),
    "asked": Sign("▸", "wait"),
    "parked": Sign("…", "wait"),
    "dead": Sign("✗", "bad"),
    "blocked": Sign("…", "wait"),
    "unreported": Sign("·", "none"),
}
SEVERITY: Mapping[Severity, Sign] = {
    "error": Sign("✗", "bad"),
    "warning": Sign("!", "warn"),
    "note": Sign("·", "none"),
}
VERDICTS: Mapping[Verdict, Sign] = {
    "ok": Sign("✓", "good"),
    "settling": Sign("…", "wait"),
    "finding": Sign("✗", "bad"),
    "not evaluated": Sign("?", "bad"),
}
LATE = "late"
OVERDUE, DRIFTED, ABSENT = Sign("!", "bad"), Sign("!", "warn"), Sign("?", "bad")


class GridPlace(NamedTuple):
    """One place of the grid; ``title``: all of it in words."""

    sign: Sign
    note: str
    title: str


WORST_FIRST: tuple[Tone, ...] = ("bad", "warn", "wait", "good")
NO_PLACE = GridPlace(Sign("", "none"), "", "")


class GridRow(NamedTuple):
    """One run: its places by (phase, step), the phase's own under "" as step."""

    run: str
    places: Mapping[tuple[str, str], GridPlace]

    @property
    def worst(self) -> Tone:
        """Return the worst tone of its places; "none" if nothing is to be done."""
        tones = {place.sign.tone for place in self.places.values()}
        return next((tone for tone in WORST_FIRST if tone in tones), "none")

    @property
    def cause(self) -> GridPlace:
        """Return the first place that is as bad as the worst."""
        return next((place for place in self.places.values() if place.sign.tone == self.worst), NO_PLACE)


class PhaseColumn(NamedTuple):
    """A phase with its steps."""

    phase: str
    steps: tuple[str, ...]


def columns(plan: Plan, found: Iterable[GridRow], /) -> tuple[PhaseColumn, ...]:
    """Return the columns of a plan, in its order, that some row uses."""
    used = {place for row in found for place in row.places}
    return tuple(
        PhaseColumn(name, tuple(one for one, step in plan.steps.items() if step.phase == name and (name, one) in used))
        for name in plan.phases
        if any(phase == name for phase, _ in used)
    )


def rows(views: Iterable[PhaseView], cells: Iterable[Cell] = (), *, modes: Sequence[str] = ()) -> list[GridRow]:
    """Return the rows of some runs, the newest date first.

    Those of one date are in the order of ``modes``.
    ``cells``: the state of phases, open or not; those that lack something are shown, and what is late.
    """
    places: dict[str, dict[tuple[str, str], GridPlace]] = {}
    for cell in cells:
        if cell.state in GAPS:
            title = f"{cell.phase}: {cell.state.lower()}: {cell.reason}"
            places.setdefault(cell.run, {})[cell.phase, ""] = GridPlace(ABSENT, cell.state.lower(), title)
    for view in views:
        row = places.setdefault(view.run, {})
        gap = row.get((view.phase, ""))
        row[view.phase, ""] = _of_phase(view, late=gap is not None and gap.note == LATE)
        is_void = view.state == "void"
        row.update({(view.phase, member.name): _of_step(member, is_void=is_void) for member in view.members})
    order = sorted(places, key=lambda run: modes.index(run[11:]) if run[11:] in modes else -1)
    return [GridRow(run, places[run]) for run in sorted(order, key=lambda run: run[:10], reverse=True)]


def summary(found: Sequence[GridRow], /) -> dict[Tone, int]:
    """Return how many runs are as good as their worst place."""
    return {tone: sum(1 for row in found if row.worst == tone) for tone in (*WORST_FIRST, "none")}


def _of_phase(view: PhaseView, *, late: bool) -> GridPlace:
    sign = OVERDUE if view.overdue or late else DRIFTED if view.drifted else PHASES[view.state]
    state = "overdue" if view.overdue else LATE if late else "drifted" if view.drifted else view.state
    note = state if state in ("overdue", LATE) else f"{view.generation or ''}"
    number = f", generation {view.generation}" if view.generation else ""
    return GridPlace(sign, note, f"{view.phase}: {state}{number}: {view.reason}")


def _of_step(member: MemberView, *, is_void: bool) -> GridPlace:
    """Return the place of a step; one of a void phase is no reason to act."""
    counted = "" if member.rows is None else f"{member.rows:,}"
    rows = "" if member.rows is None else f", {member.rows:,} rows"
    sign = Sign(STEPS[member.state].text, "none") if is_void else STEPS[member.state]
    return GridPlace(sign, counted, f"{member.name}: {member.state}{rows}: {member.reason}")
