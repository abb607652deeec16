"""``phasegate rerun``: build one step of a run again, now."""

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.outcomes import WORDS
from phasegate.cli.kit.output import GAP, emit, emit_json, talk

POLL_S = 0.5


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
    from phasegate.answers.rebuilt import Rebuilt, buildable
    from phasegate.audit import About

    with app.pipeline() as pipeline:
        chosen = app.run(pipeline.plan, run)
        member = buildable(pipeline, step, chosen)
        with app.acting(pipeline, About(run=str(chosen))) as act:
            outcome = pipeline.rerun(step, chosen)
            if outcome == "busy":
                talk(f"{step} of {chosen} is being built by another process; waiting for it")
            while outcome == "busy":
                pipeline.ports.clock.sleep(POLL_S)
                outcome = pipeline.rerun(step, chosen, again=False)
            done = Rebuilt(pipeline, member, chosen, outcome=outcome)
            act.outcome, act.failed = f"{step}: {outcome}", not done.built
        times = app.times(pipeline.plan)
    now, built, failure = done.member, done.built, done.failure
    if as_json:
        emit_json(done.document(times=times))
    else:
        rows = "" if now.rows is None or not built else f", {count(now.rows, 'row')}"
        lines = [f"{step} of {chosen}: {'built' if built else WORDS.get(outcome, outcome)}{rows}."]
        lines += [] if built else [f"{GAP}{now.reason}"]
        lines += [f"{GAP}{line}" for line in failure.traceback.split("\n")] if failure and failure.traceback else []
        emit([*lines, *(f"next: {command}" for command in done.view.commands)])
    return done.exit_code
