"""The page Calendar: which dates are complete, and the gaps."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from phasegate.answers.covered import AHEAD, SIGNS, AskedDates, covered, month_grids, season_of
from phasegate.base.dates import local_date
from phasegate.errors import BadDocument
from phasegate.explain.coverage import GAPS, Cell, Cover, worst
from phasegate.web.callers import Caller
from phasegate.web.page.frame import Frame
from phasegate.web.page.grid import Tone
from phasegate.web.page.lists import texts

TONES: Mapping[Cover, Tone] = {
    "COMPLETE": "good",
    "RUNNING": "wait",
    "PARTIAL": "warn",
    "LATE": "warn",
    "MISSED": "bad",
    "UNKNOWN": "bad",
    "VOID": "none",
    "EMPTY_OK": "none",
}
OPEN: tuple[Cover, ...] = ("COMPLETE", "PARTIAL")
"""The states of runs that are open for certain, so that there is a page of each."""


class DayPlace(NamedTuple):
    """One phase on one day: the worst of its runs; ``title``: all in words."""

    state: Cover
    title: str
    link: str


def calendar(frame: Frame, request: Request, caller: Caller) -> Response:
    """Show a season at a glance: the gaps first, then a grid for each month."""
    pipeline, times = frame.service.pipeline, frame.service.times()
    names = ("month", "season", "from", "to")
    asked = AskedDates(*(request.query_params.get(name, "").strip() or None for name in names))
    season = season_of(local_date(times.now, timezone=times.timezone))
    if not any(asked):
        asked = AskedDates(season=season)
    modes, broken = request.query_params.getlist("mode"), list[BadDocument]()
    found = covered(pipeline.plan, pipeline.ports, asked, modes=modes, times=times, broken=broken)
    every = covered(pipeline.plan, pipeline.ports, asked, modes=(), times=times, broken=broken) if modes else found
    return frame.page(
        "calendar.html", caller=caller, asked=asked, found=found, grids=month_grids(pipeline.plan, found.cells),
        place=_place, counts=Counter(cell.state for cell in found.cells), signs=SIGNS, tones=TONES, ahead=AHEAD,
        hidden=len(every.gaps) - len(found.gaps), modes=modes, all_modes=pipeline.plan.modes, errors=texts(broken),
        earlier=season_of(found.span.first, seasons=-1), later=season_of(found.span.last, seasons=1), now=season,
    )  # fmt: skip


def _place(phase: str, runs: list[Cell]) -> DayPlace:
    """Return the place of a phase on a day with some runs."""
    state, on = worst(cell.state for cell in runs), runs[0].date
    said = [f"{cell.mode} {cell.state}" + (f": {cell.reason}" if cell.state in GAPS and cell.reason else "")
            for cell in runs]  # fmt: skip
    link = f"/runs/{runs[0].run}" if len(runs) == 1 and state in OPEN else f"/runs?from={on}&to={on}"
    return DayPlace(state, f"{phase}, {on}: {'; '.join(said)}", link)
