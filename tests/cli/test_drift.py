"""``phasegate drift`` and its faces: what serves, on a repository with a history."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.commands import RUN, Night
from tests.support.http_server import Answers, serving
from tests.support.real_data import ROOT
from tests.support.repositories import Repository

MANIFEST = """
[service.scores]
source = "deploy/scores"
paths = ["src"]

[service.odds]
paths = ["odds"]
"""
FAKE = """#!/usr/bin/env bash
echo "$*" >> "$GCLOUD_LOG"
case "$*" in
  "run deploy "*) exit "${GCLOUD_DEPLOYS:-0}" ;;
  "run services list "*) echo scores; echo odds ;;
  *"value(status.url)"*) echo "$GCLOUD_URL" ;;
  "auth print-identity-token"*) echo token ;;
  "run services describe "*) cat "$GCLOUD_STATE" ;;
esac
"""


@pytest.fixture
def made(night: Night) -> Repository:
    """Give the pipeline's folder as a repository: two commits, the second of the docs only."""
    one = Repository(night.folder)
    one.write(".gitignore", ".phasegate\nfake\n")
    one.commit("one", **{"src/score.py": "1", "manifest.toml": MANIFEST, "deploy/scores/main.py": "1"})
    one.commit("Say it", **{"docs/page.md": "1"})
    return one


def serve(night: Night, build: str, *, step: str = "odds", number: int = 1) -> None:
    done = night("complete", step, "--run", RUN, "--execution-id", f"e{number}", "--sequence", f"{number}",
                 "--build", build)  # fmt: skip
    assert done.code == 0, done.err


def test_what_served_last_is_compared_with_head(night: Night, made: Repository) -> None:
    serve(night, f"scores@{made.git('rev-parse', 'HEAD~1')}")
    fine = night("drift", "scores", "--manifest", "manifest.toml")
    assert (fine.code, fine.err) == (0, ""), "the commit that it lacks does not touch it"
    assert re.search(r"^scores +OK +[0-9a-f]{12} .* 1 +0 +0$", fine.out, re.MULTILINE)
    late = made.commit("Count overtime", **{"src/score.py": "2"})
    behind = night("drift", "scores", "--manifest", "manifest.toml", "--diff")
    assert behind.code == 1
    assert f"scores:\n  {late[:12]} Count overtime\n" in behind.out
    assert "PG028 warning: scores: 2 commits behind HEAD, of which 1 touches it" in behind.out
    assert "next: deploy scores again, such as with bin/deploy-service.sh scores" in behind.out
    night.clock.at += 1
    serve(night, f"scores@{late}", number=2)
    assert night("drift", "scores", "--manifest", "manifest.toml").code == 0


def test_a_service_that_nothing_names_is_not_evaluated_and_others_are_named(night: Night, made: Repository) -> None:
    serve(night, f"other@{made.git('rev-parse', 'HEAD')}")
    done = night("drift", "--manifest", "manifest.toml", "--json")
    assert done.code == 2
    assert done.err == "phasegate: not judged, because the manifest does not name them: other\n"
    assert [(one["service"], one["verdict"]) for one in done.json["services"]] == [
        ("scores", "not evaluated"), ("odds", "not evaluated")]  # fmt: skip
    assert (done.json["others"], done.json["commit"]) == (["other"], made.git("rev-parse", "HEAD"))
    assert {one["code"] for one in done.json["findings"]} == {"PG018"}
    asked = night("drift", "scores")
    assert asked.err.endswith("phasegate: not judged, because they were not asked for: other\n")
    without = night("drift")
    assert (without.code, "other" in without.out) == (0, True)


def test_a_worker_in_a_repository_names_its_commit_by_itself(night: Night, made: Repository) -> None:
    night.whole()
    head = made.git("rev-parse", "HEAD")
    assert night.sql("SELECT DISTINCT build FROM phasegate.receipts") == [(head,)]
    done = night("drift", "--json")
    (one,) = done.json["services"]
    assert (one["service"], one["commit"], one["behind"]) == ("", head, 0)
    assert one["place"].startswith("analytics of 2026-02-03.overnight: ")


def test_two_builds_at_once_of_one_service(night: Night, made: Repository) -> None:
    old, new = (f"odds@{made.git('rev-parse', name)}" for name in ("HEAD~1", "HEAD"))
    for number, build in enumerate((old, new, old, new), 1):
        night.clock.at += 120
        serve(night, build, number=number)
    done = night("drift", "odds", "--manifest", "manifest.toml")
    assert done.code == 1
    assert f"PG031 warning: odds: {old} and {new} both served within an hour" in done.out


