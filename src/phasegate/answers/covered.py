"""Which dates are complete, and the gaps: of a month, a season or a span."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from phasegate.answers.checks import Span
from phasegate.answers.times import Times
from phasegate.base.dates import local_date, shift
from phasegate.base.keys import parse_date
from phasegate.calendar.month import month_bounds
from phasegate.errors import BadDocument, BadInput
from phasegate.explain.coverage import Cell, Cover, Gap, gaps
from phasegate.explain.late_results import Coverage
from phasegate.plan.model import Plan
from phasegate.ports import ReadPorts

SIGNS: Mapping[Cover, str] = {
    "COMPLETE": "C", "PARTIAL": "P", "EMPTY_OK": "-", "LATE": "L", "MISSED": "M", "VOID": "V", "RUNNING": "R",
    "UNKNOWN": "?",
}  # fmt: skip
AHEAD = "."


class AskedDates(NamedTuple):
    """The dates that a caller asks for: by a month, a season or a span.

    None of them: the month of yesterday.
    """

    month: str | None = None
    season: str | None = None
    first: str | None = None
    last: str | None = None


class Covered(NamedTuple):
    """The state of each phase and run of some dates, and the gaps.

    ``unused``: the modes that were missed on all dates, if others were not.
    """

    span: Span
    cells: list[Cell]
    gaps: list[Gap]
    unused: list[str]


class MonthGrid(NamedTuple):
    """One month: for each phase, what there is of each day.

    ``days``: all dates of the month. ``rows``: phase -> date -> its runs; without a date that is ahead.
    """

    month: str
    days: list[str]
    rows: dict[str, dict[str, list[Cell]]]


def covered(
    plan: Plan, ports: ReadPorts, asked: AskedDates, *, modes: Sequence[str], times: Times, broken: list[BadDocument]
) -> Covered:  # fmt: skip
    """Return the state of the dates that are asked for.

    A season is from its first to its last date that is stored. ``modes``: only these, () for all. Errors of unreadable
    documents are appended to ``broken``. Raises BadInput.
    """
    for mode in modes:
        if mode not in plan.modes:
            raise BadInput(f"calendar: unknown mode {mode!r}; the plan has {', '.join(plan.modes)}")
    span, trim = span_of_dates(asked, times=times), asked.season is not None
    cells = Coverage(plan, ports).cells(*span, modes=modes, trim=trim, broken=broken)
    if trim and cells:
        span = Span(cells[0].date, cells[-1].date)
    return Covered(span, cells, gaps(cells), _unused(cells))


def span_of_dates(asked: AskedDates, /, *, times: Times) -> Span:
    """Return the first and last date that are asked for; raise BadInput."""
    month, season, first, last = asked
    today = local_date(times.now, timezone=times.timezone)
    if sum(one is not None for one in (month, season, first or last)) > 1:
        raise BadInput("calendar: give only one of --month, --season and --from")
    if season is not None:
        found = re.fullmatch(r"(\d{4})(-(\d\d))?", season, re.ASCII)
        if found is None or (found[3] and int(found[3]) != (int(found[1]) + 1) % 100):
            raise BadInput(f"calendar: --season {season!r}: write YYYY-YY, for example 2025-26")
        return Span(parse_date(f"{found[1]}-07-01"), parse_date(f"{int(found[1]) + 1:04d}-06-30"))
    if last is not None and first is None:
        raise BadInput(f"calendar: --to {last} needs --from; give the first date too")
    if first is not None:
        return Span(parse_date(first), today if last is None else parse_date(last))
    month = month or shift(today, -1)[:7]
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month, re.ASCII):
        raise BadInput(f"calendar: --month {month!r}: write YYYY-MM, for example 2026-02")
    begin = parse_date(f"{month}-01")
    return Span(begin, month_bounds(month)[1])


def season_of(on: str, /, *, seasons: int = 0) -> str:
    """Return the season of a date, or one so many seasons later.

    >>> season_of("2026-02-03"), season_of("2025-07-01", seasons=-1), season_of("1999-12-31")
    ('2025-26', '2024-25', '1999-00')
    """
    year = int(on[:4]) - (on[5:7] < "07") + seasons
    return f"{year:04d}-{(year + 1) % 100:02d}"


def month_grids(plan: Plan, cells: Sequence[Cell], /) -> list[MonthGrid]:
    """Return the months of some cells: phases in the plan's order, and days."""
    phases = [name for name in plan.phases if any(cell.phase == name for cell in cells)]
    grids: dict[str, MonthGrid] = {}
    for month in sorted({cell.date[:7] for cell in cells}):
        days = [f"{month}-{day:02d}" for day in range(1, int(month_bounds(month)[1][8:]) + 1)]
        grids[month] = MonthGrid(month, days, {name: {} for name in phases})
    for cell in cells:
        grids[cell.date[:7]].rows[cell.phase].setdefault(cell.date, []).append(cell)
    return list(grids.values())


def _unused(cells: Sequence[Cell], /) -> list[str]:
    """Return the modes that were missed on all dates, if others were not."""
    states: dict[str, set[Cover]] = {}
    for cell in cells:
        states.setdefault(cell.mode, set()).add(cell.state)
    idle = [mode for mode, found in states.items() if "MISSED" in found and found <= {"MISSED", "VOID", "EMPTY_OK"}]
    return idle if len(idle) < len(states) else []
