"""The pages Runs and Run: what happened, and why."""

from starlette.requests import Request
from starlette.responses import Response

from phasegate.answers.checks import span_of
from phasegate.answers.runs import run_of
from phasegate.base.dates import local_date, shift
from phasegate.errors import BadDocument
from phasegate.explain.late_results import Coverage
from phasegate.web.callers import Caller
from phasegate.web.page import grid
from phasegate.web.page.frame import Frame

DAYS = 14


def runs(frame: Frame, request: Request, caller: Caller) -> Response:
    """Show the runs of a span of dates: phases and steps."""
    pipeline, times = frame.service.pipeline, frame.service.times()
    asked = {name: request.query_params.get(name) or None for name in ("from", "to")}
    first = asked["from"] or shift(asked["to"] or local_date(times.now, timezone=times.timezone), 1 - DAYS)
    span = span_of(times, days=None, first=first, last=asked["to"], command="runs")
    broken: list[BadDocument] = []
    views = pipeline.views.phases(first=span.first, last=span.last, broken=broken)
    cells = Coverage(pipeline.plan, pipeline.ports).cells(*span, broken=broken)
    modes = [mode for mode in request.query_params.getlist("mode") if mode in pipeline.plan.modes]
    found = [row for row in grid.rows(views, cells) if not modes or row.run.partition(".")[2] in modes]
    return frame.page(
        "runs.html", caller=caller, span=span, columns=grid.columns(pipeline.plan), rows=found, modes=modes,
        all_modes=pipeline.plan.modes, summary=grid.summary(found),
        errors=sorted({str(error) for error in broken}),
        earlier=(shift(span.first, -DAYS), shift(span.first, -1)),
        later=(shift(span.last, 1), shift(span.last, DAYS)),
    )  # fmt: skip


def run(frame: Frame, request: Request, caller: Caller) -> Response:
    """Show one run: why it is where it is, and the logs of what failed."""
    pipeline = frame.service.pipeline
    chosen = run_of(pipeline.plan, request.path_params["run"])
    broken: list[BadDocument] = []
    views = pipeline.views.why(chosen, broken=broken)
    logs = pipeline.views.failures(chosen, views)
    return frame.page(
        "run.html", caller=caller, run=chosen, views=views, logs=logs, phases=grid.PHASES, steps=grid.STEPS,
        overdue=grid.OVERDUE, errors=[str(error) for error in broken],
    )  # fmt: skip