def test_a_service_is_asked_at_its_url(night: Night, made: Repository) -> None:
    head = made.git("rev-parse", "HEAD")
    with serving() as server:
        server.answers = Answers(200, {"build": f"scores@{head}"})
        asked = ("drift", "scores", "--url", f"scores={server.url}", "--no-documents")
        done = night(*asked, "--json")
        assert done.code == 0
        (one,) = done.json["services"]
        assert (one["build"], one["place"]) == (f"scores@{head}", f"{server.url}/build")
        assert [said.path for said in server.said] == ["/build"]
        older = Answers(200, {"version": "1"})
        for answer, error in ((Answers(404, {}), "answered 404"), (Answers(200, "<html>"), "is no JSON; look what"),
                              (older, "names no build; it runs an older Phasegate")):  # fmt: skip
            server.answers = answer
            gone = night(*asked)
            assert gone.code == 2
            assert "PG018 error: check scores: not evaluated:" in gone.out
            assert error in gone.out


def test_without_state_it_is_not_evaluated_and_nothing_is_created(night: Night, made: Repository) -> None:
    done = night("drift")
    assert done.code == 2
    assert "PG018 error: check documents: not evaluated: there is no state at" in done.out
    assert not (made.folder / ".phasegate").exists()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--desired", "absent"], "drift: --desired absent: git knows no such commit; fetch it, or name another"),
        (["--repository", "/"], "/: git finds no repository there; name the folder of one with --repository"),
        (["--manifest", "absent.toml"], "drift: --manifest absent.toml: No such file or directory"),
        (["score", "--manifest", "manifest.toml"], "has no service 'score'; did you mean \"scores\"?"),
        (["Scores"], '"Scores" is no name of a service'),
        (["--url", "scores"], "drift: --url is no SERVICE=URL"),
        (["--url", "scores=http://example.org"], "a service's url begins with https://"),
        (["--stamp"], "drift: --stamp is for one SERVICE; name it"),
        (["a", "b", "--stamp"], "drift: --stamp is for one SERVICE; name it"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    night: Night, made: Repository, options: list[str], error: str
) -> None:
    assert made.folder == night.folder
    done = night("drift", *options)
    assert (done.code, done.out) == (2, "")
    assert error in done.err
    assert done.err.count("\n") == 1


def test_the_stamp_is_the_build_of_the_tree_and_a_dirty_one_is_a_finding(night: Night, made: Repository) -> None:
    head = made.git("rev-parse", "HEAD")
    done = night("drift", "scores", "--manifest", "manifest.toml", "--stamp")
    assert (done.code, done.out) == (0, f"scores@{head} deploy/scores\n")
    made.write("src/score.py", "3")
    dirty = night("drift", "scores", "--manifest", "manifest.toml", "--stamp", "--json")
    assert (dirty.code, dirty.json) == (1, {"service": "scores", "build": f"scores@{head}+dirty", "dirty": True,
                                            "source": "deploy/scores"})  # fmt: skip


