"""The page's routes: who looks, what is read, which template shows it.

It reads by the views of the command line, in the threads of the service.
"""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from phasegate.answers.refusals import Refusal
from phasegate.errors import BadInput, PhasegateError
from phasegate.web.bounds import Bodies
from phasegate.web.callers import Caller, Refused
from phasegate.web.page import acts, lists, session
from phasegate.web.page.calendar import calendar
from phasegate.web.page.findings import findings
from phasegate.web.page.frame import HEADERS, STATIC, Frame, PageView, Shown, static
from phasegate.web.page.plan import plan
from phasegate.web.page.runs import run, runs
from phasegate.web.service import Service

FindReader = Callable[[Request, str | None], Awaitable[Caller]]
"""Finds the caller of a request by its header, refuses one without the role reader, or that calls too often."""
AsRefusal = Callable[[Exception], Refusal]
"""Gives the status and the text of an error."""
FORM_BYTES_MAX = 20_000
READ: Mapping[str, Shown] = {
    "/runs": runs,
    "/runs/{run}": run,
    "/findings": findings,
    "/calendar": calendar,
    "/plan": plan,
    "/leases": lists.leases,
    "/dead": lists.dead,
    "/incidents": lists.incidents,
    "/audit": acts.audit,
}
"""The pages that a reader sees, by path."""


class Pages:
    """The pages of one service."""

    def __init__(self, service: Service, *, known: FindReader, bodies: Bodies, refusal: AsRefusal) -> None:
        self._service, self._known, self._bodies, self._refusal = service, known, bodies, refusal
        self._frame = Frame(service)

    def routes(self) -> list[tuple[str, str, PageView]]:
        """Return path, method and view of each page."""
        return [
            ("/", "GET", self._start),
            *((path, "GET", self._seen(shown)) for path, shown in READ.items()),
            ("/act", "GET", self._seen(acts.confirm)),
            ("/audit/{act}", "GET", self._seen(acts.entry)),
            ("/act", "POST", self._act),
            ("/sign-in", "GET", self._signing),
            ("/sign-in", "POST", self._sign_in),
            ("/sign-out", "POST", self._sign_out),
            *((f"/static/{name}", "GET", _file(name, kind)) for name, kind in STATIC.items()),
        ]

    def _seen(self, shown: Shown) -> PageView:
        """Return a view that reads a page in a thread, for a reader.

        Who is not signed in is asked to.
        """

        async def view(request: Request) -> Response:
            async def made() -> Response:
                caller = await self._known(request, session.authorization(request))
                return await self._service.work.run(lambda: shown(self._frame, request, caller))

            return await self._answered(request, made)

        return view

    async def _act(self, request: Request) -> Response:
        async def made() -> Response:
            session.check_origin(request)
            caller = await self._known(request, session.authorization(request))
            fields = await self._fields(request)
            return await self._service.work.run(lambda: acts.act(self._frame, request, caller, fields))

        return await self._answered(request, made)

    async def _answered(self, request: Request, made: Callable[[], Awaitable[Response]]) -> Response:
        """Return what is made, or the page that says why not.

        Who is not signed in is asked to; a form is then to be sent again.
        """
        try:
            return await made()
        except Refused as e:
            if e.status == 401:
                here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                place = here if request.method == "GET" else "/"
                return self._frame.redirected(f"/sign-in?next={quote(place, safe='')}")
            return self._frame.refused(str(e), e.status, asked=request.method)
        except Exception as e:  # noqa: BLE001  whatever it is, a page says so, and it is reported
            refusal = self._refusal(e)
            if refusal.status >= 500:
                self._service.observer.event("request failed", request=request.state.request, error=refusal.text)
            page = self._frame.refused(refusal.text, refusal.status, asked=request.method)
            page.headers.update(refusal.headers)
            return page

    async def _fields(self, request: Request) -> dict[str, str]:
        """Return the fields of a form, the first of each name; raise BadInput."""
        async with self._bodies.of(request, bytes_max=FORM_BYTES_MAX) as raw:
            try:
                found = parse_qs(raw.decode("utf-8", "replace"), max_num_fields=10)
            except ValueError:
                raise BadInput("the form has more fields than the page has; open the page again") from None
        return {name: values[0] for name, values in found.items()}

    async def _start(self, _request: Request) -> Response:
        return self._frame.redirected("/runs")

    async def _signing(self, request: Request) -> Response:
        return self._frame.page("sign_in.html", next=session.place_of(request.query_params.get("next", "/")), error="")

    async def _sign_in(self, request: Request) -> Response:
        next_ = "/"
        try:
            session.check_origin(request)
            fields = await self._fields(request)
            next_ = session.place_of(fields.get("next", "/"))
            token = session.token_of(fields.get("token", ""))
            await self._known(request, f"Bearer {token}")
        except PhasegateError as e:
            status = e.status if isinstance(e, Refused) else 400
            text = "this access token is not valid" if status == 401 else str(e)
            return self._frame.page("sign_in.html", status=status, next=next_, error=text)
        response = RedirectResponse(next_, 303, headers=HEADERS)
        session.sign_in(response, token, request=request)
        return response

    async def _sign_out(self, request: Request) -> Response:
        try:
            session.check_origin(request)
        except Refused as e:
            return self._frame.refused(str(e), e.status)
        response = RedirectResponse("/sign-in", 303, headers=HEADERS)
        session.sign_out(response, request=request)
        return response


def _file(name: str, kind: str) -> PageView:
    content = static(name)

    async def view(_request: Request) -> Response:
        return Response(content, media_type=kind, headers={**HEADERS, "Cache-Control": "max-age=3600"})

    return view
