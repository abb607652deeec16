"""Commands on a store in Firestore, with messages through Pub/Sub, as a user types them."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.support.commands import RUN, Night
from tests.support.google import new_project

PATIENCE_S = 60


@pytest.fixture
def project(firestore: str, pubsub: str) -> str:
    assert firestore
    assert pubsub
    return new_project()


@pytest.fixture
def on_google(night: Night, project: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    """Set up the night on Google's services; only its tables are in a file."""
    done = night("init", "--bus", f"pubsub://{project}")
    assert done.code == 0, done.err
    monkeypatch.setenv("PHASEGATE_STORE", f"firestore://{project}")
    monkeypatch.setenv("PHASEGATE_BUS", f"pubsub://{project}")
    yield night
    assert not (night.folder / ".phasegate" / "phasegate.db").exists()


def test_a_night_on_googles_services_works_from_begin_to_reconcile(on_google: Night) -> None:
    night = on_google
    assert night("begin", RUN).code == 0
    night.whole()
    found = night("status", "--json")
    assert found.code == 0, found.err
    assert "complete" in found.out
    assert "player_game" in night("why", RUN).out
    assert night("reconcile", "--from", RUN[:10], "--to", RUN[:10]).code == 0
    assert night.sql("SELECT count(*) FROM nba_analytics.player_game") == [(10,)]


def test_a_store_in_firestore_moves_to_a_file_and_says_the_same(
    on_google: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = on_google
    night.whole()
    said = night("status", "--json").out, night("why", RUN, "--json").out
    (night.folder / "all.jsonl").write_text(night("export").out)
    monkeypatch.setenv("PHASEGATE_STORE", "sqlite:///moved.db")
    moved = night("import", "all.jsonl")
    assert moved.code == 0, moved.err
    assert (night("status", "--json").out, night("why", RUN, "--json").out) == said


def test_init_makes_the_topics_of_the_plan_once_and_may_be_run_again(night: Night, project: str) -> None:
    url = f"pubsub://{project}"
    made = night("init", "--bus", url)
    assert made.code == 0
    assert "topic nba.completions: created\n" in made.out
    assert "subscription phasegate.nba.nba.completions: created\n" in made.out
    assert night("init", "--bus", url).out == made.out.replace("created", "is there")
    done = night("init", "--bus", url, "--json").json
    assert (done["files"], done["store"], done["created"]) == ([], None, [])


def test_init_makes_the_topics_on_which_external_steps_are_requested(night: Night, project: str) -> None:
    plan = night.folder / "plan.toml"
    text = plan.read_text()
    plan.write_text(
        text + '[step.own]\nphase = "analytics"\nneeds = ["raw.odds"]\nexternal = true\ntopic = "own-requests"\n'
    )
    done = night("init", "--bus", f"pubsub://{project}")
    assert "topic own-requests: created\n" in done.out, done.err


def test_without_its_topics_a_command_names_the_one_that_makes_them(
    night: Night, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHASEGATE_BUS", f"pubsub://{project}")
    done = night("worker", "--until-idle")
    assert done.code == 2
    hint = f"phasegate init --bus pubsub://{project}"
    assert hint in done.err
    assert night(*hint.split()[1:]).code == 0
    assert night("worker", "--until-idle").code == 0


def test_init_creates_no_store_in_firestore(night: Night, project: str) -> None:
    done = night("init", "--store", f"firestore://{project}")
    assert done.code == 2
    assert "any other store is created by the first command that writes" in done.err


def completion(number: int) -> dict[str, object]:
    return {"kind": "completion", "step": "odds", "run": RUN, "sequence": number, "execution_id": f"e{number}"}


def test_an_idle_worker_is_woken_by_a_message_long_before_it_asks_the_store(
    on_google: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = on_google
    monkeypatch.setenv("PHASEGATE_LOG_LEVEL", "all")
    monkeypatch.setenv("PHASEGATE_LOG_FORMAT", "json")
    worker = night.start("worker")
    patience = threading.Timer(PATIENCE_S, worker.kill)
    patience.start()
    assert worker.stderr is not None
    for number in (1, 2):
        night.publish(completion(number), number=f"m{number}")
        # the second one finds the worker idle, which asks the store every 90 s
        assert any('"served"' in line and f'"m{number}"' in line for line in worker.stderr), "it was ended"
    worker.send_signal(signal.SIGTERM)
    _, err = worker.communicate()
    patience.cancel()
    assert worker.returncode == 0, err


def test_what_only_reads_imports_no_client_of_pubsub(on_google: Night) -> None:
    code = """
import sys
from phasegate.cli import run
run(["status"])
print([name for name in sys.modules if name.startswith(("google.pubsub_v1", "google.cloud.bigquery", "duckdb"))])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=on_google.folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("[]\n"), done.stdout
