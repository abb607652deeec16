"""Messages that Pub/Sub pushes to a function or a service of your own.

Each is handled while its sender waits, and stored nowhere before: an error is raised, and Pub/Sub delivers it again. It
refuses to lose one: what cannot be understood is in quarantine.
"""

import base64
import binascii
from collections.abc import Mapping

import msgspec

from phasegate.errors import legible
from phasegate.gcp.carried import arrived, unreadable
from phasegate.pipeline import Pipeline
from phasegate.plan.model import completions_topic


class Pushed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message as Pub/Sub pushes it; ``data`` is base64."""

    message_id: str = ""
    data: str = ""
    attributes: dict[str, str] | None = None
    publish_time: str = ""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What a push, and an event of a Cloud Function, has round it."""

    message: Pushed


def take_pushed(pipeline: Pipeline, envelope: Mapping[str, object], /) -> str:
    """Handle a message that Pub/Sub pushes; return the outcome.

    ``envelope``: the JSON body of the push, or the ``data`` of the event of a Cloud Function. Once this returns, the
    effect is stored, in quarantine if the message cannot be understood: answer with 2xx. An error that is raised means
    that it is not: let the message be delivered again.
    """
    topic = completions_topic(pipeline.plan.pipeline)
    try:
        given = msgspec.convert(envelope, Envelope).message
        data = base64.b64decode(given.data, validate=True)
    except (msgspec.ValidationError, binascii.Error, ValueError) as e:
        text = msgspec.json.encode(envelope, enc_hook=repr)
        body = unreadable(text, why=f"it is no envelope of Pub/Sub: {legible(str(e))}")
        return pipeline.take(body, topic=topic, number="push.unreadable")
    message = arrived(
        data, given.attributes or {}, number=given.message_id, published_at=given.publish_time, topic=topic
    )
    return pipeline.take(message.body, topic=topic, number=message.id)
