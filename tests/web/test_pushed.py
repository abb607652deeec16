"""What Pub/Sub pushes: the service and a function of your own open it alike, and lose nothing that is malformed."""

import base64
import http.client
import json
from collections.abc import Mapping
from typing import Any

import pytest

from phasegate import take_pushed
from phasegate.base.codec import decode
from phasegate.gcp.carried import BODY_BYTES_MAX, CUT_BYTES
from phasegate.gcp.envelope import opened
from phasegate.quarantine import Quarantined
from phasegate.web.bounds import BODY_BYTES_MAX as BODY_BYTES
from phasegate.web.bounds import PUSH_BYTES_MAX
from phasegate.web.push import inbox_id
from tests.support.commands import PLAN, RUN, Night
from tests.support.service import WAIT_S, Served, served

NUMBER, AT = "207044", "2026-02-04T06:00:00Z"


def envelope(data: bytes | str, **more: object) -> dict[str, Any]:
    text = data if isinstance(data, str) else base64.b64encode(data).decode()
    return {"message": {"data": text, "messageId": NUMBER, "publishTime": AT, **more}, "subscription": "s"}


def body(**fields: object) -> bytes:
    return json.dumps(fields).encode()


MALFORMED: Mapping[str, tuple[object, str]] = {
    "no object": ([1], "message push.unreadable: no envelope of Pub/Sub: Expected `object`, got `array`"),
    "nothing": ({}, "no envelope of Pub/Sub: Object missing required field `message`"),
    "no message": ({"message": 7}, "Expected `object`, got `int` - at `$.message`"),
    "no id": ({"message": {"data": ""}}, "Object missing required field `messageId` - at `$.message`"),
    "an empty id": (envelope(b"{}", messageId=""), "Expected `str` of length >= 1 - at `$.message.messageId`"),
    "a long id": (envelope(b"{}", messageId="7" * 201), "length <= 200 - at `$.message.messageId`"),
    "a long time": (envelope(b"{}", publishTime="7" * 201), "length <= 200 - at `$.message.publishTime`"),
    "attributes": (envelope(b"{}", attributes={"ce-id": 7}), "Expected `str`, got `int` - at `$.message.attributes"),
    "no base64": (envelope("{}"), "no envelope of Pub/Sub: Only base64 data is allowed; publish a JSON object"),
    "no data": (envelope(b""), f"message push.{NUMBER}: Input data was truncated; publish a JSON object"),
    "no fields": (envelope(b" {} "), f"message push.{NUMBER}: an empty object; publish a JSON object"),
    "no JSON": (envelope(b"\xff{"), f"message push.{NUMBER}: JSON is malformed"),
    "a list": (envelope(b"[7]"), f"message push.{NUMBER}: Expected `object`, got `array`"),
    "too long": (envelope(b'"' + b"7" * BODY_BYTES_MAX), "500,001 bytes, at most 500,000 are taken"),
    "too deep": (envelope(b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}"), f"message push.{NUMBER}: "),
    "half a pair": (envelope(b'{"step": "\\ud800"}'), f"message push.{NUMBER}: "),
    "a large number": (envelope(body(step="odds", run=RUN, rows=2**70)), f"message push.{NUMBER}: "),
    "no such step": (envelope(body(step="odd", run=RUN)), "unknown step 'odd'"),
    "no kind": (envelope(body(kind="order", step="odds")), f"message push.{NUMBER}: kind is 'order'; it must be"),
}


def quarantine(service: Served) -> list[Quarantined]:
    """Return what is in quarantine, whole."""
    docs = service.pipeline.ports.store.scan("quarantine:nba:")
    return [decode(Quarantined, doc.body, key=doc.key) for doc in docs]


@pytest.mark.parametrize("name", MALFORMED)
def test_both_ways_quarantine_the_same(name: str, service: Served) -> None:
    sent, why = MALFORMED[name]
    text = json.dumps(sent).encode()
    assert service.post("/pubsub/push", text, by="reporter").status_code == 204
    (pushed,) = quarantine(service)
    assert why in pushed.reason
    assert take_pushed(service.pipeline, json.loads(text)) == "quarantined"
    (again,) = quarantine(service)
    assert (again.count, again.topic, again.body) == (2, pushed.topic, pushed.body)
    assert text_of(again) == text_of(pushed)


def text_of(kept: Quarantined) -> str:
    """Return a reason without the id of its message, to which the inbox adds a part."""
    return kept.reason.partition(": ")[2]


def test_what_is_no_json_is_stored_as_text_that_is_cut(service: Served) -> None:
    for raw in (b"no envelope", b"\xff" * (CUT_BYTES + 1), b'{"message":' + b"[" * 200_000):
        assert service.post("/pubsub/push", raw, by="scraper").status_code == 204
    texts = {str(one.body["_text"]) for one in quarantine(service)}
    assert texts == {"no envelope", "\\xff" * CUT_BYTES, '{"message":' + "[" * (CUT_BYTES - 11)}


def test_an_event_that_no_json_could_hold_is_shown_as_far_as_it_can_be(service: Served) -> None:
    deep: object = 7
    for _ in range(100_000):
        deep = [deep]
    for envelope_of_others in ({"message": {1, 2}}, {"message": deep}, {"message": 3 + 4j}):
        assert take_pushed(service.pipeline, envelope_of_others) == "quarantined"
    texts = {str(one.body["_text"]) for one in quarantine(service)}
    assert texts == {'{"message":[1,2]}', "nested too deeply", '{"message":"(3+4j)"}'}


def test_the_largest_message_of_pubsub_is_taken_cut_and_a_larger_body_is_refused(service: Served) -> None:
    assert service.post("/pubsub/push", envelope(b'"' + b"7" * 10_000_000), by="scraper").status_code == 204
    (letter,) = quarantine(service)
    assert "10,000,001 bytes, at most 500,000 are taken" in letter.reason
    assert too_large(service, "/pubsub/push", length=PUSH_BYTES_MAX + 1)["error"] == (
        "the body has more than 14,000,000 bytes; send less"
    )
    assert "1,000,000 bytes" in too_large(service, "/complete", length=BODY_BYTES + 1)["error"]


def too_large(service: Served, path: str, *, length: int) -> dict[str, str]:
    """Announce a body, and send none; return what it is refused with."""
    connection = http.client.HTTPConnection(*service.address, timeout=WAIT_S)
    connection.putrequest("POST", path)
    for name, value in (service.headers("scraper") | {"Content-Length": str(length)}).items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found: dict[str, str] = json.loads(answer.read())
    connection.close()
    assert answer.status == 413
    return found


def test_both_ways_understand_the_same(night: Night, service: Served) -> None:
    night("begin", RUN)
    said = envelope(body(step="odds", run=RUN, rows=3))
    assert take_pushed(service.pipeline, said) == "accepted"
    assert service.post("/pubsub/push", said, by="scraper").status_code == 204
    (raw,) = [view for view in service.pipeline.views.why(RUN) if view.phase == "raw"]
    (odds,) = [member for member in raw.members if member.name == "odds"]
    assert (odds.state, odds.rows, odds.last) == ("fresh", 3, "duplicate")
    assert quarantine(service) == []


def test_a_message_of_ours_keeps_its_id_however_often_it_is_published(service: Served) -> None:
    given = {"ce-id": "trigger.nba.raw.1", "ce-type": "phasegate.trigger"}
    first, second = (
        opened(envelope(body(kind="trigger"), messageId=number, attributes=given), plan=service.pipeline.plan)
        for number in ("1", "2")
    )
    assert first == second
    assert inbox_id(first.id, first.body).startswith("push.trigger.nba.raw.1.")


def test_the_topic_is_that_of_a_subscription_of_the_plan_and_of_no_other(night: Night) -> None:
    (night.folder / "plan.toml").write_text(PLAN.replace(
        "[phase.raw]", '[phase.raw]\nsends = [{ topic = "mailer", ack = "post" }]', 1
    ))  # fmt: skip
    with served(night.folder, clock=night.clock) as service:
        plan = service.pipeline.plan
        topics = {
            name: opened({**envelope(body(kind="trigger")), "subscription": f"projects/p/subscriptions/{name}"},
                         plan=plan).topic
            for name in ("phasegate.nba.mailer", "phasegate.nba.secret", "phasegate.other.mailer", "push.mailer")
        }  # fmt: skip
    assert topics == dict.fromkeys(topics, "nba.completions") | {"phasegate.nba.mailer": "mailer"}
