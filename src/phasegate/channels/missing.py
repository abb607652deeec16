"""A stand-in for a channel or endpoint whose secret is missing or wrong."""

from collections.abc import Mapping

from phasegate.channel import Note, Reply


class Missing:
    """A channel or endpoint that cannot be used, for the reason ``why``."""

    def __init__(self, why: str) -> None:
        self._why = why

    def send(self, note: Note, /, *, ref: str) -> Reply:
        """Refuse; the message is retried, and arrives once the secret is set."""
        del note, ref
        return Reply(error=self._why)

    def post(self, trigger: Mapping[str, object], /, *, fired_at: float) -> Reply:
        """Refuse; the trigger is sent again, and arrives once the address is set."""
        del trigger, fired_at
        return Reply(error=self._why)
