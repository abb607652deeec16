"""What errors of Google Cloud's services mean: by class, not by text."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from phasegate.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from google.api_core.retry import Retry

TIMEOUT_S = 10.0
RETRY_FIRST_S, RETRY_MAX_S = 0.1, 1.0
INSTALL = "pip install 'phasegate[google]'"
_LOGIN = "run: gcloud auth application-default login, or give the process a service account"
# By the code of gRPC.
_PROBLEMS = {
    "PERMISSION_DENIED": "not permitted ({error}); grant it to this account, as the page On Google Cloud says",
    "UNAUTHENTICATED": f"without valid credentials ({{error}}); {_LOGIN}",
    "RESOURCE_EXHAUSTED": "out of quota ({error}); raise it, or try again",
    "NOT_FOUND": "not there ({error}); {missing}",
    "FAILED_PRECONDITION": "not ready ({error}); see the page On Google Cloud",
}  # fmt: skip


@contextmanager
def importing(what: str, /) -> Iterator[None]:
    """Import Google's libraries, and find credentials, in the block.

    Raises BadInput where a library is missing, Unavailable where there are no credentials.
    """
    try:
        yield
    except ImportError as error:
        raise BadInput(f"{what} needs Google's libraries ({error}); run: {INSTALL}") from error
    except Exception as error:
        from google.auth.exceptions import GoogleAuthError

        if not isinstance(error, GoogleAuthError):
            raise
        raise Unavailable(f"{what} is without credentials ({one_line(error)}); {_LOGIN}") from error


def unusable(
    error: Exception, /, *, what: str, missing: str = "create it, as the page On Google Cloud says"
) -> Unavailable:  # fmt: skip
    """Return the error of a service that did not do what was asked.

    ``missing``: how to mend that it is not there.
    """
    text = _PROBLEMS.get(code_of(error), "not answering ({error}); try again")
    return Unavailable(f"{what} is {text.format(error=one_line(error), missing=missing)}")


def code_of(error: Exception, /) -> str:
    """Return the name of an error's code of gRPC, "" for an error without one."""
    code: object = getattr(error, "grpc_status_code", None)
    return str(getattr(code, "name", ""))


def one_line(error: Exception, /) -> str:
    """Return an error's text as one line."""
    text = str(getattr(error, "message", "") or error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__


def call_errors() -> "tuple[type[Exception], ...]":
    """Return the errors that a call of a service may raise."""
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError

    return GoogleAPICallError, RetryError, GoogleAuthError


def reading(timeout_s: float, /) -> "Retry":
    """Return how what changes nothing is retried: within the timeout."""
    from google.api_core import exceptions as e
    from google.api_core.retry import Retry, if_exception_type

    passing = if_exception_type(e.ServiceUnavailable, e.InternalServerError, e.Aborted, e.ResourceExhausted)
    return Retry(predicate=passing, initial=RETRY_FIRST_S, maximum=RETRY_MAX_S, timeout=timeout_s)
