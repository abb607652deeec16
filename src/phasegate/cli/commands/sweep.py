"""``phasegate sweep``: look once at everything that is due."""

import click

from phasegate.cli.kit.app import FAILED, FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import count, emit, emit_json, talk


@click.command(
    epilog=example("phasegate sweep"),
    short_help="Look once at every document whose time has come.",
)
@json_option
@pass_app
def sweep(app: App, /, *, as_json: bool) -> int:
    """Look at every document that is due: send again, fire at deadlines, free leases that ran out.

    Workers do this by themselves; use it where none runs all the time, from cron for example.
    """
    from phasegate.cli.kit.tally import Tally

    settings = app.settings()
    tally = Tally(level=settings.log_level, form=settings.log_format)
    with app.pipeline(tally) as pipeline:
        looked_at = pipeline.sweep()
        due = pipeline.next_due()
        times = app.times(pipeline.plan)
    if as_json:
        emit_json({"looked_at": looked_at, "next_due": times.iso(due), "errors": tally.errors})
    else:
        again = "nothing is due" if due is None else f"next due at {times.moment(due)}"
        emit([f"Looked at {count(looked_at, 'document')}; {again}."])
    for error in tally.errors:
        talk(error)
    return FAILED if tally.errors else FINE
