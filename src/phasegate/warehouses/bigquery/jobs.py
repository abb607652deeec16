"""Runs jobs of BigQuery: one client, each job under an id of its own.

A request that goes unanswered is sent again under the same id, so that a job that has begun is found and not run twice.
"""

import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from phasegate.errors import BadInput, PhasegateError, Unavailable
from phasegate.gcp.bigquery_address import BigQueryAddress
from phasegate.warehouses.bigquery.dialect import named, plain_type
from phasegate.warehouses.bigquery.failures import JobPurpose, explained, is_missing
from phasegate.warehouses.sql.session import Bound

if TYPE_CHECKING:
    from google.cloud import bigquery

# Sent again this often, and then given up.
TRIES_MAX, PAUSE_S = 5, 0.5
REQUEST_TIMEOUT_S = 60.0
QUERY_TIMEOUT_S = 3600.0
_LABEL_MAX = 63
_KINDS = {bool: "BOOL", int: "INT64", float: "FLOAT64", str: "STRING", datetime: "DATETIME", date: "DATE"}


class Job(NamedTuple):
    """A script that is run.

    ``what`` names it in errors. ``session``: to run in; ``begins``: a new one begins. ``id``: of the job, "" for any.
    """

    script: str
    bound: Bound
    what: str
    labels: Mapping[str, str]
    purpose: JobPurpose = "read"
    session: str | None = None
    begins: bool = False
    id: str = ""


class Done:
    """What a job has returned."""

    def __init__(self, rows: Sequence[tuple[Any, ...]], names: Sequence[str], job: "bigquery.QueryJob") -> None:
        self.rows, self.names = rows, names
        self.changed = int(job.num_dml_affected_rows or 0)
        self.bytes_billed = int(job.total_bytes_billed or 0)
        self.session = job.session_info.session_id if job.session_info else None


class Running:
    """The job that runs for one user, so that another thread can stop it."""

    def __init__(self) -> None:
        self.job: bigquery.QueryJob | None = None
        self.stopped: PhasegateError | None = None

    def stop(self) -> None:
        """Stop what runs; whatever would be run later fails."""
        self.stopped = self.stopped or Unavailable("the transaction was interrupted; nothing was written")
        with suppress(Exception):  # the job may have ended; whether it was stopped its result says
            if self.job is not None:
                self.job.cancel(retry=None, timeout=5.0)

    def check(self) -> None:
        """Raise Unavailable once it was stopped."""
        if self.stopped is not None:
            raise self.stopped


