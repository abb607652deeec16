"""Events of OpenLineage: what is sent, to a server or a file, and that each is valid."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from phasegate import Pipeline, connect
from phasegate.errors import BadInput, Unavailable
from phasegate.observe.lineage import datasets_of
from tests.support.http_server import Answers, Server, serving
from tests.support.openlineage import check_event
from tests.support.pipelines import Told

RUN = "2026-02-03.daily"
PLAN = """
pipeline = "shop"
timezone = "America/New_York"

[phase.load]
[phase.report]
after = "load"

[step.orders]
phase = "load"
external = true
table = "raw.orders"
key = ["day", "id"]
partition = "day"
write = "replace"
columns = { day = "DATE", id = "INTEGER" }

[step.totals]
phase = "report"
needs = ["load.orders", { step = "load.orders", back = "3d" }]
sql = "totals.sql"
table = "out.totals"
key = ["day"]
partition = "day"
attempts_max = 1

[step.letter]
phase = "report"
needs = ["totals"]
command = "echo rows=1"
"""

SQL = "SELECT day, count(*)::INTEGER AS orders FROM raw.orders WHERE day = $run_date::DATE GROUP BY day"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    (tmp_path / "plan.toml").write_text(PLAN)
    (tmp_path / "totals.sql").write_text(SQL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as made:
        monkeypatch.setenv("OPENLINEAGE_URL", f"{made.url}/")
        yield made


@contextmanager
def opened(told: Told | None = None) -> Iterator[Pipeline]:
    with closing(connect("plan.toml", observer=told or Told())) as made:
        yield made


def load(pipeline: Pipeline, rows: int) -> None:
    with pipeline.begin(RUN, step="orders") as run:
        run.write([{"day": "2026-02-03", "id": number} for number in range(rows)])
        run.complete()


def of(events: list[Any], step: str) -> list[Any]:
    return [one for one in events if one["job"]["name"] == step]


def test_each_attempt_is_a_run_of_its_step_with_its_datasets(server: Server, tmp_path: Path) -> None:
    with opened() as pipeline:
        load(pipeline, 2)
        pipeline.work_until_idle()
    for event in server.bodies:
        check_event(event)
    assert [(one["job"]["name"], one["eventType"]) for one in server.bodies] == [
        (name, kind) for name in ("orders", "totals", "letter") for kind in ("START", "COMPLETE")
    ]
    assert {(said.method, said.path) for said in server.said} == {("POST", "/api/v1/lineage")}
    start, complete = of(server.bodies, "totals")
    assert start["run"]["runId"] == complete["run"]["runId"]
    assert start["eventTime"] < complete["eventTime"]
    assert complete["job"]["namespace"] == "shop"
    assert complete["run"]["facets"]["nominalTime"]["nominalStartTime"] == "2026-02-03T05:00:00.000Z"
    assert complete["job"]["facets"]["sql"]["query"] == SQL
    namespace = f"duckdb://{tmp_path}/.phasegate/warehouse.duckdb"
    (output,) = complete["outputs"]
    assert (output["namespace"], output["name"]) == (namespace, "warehouse.out.totals")
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 1
    assert output["outputFacets"]["subset"]["outputCondition"]["partitions"] == [
        {"dimensions": {"day": "2026-02-03"}, "identifier": "2026-02-03"}
    ]
    assert output["facets"]["version"]["datasetVersion"].startswith("1-")
    assert "outputStatistics" not in start["outputs"][0]["outputFacets"]
    of_date, window = complete["inputs"]
    assert {of_date["name"], window["name"]} == {"warehouse.raw.orders"}
    assert of_date["inputFacets"]["inputStatistics"]["rowCount"] == 2
    assert of_date["facets"]["version"] == of(server.bodies, "orders")[1]["outputs"][0]["facets"]["version"]
    assert (window["inputFacets"], "version" in window["facets"]) == ({}, False)
    assert of(server.bodies, "letter")[1]["outputs"] == []


def test_a_failed_attempt_is_a_failed_run_with_its_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "totals.sql").write_text("SELECT day, error('boom')::INTEGER AS orders FROM raw.orders")
    with opened() as pipeline:
        load(pipeline, 2)
        pipeline.work_until_idle(units_max=10)
    for event in server.bodies:
        check_event(event)
    _, failed = of(server.bodies, "totals")
    assert failed["eventType"] == "FAIL"
    assert "boom" in failed["run"]["facets"]["errorMessage"]["message"]


def test_an_attempt_without_a_report_is_an_aborted_run(server: Server) -> None:
    with opened() as pipeline, pytest.raises(Unavailable), pipeline.begin(RUN, step="orders"):
        raise Unavailable("the source is down")
    for event in server.bodies:
        check_event(event)
    assert [one["eventType"] for one in server.bodies] == ["START", "ABORT"]


def test_a_second_attempt_is_another_run(server: Server) -> None:
    with opened() as pipeline:
        load(pipeline, 2)
        load(pipeline, 3)
    runs = [one["run"]["runId"] for one in server.bodies]
    assert (runs[0], runs[2]) == (runs[1], runs[3])
    assert runs[0] != runs[2]


def test_the_key_and_the_endpoint_are_those_of_openlineages_own_variables(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_ENDPOINT", "lineage/here")
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "secret")
    with opened() as pipeline:
        load(pipeline, 2)
    assert {said.path for said in server.said} == {"/lineage/here"}
    assert {said.headers["Authorization"] for said in server.said} == {"Bearer secret"}


def test_events_may_go_to_a_file_one_in_a_line(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(tmp_path / "lineage.ndjson"))
    for _ in range(2):
        with opened() as pipeline:
            load(pipeline, 2)
    events = [json.loads(line) for line in (tmp_path / "lineage.ndjson").read_text().splitlines()]
    for event in events:
        check_event(event)
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"] * 2
    assert server.said == []


def test_a_file_that_cannot_be_written_is_one_line(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del server
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(tmp_path))
    told = Told()
    with opened(told) as pipeline:
        load(pipeline, 2)
    assert told.of("signals lost") == [{"to": "lineage", "error": f"{tmp_path}: Is a directory"}]


def test_a_server_that_is_down_costs_one_line_without_the_key_and_no_work(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers, told = Answers(500), Told()
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "secret")
    with opened(told) as pipeline:
        load(pipeline, 2)
        pipeline.work_until_idle()
        assert pipeline.tables()["out.totals"].rows == 1
    assert told.of("signals lost") == [{"to": "lineage", "error": "127.0.0.1 answered 500"}]
    assert "secret" not in str(told.events)


def test_lineage_that_is_off_sends_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    with opened() as pipeline:
        load(pipeline, 2)
    assert server.said == []


@pytest.mark.usefixtures("server")
def test_an_address_that_is_none_is_refused_when_the_pipeline_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "marquez:5000")
    with pytest.raises(BadInput, match="OPENLINEAGE_URL: is no URL that begins with https:// or http://"):
        connect("plan.toml")


@pytest.mark.parametrize(
    ("url", "namespace", "prefix"),
    [
        ("postgresql://me:p%40ss@db.example.org:6432/nba", "postgres://db.example.org:6432", "nba."),
        ("postgresql://one,two:5433/nba?password=x", "postgres://one:5432,two:5433", "nba."),
        ("postgresql:///nba?host=/run/postgresql", "postgres://localhost:5432", "nba."),
        ("postgresql://[::1]/nba", "postgres://[::1]:5432", "nba."),
    ],
)
def test_the_datasets_of_a_database_are_named_without_its_secrets(url: str, namespace: str, prefix: str) -> None:
    assert (datasets_of(url).namespace, datasets_of(url).prefix) == (namespace, prefix)


def without(event: Any) -> None:
    del event["run"]["runId"]


def with_more(event: Any) -> None:
    event["outputs"][0]["outputFacets"]["subset"]["more"] = 1


def other_type(event: Any) -> None:
    event["outputs"][0]["facets"]["version"]["datasetVersion"] = 3


def other_schema(event: Any) -> None:
    event["job"]["facets"]["jobType"]["_schemaURL"] = "https://example.org"


def no_uuid(event: Any) -> None:
    event["run"]["runId"] = "write-7"


@pytest.mark.parametrize("spoil", [without, with_more, other_type, other_schema, no_uuid])
def test_an_event_that_is_not_valid_is_found(server: Server, spoil: Callable[[Any], None]) -> None:
    with opened() as pipeline:
        load(pipeline, 2)
    event = copy.deepcopy(server.bodies[1])
    check_event(event)
    spoil(event)
    with pytest.raises((TypeError, KeyError, ValueError, AssertionError)):
        check_event(event)
