"""A dead-man switch with the protocol of healthchecks.io.

A success is a GET of the address; a start or failure is one of the address with /start or /fail appended.
"""

from urllib.parse import urlsplit, urlunsplit

from phasegate.channel import PingKind, Reply
from phasegate.channels.http import TIMEOUT_S, TOTAL_S, request


class Ping:
    """The switch at ``url``, which is a secret."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S, total_s: float = TOTAL_S) -> None:
        self._url, self._timeout_s, self._total_s = url, timeout_s, total_s

    def ping(self, what: PingKind, /) -> Reply:
        """Send the ping; any 2xx status means that it arrived."""
        parts = urlsplit(self._url)
        path = parts.path if what == "success" else f"{parts.path.rstrip('/')}/{what}"
        answer = request(urlunsplit(parts._replace(path=path)), timeout_s=self._timeout_s, total_s=self._total_s)
        return Reply(error=answer.error, retry_after_s=answer.retry_after_s)
