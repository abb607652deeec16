"""The pages Runs and Run: what happened, and why."""

from starlette.requests import Request
from starlette.responses import Response

from phasegate.answers.checks import Span, span_of
from phasegate.answers.explained import checked_again, closed_phases, not_open, reason_of, receipts_of, works_on
from phasegate.answers.runs import run_of
from phasegate.answers.times import Times
from phasegate.base.dates import local_date, shift
from phasegate.base.keys import Run
from phasegate.errors import BadDocument, NotFound, PhasegateError
from phasegate.explain import documents
from phasegate.explain.coverage import GAPS, Cell, unexpected
from phasegate.explain.late_results import Coverage, known_of
from phasegate.explain.overview import failed, unfinished
from phasegate.explain.phase_view import PhaseView
from phasegate.pipeline import Pipeline
from phasegate.web.callers import Caller
from phasegate.web.page import grid
from phasegate.web.page.frame import Frame
from phasegate.web.page.lists import DAYS as LETTER_DAYS
from phasegate.web.page.lists import texts

DAYS = 14
ENTRIES_MAX = 200
WRONG_MAX = 5
WRONG: tuple[grid.Tone, ...] = ("bad", "warn")


def runs(frame: Frame, request: Request, caller: Caller) -> Response:
    """Show the runs of a span of dates: phases and steps."""
    pipeline, times = frame.service.pipeline, frame.service.times()
    first, last = (request.query_params.get(name) or None for name in ("from", "to"))
    span = span_of(times, days=None if first else DAYS, first=first, last=last, command="runs")
    broken: list[BadDocument] = []
    views = pipeline.views.phases(first=span.first, last=span.last, broken=broken)
    cells = Coverage(pipeline.plan, pipeline.ports).cells(*span, broken=broken)
    modes = [mode for mode in request.query_params.getlist("mode") if mode in pipeline.plan.modes]
    every = grid.rows(views, cells, modes=pipeline.plan.modes)
    found = [row for row in every if not modes or row.run.partition(".")[2] in modes]
    hidden = [row for row in every if row not in found]
    since = shift(local_date(times.now, timezone=times.timezone), -LETTER_DAYS)
    return frame.page(
        "runs.html", caller=caller, span=span, columns=grid.columns(pipeline.plan, found), rows=found, modes=modes,
        all_modes=pipeline.plan.modes, summary=grid.summary(found), wrong_max=WRONG_MAX,
        wrong=sorted((row for row in found if row.worst in WRONG), key=lambda row: row.worst != "bad"),
        hidden=len(hidden), hidden_wrong=sum(row.worst in WRONG for row in hidden),
        letters=len(pipeline.views.dead(first=since, broken=broken)),
        incidents=sum(one.state == "open" for _, one in pipeline.alerts.listed(broken=broken)),
        unknown="" if every else _unknown(pipeline, span, times=times, broken=broken), errors=texts(broken),
        earlier=(shift(span.first, -DAYS), shift(span.first, -1)),
        later=(shift(span.last, 1), shift(span.last, DAYS)),
    )  # fmt: skip


def _unknown(pipeline: Pipeline, span: Span, *, times: Times, broken: list[BadDocument]) -> str:
    """Return why it is unknown if a span should have runs, else ""."""
    plan, today = pipeline.plan, local_date(times.now, timezone=times.timezone)
    if span.first > today:
        return f"{span.first} has not begun, so nothing is expected yet"
    book = documents.read(plan, pipeline.ports, first=span.first, last=span.last, broken=broken)
    reasons = [unexpected(plan, on=on, known=known_of(plan, book, on)) for on in book.dates if on <= today]
    return reasons[0] if all(reasons) else ""


def run(frame: Frame, request: Request, caller: Caller) -> Response:
    """Show one run: why it is where it is, and what happened to it.

    With ``tables=1`` also the receipts of its partitions, from the warehouse.
    """
    pipeline, times = frame.service.pipeline, frame.service.times()
    chosen = run_of(pipeline.plan, request.path_params["run"])
    broken: list[BadDocument] = []
    try:
        views = pipeline.views.why(chosen, broken=broken)
    except NotFound as e:
        return _absent(frame, caller, chosen, why=e)
    cells = cells_of(pipeline, chosen, broken=broken)
    gaps = {cell.phase: cell for cell in cells if cell.state in GAPS}
    late = {phase for phase, cell in gaps.items() if cell.state == "LATE"}
    stuck = {view.phase for view in views if _is_stuck(view)} | late | (gaps.keys() - {view.phase for view in views})
    closed = [] if broken else closed_phases(pipeline.plan, chosen, views=views)
    with_tables, unread = request.query_params.get("tables") == "1", list[str]()
    try:
        receipts = receipts_of(pipeline, chosen) if with_tables else ()
    except PhasegateError as e:
        receipts, unread = (), [f"the tables: {e}"]
    logs = pipeline.views.attempts(chosen, [member.name for view in views for member in view.members])
    entries = pipeline.views.timeline(chosen, receipts=receipts, broken=broken)
    return frame.page(
        "run.html", caller=caller, run=chosen, views=views, logs=logs,
        failed=failed(logs).keys() & set(unfinished(views)),
        not_open=not_open(pipeline.plan, chosen, closed, views=views, gaps=gaps),
        unread=[cell for phase, cell in gaps.items() if broken and phase not in {view.phase for view in views}],
        stuck=[phase for phase in pipeline.plan.phases if phase in stuck], late=late,
        worst="bad" if broken else grid.rows(views, cells)[0].worst, words=grid.TONE_WORDS,
        entries=entries, entries_max=ENTRIES_MAX,
        paused=any(view.state == "paused" for view in views), void=any(view.state == "void" for view in views),
        builds=[step.name for step in pipeline.plan.steps.values() if step.kind != "external"],
        with_tables=with_tables, phases=grid.PHASES, steps=grid.STEPS, overdue=grid.OVERDUE, drifted=grid.DRIFTED,
        works_on=works_on,
        checked_again=lambda view: checked_again(view, times=times),
        reason=lambda member: reason_of(member, times=times), errors=unread + texts(broken),
    )  # fmt: skip


def _absent(frame: Frame, caller: Caller, run: Run, *, why: NotFound) -> Response:
    """Show a run that is not open, if one was to be; raise NotFound if not."""
    pipeline = frame.service.pipeline
    broken: list[BadDocument] = []
    cells = cells_of(pipeline, run, broken=broken)
    if not cells:
        raise why
    return frame.page("absent.html", caller=caller, run=run, why=why, cells=cells, gaps=GAPS,
                      lacks=any(cell.state in GAPS for cell in cells))  # fmt: skip


def cells_of(pipeline: Pipeline, run: Run, *, broken: list[BadDocument]) -> list[Cell]:
    """Return the state of each phase of a run that is open or should be."""
    found = Coverage(pipeline.plan, pipeline.ports).cells(run.date, run.date, modes=[run.mode], broken=broken)
    return [cell for cell in found if cell.run == str(run)]


def _is_stuck(view: PhaseView) -> bool:
    """Return whether a phase is where its run waits, or needs a look."""
    return view.overdue or bool(view.drifted) or grid.PHASES[view.state].tone not in ("good", "none")
