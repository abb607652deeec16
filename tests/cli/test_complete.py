import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.commands import RUN, Night


def test_complete_says_what_became_of_the_report_and_what_to_type_next(night: Night) -> None:
    night.scrape(10)
    done = night("complete", "odds", "--run", RUN, "--rows", "7")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "odds of 2026-02-03.overnight: accepted, 7 rows.\n"
        "raw is sending: generation 1 is not acknowledged by analytics yet.\n"
        "next: phasegate worker --until-idle\n"
    )


def test_complete_as_json(night: Night) -> None:
    done = night("complete", "odds", "--run", "2026-02-03", "--rows", "0", "--json")
    assert done.code == 0
    assert done.json == {
        "run": RUN,
        "phase": "raw",
        "step": "odds",
        "outcome": "accepted",
        "refused": False,
        "rows": 0,
        "generation": 0,
        "state": "waiting",
        "next": ["deliver gamebook of 2026-02-03, then: phasegate complete gamebook --run 2026-02-03.overnight"],
    }
    assert "empty, 0 rows" in night("why", RUN).out


def test_the_same_execution_again_is_known_already(night: Night) -> None:
    options = ("--run", RUN, "--rows", "7", "--execution-id", "e1", "--sequence", "5")
    assert night("complete", "odds", *options).code == 0
    done = night("complete", "odds", *options)
    assert (done.code, done.out.splitlines()[0]) == (
        0,
        "odds of 2026-02-03.overnight: known already, nothing changes.",
    )


def test_an_older_report_is_refused_and_that_is_a_finding(night: Night) -> None:
    night("complete", "odds", "--run", RUN, "--completed-at", "2026-02-04T13:00:00Z")
    done = night("complete", "odds", "--run", RUN, "--completed-at", "2026-02-04T12:00:00+00:00", "--json")
    assert (done.code, done.json["outcome"], done.json["refused"]) == (1, "older", True)
    done = night("complete", "odds", "--run", RUN, "--completed-at", "1770200000")
    assert done.code == 1
    assert done.out.startswith("odds of 2026-02-03.overnight: refused: a newer report was accepted before.\n")


def test_a_failure_is_noted_and_shown(night: Night) -> None:
    done = night("complete", "odds", "--run", RUN, "--status", "failed", "--error", "source is down")
    assert (done.code, done.out.splitlines()[0]) == (0, "odds of 2026-02-03.overnight: recorded.")
    assert "not reported yet; last try: source is down" in night("why", RUN).out


def test_rows_that_the_table_does_not_hold_are_a_finding(night: Night) -> None:
    night.scrape(10)
    done = night("complete", "gamebook", "--run", RUN, "--rows", "12")
    assert done.code == 1
    assert done.err == "phasegate: gamebook of 2026-02-03.overnight: 12 rows were reported, its table holds 10\n"


def test_complete_reads_a_message_from_a_file_or_standard_input(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = {"step": "odds", "game_date": "2026-02-03", "rows": 7, "execution_id": "e1", "anything": "else"}
    (tmp_path / "message.json").write_text(json.dumps(message))
    assert night("complete", "--message", "message.json", "--json").json["outcome"] == "accepted"
    again = json.dumps({**message, "kind": "completion", "run": "2026-02-03"}).encode()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(again)))
    done = night("complete", "--message", "-", "--json")
    assert (done.json["outcome"], done.json["rows"]) == ("duplicate", 7)


def test_a_trigger_is_acknowledged_by_its_id_alone(night: Night) -> None:
    plan = (night.folder / "plan.toml").read_text()
    plan = plan.replace("[phase.raw]", '[phase.raw]\nsends = [{ topic = "audit", ack = "completion" }]')
    (night.folder / "plan.toml").write_text(plan)
    night.scrape(10)
    night("complete", "odds", "--run", RUN)
    trigger = f"trigger.nba.raw.{RUN}.1.audit"
    assert "sent to audit, not acknowledged yet" in night("why", RUN).out
    done = night("complete", "--trigger-id", trigger, "--json")
    assert (done.code, done.json["outcome"], done.json["phase"], done.json["step"]) == (0, "acknowledged", "raw", None)
    assert "acknowledged by audit" in night("why", RUN).out
    assert night("complete", "--trigger-id", trigger).out.startswith(f"trigger of {RUN}: acknowledged.\n")
