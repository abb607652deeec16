"""Events of OpenLineage: each attempt is a run of its step.

It has a START, and then a COMPLETE, FAIL or ABORT. The job is the step, in the pipeline's namespace; the datasets are
the tables that it reads and writes. Only facets of OpenLineage's own are used.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from phasegate.base.dates import local_time
from phasegate.base.fingerprint import counts_rows
from phasegate.base.receipt import Stamp
from phasegate.base.table import Table
from phasegate.observe.sender import Sender
from phasegate.observe.signals import AttemptSignal, FiringSignal, ResultSignal
from phasegate.plan.model import Plan, Step
from phasegate.ports import Observer

SPEC = "https://openlineage.io/spec"
RUN_EVENT = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
IDS = uuid.uuid5(uuid.NAMESPACE_URL, "https://openlineage.io/phasegate")
# Outcomes that say nothing of the step itself: its inputs changed, or there was no report.
ABORTED = ("parked", "lease lost", "interrupted")
Json = dict[str, Any]


class Datasets(msgspec.Struct, frozen=True):
    """The names that OpenLineage has for the tables of a warehouse.

    ``prefix``: what comes before a table's name.
    """

    namespace: str
    prefix: str


def datasets_of(warehouse: str, /) -> Datasets:
    """Return the names for a warehouse's URL; they hold no secret.

    >>> datasets_of("postgresql://me:secret@db.example.org/nba?sslmode=require")
    Datasets(namespace='postgres://db.example.org:5432', prefix='nba.')
    >>> datasets_of("duckdb:////data/nba.duckdb")
    Datasets(namespace='duckdb:///data/nba.duckdb', prefix='nba.')
    """
    if warehouse.startswith("postgresql:"):
        place = urlsplit(warehouse)
        given = place.netloc.rpartition("@")[2] or "localhost"
        hosts = [host if ":" in host.rpartition("]")[2] else f"{host}:5432" for host in given.split(",")]
        return Datasets(f"postgres://{','.join(hosts)}", f"{unquote(place.path.strip('/'))}.")
    path = Path(warehouse.partition(":///")[2]).absolute()
    return Datasets(f"duckdb://{path}", f"{path.stem}.")


class Lineage:
    """Makes run events of attempts, and sends each with ``send``.

    ``send`` returns why an event could not be sent, "" if it was.
    """

    def __init__(
        self, plan: Plan, *, datasets: Datasets, producer: str, send: Callable[[Json], str], observer: Observer
    ) -> None:
        self._plan, self._datasets, self._producer = plan, datasets, producer
        self._sender: Sender[Json] = Sender("lineage", lambda batch: send(batch[0]), observer=observer, batch_max=1)

    def begun(self, attempt: AttemptSignal, /) -> None:
        """Send START."""
        self._sender.put(self._event("START", attempt, at=attempt.at))

    def ended(self, attempt: AttemptSignal, /) -> None:
        """Send COMPLETE, FAIL or ABORT."""
        kind = "ABORT" if attempt.outcome in ABORTED else "FAIL" if attempt.error else "COMPLETE"
        self._sender.put(self._event(kind, attempt, at=attempt.at + attempt.seconds))

    def accepted(self, result: ResultSignal, /) -> None:
        """Do nothing: another program built it, and sends its own events."""

    def fired(self, firing: FiringSignal, /) -> None:
        """Do nothing: a firing builds no table."""

    def failed(self, error: str, /) -> None:
        """Report that an event could not be made."""
        self._sender.failed(error)

    def close(self) -> None:
        """Send what is queued, within a bounded time."""
        self._sender.close()

    def _event(self, kind: str, attempt: AttemptSignal, *, at: float) -> Json:
        step = self._plan.steps[attempt.step]
        date = attempt.run.partition(".")[0]
        number = uuid.uuid5(IDS, "\n".join(map(str, (self._plan.pipeline, attempt.run, step.name, attempt.request,
                                                     attempt.attempt, attempt.token, attempt.at))))  # fmt: skip
        return {
            "eventType": kind,
            "eventTime": _time(at),
            "producer": self._producer,
            "schemaURL": RUN_EVENT,
            "run": {"runId": str(number), "facets": self._run_facets(kind, attempt, date=date)},
            "job": {"namespace": self._plan.pipeline, "name": step.name, "facets": self._job_facets(step)},
            "inputs": self._inputs(step, attempt, date=date),
            "outputs": self._outputs(step, attempt, date=date),
        }

    def _facet(self, spec: str, /, **fields: object) -> Json:
        """Return a facet; ``spec``: its version and file, and its name there."""
        return {"_producer": self._producer, "_schemaURL": f"{SPEC}/facets/{spec}", **fields}

    def _run_facets(self, kind: str, attempt: AttemptSignal, *, date: str) -> Json:
        day = _time(local_time("00:00", date, timezone=self._plan.timezone))
        tags = {"run": attempt.run, "phase": attempt.phase, "generation": attempt.generation,
                "attempt": attempt.attempt, "token": attempt.token, "request": attempt.request}  # fmt: skip
        facets = {
            "nominalTime": self._facet("1-0-1/NominalTimeRunFacet.json#/$defs/NominalTimeRunFacet",
                                       nominalStartTime=day),
            "tags": self._facet("1-0-0/TagsRunFacet.json#/$defs/TagsRunFacet",
                                tags=[{"key": f"phasegate.{key}", "value": str(value), "source": "PHASEGATE"}
                                      for key, value in tags.items() if value != ""]),
        }  # fmt: skip
        if kind in ("FAIL", "ABORT") and attempt.error:
            facets["errorMessage"] = self._facet("1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet",
                                                 message=attempt.error, programmingLanguage="PYTHON")  # fmt: skip
        return facets

    def _job_facets(self, step: Step) -> Json:
        facets = {"jobType": self._facet("2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet", processingType="BATCH",
                                         integration="PHASEGATE", jobType="STEP")}  # fmt: skip
        if step.sql:
            facets["sql"] = self._facet("1-1-0/SQLJobFacet.json#/$defs/SQLJobFacet", query=step.sql,
                                        dialect=step.dialect)  # fmt: skip
        return facets

    def _inputs(self, step: Step, attempt: AttemptSignal, *, date: str) -> Sequence[Json]:
        found = []
        for need in step.needs:
            table = self._plan.steps[need.step].table
            if table is None:
                continue
            stamp = None if need.back else attempt.inputs.get(str(need))
            facets: Json = {}
            if not need.back:
                facets["subset"] = self._facet("1-0-0/BaseSubsetDatasetFacet.json#/$defs/InputSubsetInputDatasetFacet",
                                               inputCondition=_partition(table, date))  # fmt: skip
            if stamp is not None and (rows := counts_rows(stamp.fingerprint)) is not None:
                facets["inputStatistics"] = self._facet(
                    "1-0-0/InputStatisticsInputDatasetFacet.json#/$defs/InputStatisticsInputDatasetFacet", rowCount=rows
                )
            found.append({**self._dataset(table, stamp=stamp), "inputFacets": facets})
        return found

    def _outputs(self, step: Step, attempt: AttemptSignal, *, date: str) -> Sequence[Json]:
        table, result = step.table, attempt.result
        if table is None:
            return []
        rows = attempt.rows if result is None or result.rows is None else result.rows
        facets: Json = {
            "subset": self._facet("1-0-0/BaseSubsetDatasetFacet.json#/$defs/OutputSubsetOutputDatasetFacet",
                                  outputCondition=_partition(table, date))
        }  # fmt: skip
        if rows is not None:
            facets["outputStatistics"] = self._facet(
                "1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet", rowCount=rows
            )
        stamp = None if result is None else Stamp(result.fingerprint, result.token)
        return [{**self._dataset(table, stamp=stamp), "outputFacets": facets}]

    def _dataset(self, table: Table, *, stamp: Stamp | None) -> Json:
        facets: Json = {}
        if stamp is not None:
            facets["version"] = self._facet(
                "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet",
                datasetVersion=stamp.fingerprint,
            )
        if table.columns:
            facets["schema"] = self._facet(
                "1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet",
                fields=[{"name": name, "type": kind} for name, kind in table.columns.items()],
            )
        named = {"namespace": self._datasets.namespace, "name": f"{self._datasets.prefix}{table.name}"}
        return {**named, "facets": facets}


def appended(path: Path, /) -> Callable[[Mapping[str, object]], str]:
    """Return what appends events to a file, one JSON object in a line."""

    def send(event: Mapping[str, object]) -> str:
        try:
            with path.open("ab") as file:
                file.write(msgspec.json.encode(event) + b"\n")
        except OSError as e:
            return f"{path}: {e.strerror}"
        return ""

    return send


def _partition(table: Table, date: str) -> Json:
    return {"type": "partition", "partitions": [{"dimensions": {table.partition: date}, "identifier": date}]}


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
