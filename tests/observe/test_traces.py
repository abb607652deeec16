"""Traces, as a real receiver of OTLP gets them from real processes."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from phasegate import Pipeline, connect
from phasegate.base.receipt import Stamp
from phasegate.observe.sender import CLOSE_S
from phasegate.observe.traces import phase_span, result_span, trace_of
from tests.support.otlp import Receiver, receiving
from tests.support.pipelines import Told

RUN = "2026-02-03.daily"
PLAN = """
pipeline = "shop"
timezone = "UTC"

[phase.load]
[phase.rate]
[phase.report]
after = ["load", "rate"]
[phase.publish]
after = "report"

[step.orders]
phase = "load"
external = true

[step.rates]
phase = "rate"
external = true

[step.totals]
phase = "report"
needs = ["load.orders", "rate.rates"]
sql = "totals.sql"
table = "out.totals"
key = ["day"]
partition = "day"

[step.counts]
phase = "report"
needs = ["load.orders"]
sql = "counts.sql"
table = "out.counts"
key = ["day"]
partition = "day"

[step.approval]
phase = "report"
needs = ["totals"]
external = true

[step.letter]
phase = "publish"
needs = ["report.totals", "report.approval"]
command = "echo rows=2"
"""

FILES = {
    "plan.toml": PLAN,
    "totals.sql": "SELECT $run_date::DATE AS day, 3 AS amount",
    "counts.sql": "SELECT $run_date::DATE AS day, 2 AS count",
}


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with receiving() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
        yield made


def phasegate(*arguments: str) -> str:
    """Run a command in a process of its own; return what it says on standard error."""
    done = subprocess.run([sys.executable, "-m", "phasegate", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stderr


@contextmanager
def opened(told: Told | None = None) -> Iterator[Pipeline]:
    with closing(connect("plan.toml", observer=told or Told())) as made:
        yield made


def report(pipeline: Pipeline, step: str, execution: str, *, run: str = RUN) -> None:
    pipeline.complete({"step": step, "run": run, "execution_id": execution})


def number(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def test_a_run_through_several_processes_is_one_trace(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
    phasegate("complete", "orders", "--run", RUN, "--execution-id", "o1")
    phasegate("complete", "rates", "--run", RUN, "--execution-id", "r1")
    phasegate("worker", "--until-idle")
    phasegate("complete", "approval", "--run", RUN, "--execution-id", "a1")
    phasegate("worker", "--until-idle")
    assert sorted(span.name for span in receiver.spans) == [
        "phase load", "phase publish", "phase rate", "phase report", "result approval", "result orders",
        "result rates", "step counts", "step letter", "step totals",
    ]  # fmt: skip
    assert {number(span.trace) for span in receiver.spans} == {trace_of("shop", RUN)}
    assert len({span.id for span in receiver.spans}) == len(receiver.spans)
    assert {span.service for span in receiver.spans} == {"nightly"}
    assert set(receiver.paths) == {"/v1/traces"}

    parents = {span.name: span.parent for span in receiver.spans}
    ids = {span.name: span.id for span in receiver.spans}
    assert parents == {
        "phase load": b"", "result orders": ids["phase load"],
        "phase rate": b"", "result rates": ids["phase rate"],
        "phase report": ids["phase load"],
        "step totals": ids["phase report"], "step counts": ids["phase report"], "result approval": ids["phase report"],
        "phase publish": ids["phase report"], "step letter": ids["phase publish"],
    }  # fmt: skip

    links = {name: [span for _, span in receiver.one(name).links] for name in ids}
    assert links["phase load"] == [ids["result orders"]]
    assert links["phase rate"] == [ids["result rates"]]
    assert links["phase report"] == [ids["phase rate"], ids["result approval"], ids["step counts"], ids["step totals"]]
    assert links["phase publish"] == [ids["step letter"]]
    assert links["step totals"] == []

    totals, report = receiver.one("step totals"), receiver.one("phase report")
    assert report.since <= totals.since < totals.until <= report.until
    assert {name: totals.values[f"phasegate.{name}"] for name in ("run", "outcome", "rows", "attempt")} == {
        "run": RUN, "outcome": "accepted", "rows": 1, "attempt": 1,
    }  # fmt: skip
    assert totals.error == ""


def test_a_later_generation_is_in_the_same_trace_and_carries_what_has_not_changed(receiver: Receiver) -> None:
    with opened() as pipeline:
        report(pipeline, "orders", "o1")
        report(pipeline, "rates", "r1")
    with opened() as pipeline:
        report(pipeline, "orders", "o2")
    assert {number(span.trace) for span in receiver.spans} == {trace_of("shop", RUN)}
    first, again = [span for span in receiver.spans if span.name == "phase load"]
    assert (first.id, again.id) == tuple(
        phase_span("shop", RUN, "load", generation=n).to_bytes(8, "big") for n in (1, 2)
    )
    reported = result_span("shop", RUN, "orders", stamp=Stamp("id:o2"))
    assert again.links == [(again.trace, reported.to_bytes(8, "big"))]


def test_a_failed_attempt_is_a_span_with_its_error(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "totals.sql").write_text("SELECT $run_date::DATE AS day, error('no such thing')::INTEGER AS amount")
    with opened() as pipeline:
        report(pipeline, "orders", "o1")
        report(pipeline, "rates", "r1")
        pipeline.work_until_idle(units_max=10)
    failed = receiver.one("step totals")
    assert "no such thing" in failed.error
    assert number(failed.parent) == phase_span("shop", RUN, "report", generation=1)


@pytest.mark.usefixtures("receiver")
def test_a_dead_receiver_costs_one_line_and_no_work(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    told = Told()
    with opened(told) as pipeline:
        report(pipeline, "orders", "o1")
        report(pipeline, "rates", "r1")
    with opened(told) as pipeline:
        pipeline.work_until_idle(units_max=10)
        assert pipeline.tables()["out.totals"].rows == 1
    line = {"to": "traces", "error": "127.0.0.1 did not take them; is OTEL_EXPORTER_OTLP_ENDPOINT right?"}
    assert told.of("signals lost") == [line, line], "one for each of the two"
    assert capfd.readouterr().err == "", "OpenTelemetry's own log is not printed"


@pytest.mark.usefixtures("receiver")
def test_the_end_of_a_process_waits_for_a_silent_receiver_but_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        told = Told()
        pipeline = connect("plan.toml", observer=told)
        report(pipeline, "orders", "o1")
        began = time.monotonic()
        pipeline.close()
        assert time.monotonic() - began < 3 * CLOSE_S
        assert "not all was sent" in str(told.of("signals lost"))


def test_a_refusing_receiver_is_reported_once_by_its_host(receiver: Receiver) -> None:
    receiver.status, told = 400, Told()
    with opened(told) as pipeline:
        report(pipeline, "orders", "o1")
        report(pipeline, "rates", "r1")
    assert told.of("signals lost") == [
        {"to": "traces", "error": "127.0.0.1 did not take them; is OTEL_EXPORTER_OTLP_ENDPOINT right?"}
    ]


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_SAMPLER": "always_off"},
    ],
)
def test_traces_that_are_off_send_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with opened() as pipeline:
        report(pipeline, "orders", "o1")
    assert receiver.paths == []


def test_a_ratio_keeps_or_leaves_out_a_whole_trace(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    with opened() as pipeline:
        for day in range(1, 21):
            report(pipeline, "orders", "o1", run=f"2026-01-{day:02}.daily")
    kept = [span.trace for span in receiver.spans]
    assert 0 < len(set(kept)) < 20
    assert {kept.count(trace) for trace in kept} == {2}


def test_another_protocol_is_reported_and_the_work_goes_on(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    told = Told()
    with opened(told) as pipeline:
        report(pipeline, "orders", "o1")
    (line,) = told.of("signals lost")
    assert "the protocol grpc is not supported; set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf" in str(line)
    assert receiver.paths == []


def test_without_the_library_there_is_one_line_that_says_what_to_install(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "phasegate.observe.traces", None)
    told = Told()
    with opened(told) as pipeline:
        report(pipeline, "orders", "o1")
    assert "pip install 'phasegate[opentelemetry]'" in str(told.of("signals lost"))
    assert receiver.paths == []


def test_nothing_of_opentelemetry_is_imported_while_traces_are_off(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    code = f"""
import sys
from contextlib import closing
from phasegate import connect
with closing(connect("plan.toml")) as pipeline:
    pipeline.complete({{"step": "orders", "run": "{RUN}", "execution_id": "o1"}})
print([name for name in sys.modules if "opentelemetry" in name or name == "phasegate.observe.lineage"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]"


def test_ids_are_those_of_any_process_and_differ_by_what_they_name() -> None:
    assert trace_of("shop", RUN) == 0x700754472E66954E31DCCAD4006E458E
    ids = {
        phase_span("shop", RUN, "load", generation=1), phase_span("shop", RUN, "load", generation=2),
        phase_span("shop", RUN, "rate", generation=1), phase_span("shop", "2026-02-04.daily", "load", generation=1),
        result_span("shop", RUN, "load", stamp=Stamp("1", 1)), result_span("shop", RUN, "load", stamp=Stamp("1", 2)),
    }  # fmt: skip
    assert len(ids) == 6