def face(made: Repository, words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a script of ``bin``, with a gcloud that writes down what it is called with."""
    fake = made.folder / "fake"
    fake.mkdir(exist_ok=True)
    (fake / "gcloud").write_text(FAKE)
    (fake / "gcloud").chmod(0o755)
    bash = {**os.environ, "PATH": f"{fake}:{Path(sys.executable).parent}:{os.environ['PATH']}", **more,
            "MANIFEST": "manifest.toml", "GCLOUD_LOG": str(fake / "log")}  # fmt: skip
    return subprocess.run([f"{ROOT}/bin/{words.split(maxsplit=1)[0]}", *words.split()[1:]], cwd=made.folder, env=bash,
                          capture_output=True, text=True, check=False)  # fmt: skip


def called(made: Repository) -> list[str]:
    log = made.folder / "fake" / "log"
    return log.read_text().splitlines() if log.exists() else []


def state(made: Repository, build: str, *, revision: str = "scores-2") -> str:
    """Write what gcloud says of the service, whose newest revision is scores-2; return where."""
    body: Mapping[str, object] = {
        "metadata": {"labels": {"cloud.googleapis.com/location": "us-central1"}},
        "spec": {"template": {"spec": {"containers": [{"env": [{"name": "PHASEGATE_BUILD", "value": build}]}]}}},
        "status": {"latestReadyRevisionName": "scores-2", "traffic": [
            {"revisionName": revision, "percent": 100, "latestRevision": revision == "scores-2"}]},
    }  # fmt: skip
    made.write("fake/state.json", json.dumps(body))
    return str(made.folder / "fake" / "state.json")


def test_a_deployment_is_stamped_keeps_the_variables_and_is_looked_at_afterwards(made: Repository) -> None:
    build = f"scores@{made.git('rev-parse', 'HEAD')}"
    done = face(made, "deploy-service.sh scores --region=us-central1", GCLOUD_STATE=state(made, build))
    assert done.returncode == 0, done.stderr
    assert called(made) == [
        f"run deploy scores --source=deploy/scores --update-env-vars=PHASEGATE_BUILD={build} --region=us-central1",
        "run services describe scores --format=json --region=us-central1",
    ]
    assert re.search(r"^scores +OK +", done.stdout, re.MULTILINE)
    pinned = face(made, "deploy-service.sh scores", GCLOUD_STATE=state(made, build, revision="scores-1"))
    assert pinned.returncode == 1
    assert "PG030 error: scores: older revisions have scores-1 100 % of its traffic" in pinned.stdout
    assert "gcloud run services update-traffic scores --region us-central1 --to-latest" in pinned.stdout
    failed = face(made, "deploy-service.sh scores", GCLOUD_STATE="", GCLOUD_DEPLOYS="1")
    assert (failed.returncode, "what served before serves" in failed.stderr) == (2, True)


def test_a_dirty_tree_is_deployed_only_when_that_is_meant_and_a_dry_run_calls_nothing(made: Repository) -> None:
    made.write("src/score.py", "3")
    refused = face(made, "deploy-service.sh scores")
    assert refused.returncode == 2
    assert refused.stderr == ("deploy-service: files were changed and not committed; commit them, or add --dirty\n")
    dry = face(made, "deploy-service.sh scores --dirty --dry-run")
    head = made.git("rev-parse", "HEAD")
    stamped = f"--update-env-vars=PHASEGATE_BUILD=scores@{head}+dirty"
    assert (dry.returncode, dry.stdout.strip()) == (0, f"gcloud run deploy scores --source=deploy/scores {stamped}")
    assert called(made) == []
    for words, error in (("", "name the SERVICE"), ("scores --set-env-vars=A=B", "unknown option --set-env-vars=A=B"),
                         ("scores odds", "one SERVICE at a time"),
                         ("odds --dirty", "manifest.toml names no source for odds"),
                         ("absent", "has no service 'absent'")):  # fmt: skip
        done = face(made, f"deploy-service.sh {words}")
        assert (done.returncode, error in done.stderr) == (2, True), done.stderr
    assert called(made) == []


@pytest.mark.slow
def test_gcloud_itself_takes_the_command(made: Repository, tmp_path: Path) -> None:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        pytest.skip("there is no gcloud here")
    dry = face(made, "deploy-service.sh scores --dry-run --region=us-central1 --project=nba-props-prod")
    moved = "gcloud run services update-traffic scores --region us-central1 --to-latest"
    lines = [*dry.stdout.splitlines(), moved, "gcloud run services describe scores --format=json"]
    (tmp_path / "commands.json").write_text(json.dumps([{"command_string": text} for text in lines]))
    done = subprocess.run([gcloud, "meta", "lint-gcloud-commands", f"--commands-file={tmp_path}/commands.json"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    judged = {one["command_string"]: one["error_message"] for one in json.loads(done.stdout)}
    assert (len(judged), {text: error for text, error in judged.items() if error}) == (3, {})


def test_whats_deployed_is_drift_with_what_gcloud_says(night: Night, made: Repository) -> None:
    build = f"scores@{made.git('rev-parse', 'HEAD')}"
    serve(night, build)
    with serving() as server:
        server.answers = Answers(200, {"build": build})
        done = face(made, "whats-deployed.sh scores --diff", GCLOUD_URL=server.url, GCLOUD_STATE=state(made, build))
        assert (done.returncode, done.stderr) == (0, "")
        assert server.said[0].headers["Authorization"] == "Bearer token"
        pinned = face(made, "whats-deployed.sh scores --json", GCLOUD_URL=server.url,
                      GCLOUD_STATE=state(made, build, revision="scores-1"))  # fmt: skip
        assert pinned.returncode == 1
        (one,) = json.loads(pinned.stdout)["services"]
        assert (one["build"], one["deployed"], one["place"]) == (build, build, "scores.build.json")
    assert called(made)[0] == "run services describe scores --format=json --quiet"
    everything = face(made, "whats-deployed.sh --days 400", GCLOUD_URL="http://127.0.0.1:1", GCLOUD_STATE="/absent")
    assert everything.returncode == 2
    assert "whats-deployed: gcloud does not describe odds; its traffic is not looked at" in everything.stderr
    assert re.search(r"^scores +OK +", everything.stdout, re.MULTILINE), "documents say what it is"


def test_a_backfill_by_an_older_build_warns_and_still_builds(
    night: Night, made: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = made.git("rev-parse", "HEAD~1"), made.git("rev-parse", "HEAD")
    span = ("backfill", "--from", "2026-02-03", "--to", "2026-02-03", "--steps", "player_game", "--json")
    night.whole()
    same = night(*span)
    assert (same.json["build"], same.json["warning"], same.err) == (new, "", "")
    monkeypatch.setenv("PHASEGATE_BUILD", f"scores@{old}")
    stale = night(*span)
    warning = f"this process runs {old[:12]}, 1 commit behind {new[:12]}, which built nba_analytics.player_game"
    assert (stale.json["build"], stale.json["warning"]) == (f"scores@{old}", f"{warning}; update it first")
    assert stale.err == f"phasegate: warning: {warning}; update it first\n"
    assert [one["phase"] for one in stale.json["runs"]] == ["analytics"]
