"""Messages that Pub/Sub pushes.

Each becomes a document of the inbox under an id from the sender's, so that a redelivery is the same message; a worker
handles it as any other. What cannot be understood is quarantined. It refuses to lose one: it is answered with 2xx only
when it is stored.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from phasegate import messages
from phasegate.base.keys import WORD
from phasegate.bus import Message
from phasegate.errors import BadInput
from phasegate.gcp.envelope import opened
from phasegate.pipeline import Pipeline
from phasegate.web.callers import Caller, Refused

ID_MAX = 100
PREFIX = "push."


def take(pipeline: Pipeline, raw: bytes, *, caller: Caller) -> bool:
    """Store a pushed message; return whether there is one to handle.

    Raises Refused for a message about what the caller may not report, and as the store does.
    """
    message = opened(raw, plan=pipeline.plan)
    try:
        parsed = messages.parse(message.body, where=f"message {message.id}", plan=pipeline.plan)
        if isinstance(parsed, messages.CompletionMessage):
            caller.check_report(parsed, pipeline.plan)
    except BadInput as e:
        pipeline.runs.quarantine.put(message.topic, message.body, reason=str(e))
        return False
    if not isinstance(parsed, messages.CompletionMessage) and caller.steps is not None and caller.role != "operator":
        raise Refused(403, f"{caller.name} may report {', '.join(sorted(caller.steps))} only")
    pipeline.ports.bus.accept(Message(inbox_id(message.id, message.body), message.topic, message.body))
    return True


def inbox_id(given: str, body: Mapping[str, object], /) -> str:
    """Return the id of a pushed message, the same for each delivery of it.

    ``given``: the sender's id, which any caller may choose. So the body is a part of it: a message never takes the
    place of another.

    >>> inbox_id("push.2070443601311540", {"step": "odds"})
    'push.2070443601311540.f86cc73187c6c1dd'
    """
    given = given.removeprefix(PREFIX)
    if len(given) > ID_MAX or not WORD.fullmatch(given):
        given = f"sha256-{hashlib.sha256(given.encode()).hexdigest()[:32]}"
    return f"{PREFIX}{given}.{hashlib.sha256(msgspec.json.encode(body, order='sorted')).hexdigest()[:16]}"
