"""The entry points on Google Cloud, on Google's emulators: the orchestrator, the processors' service, the monitor."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.night_services import command_of
from nba_props import PLAN, PLATFORM_PLAN
from nba_props.processors import PROCESSORS
from nba_props.sources.synthetic import THE_NIGHT, SyntheticSource
from phasegate import connect, read_plan
from phasegate.cli import run
from phasegate.cli.commands import COMMANDS
from tests.support.deployed import GCP, app_of, pulled, push
from tests.support.google import new_project
from tests.support.postgres import HOST, absent, free_port
from tests.support.real_data import ROOT

SMALL = """
pipeline = "nba"
timezone = "America/New_York"
[platform]
[phase.analytics]
sends = [{ topic = "nba-phase4-trigger", ack = "publish" }]
mirror = "phase3_completion/{game_date}"
[step.team_offense_game_summary]
phase = "analytics"
external = true
[step.player_game_summary]
phase = "analytics"
external = true
"""
RUN = f"{THE_NIGHT}.overnight"


def completion(processor: str, *, minute: int = 10, status: str = "success") -> dict[str, object]:
    return {
        "processor_name": processor, "phase": "phase_3_analytics", "execution_id": f"{processor}-{minute}",
        "correlation_id": "c-1", "game_date": str(THE_NIGHT), "output_table": "nba_analytics.x", "status": status,
        "record_count": 348, "timestamp": f"2026-02-04T06:{minute}:00+00:00",
    }  # fmt: skip


@pytest.fixture
def project(firestore: str, pubsub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a project of the emulators, whose settings this process and its children have."""
    assert firestore
    assert pubsub
    name = new_project()
    settings = {"STATE": str(tmp_path / "state"), "STORE": f"firestore://{name}", "BUS": f"pubsub://{name}"}
    for setting, value in settings.items():
        monkeypatch.setenv(f"PHASEGATE_{setting}", value)
    monkeypatch.chdir(tmp_path)
    return name


@pytest.fixture
def small(project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "plan.toml").write_text(SMALL)
    monkeypatch.setenv("PHASEGATE_PLAN", str(tmp_path / "plan.toml"))
    assert run(["init", "--bus", f"pubsub://{project}"]) == 0
    return project


def test_the_orchestrator_starts_the_next_phase_once_however_often_each_completion_comes(small: str) -> None:
    orchestrator = app_of("phase3_to_phase4", target="orchestrate")
    with pulled(small, "nba-phase4-trigger") as take:
        for number in range(3):
            for processor in ("TeamOffenseGameSummaryProcessor", "PlayerGameSummaryProcessor"):
                pushed = push(completion(processor), number=f"{processor}-{number}")
                assert orchestrator.post("/", json=pushed).status_code == 200
        sent = [one["message"]["attributes"]["ce-id"] for one in take()]
    assert sent == [f"trigger.nba.analytics.{THE_NIGHT}.daily.1.nba-phase4-trigger"]


