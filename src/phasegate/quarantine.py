"""The quarantine: refused messages, each stored with the reason.

A message that cannot be understood, or that failed too often, is stored here and acknowledged on the bus: it neither
blocks other messages nor is lost. An operator redrives or discards it. It refuses to guess what a message meant.
"""

import hashlib

import msgspec
from msgspec.structs import replace

from phasegate.base.codec import State, decode, offence
from phasegate.bus import Message
from phasegate.errors import NotFound, legible
from phasegate.ports import Ports
from phasegate.store import Body
from phasegate.transact import transact

REASON_MAX = 2_000
REDRIVEN = "redriven."
"""How the id of a message begins that an operator brought back."""
BODY_MAX = 100_000


class Quarantined(State, frozen=True):
    """One refused message: its body, the reason, and how often it arrived.

    ``discarded``: an operator has dismissed it; it is shown again if it arrives again.
    """

    topic: str
    reason: str
    body: dict[str, object]
    first_at: float
    last_at: float
    count: int = 1
    last_by: str = ""
    discarded: bool = False


def _storable(body: Body) -> dict[str, object]:
    """Return a message's body, as text if no document could hold it."""
    if offence(body) is None:
        return dict(body)
    return {"cut": ", ".join(f"{_shown(name)}: {_shown(value)}" for name, value in body.items())[:BODY_MAX]}


def _shown(value: object) -> str:
    try:
        return ascii(value)
    except Exception:  # noqa: BLE001  a foreign object's repr may raise anything; its type says what it was
        return f"a {type(value).__name__}"


class Quarantine:
    """Stores documents ``quarantine:PIPELINE:TOPIC:HASH``."""

    def __init__(self, pipeline: str, ports: Ports) -> None:
        self._pipeline, self._ports = pipeline, ports

    def put(self, topic: str, body: Body, *, reason: str) -> str:
        """Store a refused message, or count it again; return its key."""
        kept, reason = _storable(body), legible(reason)[:REASON_MAX]
        text = msgspec.json.encode(kept, order="sorted")
        key = f"quarantine:{self._pipeline}:{topic}:{hashlib.sha256(text).hexdigest()[:16]}"
        if len(text) > BODY_MAX:
            kept = {"cut": text[:BODY_MAX].decode(errors="replace")}
        now, attempt = self._ports.clock.now(), self._ports.ids()

        def decide(old: Quarantined | None) -> tuple[Quarantined, None]:
            if old is None:
                return Quarantined(
                    topic=topic, reason=reason, body=kept, first_at=now, last_at=now, last_by=attempt
                ), None
            if old.last_by == attempt:
                return old, None
            return replace(old, reason=reason, last_at=now, count=old.count + 1, last_by=attempt, discarded=False), None

        transact(self._ports, key, kind=Quarantined, decide=decide, derived=True)
        self._ports.observer.event("quarantined", key=key, reason=reason)
        return key

    def check(self, key: str) -> None:
        """Raise NotFound if there is no such message."""
        self._read(key)

    def discard(self, key: str) -> None:
        """Stop showing a quarantined message; it stays stored.

        Raises NotFound.
        """
        self._read(key)

        def decide(old: Quarantined | None) -> tuple[Quarantined | None, None]:
            return (None if old is None else replace(old, discarded=True)), None

        transact(self._ports, key, kind=Quarantined, decide=decide)

    def _read(self, key: str) -> tuple[Quarantined, str]:
        """Return a quarantined message and its version.

        Raises NotFound.
        """
        doc = self._ports.store.read(key) if key.startswith(f"quarantine:{self._pipeline}:") else None
        if doc is None:
            raise NotFound(f"{key}: no such message in quarantine; see phasegate dead")
        return decode(Quarantined, doc.body, key=key), doc.version

    def redrive(self, key: str) -> None:
        """Publish a quarantined message again, then remove it from the quarantine.

        It gets a new id. If it is refused again, it is quarantined again. Raises NotFound.
        """
        kept, version = self._read(key)
        number = f"{REDRIVEN}{key.rpartition(':')[2]}.{kept.count}"
        self._ports.bus.publish(Message(number, kept.topic, kept.body))
        self._ports.store.delete(key, expect=version)
