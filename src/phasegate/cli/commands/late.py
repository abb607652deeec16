"""``phasegate late``: which expected results arrived late, or never."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json, paint, table, talk

if TYPE_CHECKING:
    from phasegate.answers.times import Times
    from phasegate.explain.lateness import Lateness
    from phasegate.plan.model import Plan
    from phasegate.printed.checks import ExpectationJson, LateJson

HEADER = ("run", "step", "verdict", "expected", "arrived", "late by", "reason", "next")
QUIET = ("on time", "no work", "void")


@click.command(
    epilog=example("phasegate late", "phasegate late --date 2026-02-03", "phasegate late --from 2026-02-01 --json"),
    short_help="Show which results arrived late, or never.",
)
@click.option("--date", "on", metavar="DATE", help="One date. Default: yesterday in the pipeline's zone.")
@click.option("--from", "first", metavar="DATE", help="First date of a span.")
@click.option("--to", "last", metavar="DATE", help="Last date of the span. Default: yesterday.")
@json_option
@pass_app
def late(app: App, /, *, on: str | None, first: str | None, last: str | None, as_json: bool) -> int:
    """Show when results were expected, and when their rows arrived.

    A step is expected by the time ``expected_by`` of the plan. For one date everything is shown; for a span only what
    was late, never arrived, is awaited, or is unknown. Reads documents only; the warehouse stays closed.
    """
    from phasegate.base.findings import CheckResult
    from phasegate.base.findings import exit_code as code_of
    from phasegate.errors import BadDocument
    from phasegate.explain.late_results import LateResults
    from phasegate.explain.lateness import CHECK, outcome

    plan, ports = app.reading()
    times = app.times(plan)
    first, last = dates(times, on=on, first=first, last=last)
    judge, broken = LateResults(plan, ports), list[BadDocument]()
    rows = judge.rows(first, last, broken=broken)
    found = outcome(rows, unreadable=[str(error) for error in broken])
    if not judge.expects:
        found = CheckResult(check=CHECK, error='no step of the plan has expected_by; add it, such as "07:00 +1d"')
    if as_json:
        emit_json(_document(plan, rows, times=times, first=first, last=last, error=found.error))
    else:
        emit(_lines(rows, times=times, whole=first == last))
    if found.error:
        talk(f"not evaluated: {found.error}")
    return code_of([found])


def dates(times: "Times", *, on: str | None, first: str | None, last: str | None) -> tuple[str, str]:
    """Return the first and last date that the options name.

    Without any: yesterday in the pipeline's zone.
    """
    from phasegate.base.dates import local_date, shift
    from phasegate.base.keys import parse_date
    from phasegate.errors import BadInput

    yesterday = shift(local_date(times.now, timezone=times.timezone), -1)
    if on is not None and (first is not None or last is not None):
        raise BadInput("late: --date is one date, --from and --to a span; give one of the two")
    if on is not None:
        return parse_date(on), parse_date(on)
    if first is None and last is not None:
        raise BadInput(f"late: --to {last} needs --from; give the first date too")
    if first is None:
        return yesterday, yesterday
    first, last = parse_date(first), yesterday if last is None else parse_date(last)
    if first > last:
        raise BadInput(f"late: --from {first} is after --to {last}; swap them")
    return first, last


def _document(
    plan: "Plan", rows: "Sequence[Lateness]", *, times: "Times", first: str, last: str, error: str
) -> "LateJson":
    from phasegate.printed.checks import LateJson

    return LateJson(
        pipeline=plan.pipeline,
        timezone=plan.timezone,
        now=times.iso(times.now),
        first=first,
        last=last,
        expectations=tuple(_row_json(row, times=times) for row in rows),
        counts=dict(Counter(row.verdict for row in rows)),
        error=error,
    )


def _row_json(row: "Lateness", /, *, times: "Times") -> "ExpectationJson":
    from phasegate.printed.checks import ExpectationJson

    return ExpectationJson(
        run=row.run,
        phase=row.phase,
        step=row.step,
        verdict=row.verdict,
        reason=row.reason,
        expected_at=times.iso(row.expected_at),
        late_at=times.iso(row.late_at),
        arrived_at=times.iso(row.arrived_at),
        late_s=None if row.late_s is None else round(row.late_s),
        rows=row.rows,
        last=row.last,
        last_at=times.iso(row.last_at),
        next=row.command,
    )


def _lines(rows: "Sequence[Lateness]", *, times: "Times", whole: bool) -> list[str]:
    """Return the table and the line below it.

    ``whole``: include what arrived in time.
    """
    shown = [row for row in rows if whole or row.verdict not in QUIET]
    lines = [_span_cells(alike, times=times) for alike in _alike(shown)]
    return [*((*table(HEADER, lines), "") if lines else ()), _closing(rows, times=times)]


def _alike(rows: "Sequence[Lateness]") -> "list[list[Lateness]]":
    """Return rows of one step, mode, verdict and reason together.

    Within a span no other row of the step and mode is between them.
    """
    spans: list[list[Lateness]] = []
    newest: dict[tuple[str, str], list[Lateness]] = {}
    for row in rows:
        date, _, mode = row.run.partition(".")
        before = newest.get((row.step, mode))
        if before is not None and (before[-1].verdict, before[-1].reason.replace(before[-1].run[:10], date)) == (
            row.verdict, row.reason
        ):  # fmt: skip
            before.append(row)
        else:
            spans.append([row])
            newest[row.step, mode] = spans[-1]
    return spans


def _span_cells(alike: "Sequence[Lateness]", *, times: "Times") -> tuple[str, ...]:
    """Return the cells of a span: those of its first row, up to the last run."""
    run, *cells, command = _cells(alike[0], times=times)
    if len(alike) == 1:
        return (run, *cells, command)
    more = f"  # and so on until {alike[-1].run[:10]}" if command else ""
    return (f"{run} to {alike[-1].run}, {len(alike)} dates", *cells, f"{command}{more}")


def _cells(row: "Lateness", /, *, times: "Times") -> tuple[str, ...]:
    from phasegate.explain.lateness import hours

    late_s = "" if row.late_s is None or row.late_s < 60 else hours(row.late_s)
    until = f"; late from {times.moment(row.late_at)}" if row.verdict == "awaited" and row.late_at is not None else ""
    return (
        row.run,
        row.step,
        paint(row.verdict),
        "" if row.expected_at is None else times.moment(row.expected_at),
        "" if row.arrived_at is None else times.moment(row.arrived_at),
        late_s,
        row.reason + until,
        row.command,
    )


def _closing(rows: "Sequence[Lateness]", *, times: "Times") -> str:
    from phasegate.explain.lateness import VERDICTS

    counts = Counter(row.verdict for row in rows)
    verdicts = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in VERDICTS if counts[verdict])
    return f"{count(len(rows), 'expectation')}{': ' if verdicts else ''}{verdicts}. Times: {times.timezone}."
