"""A stand-in for a channel whose secret is missing or wrong."""

from phasegate.channel import Note, Reply


class Missing:
    """A channel that cannot be used, for the reason ``why``."""

    def __init__(self, why: str) -> None:
        self._why = why

    def send(self, note: Note, /, *, ref: str) -> Reply:
        """Refuse; the message is retried, and arrives once the secret is set."""
        del note, ref
        return Reply(error=self._why)
