"""Who looks at the page: an access token in a cookie that no script can read.

The cookie is the credential that a program sends in a header, so it is checked, revoked and bounded in one place. A
form is taken only from the page itself.
"""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from phasegate.errors import BadInput
from phasegate.web.callers import Refused

COOKIE = "phasegate"
DAYS = 30


def authorization(request: Request, /) -> str | None:
    """Return the header that the request's cookie stands for; None without one."""
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
    if fetched not in (None, "same-origin") or (origin is not None and urlsplit(origin).netloc != ours):
        raise Refused(403, "the form was sent by another site; use the page itself")


def place_of(text: str, /) -> str:
    """Return the path on this host to go on with; "/" for anything else."""
    parts = urlsplit(text)
    plain = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc and text.isprintable()
    return text if plain else "/"


def token_of(fields: dict[str, list[str]], /) -> str:
    """Return the access token of a form; raise BadInput."""
    (token,) = fields.get("token", [""])[:1] or [""]
    if not token.strip():
        raise BadInput("paste an access token; an operator adds one with phasegate tokens add NAME --role reader")
    return token.strip()


def _is_encrypted(request: Request) -> bool:
    return request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
