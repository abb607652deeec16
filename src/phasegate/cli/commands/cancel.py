"""``phasegate cancel``: end a run that should not take place."""

import click

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
    from phasegate.actions import runs
    from phasegate.audit import About
    from phasegate.errors import BadInput

    if undo and reason is not None:
        raise BadInput("cancel: --reason is for cancelling, not for --undo; leave it out")
    with app.pipeline() as pipeline:
        chosen = app.run(pipeline.plan, run)
        phases = runs.cancellable(pipeline, chosen)
        with app.acting(pipeline, About(run=str(chosen))) as act:
            runs.cancel(pipeline, chosen, phases, reason=None if undo else reason or "cancelled by hand")
            act.outcome = f"{'takes place' if undo else 'cancelled'}: {', '.join(phases)}"
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
