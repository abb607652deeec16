"""``phasegate rerun``: build one step of a run again, now."""

from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.app import FINDINGS, FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.outcomes import WORDS
from phasegate.cli.kit.output import GAP, emit, emit_json, talk
from phasegate.cli.kit.views import attempt_json

if TYPE_CHECKING:
    from phasegate.base.keys import Run
    from phasegate.pipeline import Pipeline
    from phasegate.plan.model import Step

POLL_S = 0.5
BUILT = ("accepted", "confirmed", "duplicate", "not asked for")


@click.command(
    epilog=example("phasegate rerun 2026-02-03.overnight --step player_game"),
    short_help="Build one step of a run again, now and in this process.",
)
@click.argument("run")
@click.option("--step", required=True, metavar="STEP", help="The step to build.")
@json_option
@pass_app
def rerun(app: App, /, *, run: str, step: str, as_json: bool) -> int:
    """Build STEP of RUN again, and show what it prints.

    Exits with 0 if it was built, 1 if it failed or cannot start now. What follows from it is left to a worker.
    """
    with app.pipeline() as pipeline:
        chosen = app.run(pipeline.plan, run)
        member = _step(pipeline, step, chosen)
        outcome = pipeline.rerun(step, chosen)
        if outcome == "busy":
            talk(f"{step} of {chosen} is being built by another process; waiting for it")
        while outcome == "busy":
            pipeline.ports.clock.sleep(POLL_S)
            outcome = pipeline.rerun(step, chosen, again=False)
        view = next(view for view in pipeline.views.why(chosen) if view.phase == member.phase)
        now = next(one for one in view.members if one.name == step)
        log = pipeline.views.log(chosen, step)
        times = app.times(pipeline.plan)
    built = outcome in BUILT and now.state in ("fresh", "partial")
    failure = log[-1] if log and not built and outcome != "blocked" else None
    if as_json:
        from phasegate.cli.printed.runs import RerunJson

        emit_json(RerunJson(
            run=str(chosen), phase=member.phase, step=step, outcome=outcome, state=now.state,
            reason=now.reason, rows=now.rows, next=view.commands,
            log=None if failure is None else attempt_json(failure, times=times),
        ))  # fmt: skip
    else:
        rows = "" if now.rows is None or not built else f", {now.rows:,} rows"
        lines = [f"{step} of {chosen}: {'built' if built else WORDS.get(outcome, outcome)}{rows}."]
        lines += [] if built else [f"{GAP}{now.reason}"]
        lines += [f"{GAP}{line}" for line in failure.traceback.split("\n")] if failure and failure.traceback else []
        emit([*lines, *(f"next: {command}" for command in view.commands)])
    return FINE if built else FINDINGS


def _step(pipeline: "Pipeline", name: str, run: "Run") -> "Step":
    """Return the step, if it can be built here now.

    Raises NotFound, and BadInput with what to type in its place.
    """
    from phasegate.errors import BadInput, NotFound

    step = pipeline.plan.steps.get(name)
    if step is None:
        raise NotFound(f"rerun: unknown step {name!r}; the plan has {', '.join(pipeline.plan.steps)}")
    if step.kind == "external":
        fix = f"phasegate begin {run} --step {name} -- COMMAND, or report it: phasegate complete {name} --run {run}"
        raise BadInput(f"rerun: {name} is external, its own system builds it; type: {fix}")
    phase = pipeline.runs.read(step.phase, run)
    if phase is None:
        raise NotFound(f"rerun: {step.phase} of {run} is not open; see phasegate why {run}")
    if name not in phase.gate.members:
        raise NotFound(f"rerun: {name} is no member of {step.phase} in run {run}; try: phasegate replan {run}")
    if phase.void is not None:
        raise BadInput(f"rerun: {run} is void ({phase.void}); to bring it back: phasegate cancel {run} --undo")
    if phase.paused is not None:
        raise BadInput(f"rerun: {run} is paused ({phase.paused}); first: phasegate pause {run} --resume")
    return step
