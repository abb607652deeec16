"""A step that fails leaves its traceback, its output, its run and its attempt."""

import json
import sys

import pytest

from tests.support.commands import RUN, Night

STEP = """\
import sys

def build(run):
    print("reading", run.date)
    print("a warning", file=sys.stderr)
    for n in range(300):
        print("line", n)
    raise ValueError(f"no player in {helper(run)}")

def helper(run):
    return run.read("SELECT count(*) AS n FROM nba_raw.gamebook")
"""
PYTHON = """python = "steps_that_fail:build"
columns = { game_date = "DATE", player = "VARCHAR", points = "DOUBLE" }"""


@pytest.fixture
def failing(night: Night, monkeypatch: pytest.MonkeyPatch) -> Night:
    """Give a run whose Python step fails."""
    plan = (night.folder / "plan.toml").read_text()
    (night.folder / "plan.toml").write_text(plan.replace('sql = "player_game.sql"', PYTHON))
    (night.folder / "steps_that_fail.py").write_text(STEP)
    monkeypatch.syspath_prepend(night.folder)
    monkeypatch.delitem(sys.modules, "steps_that_fail", raising=False)
    night.scrape(3)
    assert night("complete", "odds", "--run", RUN, "--rows", "7").code == 0
    return night


def test_a_failing_step_leaves_its_traceback_and_its_output(failing: Night) -> None:
    done = failing("worker", "--until-idle", "--json")
    assert (done.code, done.json["dead"]) == (1, 1)
    assert "line 299" in done.err
    assert "in build\\n" in done.err or "in build" in done.err, "the traceback is in the log"

    [attempt] = failing("logs", RUN, "--step", "player_game", "--json").json["attempts"]
    assert (attempt["step"], attempt["attempt"], attempt["status"]) == ("player_game", 1, "transient")
    assert attempt["request"].startswith(f"request.nba.analytics.{RUN}.player_game.")
    assert attempt["error"].startswith("ValueError: no player in [")
    assert "steps_that_fail.py" in attempt["traceback"]
    assert "phasegate/" not in attempt["traceback"]
    assert attempt["output"].split("\n") == [f"line {n}" for n in range(100, 300)]

    shown = failing("logs", RUN).out
    assert shown.startswith(f"player_game of {RUN}, attempt 1 at 08:12: transient: ValueError")
    assert "    raise ValueError" in shown


def test_why_shows_the_traceback_until_the_step_is_fresh(failing: Night) -> None:
    failing("worker", "--until-idle")
    shown = failing("why", RUN).out
    assert "attempt 1 at player_game" in shown
    assert "    raise ValueError" in shown
    assert "line 299" in shown
    assert "line 100\n" not in shown
    [_, analytics, *_] = failing("why", RUN, "--json").json["phases"]
    assert "in build" in analytics["members"][0]["log"]["traceback"]

    (failing.folder / "steps_that_fail.py").write_text(
        "def build(run):\n    return run.read('SELECT game_date, player, points FROM nba_raw.gamebook')\n"
    )
    del sys.modules["steps_that_fail"]
    failing("replan", RUN)
    failing("redrive", RUN)
    assert failing("worker", "--until-idle").code == 0
    assert "attempt 1" not in failing("why", RUN).out
    assert "attempt 1" in failing("logs", RUN).out


def test_the_phase_s_document_stays_small(failing: Night) -> None:
    failing("worker", "--until-idle")
    with failing.pipeline() as pipeline:
        phase = pipeline.ports.store.read(f"phase:nba:analytics:{RUN}")
        log = pipeline.ports.store.read(f"log:nba:player_game:{RUN}")
    assert phase is not None
    assert log is not None
    assert len(json.dumps(phase.body)) < 5_000
    assert "line 299" in json.dumps(log.body)


def test_nothing_printed_is_no_log(night: Night) -> None:
    night.whole()
    assert night("logs", RUN).out == f"{RUN}: no step has failed or printed anything.\n"
    assert night("logs", RUN, "--json").json == {"run": RUN, "attempts": []}


def test_following_ends_when_the_run_is_complete(failing: Night) -> None:
    failing("worker", "--until-idle")
    failing("cancel", RUN)
    assert "raise ValueError" in failing("logs", RUN, "-f").out


def test_what_a_command_printed_is_in_the_log(night: Night) -> None:
    night("begin", RUN)
    code = "import sys; print('fetching'); print('no answer', file=sys.stderr); sys.exit(3)"
    assert night("begin", RUN, "--step", "odds", "--", sys.executable, "-c", code).code == 1
    [attempt] = night("logs", RUN, "--json").json["attempts"]
    assert attempt["error"] == "the command exited with 3"
    assert sorted(attempt["output"].split("\n")) == ["fetching", "no answer"]


def test_an_unknown_step_is_named(night: Night) -> None:
    night("begin", RUN)
    done = night("logs", RUN, "--step", "nope")
    assert (done.code, done.err) == (2, f"phasegate: unknown step 'nope' in run {RUN}; it has gamebook, odds\n")
    assert night("logs", RUN, "-f", "--json").code == 2
