"""A channel that posts each message as one JSON object to a URL.

The ``id`` is the same at every sending of a message: a receiver may drop repeats.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from phasegate.alerts.notes import headline, plain
from phasegate.channel import Note, Reply
from phasegate.channels.http import TIMEOUT_S, TOTAL_S, request


class Webhook:
    """A channel for programs at ``url``, which is a secret."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S, total_s: float = TOTAL_S) -> None:
        self._url, self._timeout_s, self._total_s = url, timeout_s, total_s

    def send(self, note: Note, /, *, ref: str) -> Reply:
        """Post the message; any 2xx status means that it arrived."""
        del ref  # a resolution is a second message; ``incident`` groups the two
        answer = request(self._url, body=body_of(note), headers={"Idempotency-Key": note.id},
                         timeout_s=self._timeout_s, total_s=self._total_s)  # fmt: skip
        return Reply(error=answer.error, retry_after_s=answer.retry_after_s)


def body_of(note: Note, /) -> Mapping[str, object]:
    """Return a message as JSON; times are ISO 8601 in UTC, or null."""
    return {
        "id": note.id,
        "kind": note.kind,
        "pipeline": note.pipeline,
        "incident": note.incident or None,
        "severity": note.severity,
        "title": note.title,
        "findings": list(note.lines),
        "more": note.more,
        "count": note.count,
        "since": _iso(note.since),
        "first_seen": _iso(note.first_at),
        "last_seen": _iso(note.last_at),
        "resolved_at": _iso(note.resolved_at),
        "evidence": dict(note.evidence),
        "next": list(note.commands),
        "text": f"{headline(note)}\n{plain(note)}",
    }


def _iso(at: float | None) -> str | None:
    return None if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
