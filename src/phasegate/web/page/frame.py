"""What all pages share: templates, headers, and how a refusal looks.

Each answer forbids the browser every script but those of the package, and every request to another host. The scripts
only renew what is shown, and say when it is old: nothing that is read or done needs them.
"""

import hashlib
from collections.abc import Awaitable, Callable, Container, Mapping
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import unquote, urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from phasegate.actions.action import ActionVerb, parse_action
from phasegate.base.keys import is_date
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
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
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
    "rerun": "Build again", "redrive": "Send again", "rebuild": "Bring up to date", "fix": "Fix", "pause": "Pause",
    "resume": "Resume", "cancel": "Cancel", "restore": "Take back", "replan": "Replan", "sweep": "Sweep",
    "work": "Work now", "let go": "Let go", "discard": "Hide", "close": "Close",
}  # fmt: skip
"""What the button of an action says."""
MEANINGS: Mapping[ActionVerb, str] = {
    "rerun": "One step of one run is built now, also if its inputs have not changed.",
    "redrive": "What has failed for good is tried once more. Mend its cause first, or it fails again.",
    "rebuild": "What is missing, or was built from older inputs or code, is built, oldest first. The rest stays.",
    "fix": "What Phasegate itself can do about the findings of these dates is done; then they are checked again.",
    "pause": "The run is held until it is resumed; other runs go on.",
    "resume": "The run is no longer held.",
    "cancel": "The run does not take place: no one waits for it any more.",
    "restore": "The run takes place after all.",
    "replan": "A run keeps the plan that it was opened with. This has it follow the plan as it is now.",
    "sweep": "What is due is handled once now, not only when a worker comes to it.",
    "work": "What is due is done now, not only when a worker comes to it.",
    "let go": "The lease is taken from its holder before it ends by itself: for a holder that is dead.",
    "discard": "The message is no longer listed, and never handled.",
    "close": "The incident is over. Its cause is not mended by this.",
}
"""What an action is for, in a sentence or two."""
PROGRAM = "phasegate "


class Button(NamedTuple):
    """The button beside a command: what it says and means, and its link."""

    word: str
    place: str
    meaning: str


def button(text: str, /) -> Button | None:
    """Return the button for a command, or for a hint that ends with one.

    None if only a person can do it.

    >>> button("phasegate sweep")[:2]
    ('Sweep', '/act?command=phasegate+sweep')
    >>> button("fix its source, then look again") is None
    True
    """
    at = text.find(PROGRAM)
    action = parse_action(text[at:]) if at >= 0 else None
    if action is None:
        return None
    return Button(WORDS[action.verb], f"/act?{urlencode({'command': str(action)})}", MEANINGS[action.verb])


def run_named(text: str, modes: Container[str], /) -> str | None:
    """Return the first run that a text names, in one of these modes.

    >>> run_named("raw of 2026-02-03.overnight", ["overnight"])
    '2026-02-03.overnight'
    >>> run_named("lease:main:raw.rows:2026-02-03", ["overnight"]) is None
    True
    """
    parts = ((word, *word.partition(".")) for word in text.split())
    return next((word for word, date, _, mode in parts if mode in modes and is_date(date)), None)


def name_of(place: str, /) -> str:
    """Return what a link to a page of ours is called.

    >>> name_of("/findings?from=2026-02-01"), name_of("/runs/2026-02-03.overnight"), name_of("/")
    ('Findings', 'run 2026-02-03.overnight', 'Runs')
    """
    path = unquote(urlsplit(place).path)
    if path.startswith("/runs/"):
        return f"run {path.removeprefix('/runs/')}"
    return next((name for known, name in NAVIGATION if path.startswith(known)), NAVIGATION[0][1])


class Frame:
    """The frame of one service's pages."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._templates = Environment(
            loader=PackageLoader(PACKAGE), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True, finalize=visible,
        )  # fmt: skip
        self._templates.globals |= {
            "button": button, "name_of": name_of, "static": {name: _place(name) for name in STATIC}.__getitem__,
            "run_named": lambda text: run_named(text, service.pipeline.plan.modes),
        }  # fmt: skip

    def page(self, template: str, /, *, status: int = 200, **shown: object) -> Response:
        """Return a page; ``shown``: what its template names."""
        times, plan = self.service.times(), self.service.pipeline.plan
        text = self._templates.get_template(template).render(
            pipeline=plan.pipeline, times=times, navigation=NAVIGATION, **shown
        )  # fmt: skip
        return Response(text, status, media_type="text/html", headers=HEADERS)

    def refused(self, text: str, status: int, *, asked: str = "GET") -> Response:
        """Return the page that says why another is not shown, or not done."""
        return self.page("refused.html", status=status, text=text, what="Not shown" if asked == "GET" else "Not done")

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
