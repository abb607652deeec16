"""What each action on a run would do, and doing it."""

from typing import TYPE_CHECKING

from phasegate.actions import runs
from phasegate.actions.action import OperatorAction
from phasegate.actions.deed import Deed, DeedResult, about, done
from phasegate.answers.rebuilt import Rebuilt, buildable
from phasegate.answers.runs import check_near, run_of
from phasegate.base.wording import count, counted_rows
from phasegate.errors import BadInput, Busy

if TYPE_CHECKING:
    from phasegate.pipeline import Pipeline

FAR = "type the command with --yes"


def rerun(pipeline: "Pipeline", action: OperatorAction) -> Deed:
    """Build a step of a run again, now."""
    run, name = run_of(pipeline.plan, action.what), action.get("--step") or ""
    step = buildable(pipeline, name, run)

    def do() -> DeedResult:
        outcome = pipeline.rerun(name, run)
        if outcome == "busy":
            raise Busy(f"{name} of {run} is being built by another process; try again later")
        now = Rebuilt(pipeline, step, run, outcome=outcome)
        if now.built:
            return done([f"{name} of {run}: built, {counted_rows(now.member.rows)}"])
        return done([f"{name} of {run}: {now.member.reason}"], failed=True)

    now = next(one for view in pipeline.views.why(run) if view.phase == step.phase for one in view.members
               if one.name == name)  # fmt: skip
    counted = "" if now.rows is None else f", {counted_rows(now.rows)}"
    state = f"Now it is {now.state}{counted}{f', token {now.token}' if now.token else ''}: {now.reason}"
    table = f"It replaces the rows of {run.date} in {step.table.name}, if they differ." if step.table else ""
    after = "If its content changes, what is built from it follows, and the next phases are triggered again."
    lines = tuple(filter(None, (state, f"{name} is built now, in this service; the page waits for it.", table, after)))
    return Deed(f"Build {name} of {run} again", lines, do, about(run))


def redrive(pipeline: "Pipeline", action: OperatorAction) -> Deed:
    """Send dead letters again: of a run, a message, or all."""
    step, force, everything = action.get("--step"), action.has("--force"), action.has("--all")
    runs.check_redrive(action.what or None, step, force=force, everything=everything)
    if everything and force:
        raise BadInput("redrive: on the page --force is for one run; type the command")
    letters = runs.letters_of(pipeline, action.what or None, step)

    def do() -> DeedResult:
        runs.bring_back(pipeline, letters, step=step, force=force, held=not everything)
        sent = f"{count(len(letters), 'dead letter')} sent again"
        return done([f"{sent}; a worker does the rest, or: phasegate worker --until-idle"])

    lines = [f"{letter.kind} {letter.subject}{f' of {letter.run}' if letter.run else ''} is sent again: {letter.reason}"
             for letter in letters]  # fmt: skip
    if lines and force:
        lines.append("It may lose more rows than shrink_max allows; the receipt says so.")
    is_run = bool(action.what) and not action.what.startswith(runs.MESSAGE)
    where = runs.about_letters(pipeline.plan, action.what or None, letters)
    title = f"Send again what is dead in {action.what}" if is_run else f"Send {action.what or 'all that is dead'} again"
    return Deed(title, tuple(lines), do, where)


def pause(pipeline: "Pipeline", action: OperatorAction) -> Deed:
    """Hold the gates of a run."""
    run, phase = run_of(pipeline.plan, action.what), action.get("--phase")
    check_near(pipeline, run.date, where="pause", mend=FAR)
    held = runs.phases_of(pipeline.plan, run, phase, command="pause")
    already = runs.paused_phases(pipeline, run, phase)

    def do() -> DeedResult:
        runs.pause(pipeline, run, phase, reason=action.get("--reason"))
        return done([f"{name} of {run}: paused" for name in held])

    lines = [f"{name} of {run} is paused already; its reason is replaced." if name in already else
             f"{name} of {run} fires nothing and requests nothing, until it is resumed." for name in held]  # fmt: skip
    return Deed(f"Pause {run}", (*lines, "What is reported is still recorded."), do, about(run))


def resume(pipeline: "Pipeline", action: OperatorAction) -> Deed:
    """Release the gates of a run."""
    run = run_of(pipeline.plan, action.what)
    held = runs.paused_phases(pipeline, run, action.get("--phase"))

    def do() -> DeedResult:
        runs.resume(pipeline, run, held)
        return done([f"{name} of {run}: resumed" for name in held])

    lines = tuple(f"{name} of {run} goes on: what was recorded during the pause takes effect." for name in held)
    return Deed(f"Resume {run}", lines, do, about(run))


def cancel(pipeline: "Pipeline", action: OperatorAction) -> Deed:
    """Declare that a run does not take place."""
    run = run_of(pipeline.plan, action.what)
    phases = runs.cancellable(pipeline, run)

    def do() -> DeedResult:
        runs.cancel(pipeline, run, phases, reason=action.get("--reason") or "cancelled by hand")
        return done([f"{name} of {run}: cancelled" for name in phases])

    void = runs.void_phases(pipeline, run)
    lines = [
        f"{name} of {run} is void already; its reason is replaced."
        if name in void
        else f"{name} of {run} is void: nothing of it is requested, fired or reported any more."
        for name in phases
    ]
    kept = f"What was written stays in the tables. It can be taken back: phasegate cancel {run} --undo"
    return Deed(f"Cancel {run}", (*lines, kept), do, about(run))


def restore(pipeline: "Pipeline", action: OperatorAction) -> Deed:
    """Declare that a run takes place after all."""
    run = run_of(pipeline.plan, action.what)
    phases = runs.void_phases(pipeline, run)

    def do() -> DeedResult:
        runs.cancel(pipeline, run, phases, reason=None)
        return done([f"{name} of {run}: takes place" for name in phases])

    return Deed(f"Take back that {run} is void", tuple(f"{n} of {run} takes place again." for n in phases), do,
                about(run))  # fmt: skip


def replan(pipeline: "Pipeline", action: OperatorAction) -> Deed:
    """Pin the present plan to a run."""
    run, phase = run_of(pipeline.plan, action.what), action.get("--phase")
    phases = runs.open_phases(pipeline, run, phase, command="replan")

    def do() -> DeedResult:
        changed = runs.replan(pipeline, run, phase)
        return done(f"{name} of {run}: {'follows the present plan now' if new else 'followed it already'}"
                    for name, new in changed.items())  # fmt: skip

    lines = tuple(f"{name} of {run} follows the present plan; steps whose code changed are built again."
                  for name in phases)  # fmt: skip
    return Deed(f"Pin the present plan to {run}", lines, do, about(run))
