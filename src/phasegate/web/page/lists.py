"""The pages Leases, Dead letters and Incidents: what is held or wrong."""

from starlette.requests import Request
from starlette.responses import Response

from phasegate.alerts.evaluations import Watch
from phasegate.alerts.notes import commands, title
from phasegate.answers.explained import CLOSE, delivered, neglected_text
from phasegate.answers.times import left
from phasegate.base.dates import local_date, shift
from phasegate.errors import BadDocument
from phasegate.web.callers import Caller
from phasegate.web.page.frame import Frame
from phasegate.web.page.grid import SEVERITY

DAYS = 31
ROWS_MAX = 1_000


def leases(frame: Frame, request: Request, caller: Caller) -> Response:
    """Show which partitions are being written now."""
    broken: list[BadDocument] = []
    free = request.query_params.get("all") == "1"
    views = frame.service.pipeline.views.leases(free=free, broken=broken)
    views.sort(key=lambda view: view.holder is None)
    held = sum(view.holder is not None for view in views)
    return frame.page("leases.html", caller=caller, views=views[:ROWS_MAX], found=len(views), held=held, free=free,
                      left=left, errors=texts(broken))  # fmt: skip


def dead(frame: Frame, request: Request, caller: Caller) -> Response:
    """Show what is no longer retried, and what brings it back."""
    broken: list[BadDocument] = []
    times = frame.service.times()
    today = local_date(times.now, timezone=times.timezone)
    since = "" if request.query_params.get("all") == "1" else shift(today, -DAYS)
    letters = frame.service.pipeline.views.dead(first=since, broken=broken)
    return frame.page("dead.html", caller=caller, letters=letters[:ROWS_MAX], found=len(letters), since=since,
                      errors=texts(broken))  # fmt: skip


def incidents(frame: Frame, _request: Request, caller: Caller) -> Response:
    """Show the open incidents, the worst first, and what was sent of them."""
    broken: list[BadDocument] = []
    alerts, times = frame.service.pipeline.alerts, frame.service.times()
    found = alerts.listed(broken=broken)
    try:
        watched = alerts.watched()
    except BadDocument as e:
        broken.append(e)
        watched = Watch()
    return frame.page(
        "incidents.html", caller=caller, found=found, watched=watched, severity=SEVERITY, title=title,
        commands=commands, delivered=lambda post: delivered(post, times=times), close=CLOSE,
        neglected=lambda one: neglected_text(one, watched=watched, times=times), errors=texts(broken),
    )  # fmt: skip


def texts(broken: list[BadDocument], /) -> list[str]:
    """Return what could not be read, each once."""
    return sorted({str(error) for error in broken})
