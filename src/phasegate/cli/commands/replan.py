"""``phasegate replan``: pin the present plan to an open run."""

import click

from phasegate.cli.kit.app import FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json


@click.command(
    epilog=example("phasegate replan 2026-02-03.overnight", "phasegate replan 2026-02-03.overnight --phase analytics"),
    short_help="Pin the present plan to an open run.",
)
@click.argument("run")
@click.option("--phase", metavar="PHASE", help="This phase only.")
@json_option
@pass_app
def replan(app: App, /, *, run: str, phase: str | None, as_json: bool) -> int:
    """Make RUN follow the present plan.

    Its members, deadline, receivers, and the code of its steps. Results of a step whose code changed become stale, and
    are rebuilt.
    """
    from phasegate.actions import runs
    from phasegate.audit import About

    with app.pipeline() as pipeline:
        chosen = app.run(pipeline.plan, run)
        open_ = runs.open_phases(pipeline, chosen, phase, command="replan")
        with app.acting(pipeline, About(run=str(chosen))) as act:
            changed = runs.replan(pipeline, chosen, phase)
            act.outcome = f"follow the present plan: {', '.join(open_)}"
    if as_json:
        from phasegate.printed.runs import ReplannedJson, ReplannedPhaseJson

        phases = tuple(ReplannedPhaseJson(phase=name, changed=new) for name, new in changed.items())
        emit_json(ReplannedJson(run=str(chosen), phases=phases))
    else:
        lines = [f"{name} of {chosen}: {'follows the present plan now' if new else 'followed it already'}."
                 for name, new in changed.items()]  # fmt: skip
        emit([*lines, *(["next: phasegate worker --until-idle"] if any(changed.values()) else [])])
    return FINE
