"""The page Plan: phases and steps as a drawing, with how a run stands."""

from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from phasegate.answers.runs import run_of
from phasegate.base.keys import Run, parse_run
from phasegate.errors import BadDocument
from phasegate.explain.graph import Mark, as_svg
from phasegate.explain.phase_view import PhaseView
from phasegate.web.callers import Caller
from phasegate.web.page import grid
from phasegate.web.page.frame import Frame
from phasegate.web.page.grid import GridPlace
from phasegate.web.page.lists import texts
from phasegate.web.page.runs import cells_of

DATES = 14


def plan(frame: Frame, request: Request, caller: Caller) -> Response:
    """Show the plan with the state of one run: the furthest, or the named."""
    pipeline = frame.service.pipeline
    broken: list[BadDocument] = []
    recent = pipeline.views.recent(dates=DATES, broken=broken)
    asked = request.query_params.get("run", "").strip()
    chosen = run_of(pipeline.plan, asked) if asked else _furthest(recent)
    unread: list[BadDocument] = []
    views = [] if chosen is None else pipeline.views.why(chosen, broken=unread)
    cells = [] if chosen is None else cells_of(pipeline, chosen, broken=unread)
    row = next(iter(grid.rows(views, cells)), None)
    places = {} if row is None else row.places
    runs = sorted({view.run for view in recent} | ({f"{chosen}"} if chosen else set()), reverse=True)
    return frame.page(
        "plan.html", caller=caller, plan=pipeline.plan, run=chosen and str(chosen), runs=runs, places=places,
        worst="bad" if unread else row and row.worst, words=grid.TONE_WORDS, link_of=link_of,
        drawing=as_svg(pipeline.plan, marks=_marks(f"{chosen}", places)), errors=texts(broken + unread),
    )  # fmt: skip


def _furthest(views: Sequence[PhaseView]) -> Run | None:
    """Return, of the newest run of each mode, that with the most results.

    A mode that begins before the others would show next to nothing.
    """
    done = Counter(view.run for view in views for member in view.members if member.rows is not None)
    newest = {run.mode: run for run in sorted({parse_run(view.run) for view in views})}
    return max(newest.values(), key=lambda run: (done[str(run)], run), default=None)


def _marks(run: str, places: Mapping[tuple[str, str], GridPlace]) -> dict[tuple[str, str], Mark]:
    return {
        (phase, step): Mark(place.sign.text, place.sign.tone, place.title, link_of(run, phase, step))
        for (phase, step), place in places.items()
    }


def link_of(run: str, phase: str, step: str = "") -> str:
    """Return the link to a phase of a run, or to a step of it."""
    return f"/runs/{quote(run)}#{quote(f'{phase}.{step}' if step else phase)}"
