"""What all pages share: templates, headers, and how a refusal looks.

Each answer forbids the browser every script but those of the package, and every request to another host. The scripts
only renew what is shown, and say when it is old: nothing that is read or done needs them.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from phasegate.actions.action import ActionVerb, parse_action
from phasegate.web.callers import Caller
from phasegate.web.service import Service

PageView = Callable[[Request], Awaitable[Response]]
Shown = Callable[["Frame", Request, Caller], Response]
"""Makes one page for a caller, in a thread of the service."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
}
PACKAGE = "phasegate.web.page"
# What Unicode has to set the direction of a text: they hide or reorder what is beside them.
TURNING = {one: f"\\u{one:04x}" for one in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
STATIC: Mapping[str, str] = {
    "page.css": "text/css", "htmx.min.js": "text/javascript", "idiomorph-ext.min.js": "text/javascript",
    "live.js": "text/javascript",
}  # fmt: skip
"""The files that pages use, by name, with their content types."""
NAVIGATION = (
    ("/runs", "Runs"),
    ("/findings", "Findings"),
    ("/calendar", "Calendar"),
    ("/plan", "Plan"),
    ("/leases", "Leases"),
    ("/dead", "Dead letters"),
    ("/incidents", "Incidents"),
    ("/audit", "Audit log"),
)
"""The pages that each page names, in this order: path and name."""

WORDS: Mapping[ActionVerb, str] = {
    "rerun": "Build again", "redrive": "Bring back", "rebuild": "Bring up to date", "fix": "Fix", "pause": "Pause",
    "resume": "Resume", "cancel": "Cancel", "restore": "Take back", "replan": "Replan", "sweep": "Work now",
    "work": "Work now", "let go": "Let go", "discard": "Hide", "close": "Close",
}  # fmt: skip
"""What the button of an action says."""
PROGRAM = "phasegate "


class Button(NamedTuple):
    """The button beside a command: what it says, and where it leads."""

    word: str
    place: str


def button(text: str, /) -> Button | None:
    """Return the button for a command, or for a hint that ends with one.

    None if only a person can do it.

    >>> button("phasegate sweep")
    Button(word='Work now', place='/act?command=phasegate+sweep')
    >>> button("fix its source, then look again") is None
    True
    """
    at = text.find(PROGRAM)
    action = parse_action(text[at:]) if at >= 0 else None
    return None if action is None else Button(WORDS[action.verb], f"/act?{urlencode({'command': str(action)})}")


class Frame:
    """The frame of one service's pages."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._templates = Environment(
            loader=PackageLoader(PACKAGE), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True, finalize=visible,
        )  # fmt: skip
        self._templates.globals |= {"button": button, "static": {name: _place(name) for name in STATIC}.__getitem__}

    def page(self, template: str, /, *, status: int = 200, **shown: object) -> Response:
        """Return a page; ``shown``: what its template names."""
        times, plan = self.service.times(), self.service.pipeline.plan
        text = self._templates.get_template(template).render(
            pipeline=plan.pipeline, times=times, navigation=NAVIGATION, **shown
        )  # fmt: skip
        return Response(text, status, media_type="text/html", headers=HEADERS)

    def refused(self, text: str, status: int) -> Response:
        """Return the page that says why another is not shown."""
        return self.page("refused.html", status=status, text=text)

    @staticmethod
    def redirected(place: str) -> Response:
        """Send the browser to another page of this service."""
        return RedirectResponse(place, 303, headers=HEADERS)


def visible(shown: object, /) -> object:
    r"""Return a text with the characters that turn others spelled out.

    >>> visible("\u202egnp.exe"), visible(7)
    ('\\u202egnp.exe', 7)
    """
    return shown.translate(TURNING) if type(shown) is str else shown


def _place(name: str) -> str:
    """Return the path of a file, which changes with its content."""
    return f"/static/{name}?{hashlib.sha256(static(name)).hexdigest()[:12]}"


def static(name: str, /) -> bytes:
    """Return a file that pages use."""
    return (files(PACKAGE) / "static" / name).read_bytes()
