"""The bounds of a request: size and time, how often, and how many at once.

Also the headers that every answer has, and the event that each leaves. Everything is refused before it is read.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phasegate.ports import Observer
from phasegate.system import new_id
from phasegate.web.pool import FULL, Overloaded

BODY_BYTES_MAX = 1_000_000
PUSH_BYTES_MAX = 14_000_000
"""Of what Pub/Sub pushes: its largest message has 10 MB, and a third more as base64."""
BODY_S = 10.0
BODIES_BYTES_MAX = 64_000_000
WRITE_S = 30.0
PATH_MAX = 500
HEAD_BYTES_MAX = 32_768
SHOWN_MAX = 200
AT_ONCE_MAX = 500
ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class TooLarge(Exception):
    """A body of more bytes than may be; ``bytes_max``: how many those are."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(bytes_max)
        self.bytes_max = bytes_max


class TooSlow(Exception):
    """A body that did not arrive within BODY_S."""


class _Bucket(NamedTuple):
    left: float
    at: float


class Rates:
    """Allows each caller ``per_s`` calls a second, and as many at once.

    Callers are known by name before they are counted, so there are few.
    """

    def __init__(self, per_s: float) -> None:
        self._per_s, self._burst = per_s, max(1.0, per_s)
        self._buckets: dict[str, _Bucket] = {}

    def take(self, caller: str, /, *, now: float) -> float:
        """Count one call; return 0, or after how many seconds to call again.

        >>> rates = Rates(2.0)
        >>> [rates.take("a", now=10.0) for _ in range(3)], rates.take("b", now=10.0)
        ([0.0, 0.0, 0.5], 0.0)
        """
        bucket = self._buckets.get(caller, _Bucket(self._burst, now))
        left = min(self._burst, bucket.left + max(0.0, now - bucket.at) * self._per_s)
        if left < 1.0:
            self._buckets[caller] = _Bucket(left, now)
            return (1.0 - left) / self._per_s
        self._buckets[caller] = _Bucket(left - 1.0, now)
        return 0.0


def excess(scope: Scope) -> tuple[int, str] | None:
    """Return status and text for a head that is too large, else None."""
    if len(scope["raw_path"]) > PATH_MAX:
        return 414, f"the path has more than {PATH_MAX} characters"
    if sum(len(name) + len(value) for name, value in scope["headers"]) > HEAD_BYTES_MAX:
        return 431, f"the headers have more than {HEAD_BYTES_MAX:,} bytes; send less"
    return None


def two_ends(scope: Scope) -> bool:
    """Return whether two headers each say where the body ends.

    What is in front may believe the other one, and then take a part of the body for a request of its own.
    """
    names = {name for name, _ in scope["headers"]}
    return names.issuperset((b"content-length", b"transfer-encoding"))


class Bodies:
    """Reads bodies, and holds at most BODIES_BYTES_MAX of them at once."""

    bytes_max = BODIES_BYTES_MAX

    def __init__(self) -> None:
        self.held = 0

    @asynccontextmanager
    async def of(self, request: Request, *, bytes_max: int = BODY_BYTES_MAX) -> AsyncIterator[bytes]:
        """Give the body of a request, which counts as held during the block.

        Raises TooLarge before more than ``bytes_max`` are read, TooSlow after BODY_S, Overloaded if too much is held.
        """
        length = request.headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 12 or int(length) > bytes_max):
            raise TooLarge(bytes_max)
        parts, size = list[bytes](), 0
        try:
            try:
                async with asyncio.timeout(BODY_S):
                    async for part in request.stream():
                        if size + len(part) > bytes_max:
                            raise TooLarge(bytes_max)
                        if self.held + len(part) > self.bytes_max:
                            raise Overloaded(FULL)
                        parts.append(part)
                        size += len(part)
                        self.held += len(part)
            except (TimeoutError, ClientDisconnect):
                raise TooSlow from None
            yield b"".join(parts)
        finally:
            self.held -= size


class Bounds:
    """Wraps the application: counts requests and reports each answer."""

    at_once_max = AT_ONCE_MAX

    def __init__(self, app: ASGIApp, *, observer: Observer) -> None:
        self._app, self._observer = app, observer
        self.at_once = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        answer = _Answer(scope, send)
        scope["state"] = {"request": answer.id, "caller": "", "overloaded": self.at_once >= self.at_once_max}
        self.at_once += 1
        try:
            await self._app(scope, receive, answer.send)
        finally:
            self.at_once -= 1
            self._report(scope, answer)

    def _report(self, scope: Scope, answer: "_Answer") -> None:
        self._observer.event(
            "answered", method=scope["method"], path=ascii(scope["path"])[1:-1][:SHOWN_MAX], status=answer.status,
            caller=scope["state"]["caller"], request=answer.id, ms=round((time.monotonic() - answer.began) * 1000, 1),
        )  # fmt: skip


class _Answer:
    """The answer of one request: sent with our headers, in bounded time."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send, self.status, self.began = send, 0, time.monotonic()
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        self.id = given if ID.fullmatch(given) else new_id()

    async def send(self, message: Message) -> None:
        """Send one part."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = {name for name, _ in message["headers"]}
            ours = [one for one in HEADERS if one[0] not in given]  # a page allows its own style sheet
            message["headers"] = [*message["headers"], *ours, (b"x-request-id", self.id.encode())]
        async with asyncio.timeout(WRITE_S):  # a caller that does not read is not waited for
            await self._send(message)
