"""``phasegate calendar``: which dates are complete, and the gaps."""

import re
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
    from phasegate.errors import BadDocument
    from phasegate.explain.coverage import Cell, Cover, Gap
    from phasegate.plan.model import Plan
    from phasegate.printed import checks as printed

SIGNS: "dict[Cover, str]" = {
    "COMPLETE": "C", "PARTIAL": "P", "EMPTY_OK": "-", "LATE": "L", "MISSED": "M", "VOID": "V", "RUNNING": "R",
    "UNKNOWN": "?",
}  # fmt: skip
AHEAD = "."
HEADER = ("from", "to", "mode", "state", "phases", "reason", "next")
GAPS_SHOWN = 20


@click.command(
    epilog=example("phasegate calendar", "phasegate calendar --month 2026-02", "phasegate calendar --season 2025-26"),
    short_help="Show which dates are complete, and the gaps with what to type.",
)
@click.option("--month", metavar="YYYY-MM", help="One month. Default: the month of yesterday.")
@click.option("--season", metavar="YYYY-YY", help="July to June, from the first to the last date that is stored.")
@click.option("--from", "first", metavar="DATE", help="First date of a span.")
@click.option("--to", "last", metavar="DATE", help="Last date of the span. Default: today.")
@click.option("--mode", "modes", multiple=True, metavar="MODE", help="Only this mode; repeatable. Default: all.")
@json_option
@pass_app
def calendar(
    app: App, /, *, month: str | None, season: str | None, first: str | None, last: str | None,
    modes: tuple[str, ...], as_json: bool,
) -> int:  # fmt: skip
    """Show which dates are complete, phase by phase, and the gaps.

    A grid of dates and phases, in each place the worst of the modes; below it the gaps, oldest first, each with the
    command that closes it. Reads documents only; the warehouse stays closed.
    """
    from phasegate.errors import BadDocument, BadInput
    from phasegate.explain.coverage import gaps
    from phasegate.explain.late_results import Coverage

    plan, ports = app.reading()
    times = app.times(plan)
    for mode in modes:
        if mode not in plan.modes:
            raise BadInput(f"calendar: unknown mode {mode!r}; the plan has {', '.join(plan.modes)}")
    first, last = _span(times, month=month, season=season, first=first, last=last)
    broken: list[BadDocument] = []
    cells = Coverage(plan, ports).cells(first, last, modes=modes, trim=season is not None, broken=broken)
    if season is not None and cells:
        first, last = cells[0].date, cells[-1].date
    found = gaps(cells)
    if as_json:
        emit_json(_document(plan, cells, found, times=times, span=(first, last), broken=broken))
    else:
        emit(_lines(plan, cells, found, times=times, span=(first, last)))
    unused = _unused(cells)
    if unused:
        others = "".join(f" --mode {mode}" for mode in plan.modes if mode not in unused)
        talk(f"no run of mode {', '.join(unused)} in these dates; if it is not used, name the others:{others}")
    return _exit_code(cells, broken=broken)


def _unused(cells: "Sequence[Cell]", /) -> list[str]:
    """Return the modes that were missed on all dates, if others were not."""
    states: dict[str, set[Cover]] = {}
    for cell in cells:
        states.setdefault(cell.mode, set()).add(cell.state)
    idle = [mode for mode, found in states.items() if "MISSED" in found and found <= {"MISSED", "VOID", "EMPTY_OK"}]
    return idle if len(idle) < len(states) else []


def _exit_code(cells: "Sequence[Cell]", *, broken: "Sequence[BadDocument]") -> int:
    """Return 0 for nothing missing, 1 for gaps, 2 for unknown places.

    Reports what could not be read.
    """
    from phasegate.base.findings import FINE, FOUND, UNCHECKED
    from phasegate.explain.coverage import GAPS

    for error in broken:
        talk(str(error))
    states = {cell.state for cell in cells}
    if not cells:
        talk("nothing is stored about these dates; open a run: phasegate begin RUN")
    if broken or not cells or "UNKNOWN" in states:
        return UNCHECKED
    return FOUND if states & set(GAPS) else FINE


