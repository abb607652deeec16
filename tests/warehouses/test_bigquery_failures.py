"""What errors of BigQuery mean, by the texts of production."""

import pytest
from google.api_core import exceptions as google
from google.cloud.bigquery.job import base

from phasegate.errors import Ambiguous, BadInput, Conflict, PhasegateError, Unavailable
from phasegate.warehouses.bigquery.failures import JobPurpose, explained, is_missing

ADDRESS = "bigquery://nba-props/phasegate"
SERIALIZE = "Could not serialize access to table nba-props:nba.games due to concurrent update"
ABORTED = (
    "Query error: Transaction is aborted due to concurrent update against table nba-props:nba.games. "
    "Transaction ID: 61e30eea-0000-2dab-8e60-94eb2c1b1a92 at [24:9]"
)


def of_job(reason: str, message: str) -> Exception:
    """Give what the client raises for a job that has failed."""
    error: Exception = base._error_result_to_exception({"reason": reason, "message": message, "location": "q"})
    return error


def of_request(status: int, reason: str, message: str) -> Exception:
    """Give what the client raises for a request that was refused."""
    errors = [{"reason": reason, "message": message, "domain": "global"}]
    error: Exception = google.from_http_status(status, f"POST https://bigquery…/jobs: {message}", errors=errors)
    return error


WRITES: list[tuple[Exception, type[PhasegateError], str]] = [
    (of_job("invalidQuery", SERIALIZE), Conflict, "read again"),
    (of_job("invalidQuery", ABORTED), Conflict, "read again"),
    (of_job("jobInternalError", ABORTED), Conflict, "read again"),
    (of_job("invalidQuery", "Unrecognized name: pionts at [3:8]"), BadInput, "write of nba.games: Unrecognized name"),
    (of_job("invalidQuery", "Bad int64 value: seven"), BadInput, "Bad int64 value: seven"),
    (of_job("notFound", "Not found: Table nba-props:nba.games was not found in location EU"), BadInput, "location EU"),
    (of_job("accessDenied", "Access Denied: Table nba-props:nba.games: User does not have permission"), Unavailable,
     "On BigQuery"),
    (of_request(403, "accessDenied", "Access Denied: Project nba-props: User does not have bigquery.jobs.create"),
     Unavailable, "grant it"),
    (of_request(401, "", "Request had invalid authentication credentials."), Unavailable, "grant it"),
    (of_job("bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: 10485760. 20971520 or higher needed."),
     Unavailable, "maximum_bytes_billed"),
    (of_request(403, "quotaExceeded", "Exceeded rate limits: too many table update operations for this table"),
     Unavailable, "out of quota"),
    (of_job("rateLimitExceeded", "Exceeded rate limits: too many concurrent queries for this project"), Unavailable,
     "too often"),
    (of_request(403, "rateLimitExceeded", "Exceeded rate limits: too many api requests per user per method"),
     Unavailable, "too often"),
    (of_job("resourcesExceeded", "Resources exceeded during query execution: the query could not be executed in the "
            "allotted memory"), Unavailable, "split the partition"),
    (of_job("timeout", "Job timed out after 3600s"), Unavailable, "query_timeout_s"),
    (of_job("billingNotEnabled", "Billing has not been enabled for this project"), Unavailable, "enable it"),
    (of_job("backendError", "Error encountered during execution. Retrying may solve the problem."), Ambiguous,
     "may or may"),
    (of_job("internalError", "An internal error occurred and the request could not be completed."), Ambiguous,
     "may or may"),
    (of_job("stopped", "Job execution was cancelled: User requested cancellation"), Ambiguous, "may or may"),
    (google.ServiceUnavailable("503 The service is currently unavailable."), Ambiguous, "may or may"),
    (ConnectionResetError("Connection reset by peer"), Ambiguous, "Connection reset"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "kind", "text"), WRITES, ids=lambda one: one if isinstance(one, str) else None)
def test_a_write_that_failed_is_what_its_reason_says(error: Exception, kind: type[PhasegateError], text: str) -> None:
    found = explained(error, what="write of nba.games", address=ADDRESS, purpose="write")
    assert type(found) is kind
    assert text in str(found)
    assert "\n" not in str(found)
    assert "POST https" not in str(found)


@pytest.mark.parametrize("error", [one for one, kind, _ in WRITES if kind is Ambiguous])
def test_a_read_is_never_ambiguous(error: Exception) -> None:
    purpose: JobPurpose = "read"
    found = explained(error, what="count of nba.games", address=ADDRESS, purpose=purpose)
    assert isinstance(found, Unavailable)
    assert "try again" in str(found)


def test_what_is_missing_is_not_what_is_forbidden() -> None:
    assert is_missing(google.NotFound("404 GET https://…: Not found: Table nba-props:nba.games"))
    assert not is_missing(google.Forbidden("403 GET https://…: Access Denied"))
