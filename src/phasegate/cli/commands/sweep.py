"""``phasegate sweep``: process every due document once."""

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import FAILED, FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json, talk


@click.command(
    epilog=example("phasegate sweep"),
    short_help="Process every due document once.",
)
@json_option
@pass_app
def sweep(app: App, /, *, as_json: bool) -> int:
    """Process every document that is due, once.

    Sends again what was not answered, fires at deadlines, frees expired leases. Workers sweep too; use this where no
    worker runs all the time, for example from cron.
    """
    from phasegate.cli.kit.tally import Tally

    settings = app.settings()
    tally = Tally(level=settings.log_level, form=settings.log_format)
    with app.pipeline(tally) as pipeline:
        swept = pipeline.sweep()
        due = pipeline.next_due()
        times = app.times(pipeline.plan)
    if as_json:
        from phasegate.printed.work import SweptJson

        emit_json(SweptJson(swept=swept, next_due=times.iso(due), errors=tuple(tally.errors)))
    else:
        again = "nothing is due" if due is None else f"next due at {times.moment(due)}"
        emit([f"Swept {count(swept, 'document')}; {again}."])
    for error in tally.errors:
        talk(error)
    return FAILED if tally.errors else FINE
