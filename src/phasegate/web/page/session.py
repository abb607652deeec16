"""Who looks at the page: an access token in a cookie.

No script can read it.

The cookie is the credential that a program sends in a header, so it is checked, revoked and bounded in one place. A
form is taken only from the page itself.
"""

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from phasegate.errors import BadInput
from phasegate.web.callers import Refused

COOKIE = "phasegate"
DAYS = 30


def authorization(request: Request, /) -> str | None:
    """Return the header that the request's cookie stands for, if any."""
    token = request.cookies.get(COOKIE, "")
    return f"Bearer {token}" if token else None


def sign_in(response: Response, token: str, /, *, request: Request) -> None:
    """Have the browser send an access token from now on, to this host only."""
    response.set_cookie(
        COOKIE, token, max_age=DAYS * 86_400, httponly=True, samesite="strict", path="/", secure=_is_encrypted(request)
    )


def sign_out(response: Response, /, *, request: Request) -> None:
    """Have the browser forget it."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=_is_encrypted(request))


def check_origin(request: Request, /) -> None:
    """Refuse a form that another site sent; raise Refused."""
    fetched = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    ours = request.headers.get("host", "")
    if fetched not in (None, "same-origin") or (origin is not None and host_of(origin) != ours):
        raise Refused(403, "the form was sent by another site; use the page itself")


def form_token(request: Request, /) -> str:
    """Return the token that forms of this reader have, and those of no other.

    It is derived from the access token, which no other site and no script can read.
    """
    return hmac.new(request.cookies.get(COOKIE, "").encode(), b"form", hashlib.sha256).hexdigest()


def check_form(request: Request, token: str, /) -> None:
    """Refuse a form without the reader's own token; raise Refused."""
    if not request.cookies.get(COOKIE) or not hmac.compare_digest(form_token(request).encode(), token.encode()):
        raise Refused(403, "the form is of no page that you were shown; open the page again, and confirm there")


def place_of(text: str, /) -> str:
    """Return the path on this host to go on with; "/" for anything else."""
    plain = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if plain and not host_of(text) else "/"


def host_of(text: str, /) -> str:
    """Return the host and port that an address names; "?" for no address.

    >>> host_of("http://127.0.0.1:8080/runs"), host_of("/runs"), host_of("http://[x")
    ('127.0.0.1:8080', '', '?')
    """
    try:
        return urlsplit(text).netloc
    except ValueError:
        return "?"


def token_of(text: str, /) -> str:
    """Return the access token that was pasted; raise BadInput for none."""
    if not text.strip():
        raise BadInput("paste an access token; an operator adds one with phasegate tokens add NAME --role reader")
    return text.strip()


def _is_encrypted(request: Request) -> bool:
    return request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
