"""Slack: what it is sent, and what is made of its answers."""

import json

import pytest
from msgspec.structs import replace

from phasegate.channels.slack import SlackBot, SlackWebhook, message_of
from tests.support.http_server import NOTE, Answers, Server

OK = {"ok": True, "channel": "C1", "ts": "170.1"}
RESOLVED = replace(NOTE, kind="resolved", id="incident.nba.cause.1.1.resolved", resolved_at=1_770_130_000.0)


def bot(server: Server) -> SlackBot:
    return SlackBot("xoxb-secret", to="#nba", api=f"{server.url}/api", timeout_s=0.3, total_s=2.0)


def texts(body: object) -> str:
    return json.dumps(body, ensure_ascii=False)


def test_a_message_says_what_since_when_the_evidence_and_the_mend() -> None:
    body = message_of(NOTE)
    assert body["text"] == "nba ERROR: analytics of 2026-02-03.overnight: complete, but not fired"
    kinds = [block["type"] for block in body["blocks"]]
    assert kinds == ["header", "section", "section", "section", "context"]
    assert body["blocks"][0]["text"]["type"] == "plain_text"
    assert [field["text"] for field in body["blocks"][2]["fields"]] == ["*stored count*\n3", "*members*\n5"]
    assert body["blocks"][3]["text"]["text"] == "```phasegate worker --until-idle```"
    assert "since 2026-02-03 07:00 EST, found 3 times" in body["blocks"][4]["elements"][0]["text"]


def test_nothing_that_a_check_says_is_a_mention_or_a_link_or_ends_the_code() -> None:
    note = replace(NOTE, title="<!channel>", lines=("<@U1> & <http://x|y>",), evidence={"<a>": "<b>"},
                   commands=("echo ``` <!here>",))  # fmt: skip
    body = message_of(note)
    shown = texts([block for block in body["blocks"] if block["type"] != "header"]) + body["text"]
    assert "<" not in shown
    assert body["blocks"][3]["text"]["text"].count("```") == 2


def test_a_message_keeps_slack_s_limits() -> None:
    long = "x & " * 3_000
    note = replace(
        NOTE, title=long, lines=(long,) * 40, evidence={f"{n}": long for n in range(40)}, commands=(long,) * 5
    )
    body = message_of(note)
    assert len(body["text"]) <= 3_000
    assert len(body["blocks"]) <= 50
    for block in body["blocks"]:
        assert len(block.get("fields", [])) <= 10
        assert len(block.get("text", {}).get("text", "")) <= (150 if block["type"] == "header" else 3_000)
        assert all(len(field["text"]) <= 2_000 for field in block.get("fields", []))


def test_a_webhook_posts_and_posts_a_second_message_at_the_end(server: Server) -> None:
    webhook = SlackWebhook(f"{server.url}/services/secret")
    assert webhook.send(NOTE, ref="").error == ""
    assert webhook.send(RESOLVED, ref="").error == ""
    assert [said.path for said in server.said] == ["/services/secret"] * 2
    assert "resolved" in server.bodies[1]["text"]
    assert "```" not in texts(server.bodies[1])


def test_a_bot_posts_and_edits_its_message_at_the_end(server: Server) -> None:
    server.answers = Answers(body=OK)
    first = bot(server).send(NOTE, ref="")
    assert (first.error, first.ref) == ("", "C1/170.1")
    assert bot(server).send(RESOLVED, ref=first.ref).error == ""
    assert [said.path for said in server.said] == ["/api/chat.postMessage", "/api/chat.update"]
    assert server.said[0].headers["Authorization"] == "Bearer xoxb-secret"
    assert (server.bodies[0]["channel"], server.bodies[1]["channel"], server.bodies[1]["ts"]) == ("#nba", "C1", "170.1")


def test_an_escalation_answers_the_first_message_which_stays_the_one_to_edit(server: Server) -> None:
    server.answers = Answers(body={**OK, "ts": "999.9"})
    reply = bot(server).send(replace(NOTE, kind="escalated"), ref="C1/170.1")
    assert (server.bodies[0]["thread_ts"], server.bodies[0]["reply_broadcast"]) == ("170.1", True)
    assert reply.ref == "C1/170.1"
    assert bot(server).send(replace(NOTE, kind="escalated"), ref="").ref == "C1/999.9"


def test_a_first_message_that_cannot_be_edited_is_followed_by_a_second(server: Server) -> None:
    server.queue = [Answers(body={"ok": False, "error": "message_not_found"})]
    server.answers = Answers(body=OK)
    assert bot(server).send(RESOLVED, ref="C1/170.1").error == ""
    assert [said.path for said in server.said] == ["/api/chat.update", "/api/chat.postMessage"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answers(body={"ok": False, "error": "invalid_auth"}), "Slack says invalid_auth"),
        (Answers(body={"ok": False, "error": "token xoxb-secret is bad"}), "Slack says no, without a reason"),
        (Answers(body={"ok": False}), "Slack says no, without a reason"),
        (Answers(body="<html>"), "Slack answered something that is no JSON object"),
        (Answers(body=[1]), "Slack answered something that is no JSON object"),
        (Answers(500, "xoxb-secret"), "127.0.0.1 answered 500"),
        (Answers(429, "", {"Retry-After": "30"}), "127.0.0.1 answered 429"),
        (Answers(hang=True), "127.0.0.1 did not answer within 0.3 s"),
    ],
)
def test_what_slack_does_not_take_is_an_error_without_the_secret(server: Server, answer: Answers, error: str) -> None:
    server.answers = answer
    for note, ref in ((NOTE, ""), (RESOLVED, "C1/170.1")):
        reply = bot(server).send(note, ref=ref)
        assert reply.error == error
        assert reply.retry_after_s == (30.0 if answer.status == 429 else 0.0)
