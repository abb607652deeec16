"""The envelope in which Pub/Sub pushes a message. Pure.

This is the one place that opens it. What is no envelope, and what no message is in, becomes a message that says so, for
its reader to quarantine: it refuses to lose one.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from phasegate.base.codec import build_type
from phasegate.bus import Message
from phasegate.errors import legible
from phasegate.gcp.carried import arrived, topic_of, unreadable
from phasegate.plan.model import Plan, completions_topic

TEXT_MAX = 200
UNREADABLE_ID = "push.unreadable"


class PushedMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message as Pub/Sub pushes it; ``data`` is base64."""

    message_id: Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
    data: str = ""
    attributes: Mapping[str, str] | None = None
    publish_time: Annotated[str, Meta(max_length=TEXT_MAX)] = ""


class PushBody(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope of Pub/Sub's push, and of an event of a Cloud Function."""

    message: PushedMessage
    subscription: str = ""


build_type(PushBody)  # not by the first requests at once


def opened(envelope: bytes | Mapping[str, object], /, *, plan: Plan) -> Message:
    """Return the message of a push.

    Its body is as it came, or says why there is none. Its topic is that of a subscription of the plan's; of others,
    that of completions.
    """
    topic = completions_topic(plan.pipeline)
    try:
        given = msgspec.json.decode(envelope) if isinstance(envelope, bytes) else envelope
        found = msgspec.convert(given, PushBody)
        data = base64.b64decode(found.message.data, validate=True)
    except (msgspec.DecodeError, binascii.Error, ValueError, RecursionError) as e:
        why = f"no envelope of Pub/Sub: {legible(str(e))}"
        return Message(UNREADABLE_ID, topic, unreadable(_text(envelope), why=why))
    named = topic_of(found.subscription, pipeline=plan.pipeline)
    return arrived(
        data, found.message.attributes or {}, number=found.message.message_id,
        published_at=found.message.publish_time, topic=named if named in plan.topics() else topic,
    )  # fmt: skip


def _text(envelope: object) -> bytes:
    """Return what is no envelope as text.

    The same for the same JSON, however it was spelled.
    """
    try:
        given = msgspec.json.decode(envelope) if isinstance(envelope, bytes) else envelope
        return msgspec.json.encode(given, enc_hook=repr)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return envelope if isinstance(envelope, bytes) else b"nested too deeply"
