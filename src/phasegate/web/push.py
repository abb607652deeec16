"""Messages that Pub/Sub pushes.

Each becomes a document of the inbox under an id from the sender's, so that a redelivery is the same message; a worker
handles it as any other. What cannot be understood is quarantined. It refuses to lose one: it is answered with 2xx only
when it is stored.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping

import msgspec

from phasegate import messages
from phasegate.base.keys import WORD
from phasegate.bus import Message
from phasegate.errors import BadInput
from phasegate.gcp.carried import completed
from phasegate.pipeline import Pipeline
from phasegate.plan.model import completions_topic
from phasegate.web.bodies import PushBody, body_of, read_json
from phasegate.web.callers import Caller, Refused

ID_MAX = 100


def take(pipeline: Pipeline, raw: bytes, *, caller: Caller) -> bool:
    """Store a pushed message; return whether there is one to handle.

    Raises Refused for a message about what the caller may not report, and as the store does.
    """
    topic = completions_topic(pipeline.plan.pipeline)
    body: Mapping[str, object] = {"text": raw.decode(errors="replace")}
    try:
        envelope = body_of(read_json(raw), PushBody)
        body = {"data": envelope.message.data, "message_id": envelope.message.message_id}
        given = envelope.message
        body = completed(_message(envelope), number=given.message_id, published_at=given.publish_time)
        parsed = messages.parse(body, where=f"message {envelope.message.message_id}", plan=pipeline.plan)
    except BadInput as e:
        pipeline.runs.quarantine.put(topic, body, reason=str(e))
        return False
    if isinstance(parsed, messages.CompletionMessage):
        try:
            caller.check_report(parsed, pipeline.plan)
        except BadInput as e:
            pipeline.runs.quarantine.put(topic, body, reason=str(e))
            return False
    elif caller.steps is not None and caller.role != "operator":
        raise Refused(403, f"{caller.name} may report {', '.join(sorted(caller.steps))} only")
    pipeline.ports.bus.accept(Message(inbox_id(envelope.message.message_id, body), topic, body))
    return True


def inbox_id(given: str, body: Mapping[str, object], /) -> str:
    """Return the id of a pushed message, the same for each delivery of it.

    ``given``: the sender's id, which is unique within its topic only, and which any caller may choose. So the body is a
    part of it: a message never takes the place of another.

    >>> inbox_id("2070443601311540", {"step": "odds"})
    'push.2070443601311540.f86cc73187c6c1dd'
    """
    if len(given) > ID_MAX or not WORD.fullmatch(given):
        given = f"sha256-{hashlib.sha256(given.encode()).hexdigest()[:32]}"
    return f"push.{given}.{hashlib.sha256(msgspec.json.encode(body, order='sorted')).hexdigest()[:16]}"


def _message(envelope: PushBody) -> dict[str, object]:
    try:
        data = base64.b64decode(envelope.message.data, validate=True)
    except (binascii.Error, ValueError):
        raise BadInput("data is not base64; publish a JSON object") from None
    body = read_json(data)
    if not body:
        raise BadInput("data is empty; publish a JSON object")
    return body
