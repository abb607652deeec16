"""``phasegate begin``: open a run, or run the command of a step."""

from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.app import FINDINGS, FINE, STOPPED, App, pass_app
from phasegate.cli.kit.dates import check_near, yes_option
from phasegate.cli.kit.holding import Command, hold
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.outcomes import reported_lines
from phasegate.cli.kit.output import emit, emit_json

if TYPE_CHECKING:
    from phasegate.base.keys import Run
    from phasegate.pipeline import Pipeline
    from phasegate.plan.model import Step


@click.command(
    epilog=example(
        "phasegate begin 2026-02-03.overnight",
        "phasegate begin 2026-02-03.overnight --step gamebook -- python scrape.py",
    ),
    short_help="Open a run, or hold an external step while its command runs.",
    context_settings={"allow_interspersed_args": True},
)
@click.argument("run")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND ARGS...]")
@click.option("--step", metavar="STEP", help="The external step that the command builds.")
@click.option("--execution-id", metavar="ID", help="Identifies the content of a step without a table.")
@yes_option
@json_option
@pass_app
def begin(
    app: App, /, *, run: str, command: tuple[str, ...], step: str | None, execution_id: str | None, yes: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Open RUN in every root phase.

    Then its steps without needs start. With --step and a command: hold the step while the command runs, with
    PHASEGATE_RUN, PHASEGATE_STEP, PHASEGATE_DATE and PHASEGATE_MODE set, then complete it if the command exits with 0;
    else report the failure and exit with 1, or with 130 after Ctrl-C, which is passed on to the command. For a step
    without a table, the last line `rows=N` on the command's standard output is its number of rows.
    """
    from phasegate.answers.runs import external_step
    from phasegate.errors import BadInput

    if step is None and (command or execution_id):
        raise BadInput("begin: a command and --execution-id need --step STEP")
    if step is not None and not command:
        raise BadInput(f"begin: name the command for {step}: phasegate begin {run} --step {step} -- COMMAND ARGS")
    with app.pipeline() as pipeline:
        chosen = app.run(pipeline.plan, run)
        check_near(pipeline, chosen.date, yes=yes, command="begin")
        if step is None:
            return _open(app, pipeline, chosen, as_json=as_json)
        member = external_step(pipeline.plan, step, chosen)
        return _hold(pipeline, member, chosen, Command(command, execution_id=execution_id or ""), as_json=as_json)


def _open(app: App, pipeline: "Pipeline", run: "Run", *, as_json: bool) -> int:
    from phasegate.answers.runs import opened, root_phases
    from phasegate.audit import About

    for phase in root_phases(pipeline.plan, run):
        pipeline.runs.read(phase, run)  # one that cannot be read is named before anything is recorded
    with app.acting(pipeline, About(run=str(run))) as act:
        begun = opened(pipeline, run)
        act.outcome = f"opened: {', '.join(begun.opened) or 'nothing new'}"
    if as_json:
        emit_json(begun)
        return FINE
    first = {*begun.opened, *begun.already_open}
    lines = [f"{run}: {view.phase} is open{' already' if view.phase in begun.already_open else ''}; {view.reason}."
             for view in pipeline.views.why(run) if view.phase in first]  # fmt: skip
    emit([*lines, *(f"next: {command}" for command in begun.next)])
    return FINE


def _hold(pipeline: "Pipeline", step: "Step", run: "Run", command: Command, *, as_json: bool) -> int:
    held = hold(pipeline, step, run, command, to_stderr_only=as_json)
    if as_json:
        from msgspec.structs import asdict

        from phasegate.printed.runs import HeldJson

        emit_json(HeldJson(**asdict(held.reported.document()), exit_code=held.code))
    elif not held.error:
        emit(reported_lines(held.reported))
    else:
        emit([f"{step.name} of {run}: {held.error}; reported as failed.", *reported_lines(held.reported)[1:]])
    if not held.error:
        return held.reported.exit_code
    return STOPPED if held.interrupted else FINDINGS
