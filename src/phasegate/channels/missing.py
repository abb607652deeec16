"""Stands for a channel whose secret nobody gave, or gave wrong: it says so at every message, and none is lost."""

from phasegate.channel import Note, Reply


class Missing:
    """A channel that cannot be used, for the reason ``why``."""

    def __init__(self, why: str) -> None:
        self._why = why

    def send(self, note: Note, /, *, ref: str) -> Reply:
        """Refuse; the message is tried again, and arrives once the secret is there."""
        del note, ref
        return Reply(error=self._why)
