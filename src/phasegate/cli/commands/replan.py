"""``phasegate replan``: pin the present plan to an open run."""

import click

from phasegate.cli.commands.pause import phases_of
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
    from phasegate.errors import NotFound

    with app.pipeline() as pipeline:
        chosen = app.run(pipeline.plan, run)
        known = {name: pipeline.runs.read(name, chosen)
                 for name in phases_of(pipeline.plan, chosen, phase, command="replan")}  # fmt: skip
        before = {name: there.gate.hash for name, there in known.items() if there is not None}
        if not before:
            raise NotFound(f"replan: {chosen} is not open, so it will follow the plan as it is when it opens")
        for name in before:
            pipeline.runs.replan(name, chosen)
        after = {name: there.gate.hash for name in before if (there := pipeline.runs.read(name, chosen))}
    changed = {name: after[name] != before[name] for name in before}
    if as_json:
        from phasegate.printed.runs import ReplannedJson, ReplannedPhaseJson

        phases = tuple(ReplannedPhaseJson(phase=name, changed=new) for name, new in changed.items())
        emit_json(ReplannedJson(run=str(chosen), phases=phases))
    else:
        lines = [f"{name} of {chosen}: {'follows the present plan now' if new else 'followed it already'}."
                 for name, new in changed.items()]  # fmt: skip
        emit([*lines, *(["next: phasegate worker --until-idle"] if any(changed.values()) else [])])
    return FINE
