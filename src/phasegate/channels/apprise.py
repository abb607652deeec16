"""Tells the services that the Apprise library knows, by its own addresses such as ``mailtos://…``.

The library knows neither Retry-After nor an id: a message that it could not send is sent again, backing off. It gives
no reason that could be shown: its own log may hold addresses, so it is silenced here.
"""

import logging

from phasegate.alerts.notes import headline, plain
from phasegate.channel import Note, Reply
from phasegate.channels.bounded import within
from phasegate.channels.http import TOTAL_S

MEND = "pip install 'phasegate[apprise]'"
TYPES = {"opened": "failure", "escalated": "failure", "resolved": "success"}


class Apprise:
    """A channel over Apprise. ``urls`` holds one or several addresses, apart by blanks, and is a secret."""

    def __init__(self, urls: str, *, total_s: float = TOTAL_S) -> None:
        self._urls, self._total_s = urls.split(), total_s

    def send(self, note: Note, /, *, ref: str) -> Reply:
        """Send the message to every address; an error if one of them did not take it."""
        del ref
        try:
            import apprise  # with its plug-ins 300 ms, and an extra: only who uses it pays
        except ImportError:
            return Reply(error=f"the library apprise is not installed; {MEND}")
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        told = apprise.Apprise()
        if not all(told.add(url) for url in self._urls):
            return Reply(error="Apprise knows no such address; its documentation lists those it knows")
        title, body, text = headline(note), plain(note), apprise.NotifyFormat.TEXT
        kind = apprise.NotifyType(TYPES.get(note.kind, "info"))
        sent = within(self._total_s, lambda: told.notify(title=title, body=body, notify_type=kind, body_format=text))
        if sent is None:
            return Reply(error=f"Apprise did not come back within {self._total_s:g} s")
        return Reply() if sent else Reply(error="Apprise could not send it; an address did not take it")
