"""The audit log has each act of the command line, with who gave it."""

import pytest

from phasegate.system import user_name
from tests.support.commands import RUN, SQL, Night


def test_every_command_that_changes_something_is_recorded(night: Night) -> None:
    night.scrape(10)
    for words in (
        ("pause", RUN, "--reason", "in repair"), ("pause", RUN, "--resume"), ("replan", RUN),
        ("rerun", RUN, "--step", "player_game", "--json"),
        ("backfill", "--from", "2026-02-03", "--to", "2026-02-03", "--steps", "player_game"),
        ("cancel", RUN), ("cancel", RUN, "--undo"), ("begin", RUN), ("adopt", "--yes"),
    ):  # fmt: skip
        night.clock.at += 1
        night(*words)
    shown = night("audit", "--json").json
    assert {entry["by"] for entry in shown["entries"]} == {user_name()}
    assert {entry["via"] for entry in shown["entries"]} == {"command line"}
    assert all(entry["finished_at"] for entry in shown["entries"])
    assert [entry["command"] for entry in shown["entries"]][::-1] == [
        f"phasegate pause {RUN} --reason 'in repair'",
        f"phasegate pause {RUN} --resume",
        f"phasegate replan {RUN}",
        f"phasegate rerun {RUN} --step player_game --json",
        "phasegate backfill --from 2026-02-03 --to 2026-02-03 --steps player_game",
        f"phasegate cancel {RUN}",
        f"phasegate cancel {RUN} --undo",
        f"phasegate begin {RUN}",
        "phasegate adopt --yes",
    ]
    about = {entry["command"].split()[1]: (entry["run"], entry["first"]) for entry in shown["entries"]}
    assert (about["pause"], about["backfill"], about["adopt"]) == ((RUN, None), (None, "2026-02-03"), (None, None))


def test_what_was_refused_or_only_looked_at_is_no_act(night: Night) -> None:
    night.scrape(10)
    assert night("pause", "2026-02-03.nightly").code == 2
    assert night("rerun", RUN, "--step", "nothing").code == 2
    assert night("dead", "--discard", "quarantine:nba:nothing").code == 2
    night("reconcile")
    night("backfill", "--from", "2026-02-03", "--to", "2026-02-03", "--dry-run")
    assert night("audit").out == "Nothing was changed by hand in these days.\n"


def test_the_acts_on_one_run_are_shown_with_those_on_its_date(night: Night) -> None:
    night.scrape(10)
    night("pause", RUN)
    night.clock.at += 1
    night("begin", "2026-02-02.overnight")
    night("backfill", "--from", "2026-02-01", "--to", "2026-02-03", "--steps", "player_game")
    lines = night("audit", "--run", RUN).out.splitlines()
    assert [line.strip() for line in lines if line.startswith("  phasegate")] == [
        "phasegate backfill --from 2026-02-01 --to 2026-02-03 --steps player_game", f"phasegate pause {RUN}",
    ]  # fmt: skip
    assert lines[-1] == "2 acts. Times: America/New_York."
    assert "  paused: raw, analytics, precompute" in lines


def test_an_act_that_fails_is_recorded_as_failed(night: Night) -> None:
    night.scrape(10)
    assert night("complete", "odds", "--run", RUN, "--rows", "10").code == 0
    assert night("worker", "--until-idle").code == 0
    (night.folder / "player_game.sql").write_text(f"{SQL} AND points < 1")
    assert night("rerun", RUN, "--step", "player_game").code == 1
    (entry,) = night("audit", "--json").json["entries"]
    assert (entry["failed"], entry["outcome"]) == (True, "player_game: dead")
    assert "failed: player_game: dead" in night("audit").out


def test_an_account_without_a_name_is_named_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("no name")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert user_name().startswith("uid ")
