"""A channel over the Apprise library and its addresses (``mailtos://…``).

The library returns neither Retry-After nor an id: a message that it could not send is retried, backing off. Its log may
hold addresses, so it is silenced here, and no reason can be shown.
"""

import logging

from phasegate.alerts.notes import headline, plain
from phasegate.channel import Note, Reply
from phasegate.channels.bounded import within
from phasegate.channels.http import TOTAL_S

INSTALL = "pip install 'phasegate[apprise]'"
TYPES = {"opened": "failure", "escalated": "failure", "resolved": "success"}


class Apprise:
    """A channel over Apprise.

    ``urls``: one or several addresses, separated by blanks; a secret.
    """

    def __init__(self, urls: str, *, total_s: float = TOTAL_S) -> None:
        self._urls, self._total_s = urls.split(), total_s

    def send(self, note: Note, /, *, ref: str) -> Reply:
        """Send the message to every address; an error if one refused it."""
        del ref
        try:
            import apprise  # 300 ms with its plug-ins, and an extra: only its users pay
        except ImportError:
            return Reply(error=f"the library apprise is not installed; {INSTALL}")
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        services = apprise.Apprise()
        if not all(services.add(url) for url in self._urls):
            return Reply(error="Apprise does not support this address; its documentation lists the supported ones")
        title, body, text = headline(note), plain(note), apprise.NotifyFormat.TEXT
        kind = apprise.NotifyType(TYPES.get(note.kind, "info"))
        sent = within(
            self._total_s, lambda: services.notify(title=title, body=body, notify_type=kind, body_format=text)
        )
        if sent is None:
            return Reply(error=f"Apprise did not return within {self._total_s:g} s")
        return Reply() if sent else Reply(error="Apprise could not send it; an address refused it")
