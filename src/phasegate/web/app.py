"""The application: finds the caller, reads the body, calls the endpoint.

Every error is one JSON object with the place and the mend. What is not ours is named by its type and its place only,
to the caller and in the log: its text may hold what a caller sent.
"""

import asyncio
import json
import platform
from collections.abc import Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from phasegate import __version__
from phasegate.answers.refusals import Refusal, refusal_of
from phasegate.base.findings import UNCHECKED
from phasegate.build import parse_build
from phasegate.credentials import Role
from phasegate.printed.parts import PrintedJson
from phasegate.web import openapi
from phasegate.web.bodies import BuildAnswer, ErrorAnswer, LiveAnswer, ReadyAnswer
from phasegate.web.bounds import BODY_S, Bodies, Bounds, TooLarge, TooSlow, excess, two_ends
from phasegate.web.callers import Caller, Refused
from phasegate.web.endpoints import ENDPOINTS, Call, Endpoint
from phasegate.web.google import REMOVED
from phasegate.web.page.routes import Pages
from phasegate.web.pool import FULL, Overloaded, Stopping
from phasegate.web.service import Service

READY_S = 5.0
CLOSE = {"Connection": "close"}
View = Callable[[Request], Awaitable[Response]]


class Application:
    """The views of one service."""

    def __init__(self, service: Service) -> None:
        self._service, self._bodies = service, Bodies()
        self._openapi = json.dumps(openapi.document()).encode()
        self._build = _build_of(service)
        self._pages = Pages(service, known=self._reader, bodies=self._bodies, refusal=_refusal)

    def asgi(self) -> ASGIApp:
        """Return the application, bounded."""
        routes = [
            *(Route(one.path, self._guarded(self._view(one)), methods=["POST"]) for one in ENDPOINTS),
            Route("/live", self._guarded(self._live), methods=["GET"]),
            Route("/ready", self._guarded(self._ready), methods=["GET"]),
            Route("/build", self._guarded(self._built), methods=["GET"]),
            Route("/metrics", self._guarded(self._measured), methods=["GET"]),
            Route("/openapi.json", self._guarded(self._described), methods=["GET"]),
            *(Route(path, self._guarded(view), methods=[method]) for path, method, view in self._pages.routes()),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _unrouted})
        app.router.redirect_slashes = False
        return Bounds(app, observer=self._service.observer)

    def _view(self, endpoint: Endpoint) -> View:
        async def view(request: Request) -> Response:
            if self._service.work.is_full:  # the cheapest refusal: nothing is looked up or read for it
                raise Overloaded(FULL)
            caller = await self._caller(request, endpoint.role)
            async with self._bodies.of(request, bytes_max=endpoint.bytes_max) as raw:
                call = Call(caller, raw, request.path_params.get("step", ""))
                answered = await self._service.work.run(lambda: endpoint.handle(self._service, call))
            if answered.body is None:
                return Response(status_code=answered.status)
            return _json(answered.body, answered.status)

        return view

    async def _caller(self, request: Request, role: Role) -> Caller:
        """Return the caller, if it has the role and does not call too often."""
        given = request.headers.getlist("authorization")
        return await self._known(request, ", ".join(given) if given else None, role)

    async def _reader(self, request: Request, shown: str | None) -> Caller:
        return await self._known(request, shown, "reader")

    async def _known(self, request: Request, shown: str | None, role: Role) -> Caller:
        service = self._service
        if shown is not None and shown.endswith(REMOVED) and not _is_checked(request, shown):
            shown = None
        caller = await service.short.run(lambda: service.callers.of(shown))
        request.state.caller = caller.name
        caller.check(role)
        wait_s = service.rates.take(caller.name, now=service.pipeline.ports.clock.monotonic())
        if wait_s:
            raise Overloaded(f"{caller.name} sends too much; send it again later", retry_s=1 + int(wait_s))
        return caller

    def _guarded(self, view: View) -> View:
        """Return a view that answers every error, and refuses what is too much."""

        async def guarded(request: Request) -> Response:
            try:
                if request.state.overloaded and request.url.path != "/live":
                    raise Overloaded(FULL)
                _check_head(request)
                return await view(request)
            except Exception as e:  # noqa: BLE001  whatever it is, it is answered in one line, and reported
                refusal = e.refusal if isinstance(e, _Unread) else _refusal(e)
                if refusal.status >= 500:
                    self._service.observer.event("request failed", request=request.state.request, error=refusal.text)
                return _refused(request, refusal, close=isinstance(e, _Unread))

        return guarded

    async def _live(self, _request: Request) -> Response:
        return _json(LiveAnswer())

    async def _ready(self, _request: Request) -> Response:
        try:
            async with asyncio.timeout(READY_S):
                await self._service.short.run(self._service.check_ready)
        except TimeoutError:
            text = f"the store has not answered within {READY_S:g} s"
            return _refused(_request, Refusal(503, "unavailable", text, 5))
        return _json(ReadyAnswer())

    async def _built(self, _request: Request) -> Response:
        return _json(self._build)

    async def _measured(self, request: Request) -> Response:
        await self._caller(request, "reader")
        content, kind = await self._service.scrapes.run(self._service.metrics)
        return Response(content, media_type=kind)

    async def _described(self, _request: Request) -> Response:
        return Response(self._openapi, media_type="application/json")


