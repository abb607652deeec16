"""Messages that Pub/Sub pushes to a function or a service of your own.

Each is handled while its sender waits, and stored nowhere before: an error is raised, and Pub/Sub delivers it again. It
refuses to lose one: what cannot be understood is in quarantine.
"""

from collections.abc import Mapping

from phasegate.gcp.envelope import opened
from phasegate.pipeline import Pipeline


def take_pushed(pipeline: Pipeline, envelope: Mapping[str, object], /) -> str:
    """Handle a message that Pub/Sub pushes; return the outcome.

    ``envelope``: the JSON body of the push, or the ``data`` of the event of a Cloud Function. Once this returns, the
    effect is stored, in quarantine if the message cannot be understood: answer with 2xx. An error that is raised means
    that it is not: let the message be delivered again.
    """
    message = opened(envelope, plan=pipeline.plan)
    return pipeline.take(message.body, topic=message.topic, number=message.id)
