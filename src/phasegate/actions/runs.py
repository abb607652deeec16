"""The actions on one run: pause, cancel, replan, rerun, redrive."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from phasegate.answers.runs import run_of
from phasegate.audit import About
from phasegate.base.keys import Run, is_date
from phasegate.errors import BadInput, NotFound
from phasegate.explain.overview import DeadLetter, dead_of, held_back
from phasegate.explain.phase_view import PhaseView
from phasegate.plan.model import Plan

if TYPE_CHECKING:
    from phasegate.pipeline import Pipeline

MESSAGE = "quarantine:"
"""How the key of a message in quarantine begins."""


def phases_of(plan: Plan, run: Run, phase: str | None, *, command: str) -> list[str]:
    """Return the phases that a command on a run means.

    Raises NotFound.
    """
    known = [name for name, one in plan.phases.items() if run.mode in one.modes]
    if phase is None:
        return known
    if phase not in known:
        raise NotFound(f"{command}: unknown phase {phase!r} in mode {run.mode}; it has {', '.join(known)}")
    return [phase]


def open_phases(pipeline: "Pipeline", run: Run, phase: str | None, *, command: str) -> list[str]:
    """Return those of a run's phases that are open.

    Raises NotFound.
    """
    return [name for name in phases_of(pipeline.plan, run, phase, command=command)
            if pipeline.runs.read(name, run) is not None]  # fmt: skip


def pause(pipeline: "Pipeline", run: Run, phase: str | None, *, reason: str | None) -> list[str]:
    """Pause the gates of a run, opening what is not open; return the phases."""
    held = phases_of(pipeline.plan, run, phase, command="pause")
    for name in held:
        pipeline.runs.open(name, run, by="operator")
        pipeline.runs.pause(name, run, reason=reason or "paused by hand")
    return held


def paused_phases(pipeline: "Pipeline", run: Run, phase: str | None) -> list[str]:
    """Return the phases of a run that are paused."""
    there = {name: pipeline.runs.read(name, run) for name in phases_of(pipeline.plan, run, phase, command="pause")}
    return [name for name, known in there.items() if known is not None and known.paused is not None]


def void_phases(pipeline: "Pipeline", run: Run) -> list[str]:
    """Return the open phases of a run that are void.

    Raises NotFound if none is open.
    """
    there = {name: pipeline.runs.read(name, run) for name in cancellable(pipeline, run)}
    return [name for name, known in there.items() if known is not None and known.void is not None]


def resume(pipeline: "Pipeline", run: Run, phases: Sequence[str]) -> None:
    """Release the gates of these phases."""
    for name in phases:
        pipeline.runs.pause(name, run, reason=None)


def cancel(pipeline: "Pipeline", run: Run, phases: Sequence[str], *, reason: str | None) -> None:
    """Declare these phases void, with the reason (None: they take place)."""
    for name in phases:
        pipeline.runs.void(name, run, reason=reason)
    pipeline.runs.recheck_windows(run.date)


def cancellable(pipeline: "Pipeline", run: Run) -> list[str]:
    """Return the open phases of a run; raise NotFound if there are none."""
    phases = open_phases(pipeline, run, None, command="cancel")
    if not phases:
        raise NotFound(f"cancel: run {run} is not open; see phasegate status")
    return phases


def replan(pipeline: "Pipeline", run: Run, phase: str | None) -> dict[str, bool]:
    """Pin the present plan to the open phases of a run.

    Return for each whether that changed its gate. Raises NotFound if none is open.
    """
    known = {name: pipeline.runs.read(name, run) for name in phases_of(pipeline.plan, run, phase, command="replan")}
    before = {name: there.gate.hash for name, there in known.items() if there is not None}
    if not before:
        raise NotFound(f"replan: {run} is not open, so it will follow the plan as it is when it opens")
    for name in before:
        pipeline.runs.replan(name, run)
    after = {name: there.gate.hash for name in before if (there := pipeline.runs.read(name, run))}
    return {name: after[name] != before[name] for name in before}


def check_redrive(what: str | None, step: str | None, *, force: bool, everything: bool) -> None:
    """Refuse what contradicts itself, or names nothing; raise BadInput."""
    if everything == (what is not None):
        raise BadInput("redrive: name a RUN, the KEY of a quarantined message, or --all: exactly one of them")
    if what is None and step is not None:
        raise BadInput("redrive: --step needs a RUN")
    if what is not None and what.startswith(MESSAGE) and (step is not None or force):
        raise BadInput("redrive: --step and --force belong to a RUN, not to a message")


def letters_of(pipeline: "Pipeline", what: str | None, step: str | None) -> list[DeadLetter]:
    """Return the dead letters of a run, of a message's key, or all for None.

    With the triggers of a run that a quiet backfill held back. Raises NotFound, naming those that there are.
    """
    if what is None:
        return pipeline.views.dead()
    if what.startswith(MESSAGE):
        found = [letter for letter in pipeline.views.quarantined() if letter.subject == what]
        if not found:
            raise NotFound(f"{what}: no such message in quarantine; see phasegate dead")
        return found
    run = run_of(pipeline.plan, what)
    views = pipeline.views.why(run)
    _check_step(views, run, step)
    dead = [letter for view in views for letter in dead_of(view)]
    return [letter for letter in dead + _held(views) if step in (None, letter.subject)]


def about_letters(plan: Plan, what: str | None, letters: Sequence[DeadLetter]) -> About:
    """Return what an act on these dead letters is about.

    The run that was named, or else the dates of the letters' runs.
    """
    if what is not None and not what.startswith(MESSAGE):
        return About(run=str(run_of(plan, what)))
    dates = sorted(date for letter in letters if is_date(date := letter.run.partition(".")[0]))
    return About(first=dates[0], last=dates[-1]) if dates else About()


def bring_back(
    pipeline: "Pipeline", letters: Sequence[DeadLetter], *, step: str | None, force: bool, held: bool
) -> None:
    """Send dead letters again, and what is held back unless ``held`` is False."""
    for letter in letters:
        if letter.kind == "message":
            pipeline.runs.quarantine.redrive(letter.subject)
    for run in dict.fromkeys(run_of(pipeline.plan, letter.run) for letter in letters if letter.kind != "message"):
        for phase in pipeline.plan.phases:
            pipeline.runs.redrive(phase, run, step=step, force=force, held=held)


def _held(views: Sequence[PhaseView]) -> list[DeadLetter]:
    return [
        DeadLetter(kind="held", subject=receiver, run=view.run, reason=f"held back by {view.phase}", at=generation.at,
                   command=f"phasegate redrive {view.run} --step {receiver}")
        for view in views
        for generation, receiver in held_back(view)
    ]  # fmt: skip


def _check_step(views: Sequence[PhaseView], run: Run, step: str | None) -> None:
    known = []
    for view in views:
        known += [member.name for member in view.members]
        known += [name for generation in view.generations for name in generation.receivers]
    if step is not None and step not in known:
        raise NotFound(f"unknown step {step!r} in run {run}; it has {', '.join(dict.fromkeys(known))}")