class Jobs:
    """The jobs of one warehouse.

    ``timeout_s``: a job that takes longer is stopped. ``count``: how many were run.
    """

    def __init__(self, address: BigQueryAddress, *, timeout_s: float = QUERY_TIMEOUT_S) -> None:
        self.address, self._timeout_s = address, timeout_s
        self._client: bigquery.Client | None = None
        self._lock = threading.Lock()
        self.count = 0

    @property
    def client(self) -> "bigquery.Client":
        """Return the client, which is made on first use.

        Raises BadInput without Google's library, Unavailable without credentials.
        """
        with self._lock:
            if self._client is None:
                self._client = _client(self.address)
            return self._client

    def run(self, job: Job, /, *, running: Running | None = None) -> Done:
        """Run a script and return what its last SELECT found.

        Raises BadInput, Conflict, Ambiguous, Unavailable.
        """
        from google.cloud import bigquery

        running = running or Running()
        text, values = as_sent(job)
        config = bigquery.QueryJobConfig(
            query_parameters=values, labels=_labels(job.labels), default_dataset=self._dataset,
            job_timeout_ms=int(self._timeout_s * 1000),
        )  # fmt: skip
        if self.address.bytes_max is not None:
            config.maximum_bytes_billed = self.address.bytes_max
        if job.begins:
            config.create_session = True
        if job.session is not None:
            config.connection_properties = [bigquery.ConnectionProperty("session_id", job.session)]
        try:
            running.check()
            self.count += 1
            running.job = self._begun(text, config, job_id=job.id or f"phasegate_{uuid.uuid4().hex}")
            if running.stopped is not None:
                running.stop()
            found = running.job.result()
            names = [field.name for field in found.schema or ()]
            return Done([tuple(row.values()) for row in found] if names else [], names, running.job)
        except PhasegateError:
            raise
        except Exception as error:
            running.check()
            raise self.failure(error, what=job.what, purpose=job.purpose) from error
        finally:
            running.job = None

    def forget(self, script: str, /, *, session: str) -> None:
        """Run a script in a session, and wait for no answer."""
        from google.cloud import bigquery

        properties = [bigquery.ConnectionProperty("session_id", session)]
        with suppress(Exception):  # the session ends by itself, too
            self.client.query(
                script, bigquery.QueryJobConfig(connection_properties=properties), job_retry=None, timeout=5.0
            )

    def described(self, text: str, bound: Bound, /, *, what: str) -> tuple[dict[str, str], int]:
        """Return the columns of a SELECT, and how many bytes it would read.

        Nothing is run. Raises BadInput, Unavailable.
        """
        from google.cloud import bigquery

        script, values = as_sent(Job(text, bound, what, {}))
        config = bigquery.QueryJobConfig(
            query_parameters=values, dry_run=True, use_query_cache=False, default_dataset=self._dataset
        )
        try:
            job = self.client.query(script, config, job_retry=None, timeout=REQUEST_TIMEOUT_S)
        except PhasegateError:
            raise
        except Exception as error:
            raise self.failure(error, what=what, purpose="read") from error
        return columns_of(job.schema or ()), int(job.total_bytes_processed or 0)

    def columns(self, dataset: str, table: str, /) -> dict[str, str]:
        """Return the columns of a table and their types; {} for a missing one."""
        try:
            found = self.client.get_table(f"{self.address.project}.{dataset}.{table}", timeout=REQUEST_TIMEOUT_S)
        except PhasegateError:
            raise
        except Exception as error:
            if is_missing(error):
                return {}
            raise self.failure(error, what=f"table {dataset}.{table}", purpose="read") from error
        return columns_of(found.schema)

    def failure(self, error: Exception, /, *, what: str, purpose: JobPurpose) -> PhasegateError:
        """Return what an error of the client means."""
        return explained(error, what=what, address=self.address.shown, purpose=purpose)

    def close(self) -> None:
        """Close the client; the next use makes another."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    @property
    def _dataset(self) -> "bigquery.DatasetReference":
        from google.cloud import bigquery

        return bigquery.DatasetReference(self.address.project, self.address.dataset)

    def _begun(self, text: str, config: "bigquery.QueryJobConfig", *, job_id: str) -> "bigquery.QueryJob":
        """Return the job of this id, which is begun if there is none.

        The answer to a request may be lost: then the job is there already when it is asked for again.
        """
        from google.api_core.exceptions import Conflict as Exists
        from google.api_core.exceptions import ServerError

        for attempt in range(TRIES_MAX):
            try:
                return self.client.query(
                    text, config, job_id=job_id, job_retry=None, retry=_never(), timeout=REQUEST_TIMEOUT_S
                )
            except Exists:
                return cast("bigquery.QueryJob", self.client.get_job(job_id, timeout=REQUEST_TIMEOUT_S))
            except (ServerError, OSError) as error:
                if attempt == TRIES_MAX - 1:
                    raise error
                time.sleep(PAUSE_S * 2**attempt)
        raise AssertionError("the last attempt returns or raises")


def _never() -> Any:
    """Return how the client retries a request: never; see ``_begun``."""
    return None


def _client(address: BigQueryAddress) -> "bigquery.Client":
    try:
        from google.cloud import bigquery
    except ImportError as error:
        raise BadInput(
            f"the warehouse {address.shown} needs Google's library ({error}); run: pip install 'phasegate[google]'"
        ) from error
    import os

    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import GoogleAuthError

    # The client finds the emulator by this variable; it asks for no credentials.
    credentials = AnonymousCredentials() if os.environ.get("BIGQUERY_EMULATOR_HOST") else None
    try:
        return bigquery.Client(project=address.project, credentials=credentials, location=address.location)
    except GoogleAuthError as error:
        mend = "run: gcloud auth application-default login, or give the process a service account"
        raise Unavailable(f"warehouse {address.shown} is without credentials ({error}); {mend}") from error


def columns_of(schema: Sequence["bigquery.SchemaField"], /) -> dict[str, str]:
    """Return columns and their types in the words of a plan."""
    return {
        field.name: plain_type(field.field_type, precision=field.precision, scale=field.scale)
        + ("[]" if field.mode == "REPEATED" else "")
        for field in schema
    }


def as_sent(job: Job, /) -> tuple[str, "list[Any]"]:
    """Return a script as BigQuery spells it, and its parameters.

    Raises BadInput for a parameter without a value.
    """
    from google.cloud import bigquery

    text, names = named(job.script)
    values: list[Any] = []
    for name in names:
        if name not in job.bound:
            raise BadInput(f"{job.what}: Values were not provided for the parameter ${name}")
        value: Any = job.bound[name]
        if isinstance(value, (list, tuple)):
            values.append(bigquery.ArrayQueryParameter(name, "STRING", list(value)))
            continue
        zoned = isinstance(value, datetime) and value.tzinfo is not None
        kind = "TIMESTAMP" if zoned else _KINDS.get(type(value), "STRING")
        values.append(
            bigquery.ScalarQueryParameter(name, kind, value if value is None or type(value) in _KINDS else str(value))
        )
    return text, values


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels as BigQuery takes them: few signs, and short."""
    plain = {
        name: "".join(c if c.isalnum() or c in "-_" else "-" for c in value.lower()) for name, value in labels.items()
    }
    return {name: value[:_LABEL_MAX] for name, value in plain.items()}