def test_what_the_orchestrator_cannot_understand_is_in_quarantine_and_answered(
    small: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert small
    orchestrator = app_of("phase3_to_phase4", target="orchestrate")
    event = {"type": "t", "specversion": "1.0", "source": "s", "id": "1"}
    wrong = [push(completion("NoSuchProcessor"), number="1"), push(b"\xff{", number="2")]
    for body in wrong:
        assert orchestrator.post("/", json=body).status_code == 200
    no_envelope = orchestrator.post("/", json=[1], headers={f"ce-{name}": value for name, value in event.items()})
    assert no_envelope.status_code == 200
    capsys.readouterr()
    assert run(["dead", "--json"]) == 1
    reasons = [one["reason"] for one in json.loads(capsys.readouterr().out)["dead"]]
    assert len(reasons) == 3
    for words in ("no step for processor NoSuchProcessor", "message push.2: ", "no envelope of Pub/Sub"):
        assert any(words in reason for reason in reasons), reasons


def test_what_the_orchestrator_could_not_record_is_delivered_again(
    small: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert small
    monkeypatch.setenv("PHASEGATE_STORE", f"sqlite:///{tmp_path}/plan.toml")  # no database
    orchestrator = app_of("phase3_to_phase4", target="orchestrate")
    assert orchestrator.post("/", json=push(completion("PlayerGameSummaryProcessor"), number="1")).status_code == 500


def test_nothing_of_a_warehouse_is_imported_on_the_way_to_a_trigger(small: str) -> None:
    assert small
    bodies = [push(completion(one), number=one) for one in ("TeamOffenseGameSummaryProcessor",
                                                            "PlayerGameSummaryProcessor")]  # fmt: skip
    code = f"""
import gc, sys
sys.path.insert(0, {str(GCP / "phase3_to_phase4")!r})
import main
print(gc.isenabled(), gc.get_freeze_count() > 100_000, "google.cloud.firestore" in sys.modules)
from cloudevents.http import CloudEvent
for body in {bodies!r}:
    main.orchestrate(CloudEvent({{"type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "s"}}, body))
warehouses = ("google.cloud.bigquery", "duckdb", "pyarrow", "polars", "psycopg", "phasegate.web")
print([name for name in sys.modules if name.startswith(warehouses)])
"""
    there = {**os.environ, "PHASEGATE_WAREHOUSE": "bigquery://nba-props-test/phasegate"}
    done = subprocess.run([sys.executable, "-c", code], env=there, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True True True\n[]\n"), done.stderr
    (view,) = connect().views.why(f"{THE_NIGHT}.daily")
    assert view.generations[-1].number == 1


class OneNight(SyntheticSource):
    """The night alone."""

    def dates(self, first: date, last: date) -> list[date]:
        return [day for day in super().dates(first, last) if day == THE_NIGHT]


@pytest.fixture
def platform(project: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PHASEGATE_PLAN", str(PLATFORM_PLAN))
    monkeypatch.setenv("NBA_DATA", "synthetic")
    assert run(["init", "--bus", f"pubsub://{project}"]) == 0
    return project


def bring() -> None:
    """Bring the night's raw tables in, as the scrapers do."""
    source = OneNight()
    rows: dict[str, Any] = {
        "nbac_schedule": source.schedule(THE_NIGHT, THE_NIGHT),
        "odds_api_player_points_props": source.props(THE_NIGHT),
        "nbac_shot_chart": source.shots(THE_NIGHT),
        "nbac_gamebook_player_stats": source.batch(THE_NIGHT),
    }
    with closing(connect()) as pipeline:
        for step, batch in rows.items():
            with pipeline.begin(RUN, step=step) as begun:
                begun.write(batch)
                begun.complete()


def test_the_service_builds_the_five_tables_once_however_often_it_is_asked(platform: str) -> None:
    service = app_of("analytics", target="process")
    orchestrator = app_of("phase3_to_phase4", target="orchestrate")
    outcomes = []
    with (
        pulled(platform, "nba-phase3-trigger") as triggers, pulled(platform, "nba-phase3-requests") as requests,
        pulled(platform, "nba.completions") as reports, pulled(platform, "nba-phase4-trigger") as phase4,
    ):  # fmt: skip
        bring()
        for _ in range(4):
            asked = [*triggers(), *requests()] * 3
            outcomes += [service.post("/", json=body).status_code for body in asked]
            outcomes += [orchestrator.post("/", json=body).status_code for body in reports() * 3]
        started = {one["message"]["attributes"]["ce-id"].rpartition(".")[0] for one in phase4()}
    assert set(outcomes) == {200}
    assert started == {f"trigger.nba.analytics.{RUN}.1.precompute"}
    with closing(connect()) as pipeline:
        views = {view.phase: view for view in pipeline.views.why(RUN)}
        tables = pipeline.tables()
        receipts = pipeline.query("SELECT step, count(*) AS writes FROM phasegate.receipts GROUP BY step")
    assert views["analytics"].generations[-1].number == 1
    assert tables["nba_analytics.player_game_summary"].rows == 348
    written = {row["step"]: row["writes"] for row in receipts}
    assert {one.step: written[one.step] for one in PROCESSORS} == dict.fromkeys((one.step for one in PROCESSORS), 1)


def test_the_platforms_plan_has_the_tables_of_the_reference_plan() -> None:
    ours, theirs = read_plan(PLAN), read_plan(PLATFORM_PLAN)
    built = {one.step for one in PROCESSORS}
    assert set(theirs.steps) == set(ours.steps) - {"scraper_execution_log"}
    for name, step in theirs.steps.items():
        one, other = ours.steps[name], step
        assert (one.phase, one.needs, one.kind if name not in built else "external") == (
            other.phase, other.needs, other.kind
        )  # fmt: skip
        assert one.table is not None
        assert other.table is not None
        assert (one.table.name, one.table.key, one.table.scales) == (
            other.table.name, other.table.key, other.table.scales
        )  # fmt: skip
        assert one.code == other.code or name in built
        assert {one.step: set(one.PRIMARY_KEY_FIELDS) for one in PROCESSORS}.get(name, set(other.table.key)) == set(
            other.table.key
        )


@pytest.mark.slow
def test_the_gcloud_commands_of_the_pages_are_commands(tmp_path: Path) -> None:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        absent("no gcloud; install the Google Cloud CLI")
    pages = [(ROOT / "docs" / "how-to" / name).read_text() for name in ("on-google-cloud.md", "deploy.md")]
    commands = [line for page in pages for line in re.findall(r"^\$ (gcloud [^>|\n]*[^>|\n ])", page, re.MULTILINE)]
    commands = [*dict.fromkeys(commands)]
    assert len(commands) > 15
    wrong = "gcloud run deploy service --no-such-flag=1"
    (tmp_path / "commands.json").write_text(json.dumps([{"command_string": text} for text in (wrong, *commands)]))
    done = subprocess.run(
        [gcloud, "meta", "lint-gcloud-commands", f"--commands-file={tmp_path}/commands.json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    judged = {one["command_string"]: one["error_message"] for one in json.loads(done.stdout)}
    assert judged.pop(wrong), "what is no flag is found"
    assert {text: error for text, error in judged.items() if error} == {}
    assert len(judged) == len(commands)


@contextmanager
def started(folder: str, log: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Start a service by its Procfile; give its process and port, once it listens."""
    port = free_port()
    env = {**os.environ, "PORT": str(port), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = command_of(GCP / folder)
    where = GCP / folder if (GCP / folder / "main.py").exists() else Path.cwd()
    with log.open("wb") as out:
        service = subprocess.Popen(command, cwd=where, env=env, stderr=out, start_new_session=True)
    try:
        ends = time.monotonic() + 60
        while service.poll() is None and time.monotonic() < ends:
            with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                break
            time.sleep(0.05)
        else:
            raise AssertionError(log.read_text())
        yield service, port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(service.pid, signal.SIGKILL)
        service.wait(10)


def test_the_monitor_answers_what_the_scheduler_of_the_page_calls(
    small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert small
    page = (ROOT / "docs" / "how-to" / "on-google-cloud.md").read_text()
    paths = dict.fromkeys(re.findall(r"--uri=https://MONITOR(/[\w-]+)", page))
    jobs = tomllib.loads((GCP / "manifest.toml").read_text())["job"].values()
    assert set(paths) == {"/sweep", "/health-check-phase3", "/reconcile-phase3"} == {job["path"] for job in jobs}
    for job in jobs:
        assert f'--schedule="{job["schedule"]}"' in page
    capsys.readouterr()
    assert run(["tokens", "add", "scheduler", "--role", "operator"]) == 0
    token = capsys.readouterr().out.strip()
    with started("monitor", tmp_path / "log") as (_, port):
        for path in paths:
            answer = httpx.post(f"http://{HOST}:{port}{path}", content=b"{}", timeout=60,
                                headers={"Authorization": f"Bearer {token}"})  # fmt: skip
            assert "exit_code" in answer.json(), answer.text
            assert answer.json()["exit_code"] in (0, 2), "a plan without a calendar has dates that are unknown"
    for folder in ("phase3_to_phase4", "analytics", "monitor"):
        lines = (GCP / folder / "requirements.txt").read_text().split()
        assert [line for line in lines if line.startswith("phasegate[") and "google" in line]


EVERYWHERE = "0.0.0.0"  # noqa: S104  a container is reached from outside


@pytest.mark.parametrize("given", ["", "/workspace/our.toml"])
def test_the_monitor_has_the_platforms_plan_where_no_other_is_named(given: str, tmp_path: Path) -> None:
    (tmp_path / "phasegate").write_text('#!/bin/sh\nfor word; do echo "$word"; done\n')
    (tmp_path / "phasegate").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}", "PHASEGATE_PLAN": given}
    done = subprocess.run(
        command_of(GCP / "monitor"), env=env, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["--plan", given or str(PLATFORM_PLAN), "serve", "--host", EVERYWHERE]
    assert "serve" in COMMANDS


@pytest.mark.slow
def test_the_service_ends_within_ten_seconds_of_sigterm_whatever_is_in_hand(
    platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert platform
    with socket.create_server((HOST, 0)) as silent:  # a store that takes calls and answers none
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"{HOST}:{silent.getsockname()[1]}")
        with (
            started("analytics", tmp_path / "log") as (service, port),
            socket.create_connection((HOST, port)) as client,
        ):
            body = json.dumps(push({"kind": "request"}, number="1")).encode()
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n%s" % (len(body), body))  # fmt: skip
            silent.settimeout(30)
            held, _ = silent.accept()  # the request is in hand
            began = time.monotonic()
            service.send_signal(signal.SIGTERM)
            assert service.wait(15) == 0, (tmp_path / "log").read_text()
            assert time.monotonic() - began < 10
            held.close()


@pytest.mark.parametrize("folder", ["analytics", "phase3_to_phase4"])
def test_an_idle_service_ends_at_sigterm_at_once(folder: str, platform: str, tmp_path: Path) -> None:
    assert platform
    with started(folder, tmp_path / "log") as (service, _):
        service.send_signal(signal.SIGTERM)
        assert service.wait(10) == 0, (tmp_path / "log").read_text()
