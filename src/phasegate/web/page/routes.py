"""The page's routes: who looks, what is read, which template shows it.

It reads by the views of the command line, in the threads of the service, and changes nothing. Each answer forbids the
browser every script, and every request to another host.
"""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from urllib.parse import parse_qs, quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from phasegate.answers.checks import span_of
from phasegate.answers.refusals import refusal_of
from phasegate.answers.runs import run_of
from phasegate.base.dates import local_date, shift
from phasegate.errors import BadDocument, PhasegateError
from phasegate.explain.late_results import Coverage
from phasegate.web.bounds import Bodies
from phasegate.web.callers import Caller, Refused
from phasegate.web.page import grid, session
from phasegate.web.service import Service

PageView = Callable[[Request], Awaitable[Response]]
FindReader = Callable[[Request, str | None], Awaitable[Caller]]
"""Finds the caller of a request by its header, refuses one without the role reader, or that calls too often."""
DAYS = 14
FORM_BYTES_MAX = 20_000
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
}
STYLE = "page.css"


class Pages:
    """The pages of one service."""

    def __init__(self, service: Service, *, known: FindReader, bodies: Bodies) -> None:
        self._service, self._known, self._bodies = service, known, bodies
        self._templates = Environment(
            loader=PackageLoader("phasegate.web.page"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._style = (files("phasegate.web.page") / "static" / STYLE).read_bytes()

    def routes(self) -> list[tuple[str, str, PageView]]:
        """Return path, method and view of each page."""
        return [
            ("/", "GET", self._start),
            ("/runs", "GET", self._seen(self._runs)),
            ("/runs/{run}", "GET", self._seen(self._run)),
            ("/sign-in", "GET", self._signing),
            ("/sign-in", "POST", self._sign_in),
            ("/sign-out", "POST", self._sign_out),
            (f"/static/{STYLE}", "GET", self._styled),
        ]

    def _seen(self, page: Callable[[Request, Caller], Response]) -> PageView:
        """Return a view that reads a page in a thread, for a reader.

        Who is not signed in is asked to.
        """

        async def view(request: Request) -> Response:
            try:
                caller = await self._known(request, session.authorization(request))
                return await self._service.work.run(lambda: page(request, caller))
            except Refused as e:
                if e.status == 401:
                    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                    return RedirectResponse(f"/sign-in?next={quote(here, safe='')}", 303, headers=HEADERS)
                return self._refused(str(e), e.status)
            except PhasegateError as e:
                refusal = refusal_of(e)
                return self._refused(refusal.text, refusal.status)

        return view

    async def _start(self, _request: Request) -> Response:
        return RedirectResponse("/runs", 303, headers=HEADERS)

    async def _styled(self, _request: Request) -> Response:
        return Response(self._style, media_type="text/css", headers={"Cache-Control": "max-age=3600"})

    async def _signing(self, request: Request) -> Response:
        return self._page("sign_in.html", next=session.place_of(request.query_params.get("next", "/")), error="")

    async def _sign_in(self, request: Request) -> Response:
        next_ = "/"
        try:
            session.check_origin(request)
            async with self._bodies.of(request, bytes_max=FORM_BYTES_MAX) as raw:
                fields = parse_qs(raw.decode("utf-8", "replace"), max_num_fields=10)
            next_ = session.place_of(fields.get("next", ["/"])[0])
            token = session.token_of(fields)
            await self._known(request, f"Bearer {token}")
        except (Refused, PhasegateError, ValueError) as e:
            status = e.status if isinstance(e, Refused) else 400
            text = "this access token is not valid" if status == 401 else str(e)
            return self._page("sign_in.html", status=status, next=next_, error=text)
        response = RedirectResponse(next_, 303, headers=HEADERS)
        session.sign_in(response, token, request=request)
        return response

    async def _sign_out(self, request: Request) -> Response:
        try:
            session.check_origin(request)
        except Refused as e:
            return self._refused(str(e), e.status)
        response = RedirectResponse("/sign-in", 303, headers=HEADERS)
        session.sign_out(response, request=request)
        return response

    def _runs(self, request: Request, caller: Caller) -> Response:
        pipeline, times = self._service.pipeline, self._service.times()
        asked = {name: request.query_params.get(name) or None for name in ("from", "to")}
        first = asked["from"] or shift(asked["to"] or local_date(times.now, timezone=times.timezone), 1 - DAYS)
        span = span_of(times, days=None, first=first, last=asked["to"], command="runs")
        broken: list[BadDocument] = []
        views = pipeline.views.phases(first=span.first, last=span.last, broken=broken)
        cells = Coverage(pipeline.plan, pipeline.ports).cells(*span, broken=broken)
        modes = [mode for mode in request.query_params.getlist("mode") if mode in pipeline.plan.modes]
        found = [row for row in grid.rows(views, cells) if not modes or row.run.partition(".")[2] in modes]
        return self._page(
            "runs.html", caller=caller, span=span, columns=grid.columns(pipeline.plan), rows=found, modes=modes,
            all_modes=pipeline.plan.modes, summary=grid.summary(found),
            errors=sorted({str(error) for error in broken}),
            earlier=(shift(span.first, -DAYS), shift(span.first, -1)),
            later=(shift(span.last, 1), shift(span.last, DAYS)),
        )  # fmt: skip

    def _run(self, request: Request, caller: Caller) -> Response:
        pipeline = self._service.pipeline
        run = run_of(pipeline.plan, request.path_params["run"])
        broken: list[BadDocument] = []
        views = pipeline.views.why(run, broken=broken)
        logs = pipeline.views.failures(run, views)
        return self._page(
            "run.html", caller=caller, run=run, views=views, logs=logs, phases=grid.PHASES, steps=grid.STEPS,
            overdue=grid.OVERDUE, errors=[str(error) for error in broken],
        )  # fmt: skip

    def _refused(self, text: str, status: int) -> Response:
        return self._page("refused.html", status=status, text=text)

    def _page(self, template: str, /, *, status: int = 200, **shown: object) -> Response:
        times, plan = self._service.times(), self._service.pipeline.plan
        text = self._templates.get_template(template).render(pipeline=plan.pipeline, times=times, **shown)
        return Response(text, status, media_type="text/html", headers=HEADERS)
