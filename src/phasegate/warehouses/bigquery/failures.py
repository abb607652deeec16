"""What BigQuery's errors mean for the caller: by reason and status.

The reason of a conflict is that of a wrong query: there alone the text decides. A job that has failed has rolled its
transaction back; whether a job without an answer has committed is unknown.
"""

from typing import Any, Literal

from phasegate.errors import Ambiguous, BadInput, Conflict, PhasegateError, Unavailable

JobPurpose = Literal["read", "write"]

# Texts of BigQuery, and of the server that stands in for it in tests.
_CONFLICTS = ("due to concurrent update", "Failed to commit DuckLake transaction")
_WRONG = ("invalidQuery", "invalid", "notFound", "resourceInUse")
# By reason: what a person does about it. None of these has started a statement, or all were rolled back.
_PROBLEMS = {
    "accessDenied": "not permitted ({error}); grant it to this account, as the page On BigQuery says",
    "billingNotEnabled": "without billing ({error}); enable it for the project",
    "bytesBilledLimitExceeded": "dearer than allowed ({error}); filter by the partition, or raise maximum_bytes_billed",
    "quotaExceeded": "out of quota ({error}); wait, or raise the quota",
    "rateLimitExceeded": "asked too often ({error}); try again later",
    "jobRateLimitExceeded": "asked too often ({error}); try again later",
    "resourcesExceeded": "too small for this statement ({error}); split the partition, or simplify the SELECT",
    "responseTooLarge": "asked for too much ({error}); read fewer rows",
    "timeout": "too slow: the job was stopped ({error}); raise query_timeout_s",
    "tableUnavailable": "not ready ({error}); try again",
    "blocked": "blocked ({error}); see the project's notices",
    "policyViolation": "kept from it by a policy ({error}); ask an administrator of the project",
}  # fmt: skip
_STATUSES = {401: "accessDenied", 403: "accessDenied", 429: "rateLimitExceeded"}


def explained(error: Exception, /, *, what: str, address: str, purpose: JobPurpose) -> PhasegateError:
    """Return what an error of Google's client means for the caller.

    ``what`` names the statement, ``address`` the warehouse.
    """
    reason, text = reason_of(error), one_line(error)
    if any(one in text for one in _CONFLICTS):
        return Conflict(f"{address}: {text}; read again, decide again")
    if reason in _WRONG:
        return BadInput(f"{what}: {text}")
    if reason in _PROBLEMS:
        return Unavailable(f"warehouse {address} is {_PROBLEMS[reason].format(error=text)}")
    if purpose == "write":
        return Ambiguous(f"{address}: {text}; the write may or may not have happened: read again")
    return Unavailable(f"warehouse {address} did not answer ({text}); try again")


def is_missing(error: Exception, /) -> bool:
    """Return whether an error says that something does not exist."""
    return reason_of(error) == "notFound" or getattr(error, "code", None) == 404


def reason_of(error: Exception, /) -> str:
    """Return BigQuery's word for an error, "" for an error without one."""
    errors: list[Any] = list(getattr(error, "errors", None) or ())
    reason = str(errors[0].get("reason") or "") if errors and isinstance(errors[0], dict) else ""
    if not reason:
        code = int(getattr(error, "code", None) or 0)
        reason = _STATUSES.get(code) or {400: "invalidQuery", 404: "notFound"}.get(code, "")
    return reason


def one_line(error: Exception, /) -> str:
    """Return an error's text as one line, without what the client adds."""
    errors: list[Any] = list(getattr(error, "errors", None) or ())
    said = str(errors[0].get("message") or "") if errors and isinstance(errors[0], dict) else ""
    return " ".join((said or str(getattr(error, "message", "") or error)).split()).rstrip(".") or type(error).__name__
