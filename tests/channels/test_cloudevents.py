"""CloudEvents of incidents and firings, against a real server; each is valid by the schema."""

from typing import Any

import pytest
from msgspec.structs import replace

from phasegate.channels.cloudevents import CloudEvents
from phasegate.channels.opening import channels_of, endpoints_of
from phasegate.plan.policy import ChannelRule
from tests.support.cloudevents import check_cloud_event
from tests.support.http_server import NOTE, Answers, Server

TRIGGER = {
    "kind": "trigger", "id": "trigger.nba.raw.2026-02-03.overnight.1.audit", "pipeline": "nba", "phase": "raw",
    "run": "2026-02-03.overnight", "date": "2026-02-03", "generation": 1, "receiver": "audit",
    "stamps": {"gamebook": {"fingerprint": "348-5d41402abc4b2a76", "token": 1}}, "missing": [],
}  # fmt: skip


def test_an_incident_is_an_event_in_structured_mode(server: Server) -> None:
    assert CloudEvents(f"{server.url}/events?key=secret").send(NOTE, ref="").error == ""
    (said,) = server.said
    assert (said.method, said.path) == ("POST", "/events?key=secret")
    assert said.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    event = check_cloud_event(said.body)
    assert (event["id"], event["type"]) == (NOTE.id, "dev.phasegate.incident.opened")
    assert (event["source"], event["subject"]) == ("/phasegate/nba", NOTE.incident)
    assert event["time"] == "2026-02-03T12:00:00.000Z"
    assert said.body["data"]["title"] == NOTE.title


@pytest.mark.parametrize(
    ("changes", "kind", "time"),
    [
        ({"kind": "escalated"}, "dev.phasegate.incident.escalated", "2026-02-03T14:00:00.000Z"),
        ({"kind": "resolved", "resolved_at": 1_770_130_000.0}, "dev.phasegate.incident.resolved",
         "2026-02-03T14:46:40.000Z"),
        ({"kind": "digest", "incident": "", "since": None}, "dev.phasegate.digest", None),
        ({"kind": "test", "incident": ""}, "dev.phasegate.test", "2026-02-03T12:00:00.000Z"),
    ],
)  # fmt: skip
def test_each_kind_of_message_is_a_type_of_event(
    server: Server, changes: dict[str, Any], kind: str, time: str | None
) -> None:
    CloudEvents(server.url).send(replace(NOTE, **changes), ref="")
    check_cloud_event(server.bodies[0])
    assert (server.bodies[0]["type"], server.bodies[0].get("time")) == (kind, time)
    assert ("subject" in server.bodies[0]) == bool(changes.get("incident", NOTE.incident))


def test_a_firing_is_an_event_with_the_id_of_its_trigger(server: Server) -> None:
    assert CloudEvents(server.url).post(TRIGGER, fired_at=1_770_120_000.5).error == ""
    event = check_cloud_event(server.bodies[0])
    assert (event["id"], event["type"]) == (TRIGGER["id"], "dev.phasegate.phase.fired")
    assert (event["source"], event["subject"]) == ("/phasegate/nba/raw", "2026-02-03.overnight")
    assert event.data == TRIGGER
    assert server.bodies[0]["time"] == "2026-02-03T12:00:00.500Z"


def test_a_refusal_is_an_error_without_the_address(server: Server) -> None:
    server.answers = Answers(503, "", {"Retry-After": "77"})
    reply = CloudEvents(f"{server.url}/secret", authorization="Bearer key").send(NOTE, ref="")
    assert (reply.error, reply.retry_after_s) == ("127.0.0.1 answered 503", 77.0)


def test_an_authorization_follows_the_address_after_a_blank(server: Server) -> None:
    rule = ChannelRule(name="ops", kind="cloudevents")
    channels = channels_of([rule], {"ops": f"{server.url}/a Bearer key 1"}, prefix="PHASEGATE_ALERTS_")
    endpoints = endpoints_of(["audit"], {"audit": f"{server.url}/b Basic bWU6eA=="}, prefix="PHASEGATE_POST_")
    channels["ops"].send(NOTE, ref="")
    endpoints["audit"].post(TRIGGER, fired_at=0.0)
    sent = [(said.path, said.headers["Authorization"]) for said in server.said]
    assert sent == [("/a", "Bearer key 1"), ("/b", "Basic bWU6eA==")]


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("", "it has no address; set PHASEGATE_POST_AUDIT"),
        ("example.org/secret", "PHASEGATE_POST_AUDIT is no URL that begins with https:// or http://"),
        ("https://example.org Bearer\tsecret",
         "PHASEGATE_POST_AUDIT: after the URL and a blank comes the value of the header Authorization; fix it"),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_reported_when_it_is_used_and_never_shown(address: str, error: str) -> None:
    addresses = {"audit": address} if address else {}
    endpoint = endpoints_of(["audit"], addresses, prefix="PHASEGATE_POST_")["audit"]
    assert endpoint.post(TRIGGER, fired_at=0.0).error == error


def test_an_event_that_is_not_valid_is_found() -> None:
    with pytest.raises(Exception, match="'source' is a required property"):
        check_cloud_event({"specversion": "1.0", "id": "1", "type": "a"})
    with pytest.raises(Exception, match="'' should be non-empty"):
        check_cloud_event({"specversion": "1.0", "id": "", "type": "a", "source": "/a"})
