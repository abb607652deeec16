"""The generic webhook and the dead-man switch, against a real server."""

from msgspec.structs import replace

from phasegate.channels.missing import Missing
from phasegate.channels.ping import Ping
from phasegate.channels.webhook import Webhook
from tests.support.http_server import NOTE, Answers, Server


def test_a_webhook_gets_the_message_as_json_under_its_id(server: Server) -> None:
    assert Webhook(f"{server.url}/hook?key=secret").send(NOTE, ref="").error == ""
    (said,) = server.said
    assert (said.method, said.path, said.headers["Idempotency-Key"]) == ("POST", "/hook?key=secret", NOTE.id)
    assert said.body["since"] == "2026-02-03T12:00:00Z"
    assert said.body["resolved_at"] is None
    assert said.body["next"] == ["phasegate worker --until-idle"]
    assert said.body["evidence"] == {"stored count": "3", "members": "5"}
    assert (said.body["kind"], said.body["severity"], said.body["incident"]) == ("opened", "error", NOTE.incident)
    assert "since 2026-02-03 07:00 EST, found 3 times" in said.body["text"]


def test_the_end_is_a_message_of_its_own_for_the_same_incident(server: Server) -> None:
    Webhook(server.url).send(replace(NOTE, kind="resolved", id="x", resolved_at=1_770_130_000.0), ref="")
    assert (server.bodies[0]["kind"], server.bodies[0]["incident"]) == ("resolved", NOTE.incident)
    assert server.bodies[0]["resolved_at"] == "2026-02-03T14:46:40Z"
    assert "next:" not in server.bodies[0]["text"]


def test_a_refusal_says_how_long_to_wait(server: Server) -> None:
    server.answers = Answers(429, "", {"Retry-After": "77"})
    reply = Webhook(server.url).send(NOTE, ref="")
    assert (reply.error, reply.retry_after_s) == ("127.0.0.1 answered 429", 77.0)


def test_the_dead_man_switch_speaks_the_protocol_of_healthchecks(server: Server) -> None:
    switch = Ping(f"{server.url}/uuid/?create=1")
    for what in ("start", "success", "fail"):
        assert switch.ping(what).error == ""
    assert [said.path for said in server.said] == ["/uuid/start?create=1", "/uuid/?create=1", "/uuid/fail?create=1"]
    assert {said.method for said in server.said} == {"GET"}
    server.answers = Answers(404)
    assert switch.ping("success").error == "127.0.0.1 answered 404"


def test_a_channel_without_a_secret_says_so() -> None:
    assert Missing("it has no secret; set X").send(NOTE, ref="").error == "it has no secret; set X"
