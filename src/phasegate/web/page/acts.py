"""What an operator does on the page: see beforehand, confirm, be recorded.

An action is spelled as the command that does the same, so that every command that a page shows can have a button. The
page says what would happen; if that has changed when it is confirmed, by another tab or a worker, it is shown again.
"""

from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from phasegate.actions.action import OperatorAction, parse_action
from phasegate.actions.prepare import carry_out, mark_of, prepare
from phasegate.answers.audited import audited, ended
from phasegate.audit import read_entry
from phasegate.errors import BadDocument, BadInput
from phasegate.web.callers import Caller
from phasegate.web.page import session
from phasegate.web.page.frame import MEANINGS, WORDS, Frame

REASON_MAX, ENTRIES_MAX = 500, 1_000
CHANGED = "What it would do has changed since you looked: another tab, a worker or a colleague was there. Look again."


def confirm(frame: Frame, request: Request, caller: Caller) -> Response:
    """Show what an action would do, and ask."""
    given = request.query_params.get("command", "")
    return _asked(frame, request, caller, action=_action(given), back=_place_before(request))


def act(frame: Frame, request: Request, caller: Caller, fields: Mapping[str, str]) -> Response:
    """Do what was confirmed, and show how it ended."""
    caller.check("operator")
    session.check_form(request, fields.get("csrf", ""))
    service, action = frame.service, _action(fields.get("command", ""))
    back = session.place_of(fields.get("back", "/"))
    if action.takes("--reason"):
        action = action.with_option("--reason", fields.get("reason", "").strip()[:REASON_MAX])
    deed = prepare(service.pipeline, action, stop=service.stopping)
    if not deed.has_effect or mark_of(deed) != fields.get("mark"):
        return _asked(frame, request, caller, action=action, back=back, changed=CHANGED)
    key, _ = carry_out(service.pipeline, action, deed, by=caller.name, via="page")
    return frame.redirected(f"{place_of(key)}?{urlencode({'back': back})}")


def audit(frame: Frame, request: Request, caller: Caller) -> Response:
    """Show what people changed, the newest first."""
    asked = {name: request.query_params.get(name) or None for name in ("from", "to")}
    broken: list[BadDocument] = []
    pipeline, times = frame.service.pipeline, frame.service.times()
    span, found = audited(pipeline.plan, pipeline.ports, times=times, days=None, first=asked["from"],
                          last=asked["to"], broken=broken)  # fmt: skip
    return frame.page("audit.html", caller=caller, span=span, found=found[:ENTRIES_MAX],
                      more=len(found) - ENTRIES_MAX, ended=ended, place_of=place_of,
                      errors=sorted({str(error) for error in broken}))  # fmt: skip


def entry(frame: Frame, request: Request, caller: Caller) -> Response:
    """Show one act and how it ended."""
    pipeline = frame.service.pipeline
    found = read_entry(pipeline.ports, f"audit:{pipeline.plan.pipeline}:{request.path_params['act']}")
    back = session.place_of(request.query_params.get("back", "/audit"))
    return frame.page("done.html", caller=caller, entry=found, back=back, ended=ended)


def place_of(key: str, /) -> str:
    """Return the path of the page of an entry."""
    return f"/audit/{quote(key.split(':', 2)[2])}"


def _asked(
    frame: Frame, request: Request, caller: Caller, *, action: OperatorAction, back: str, changed: str = ""
) -> Response:  # fmt: skip
    deed = prepare(frame.service.pipeline, action, stop=frame.service.stopping)
    return frame.page(
        "act.html", status=409 if changed else 200, caller=caller, action=action, deed=deed, back=back,
        changed=changed, mark=mark_of(deed), csrf=session.form_token(request), word=WORDS[action.verb],
        meaning=MEANINGS[action.verb], command=action.with_option("--reason", ""),
        asks_reason=action.takes("--reason"), reason=action.get("--reason") or "",
    )  # fmt: skip


def _action(command: str) -> OperatorAction:
    action = parse_action(command)
    if action is None:
        raise BadInput(f"{command[:100]!r} is no command that the page can do; type it where the plan is")
    return action


def _place_before(request: Request) -> str:
    """Return the page of ours from which the reader came, else the first."""
    referrer = request.headers.get("referer", "")
    if session.host_of(referrer) != request.headers.get("host", ""):
        return "/"
    came = urlsplit(referrer)
    if came.path.startswith(("/act", "/sign-in")):
        return "/"
    return session.place_of(came.path + (f"?{came.query}" if came.query else ""))
