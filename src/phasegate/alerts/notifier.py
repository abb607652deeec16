"""Sends messages to channels and reports the outcome.

It never raises, and shows no secret.
"""

from collections.abc import Mapping

from phasegate.channel import Channel, Note, Reply
from phasegate.ports import Observer


class Notifier:
    """The channels of a plan, by name."""

    def __init__(self, channels: Mapping[str, Channel], *, observer: Observer) -> None:
        self._channels, self._observer = channels, observer

    def send(self, channel: str, note: Note, *, ref: str = "") -> Reply:
        """Send one message.

        Of an exception that a channel raises only the type is shown: its text may hold a secret.
        """
        adapter = self._channels.get(channel)
        try:
            reply = Reply(error="it is not connected") if adapter is None else adapter.send(note, ref=ref)
        except Exception as e:  # noqa: BLE001  an adapter's library may raise anything; it is reported and retried
            reply = Reply(error=f"failed with {type(e).__name__}")
        if reply.error:
            self._observer.event("alert not sent", id=note.id, channel=channel, error=reply.error)
        else:
            self._observer.event("alert sent", id=note.id, channel=channel)
        return reply
