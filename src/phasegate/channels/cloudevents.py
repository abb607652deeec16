"""Posts CloudEvents 1.0 in their structured mode, as JSON, to a URL.

The ``id`` is the same at every sending: a receiver may drop repeats.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from phasegate.channel import Note, Reply
from phasegate.channels.http import TIMEOUT_S, TOTAL_S, request
from phasegate.channels.webhook import body_of

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
FIRED = "dev.phasegate.phase.fired"
INCIDENT = "dev.phasegate.incident."
# Of messages that are about no incident.
OTHERS = {"digest": "dev.phasegate.digest", "test": "dev.phasegate.test"}


class CloudEvents:
    """A receiver of CloudEvents at ``url``; both arguments are secrets.

    ``authorization``: the value of that header, "" for none.
    """

    def __init__(
        self, url: str, *, authorization: str = "", timeout_s: float = TIMEOUT_S, total_s: float = TOTAL_S
    ) -> None:
        self._url, self._timeout_s, self._total_s = url, timeout_s, total_s
        self._headers = {"Content-Type": CONTENT_TYPE} | ({"Authorization": authorization} if authorization else {})

    def send(self, note: Note, /, *, ref: str) -> Reply:
        """Post a message about incidents; any 2xx status means that it arrived."""
        del ref  # a resolution is an event of its own; its subject is the same
        return self._post(incident_event(note))

    def post(self, trigger: Mapping[str, object], /, *, fired_at: float) -> Reply:
        """Post the body of a trigger; any 2xx status means that it arrived."""
        return self._post(fired_event(trigger, fired_at=fired_at))

    def _post(self, event: Mapping[str, object]) -> Reply:
        answer = request(self._url, body=event, headers=self._headers, timeout_s=self._timeout_s, total_s=self._total_s)
        return Reply(error=answer.error, retry_after_s=answer.retry_after_s)


def fired_event(trigger: Mapping[str, object], /, *, fired_at: float) -> dict[str, object]:
    """Return the event that a phase fired; its data is the trigger's body."""
    source = f"/phasegate/{trigger['pipeline']}/{trigger['phase']}"
    return _event(str(trigger["id"]), kind=FIRED, source=source, subject=str(trigger["run"]), at=fired_at, data=trigger)


def incident_event(note: Note, /) -> dict[str, object]:
    """Return the event of a message about incidents; its data is a webhook's.

    Its time is that of what it reports, the same at every sending.
    """
    at = note.resolved_at if note.kind == "resolved" else note.last_at if note.kind == "escalated" else note.since
    kind = OTHERS.get(note.kind, f"{INCIDENT}{note.kind}")
    return _event(note.id, kind=kind, source=f"/phasegate/{note.pipeline}", subject=note.incident, at=at,
                  data=body_of(note))  # fmt: skip


def _event(
    number: str, *, kind: str, source: str, subject: str, at: float | None, data: Mapping[str, object]
) -> dict[str, object]:
    event: dict[str, object] = {"specversion": "1.0", "id": number, "source": source, "type": kind}
    if subject:
        event["subject"] = subject
    if at is not None:
        event["time"] = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {**event, "datacontenttype": "application/json", "data": dict(data)}
