"""Which HTTP status an error has, for the service and for your own.

2xx means done, or durably recorded: an error is never answered with it. It says nothing that the error's own text does
not say; an error that is not ours is named by type and place only.
"""

import traceback
from typing import Literal, NamedTuple

from phasegate.base.disk import FULL, is_full
from phasegate.base.findings import UNCHECKED
from phasegate.errors import (
    Ambiguous,
    BadDocument,
    BadInput,
    Busy,
    Conflict,
    Contended,
    Fenced,
    ForeignStore,
    InputsChanged,
    LeaseLost,
    NotFound,
    PhasegateError,
    Transient,
    Unavailable,
)

RefusalKind = Literal[
    "bad input", "not allowed", "not found", "busy", "lease lost", "other store", "too large", "too slow", "too many",
    "contended", "unavailable", "unanswered", "stopping", "bad document", "bug",
]  # fmt: skip


class Refusal(NamedTuple):
    """How an error is answered.

    ``retry_s``: after how long the same request may succeed; None: not without a change.
    """

    status: int
    kind: RefusalKind
    text: str
    retry_s: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of the answer."""
        return {} if self.retry_s is None else {"Retry-After": str(self.retry_s)}


TEXT_MAX = 2_000
# The first that an error is one of; each is named once.
_ANSWERS: tuple[tuple[type[PhasegateError], int, RefusalKind, int | None], ...] = (
    (BadInput, 400, "bad input", None),
    (NotFound, 404, "not found", None),
    (Busy, 409, "busy", 10),
    (LeaseLost, 409, "lease lost", None),
    (Fenced, 409, "lease lost", None),
    (InputsChanged, 409, "busy", 10),
    (ForeignStore, 409, "other store", None),
    (Contended, 429, "contended", 1),
    (Conflict, 429, "contended", 1),
    (Ambiguous, 503, "unanswered", 1),
    (Unavailable, 503, "unavailable", 5),
    (Transient, 503, "unavailable", 5),
    (BadDocument, 500, "bad document", None),
)


def refusal_of(error: Exception, /) -> Refusal:
    """Return how an error is answered.

    >>> refusal_of(BadInput("run 'x': write DATE.MODE")).status
    400
    """
    for cls, status, kind, retry_s in _ANSWERS:
        if isinstance(error, cls):
            return Refusal(status, kind, str(error)[:TEXT_MAX], retry_s)
    if is_full(str(error)):
        return Refusal(503, "unavailable", FULL, 60)
    return Refusal(500, "bug", f"unexpected {_where(error)}; this is a bug, please report it")


def answer_of(error: Exception, /) -> tuple[dict[str, object], int, dict[str, str]]:
    """Return body, status and headers that answer an error over HTTP.

    A view of Flask may return them as they are, so that one line answers every error of Phasegate's:
    ``app.register_error_handler(PhasegateError, answer_of)``. A bus delivers the message again for all but 2xx.

    >>> answer_of(Busy("gamebook is being written"))[1:]
    (409, {'Retry-After': '10'})
    """
    refusal = refusal_of(error)
    return {"error": refusal.text, "kind": refusal.kind, "exit_code": UNCHECKED}, refusal.status, refusal.headers


def _where(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
