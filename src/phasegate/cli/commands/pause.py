"""``phasegate pause``: hold the gates of a run, or release them."""

from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.app import FINE, App, pass_app
from phasegate.cli.kit.dates import check_near, yes_option
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json

if TYPE_CHECKING:
    from phasegate.base.keys import Run
    from phasegate.plan.model import Plan


@click.command(
    epilog=example(
        'phasegate pause 2026-02-03.overnight --reason "the source is being repaired"',
        "phasegate pause 2026-02-03.overnight --phase analytics --resume",
    ),
    short_help="Hold the gates of a run, or release them.",
)
@click.argument("run")
@click.option("--phase", metavar="PHASE", help="This phase only.")
@click.option("--reason", metavar="TEXT", help="Why; shown by status and why.")
@click.option("--resume", is_flag=True, help="Release: what was recorded during the pause takes effect.")
@yes_option
@json_option
@pass_app
def pause(
    app: App, /, *, run: str, phase: str | None, reason: str | None, resume: bool, yes: bool, as_json: bool
) -> int:
    """Pause RUN: nothing fires and nothing is requested, until --resume.

    Messages are still recorded. A phase that is not open yet is opened and paused.
    """
    from phasegate.errors import BadInput

    if resume and reason is not None:
        raise BadInput("pause: --reason is for pausing, not for --resume; leave it out")
    with app.pipeline() as pipeline:
        chosen = app.run(pipeline.plan, run)
        check_near(pipeline, chosen.date, yes=yes or resume, command="pause")
        held = phases_of(pipeline.plan, chosen, phase, command="pause")
        if resume:
            there = {name: pipeline.runs.read(name, chosen) for name in held}
            held = [name for name, known in there.items() if known is not None and known.paused is not None]
        for name in held:
            if not resume:
                pipeline.runs.open(name, chosen, by="operator")
            pipeline.runs.pause(name, chosen, reason=None if resume else reason or "paused by hand")
    word = "resumed" if resume else "paused"
    if as_json:
        from phasegate.printed.runs import PausedJson, ResumedJson

        done = tuple(held)
        emit_json(ResumedJson(run=str(chosen), resumed=done) if resume else PausedJson(run=str(chosen), paused=done))
    elif not held:
        emit([f"{chosen}: no phase is paused; nothing to resume."])
    else:
        undo = "worker --until-idle" if resume else f"pause {chosen} --resume"
        emit([*(f"{name} of {chosen}: {word}." for name in held), f"next: phasegate {undo}"])
    return FINE


def phases_of(plan: "Plan", run: "Run", phase: str | None, *, command: str) -> list[str]:
    """Return the phases that a command on a run means.

    Raises NotFound.
    """
    from phasegate.errors import NotFound

    known = [name for name, one in plan.phases.items() if run.mode in one.modes]
    if phase is None:
        return known
    if phase not in known:
        raise NotFound(f"{command}: unknown phase {phase!r} in mode {run.mode}; it has {', '.join(known)}")
    return [phase]
