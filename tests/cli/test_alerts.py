"""``phasegate alerts``: what is open, and whether the channels work."""

import hashlib
from collections.abc import Iterator

import pytest

from phasegate.base.findings import CheckResult, Finding
from tests.support.cli_page import keys, section
from tests.support.commands import HOUR, PLAN, RUN, Night
from tests.support.http_server import Answers, Server, serving

LATE = 'table = "nba_raw.gamebook"\nexpected_by = "00:30"\nlate_after_s = 60'
CHANNELS = """
[alerts.channel.ops]
kind = "webhook"

[alerts.channel.chat]
kind = "slack"
severity = "error"
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as made:
        yield made


@pytest.fixture
def night(night: Night, server: Server, monkeypatch: pytest.MonkeyPatch) -> Night:
    (night.folder / "plan.toml").write_text(PLAN + CHANNELS)
    monkeypatch.setenv("PHASEGATE_ALERTS_OPS", f"{server.url}/secret")
    monkeypatch.setenv("PHASEGATE_ALERTS_CHAT", f"{server.url}/services/secret")
    return night


def evaluate(night: Night, *findings: Finding, error: str = "") -> None:
    with night.pipeline() as pipeline:
        outcome = CheckResult(check="unsent", findings=findings, error=error)
        pipeline.alerts.take([outcome], started=pipeline.alerts.start())
        pipeline.alerts.send()
    night.clock.at += 600


def wrong(subject: str = "gamebook of 2026-02-03.overnight", *, code: str = "PG005") -> Finding:
    return Finding(code=code, subject=subject, text="348 rows", command="phasegate worker --until-idle", cause=subject,
                   since=1_770_200_000.0)  # fmt: skip


def test_a_test_message_goes_to_every_channel_and_each_outcome_is_told(night: Night, server: Server) -> None:
    done = night("alerts", "test")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "channel  kind     gets               test",
        "ops      webhook  warning and worse  sent",
        "chat     slack    error              sent",
    ]
    assert [said.path for said in server.said] == ["/secret", "/services/secret"]
    assert not (night.folder / ".phasegate").exists(), "a test leaves nothing behind"


def test_a_channel_that_does_not_take_it_is_a_finding_and_the_others_are_tried(night: Night, server: Server) -> None:
    server.queue = [Answers(403)]
    done = night("alerts", "test", "--json")
    assert done.code == 1
    assert done.json["channels"] == [
        {"name": "ops", "kind": "webhook", "sent": False, "error": "127.0.0.1 answered 403"},
        {"name": "chat", "kind": "slack", "sent": True, "error": ""},
    ]
    assert "secret" not in done.out + done.err


def test_one_channel_can_be_tested_alone(night: Night, server: Server) -> None:
    assert night("alerts", "test", "chat").code == 0
    assert len(server.said) == 1
    assert night("alerts", "test", "chta").err == "phasegate: channel 'chta': the plan has ops, chat\n"


def test_a_missing_or_wrong_secret_is_named_with_its_variable_and_never_shown(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PHASEGATE_ALERTS_OPS")
    monkeypatch.setenv("PHASEGATE_ALERTS_CHAT", "xoxb-secret")
    done = night("alerts", "test")
    assert done.code == 1
    assert "it has no secret; set PHASEGATE_ALERTS_OPS" in done.out
    assert 'a bot needs a Slack channel; add to = "#…" to [alerts.channel.chat]' in done.out
    monkeypatch.setenv("PHASEGATE_ALERTS_CHAT", "secret")
    refusal = "PHASEGATE_ALERTS_CHAT is no URL that begins with https:// or http:// and no bot's token"
    assert refusal in night("alerts", "test").out
    monkeypatch.setenv("PHASEGATE_ALERTS_CHTA", "secret")
    done = night("alerts", "test")
    assert (done.code, done.err) == (2, "phasegate: PHASEGATE_ALERTS_CHTA: the plan has no channel chta; "
                                        "it has ops, chat\n")  # fmt: skip
    monkeypatch.setenv("PHASEGATE_ALERTS_PING", "secret")
    assert night("begin", "2026-02-03.overnight").err == (
        "phasegate: PHASEGATE_ALERTS_PING: is no URL that begins with https:// or http://\n"
    )


def test_a_plan_without_channels_has_nothing_to_test(night: Night) -> None:
    (night.folder / "plan.toml").write_text(PLAN)
    assert night("alerts", "test").code == 2


def test_open_incidents_are_listed_with_what_was_sent_and_what_to_type(night: Night, server: Server) -> None:
    assert night("alerts").code == 2, "there is no state yet"
    night("begin", "2026-02-03.overnight")
    assert night("alerts").out == "Nothing was evaluated yet: phasegate health --alert\n"
    server.queue = [Answers(500)]
    evaluate(night, wrong())
    done = night("alerts")
    assert (done.code, done.err) == (1, "")
    assert done.out.splitlines() == [
        "error: gamebook of 2026-02-03.overnight: the rows were written, but not reported",
        "  since 05:13, 3 h; found 1 time, last 08:12, 10 min",
        "  PG005 gamebook of 2026-02-03.overnight: 348 rows",
        "  chat: opened delivered at 08:12",
        "  ops: nothing delivered; opened pending (1 try: 127.0.0.1 answered 500, due now)",
        "  next: phasegate worker --until-idle",
        f"  id: {hashlib.sha256(b'gamebook of 2026-02-03.overnight').hexdigest()[:20]}",
        "",
        "1 incident. Evaluated: 08:12, 10 min. Times: America/New_York.",
    ]
    assert night("alerts", "list").out == done.out
    document = night("alerts", "--json").json
    assert document == night("alerts", "list", "--json").json
    (incident,) = document["incidents"]
    assert (incident["count"], incident["severity"], incident["checks"]) == (1, "error", ["unsent"])
    assert [(one["name"], one["delivered"], one["pending"]) for one in incident["channels"]] == [
        ("chat", "opened", ""), ("ops", "", "opened")]  # fmt: skip


def test_an_alert_that_could_not_be_sent_is_not_fine_and_is_sent_later(night: Night, server: Server) -> None:
    night("begin", RUN)
    server.answers = Answers(500)
    evaluate(night, wrong())
    done = night("health", "--date", RUN[:10], "--alert")
    assert done.code == 2
    assert "notifications to ops are stored and retried: 127.0.0.1 answered 500" in done.err
    server.answers = Answers()
    night.clock.at += HOUR
    assert night("health", "--date", RUN[:10], "--alert").code == 0
    assert [one["delivered"] for one in night("alerts", "--json").json["incidents"][0]["channels"]] == [
        "opened",
        "opened",
    ]


def test_what_is_over_is_listed_no_more_and_fine(night: Night, server: Server) -> None:
    evaluate(night, wrong(), wrong("odds", code="PG012"))
    assert [one["severity"] for one in night("alerts", "--json").json["incidents"]] == ["error", "warning"]
    evaluate(night)
    evaluate(night)
    done = night("alerts")
    assert (done.code, done.out) == (0, "No incident is open. Evaluated: 08:32, 10 min. Times: America/New_York.\n")
    kinds = [body["kind"] for said in server.said if said.path == "/secret" for body in [said.body]]
    assert sorted(kinds) == ["opened", "opened", "resolved", "resolved"]


def test_the_reference_page_documents_every_field(night: Night) -> None:
    evaluate(night, wrong())
    (incident,) = night("alerts", "--json").json["incidents"]
    for path, given in (("list", ()), ("test", ()), ("close", (incident["key"],))):
        document = night("alerts", path, *given, "--json").json
        assert {key for key in keys(document) if f"`{key}`" not in section(f"phasegate alerts {path}")} == set()


def test_an_incident_that_cannot_be_read_is_named_and_wins(night: Night) -> None:
    evaluate(night, wrong())
    (incident,) = night("alerts", "--json").json["incidents"]
    night.rewrite(incident["key"], count="many")
    done = night("alerts")
    assert done.code == 2
    assert incident["key"] in done.err


def test_what_real_checks_find_in_a_real_state_becomes_incidents_and_is_resolved_when_mended(
    night: Night, server: Server
) -> None:
    deadline = 'modes.overnight = { expect = "*", critical = ["gamebook"], deadline = "10:00 +1d" }\n'
    plan = PLAN.replace("[phase.raw]\n", f"[phase.raw]\n{deadline}")
    (night.folder / "plan.toml").write_text(plan + CHANNELS)
    night("begin", RUN)
    night.clock.at += 3 * HOUR

    def check() -> None:
        done = night("health", "--date", RUN[:10], "--alert")
        assert done.code == (1 if "PG022" in done.out else 0), done.out + done.err
        night.clock.at += HOUR

    for _ in range(3):
        check()
    (incident,) = night("alerts", "--json").json["incidents"]
    assert (incident["count"], [one["code"] for one in incident["findings"]]) == (3, ["PG022"])
    night.scrape(10)
    night("complete", "odds", "--run", RUN, "--rows", "7")
    night("worker", "--until-idle")
    night("complete", "report", "--run", RUN, "--rows", "3")
    for _ in range(2):
        check()
    assert night("alerts").code == 0
    assert [said.body["kind"] for said in server.said if said.path == "/secret"] == ["opened", "resolved"]


def test_an_incident_is_open_until_its_own_date_is_fine(night: Night) -> None:
    night.whole()
    night.clock.at += HOUR
    night.sql("UPDATE nba_analytics.player_game SET points = points + 1")
    assert night("health", "--date", RUN[:10], "--alert").code == 1
    for on in ("2026-02-04", "2026-02-05", "2026-02-06"):
        night.clock.at += 24 * HOUR
        assert night("health", "--date", on, "--alert").code == 2, "of another date nothing is known"
        assert "PG006" in night("alerts").out
    assert night("reconcile", "--from", RUN[:10], "--to", RUN[:10], "--fix").code == 0
    for _ in range(2):
        night.clock.at += HOUR
        night("health", "--date", "2026-02-06", "--alert")
    assert "PG006" not in night("alerts").out


def test_what_is_past_is_told_once_and_not_looked_at_again(night: Night) -> None:
    (night.folder / "plan.toml").write_text(PLAN.replace('table = "nba_raw.gamebook"', LATE, 1) + CHANNELS)
    night.whole()
    assert "PG020" in night("health", "--date", RUN[:10], "--alert").out
    for on in ("2026-02-04", "2026-02-05"):
        assert "PG020" in night("alerts").out
        night.clock.at += 24 * HOUR
        night("health", "--date", on, "--alert")
    assert "PG020" not in night("alerts").out


def test_an_incident_of_a_check_that_is_gone_is_named_and_closed_by_hand(night: Night, server: Server) -> None:
    evaluate(night, wrong(), wrong("odds"))
    night.clock.at += 2 * 24 * HOUR
    with night.pipeline() as pipeline:
        pipeline.alerts.take([CheckResult(check="another")], started=pipeline.alerts.start())
    lines = night("alerts").out.splitlines()
    named = next(line for line in lines if line.startswith("  id: ") and "unsent was not evaluated since" in line)
    name = named.split()[1].rstrip(";")[:6]
    done = night("alerts", "close", name)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "If an evaluation still finds it, it is opened again."
    assert len(night("alerts", "--json").json["incidents"]) == 1
    assert sum(said.body["kind"] == "resolved" for said in server.said if said.path == "/secret") == 1
    assert night("alerts", "close", name).err == (
        f"phasegate: incident '{name}': is not open; phasegate alerts lists the open ones\n"
    )
    night.clock.at += 60
    evaluate(night, wrong(), wrong("odds"))
    assert len(night("alerts", "--json").json["incidents"]) == 2, "it is found again, and open again"


def test_closing_says_whom_it_could_not_tell_and_what_it_could_not_find(night: Night, server: Server) -> None:
    evaluate(night, wrong(), wrong("odds"))
    both = night("alerts", "close", "")
    assert (both.code, both.err) == (2, "phasegate: incident '': is not open; phasegate alerts lists the open ones\n")
    key = night("alerts", "--json").json["incidents"][0]["key"]
    server.answers = Answers(500)
    done = night("alerts", "close", key, "--json")
    assert done.code == 2
    assert done.json["state"] == "resolved"
    assert "notifications to ops are stored and retried: 127.0.0.1 answered 500" in done.err
