"""The audit log has each act of the command line, with who gave it."""

import pytest

from phasegate.audit import About, AuditLog
from phasegate.base.findings import CheckResult, Finding
from phasegate.base.keys import parse_run
from phasegate.cli.commands import backfill
from phasegate.system import user_name
from tests.support.commands import HOUR, RUN, SQL, Night


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


def entry_of(night: Night) -> tuple[bool, str]:
    entry = night("audit", "--json").json["entries"][0]
    return entry["failed"], entry["outcome"]


def whole(night: Night) -> None:
    night.scrape(10)
    assert night("complete", "odds", "--run", RUN, "--rows", "10").code == 0
    assert night("worker", "--until-idle").code in (0, 1)


DATES = ("--from", "2026-02-03", "--to", "2026-02-03")


def test_a_backfill_that_leaves_something_has_failed(night: Night) -> None:
    night.scrape(10)
    assert night("backfill", *DATES).code == 1
    failed, outcome = entry_of(night)
    assert (failed, f"no data from odds: raw of {RUN}" in outcome) == (True, True)
    assert night("complete", "odds", "--run", RUN, "--rows", "10").code == 0
    night("worker", "--until-idle")
    (night.folder / "player_game.sql").write_text(f"{SQL} AND points < 1")
    night.clock.at += 60
    assert night("backfill", *DATES, "--steps", "player_game").code == 1
    failed, outcome = entry_of(night)
    assert (failed, f"not settled: analytics of {RUN} is dead" in outcome) == (True, True)


def test_a_backfill_that_does_all_has_not_failed(night: Night) -> None:
    night.whole()
    night.clock.at += 60
    assert night("backfill", *DATES, "--steps", "player_game").code == 0
    assert entry_of(night) == (False, "1 phase handled")


@pytest.mark.parametrize(("by", "code"), [("SIGINT", 130), ("SIGTERM", 1)])
def test_a_backfill_that_is_stopped_has_failed(
    night: Night, monkeypatch: pytest.MonkeyPatch, by: str, code: int
) -> None:
    whole(night)
    monkeypatch.setattr(backfill, "_work", lambda *_args, **_more: backfill.BackfillResult(stopped=[by]))
    assert night("backfill", *DATES, "--steps", "player_game").code == code
    failed, outcome = entry_of(night)
    assert (failed, outcome.partition(";")[0]) == (True, "stopped")


def tampered(night: Night) -> None:
    """Make a finding that a fix builds again."""
    whole(night)
    night.sql("UPDATE nba_analytics.player_game SET points = 99")  # past the fence
    night.clock.at += HOUR


def test_a_fix_that_leaves_findings_has_failed(night: Night) -> None:
    tampered(night)
    (night.folder / "player_game.sql").write_text("SELECT nonsense FROM nba_raw.gamebook")
    assert night("reconcile", *DATES, "--fix").code == 1
    failed, outcome = entry_of(night)
    assert (failed, "left: PG" in outcome) == (True, True)


def test_a_fix_that_leaves_nothing_has_not_failed(night: Night) -> None:
    tampered(night)
    assert night("reconcile", *DATES, "--fix").code in (0, 3)
    failed, outcome = entry_of(night)
    assert (failed, "left" in outcome) == (False, False)


def test_a_close_whose_notice_is_not_sent_has_failed(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = night.folder / "plan.toml"
    plan.write_text(f'{plan.read_text()}\n[alerts.channel.ops]\nkind = "webhook"\n')
    monkeypatch.setenv("PHASEGATE_ALERTS_OPS", "http://127.0.0.1:9/nothing-listens")
    with night.pipeline() as pipeline:
        finding = Finding(code="PG005", subject="nba_raw.gamebook/2026-02-03", text="348 rows", command="look")
        pipeline.alerts.take([CheckResult(check="unsent", findings=(finding,))], started=pipeline.alerts.start())
        pipeline.alerts.send()
    (incident,) = night("alerts", "--json").json["incidents"]
    night.clock.at += HOUR
    assert night("alerts", "close", incident["key"].rpartition(":")[2]).code == 2
    failed, outcome = entry_of(night)
    assert (failed, "notifications to ops are stored and retried" in outcome) == (True, True)


def about(night: Night) -> tuple[str | None, str | None, str | None]:
    entry = night("audit", "--json").json["entries"][0]
    return entry["run"], entry["first"], entry["last"]


def test_what_is_sent_again_is_about_the_runs_of_its_letters(night: Night) -> None:
    (night.folder / "player_game.sql").write_text("SELECT nonsense FROM nba_raw.gamebook")
    for run in ("2026-02-01.overnight", RUN):
        night.scrape(10, run=run)
        assert night("complete", "odds", "--run", run, "--rows", "10").code == 0
    night.publish({"step": "nonsense", "run": "2026-02-02.overnight"}, number="m2")
    night.publish({"step": "nonsense", "run": "no run"}, number="m3")
    night("worker", "--until-idle")
    letters = night("dead", "--json").json["dead"]
    messages = {letter["run"]: letter["subject"] for letter in letters if letter["kind"] == "message"}
    for what, expected in (
        ("--all", (None, "2026-02-01", "2026-02-03")),
        (RUN, (RUN, None, None)),
    ):
        assert night("redrive", what).code == 0
        assert about(night) == expected
        night("worker", "--until-idle")
        night.clock.at += HOUR
    assert night("redrive", messages["2026-02-02.overnight"]).code == 0
    assert about(night) == (None, "2026-02-02", "2026-02-02")
    night.clock.at += HOUR
    assert night("redrive", messages["no run"]).code == 0
    assert about(night) == (None, None, None)


def test_an_act_that_began_before_midnight_is_in_the_timeline_of_the_run(night: Night) -> None:
    night.clock.at += 24 * HOUR - night.clock.at % (24 * HOUR) - 60  # a minute before 00:00 UTC
    with night.pipeline() as pipeline:
        log = AuditLog("nba", pipeline.ports)
        with log.acting("phasegate backfill", by="ada", via="page", about=About(first=DATES[1], last=DATES[3])):
            night.clock.at += 120
            night.scrape(10)
        entries = pipeline.views.timeline(parse_run(RUN))
    assert [one.text for one in entries if one.kind == "act"] == ["ada (page): phasegate backfill; done"]


def test_who_acts_is_the_account_of_the_machine_not_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    before = user_name()
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "alice")
    assert user_name() == before
    assert "alice" not in before


def test_an_account_without_a_name_is_named_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_number: int) -> object:
        raise KeyError("no name")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert user_name().startswith("uid ")