def _span(
    times: "Times", *, month: str | None, season: str | None, first: str | None, last: str | None
) -> tuple[str, str]:
    """Return the first and last date that the options name.

    Raises BadInput.
    """
    from phasegate.base.dates import local_date, shift
    from phasegate.base.keys import parse_date
    from phasegate.calendar.month import month_bounds
    from phasegate.errors import BadInput

    today = local_date(times.now, timezone=times.timezone)
    if sum(asked is not None for asked in (month, season, first or last)) > 1:
        raise BadInput("calendar: give only one of --month, --season and --from")
    if season is not None:
        found = re.fullmatch(r"(\d{4})(-(\d\d))?", season, re.ASCII)
        if found is None or (found[3] and int(found[3]) != (int(found[1]) + 1) % 100):
            raise BadInput(f"calendar: --season {season!r}: write YYYY-YY, for example 2025-26")
        return parse_date(f"{found[1]}-07-01"), parse_date(f"{int(found[1]) + 1:04d}-06-30")
    if last is not None and first is None:
        raise BadInput(f"calendar: --to {last} needs --from; give the first date too")
    if first is not None:
        return parse_date(first), today if last is None else parse_date(last)
    month = month or shift(today, -1)[:7]
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month, re.ASCII):
        raise BadInput(f"calendar: --month {month!r}: write YYYY-MM, for example 2026-02")
    begin, end = month_bounds(month)
    return parse_date(begin), parse_date(end)


def _document(
    plan: "Plan", cells: "Sequence[Cell]", found: "Sequence[Gap]", /, *, times: "Times", span: tuple[str, str],
    broken: "Sequence[BadDocument]",
) -> "printed.CalendarJson":  # fmt: skip
    from phasegate.printed import checks as printed

    return printed.CalendarJson(
        pipeline=plan.pipeline,
        timezone=plan.timezone,
        now=times.iso(times.now),
        first=span[0],
        last=span[1],
        cells=tuple(
            printed.CellJson(
                date=cell.date,
                phase=cell.phase,
                mode=cell.mode,
                state=cell.state,
                reason=cell.reason,
                next=cell.command,
            )
            for cell in cells
        ),
        counts=dict(Counter(cell.state for cell in cells)),
        gaps=tuple(
            printed.GapJson(
                first=gap.first,
                last=gap.last,
                mode=gap.mode,
                state=gap.state,
                dates=gap.dates,
                phases=dict(gap.phases),
                reason=gap.reason,
                next=gap.command,
            )
            for gap in found
        ),
        errors=tuple(str(error) for error in broken),
    )


def _lines(
    plan: "Plan", cells: "Sequence[Cell]", found: "Sequence[Gap]", /, *, times: "Times", span: tuple[str, str]
) -> list[str]:
    counts = Counter(cell.state for cell in cells)
    legend = "  ".join(f"{paint_sign(state)} {state} {counts[state]}" for state in SIGNS if counts[state])
    lines = [f"{span[0]} to {span[1]}, times: {times.timezone}", ""]
    lines += [*_grid(plan, cells), legend or "no run, and none expected"]
    if found:
        rows = [_row(gap) for gap in found[:GAPS_SHOWN]]
        lines += ["", f"{count(len(found), 'gap')}, the oldest first:", *table(HEADER, rows)]
    if len(found) > GAPS_SHOWN:
        lines.append(f"and {len(found) - GAPS_SHOWN} more: phasegate calendar --from {span[0]} --to {span[1]} --json")
    return lines


def _row(gap: "Gap", /) -> tuple[str, ...]:
    phases = ", ".join(gap.phases)
    return gap.first, gap.last, gap.mode, paint(gap.state), phases, gap.reason, gap.command


def paint_sign(state: "Cover", /) -> str:
    """Return the sign of a state in the grid, in its colour."""
    return paint(state).replace(state, SIGNS[state])


def _grid(plan: "Plan", cells: "Sequence[Cell]", /) -> list[str]:
    """Return a block for each month.

    A row for each phase, a column for each day of the month.
    """
    from phasegate.calendar.month import month_bounds
    from phasegate.explain.coverage import worst

    places: dict[tuple[str, str], list[Cover]] = {}
    for cell in cells:
        places.setdefault((cell.phase, cell.date), []).append(cell.state)
    phases = [name for name in plan.phases if any(cell.phase == name for cell in cells)]
    width = max(map(len, (*phases, "2026-02"))) + 2
    lines = []
    for month in sorted({cell.date[:7] for cell in cells}):
        days = [f"{month}-{day:02d}" for day in range(1, int(month_bounds(month)[1][8:]) + 1)]
        tens = "".join(str(day // 10) if day % 10 == 0 else " " for day in range(1, len(days) + 1))
        lines += [f"{month:<{width}}{tens}".rstrip(), " " * width + "".join(day[-1] for day in days)]
        for phase in phases:
            signs = [paint_sign(worst(places[phase, day])) if (phase, day) in places else AHEAD for day in days]
            lines.append(f"{phase:<{width}}" + "".join(signs))
        lines.append("")
    return lines
