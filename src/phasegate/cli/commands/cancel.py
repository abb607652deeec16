"""``phasegate cancel``: end a run that should not take place."""

import click

from phasegate.cli.commands.pause import phases_of
from phasegate.cli.kit.app import FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json


@click.command(
    epilog=example(
        'phasegate cancel 2062-02-03.overnight --reason "a typo"', "phasegate cancel 2062-02-03.overnight --undo"
    ),
    short_help="End a run that should not take place.",
)
@click.argument("run")
@click.option("--reason", metavar="TEXT", help="Why; shown by status and why.")
@click.option("--undo", is_flag=True, help="The run takes place after all.")
@json_option
@pass_app
def cancel(app: App, /, *, run: str, reason: str | None, undo: bool, as_json: bool) -> int:
    """Declare RUN void in every phase that is open.

    Nothing of it is requested, fired or reported any more; it is not expected, not late, and no window waits for it.
    What was written stays in the tables.
    """
    from phasegate.errors import BadInput, NotFound

    if undo and reason is not None:
        raise BadInput("cancel: --reason is for cancelling, not for --undo; leave it out")
    with app.pipeline() as pipeline:
        chosen = app.run(pipeline.plan, run)
        known = {name: pipeline.runs.read(name, chosen)
                 for name in phases_of(pipeline.plan, chosen, None, command="cancel")}  # fmt: skip
        phases = [name for name, phase in known.items() if phase is not None]
        if not phases:
            raise NotFound(f"cancel: run {chosen} is not open; see phasegate status")
        for name in phases:
            pipeline.runs.void(name, chosen, reason=None if undo else reason or "cancelled by hand")
        pipeline.runs.recheck_windows(chosen.date)
    if as_json:
        from phasegate.printed.runs import CancelledJson, RestoredJson

        done = tuple(phases)
        emit_json(
            RestoredJson(run=str(chosen), restored=done) if undo else CancelledJson(run=str(chosen), cancelled=done)
        )
    elif undo:
        emit([*(f"{name} of {chosen}: takes place." for name in phases), "next: phasegate worker --until-idle"])
    else:
        emit([*(f"{name} of {chosen}: cancelled." for name in phases),
              f"to take it back: phasegate cancel {chosen} --undo"])  # fmt: skip
    return FINE
