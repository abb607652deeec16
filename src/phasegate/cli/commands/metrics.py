"""``phasegate metrics``: how well hand-offs went, in five counts."""

from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.app import App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json, table, talk

if TYPE_CHECKING:
    from phasegate.answers.checks import Span
    from phasegate.explain.successes import Success

DAYS = 30


@click.command(
    epilog=example("phasegate metrics", "phasegate metrics --days 7", "phasegate metrics --from 2026-02-01 --json"),
    short_help="Count what went well: complete, accurate, handed on, in time.",
)
@click.option(
    "--days", type=click.IntRange(1, 3_700), metavar="N", help=f"The last N dates, today included. Default: {DAYS}."
)
@click.option("--from", "first", metavar="DATE", help="First date.")
@click.option("--to", "last", metavar="DATE", help="Last date. Default: today.")
@json_option
@pass_app
def metrics(app: App, /, *, days: int | None, first: str | None, last: str | None, as_json: bool) -> int:
    """Count how many hand-offs of some dates went well.

    Runs that are complete, documents that say what the tables hold, triggers that arrived, rows without duplicates, and
    results in time: each with how many of how many went wrong, and the command that shows which. The first date is the
    first that has a run. It reads documents and tables, and changes nothing. What is too young to judge is not counted.
    """
    from phasegate.answers.checks import measured, metrics_json, span_of
    from phasegate.base.findings import FINE, FOUND, UNCHECKED

    app.reading()  # a missing state is an error, and is not created
    with app.pipeline() as pipeline:
        times = app.times(pipeline.plan)
        span = span_of(times, days=days if days or first else DAYS, first=first, last=last, command="metrics")
        span, counts = measured(pipeline, span)
    if as_json:
        emit_json(metrics_json(pipeline.plan.pipeline, span, counts, times=times))
    else:
        emit([f"{pipeline.plan.pipeline}, {span.first} to {span.last}", "", *_lines(counts, span)])
    errors = [one for one in counts if one.error]
    for one in errors:
        talk(f"not evaluated: {one.metric}: {one.error}")
    if errors or not any(one.of for one in counts):
        return UNCHECKED
    return FOUND if any(one.failed for one in counts) else FINE


def _lines(counts: "tuple[Success, ...]", span: "Span") -> list[str]:
    from phasegate.answers.checks import shown_by
    from phasegate.explain.successes import UNITS

    rows = [
        (one.metric, _percent(one), f"{one.failed:,} of {one.of:,} {UNITS[one.metric]}",
         shown_by(one, span) if one.failed else "")
        for one in counts
    ]  # fmt: skip
    return table(("metric", "well", "not", "next"), rows)


def _percent(one: "Success") -> str:
    """Return the share that went well, cut: 100 % means all."""
    if one.error:
        return "NOT EVALUATED"
    return "" if not one.of else f"{(one.of - min(one.failed, one.of)) * 10_000 // one.of / 100:g} %"