class _Unread(Exception):
    """A request whose head is refused: what follows it is not read."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal


def _check_head(request: Request) -> None:
    """Refuse a head that is too large or ambiguous; raise _Unread."""
    if (too_large := excess(request.scope)) is not None:
        raise _Unread(Refusal(too_large[0], "too large", too_large[1]))
    if two_ends(request.scope):
        text = "the request has both Content-Length and Transfer-Encoding; send one of them"
        raise _Unread(Refusal(400, "bad input", text))


def _refusal(error: Exception) -> Refusal:
    match error:
        case Refused():
            return Refusal(error.status, "not allowed", error.reason)
        case Overloaded():
            return Refusal(429, "too many", str(error), error.retry_s)
        case Stopping():
            return Refusal(503, "stopping", str(error), 1)
        case TooLarge():
            return Refusal(413, "too large", f"the body has more than {error.bytes_max:,} bytes; send less")
        case TooSlow():
            return Refusal(408, "too slow", f"the body did not arrive within {BODY_S:g} s; send it at once")
        case _:
            return refusal_of(error)


def _refused(request: Request, refusal: Refusal, *, close: bool = False) -> Response:
    body = ErrorAnswer(error=refusal.text, kind=refusal.kind, request=request.state.request, exit_code=UNCHECKED)
    headers = dict(refusal.headers)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if close or refusal.kind in ("too large", "too slow", "stopping"):
        headers |= CLOSE  # what is left of the body is not read
    return _json(body, refusal.status, headers=headers)


async def _unrouted(request: Request, error: Exception) -> Response:
    """Answer a path or a method that there is not."""
    assert isinstance(error, HTTPException)
    try:
        _check_head(request)
    except _Unread as e:
        return _refused(request, e.refusal, close=True)
    text = "there is no such path" if error.status_code == 404 else f"this path takes no {request.method[:20]}"
    answer = _refused(request, Refusal(error.status_code, "not found", f"{text}; see /openapi.json"))
    answer.headers.update(error.headers or {})
    return answer


def _is_checked(request: Request, shown: str) -> bool:
    """Return whether it is what Cloud Run has checked.

    That is neither a cookie nor a form, and of two headers it is the other.
    """
    return request.headers.getlist("authorization") == [shown] and "x-serverless-authorization" not in request.headers


def _json(body: PrintedJson, status: int = 200, *, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status_code=status, headers=headers, media_type="application/json")


def _build_of(service: Service) -> BuildAnswer:
    plan, build = service.pipeline.plan, parse_build(service.pipeline.ports.build.name())
    return BuildAnswer(version=__version__, build=build.text, service=build.service, commit=build.commit or None,
                       dirty=build.dirty, lock=build.lock, pipeline=plan.pipeline, plan=plan.hash,
                       python=platform.python_version())  # fmt: skip
