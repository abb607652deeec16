"""The page Plan: phases and steps as a drawing, with how a run stands."""

from collections.abc import Mapping
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from phasegate.answers.runs import run_of
from phasegate.base.keys import parse_run
from phasegate.errors import BadDocument
from phasegate.explain.graph import Mark, as_svg
from phasegate.web.callers import Caller
from phasegate.web.page import grid
from phasegate.web.page.frame import Frame
from phasegate.web.page.grid import GridPlace
from phasegate.web.page.lists import texts

DATES = 14


def plan(frame: Frame, request: Request, caller: Caller) -> Response:
    """Show the plan, with the state of one run: the newest, or the named one."""
    pipeline = frame.service.pipeline
    broken: list[BadDocument] = []
    recent = pipeline.views.recent(dates=DATES, broken=broken)
    asked = request.query_params.get("run", "").strip()
    newest = max(recent, key=lambda view: (view.run[:10], view.opened_at), default=None)
    chosen = run_of(pipeline.plan, asked) if asked else None if newest is None else parse_run(newest.run)
    views = [] if chosen is None else pipeline.views.why(chosen, broken=broken)
    row = next(iter(grid.rows(views)), None)
    places = {} if row is None else row.places
    runs = sorted({view.run for view in recent} | ({f"{chosen}"} if chosen else set()), reverse=True)
    return frame.page(
        "plan.html", caller=caller, plan=pipeline.plan, run=chosen and str(chosen), runs=runs, row=row, places=places,
        drawing=as_svg(pipeline.plan, marks=_marks(f"{chosen}", places)), errors=texts(broken), link_of=link_of,
    )  # fmt: skip


def _marks(run: str, places: Mapping[tuple[str, str], GridPlace]) -> dict[tuple[str, str], Mark]:
    return {
        (phase, step): Mark(place.sign.text, place.sign.tone, place.title, link_of(run, phase, step))
        for (phase, step), place in places.items()
    }


def link_of(run: str, phase: str, step: str = "") -> str:
    """Return the link to a phase of a run, or to a step of it."""
    return f"/runs/{quote(run)}#{quote(f'{phase}.{step}' if step else phase)}"
