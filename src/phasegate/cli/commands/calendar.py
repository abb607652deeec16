"""``phasegate calendar``: which dates are complete, and the gaps."""

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
    from phasegate.answers.covered import AskedDates, covered
    from phasegate.errors import BadDocument

    plan, ports = app.reading()
    times = app.times(plan)
    broken: list[BadDocument] = []
    asked = AskedDates(month, season, first, last)
    span, cells, found, unused = covered(plan, ports, asked, modes=modes, times=times, broken=broken)
    if as_json:
        emit_json(_document(plan, cells, found, times=times, span=span, broken=broken))
    else:
        emit(_lines(plan, cells, found, times=times, span=span))
    if unused:
        others = "".join(f" --mode {mode}" for mode in plan.modes if mode not in unused)
        talk(f"no run of mode {', '.join(unused)} in these dates; if it is not used, name the others:{others}")
    return _exit_code(cells, broken=broken)


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
    from phasegate.answers.covered import SIGNS

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
    from phasegate.answers.covered import SIGNS

    return paint(state).replace(state, SIGNS[state])


def _grid(plan: "Plan", cells: "Sequence[Cell]", /) -> list[str]:
    """Return a block for each month.

    A row for each phase, a column for each day of the month.
    """
    from phasegate.answers.covered import AHEAD, month_grids
    from phasegate.explain.coverage import worst

    grids = month_grids(plan, cells)
    width = max(map(len, (*(phase for grid in grids[:1] for phase in grid.rows), "2026-02"))) + 2
    lines = []
    for month, days, rows in grids:
        tens = "".join(str(day // 10) if day % 10 == 0 else " " for day in range(1, len(days) + 1))
        lines += [f"{month:<{width}}{tens}".rstrip(), " " * width + "".join(day[-1] for day in days)]
        for phase, runs in rows.items():
            signs = [paint_sign(worst(c.state for c in runs[day])) if day in runs else AHEAD for day in days]
            lines.append(f"{phase:<{width}}" + "".join(signs))
        lines.append("")
    return lines
