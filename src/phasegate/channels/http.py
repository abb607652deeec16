"""One HTTP request, bounded in time and response size, without redirects.

A missing answer is an error, never an exception. Errors name the host and the status, never the address, the token or
the response, since any of these may hold a secret.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import NamedTuple
from urllib.parse import urlsplit

from phasegate.channels.bounded import within

TIMEOUT_S = 10.0
# Of the whole request, the lookup of the host included, however slowly the server sends.
TOTAL_S = 20.0
ANSWER_BYTES_MAX = 64 * 1024
RETRY_AFTER_MAX_S = 3600.0
SCHEMES = ("http", "https")
AGENT = "phasegate"


class Response(NamedTuple):
    """A status and a body, or an ``error`` (status 0: no answer)."""

    status: int = 0
    body: bytes = b""
    error: str = ""
    retry_after_s: float = 0.0
    cache_control: str = ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow no redirect: the request is for the named host only."""


def request(
    url: str,
    /,
    *,
    body: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
    total_s: float = TOTAL_S,
) -> Response:
    """Send a GET, or a POST with a JSON body; return the answer.

    Without an answer within ``total_s`` it is an error.
    """
    answer = within(total_s, lambda: _asked(url, body=body, headers=headers or {}, timeout_s=timeout_s))
    return Response(error=f"{host_of(url)} did not answer within {total_s:g} s") if answer is None else answer


def host_of(url: str, /) -> str:
    """Return the host of a URL, the only part that may be shown.

    >>> host_of("https://hooks.slack.com/services/T0/B0/secret")
    'hooks.slack.com'
    """
    try:
        parts = urlsplit(url)
        return (parts.hostname or "the address") if parts.scheme in SCHEMES else "the address"
    except ValueError:
        return "the address"


def check_url(url: str, /) -> str:
    """Return the fault of an address, without showing it; empty if none.

    >>> check_url("example.org/hook")
    'is no URL that begins with https:// or http://'
    """
    try:
        parts = urlsplit(url)
        named = parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        named = False
    if not named or not url.isascii() or not url.isprintable() or " " in url:
        return "is no URL that begins with https:// or http://"
    return ""


def _asked(url: str, *, body: Mapping[str, object] | None, headers: Mapping[str, str], timeout_s: float) -> Response:
    host, data = host_of(url), None if body is None else json.dumps(body, ensure_ascii=False).encode()
    sent = {"User-Agent": AGENT, **({} if data is None else {"Content-Type": "application/json; charset=utf-8"})}
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        made = urllib.request.Request(url, data=data, headers={**sent, **headers})  # noqa: S310  checked by check_url
        with opener.open(made, timeout=timeout_s) as answer:
            kept = answer.headers.get("Cache-Control", "")
            return Response(status=answer.status, body=answer.read(ANSWER_BYTES_MAX), cache_control=kept)
    except urllib.error.HTTPError as e:
        with e:
            return _refusal(e, host=host)
    except (OSError, HTTPException, ValueError) as e:
        reason = e.reason if isinstance(e, urllib.error.URLError) and isinstance(e.reason, OSError) else e
        if isinstance(reason, TimeoutError):
            return Response(error=f"{host} did not answer within {timeout_s:g} s")
        why = (reason.strerror if isinstance(reason, OSError) else None) or type(reason).__name__
        return Response(error=f"{host} cannot be reached: {why}")


def _refusal(error: urllib.error.HTTPError, *, host: str) -> Response:
    """Return the response for a status that is no success."""
    try:
        body = error.read(ANSWER_BYTES_MAX)
    except (OSError, HTTPException):
        body = b""
    wait = retry_after(error.headers.get("Retry-After"), now=datetime.now(UTC)) if error.headers else 0.0
    more = "; redirects are not followed: give the final address" if error.code < 400 else ""
    return Response(error.code, body, f"{host} answered {error.code}{more}", wait)


def retry_after(value: str | None, /, *, now: datetime) -> float:
    """Return the seconds that a Retry-After header asks to wait, bounded.

    It holds seconds or a date; anything else counts as 0.

    >>> [retry_after(text, now=datetime(2026, 2, 3, tzinfo=UTC)) for text in ("30", "soon", "1e9", None)]
    [30.0, 0.0, 3600.0, 0.0]
    >>> retry_after("Tue, 03 Feb 2026 00:01:00 GMT", now=datetime(2026, 2, 3, tzinfo=UTC))
    60.0
    """
    if value is None:
        return 0.0
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except (ValueError, TypeError, OverflowError):
            return 0.0
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(seconds, 0.0), RETRY_AFTER_MAX_S) if seconds == seconds else 0.0  # noqa: PLR0124  not a number
