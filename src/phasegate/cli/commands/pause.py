"""``phasegate pause``: hold the gates of a run, or release them."""

import click

from phasegate.cli.kit.app import FINE, App, pass_app
from phasegate.cli.kit.dates import check_near, yes_option
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json


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
    from phasegate.actions import runs
    from phasegate.audit import About
    from phasegate.errors import BadInput

    if resume and reason is not None:
        raise BadInput("pause: --reason is for pausing, not for --resume; leave it out")
    with app.pipeline() as pipeline:
        chosen = app.run(pipeline.plan, run)
        check_near(pipeline, chosen.date, yes=yes or resume, command="pause")
        held = runs.paused_phases(pipeline, chosen, phase)
        if not resume:
            with app.acting(pipeline, About(run=str(chosen))) as act:
                held = runs.pause(pipeline, chosen, phase, reason=reason)
                act.outcome = f"paused: {', '.join(held)}"
        elif held:
            with app.acting(pipeline, About(run=str(chosen))) as act:
                runs.resume(pipeline, chosen, held)
                act.outcome = f"resumed: {', '.join(held)}"
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
