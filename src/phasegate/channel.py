"""The Channel: a place that incidents are sent to. Pure: a contract and the values it speaks in."""

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from phasegate.base.findings import Severity

NoteKind = Literal["opened", "escalated", "resolved", "digest", "test"]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One message. ``id`` is the same at every sending of it, ``incident`` the key that groups an incident's messages.

    Times are epoch seconds; ``timezone`` says how to tell them. ``lines``: what was found, or a digest's entries.
    """

    id: str
    kind: NoteKind
    pipeline: str
    timezone: str
    title: str
    severity: Severity | None = None
    incident: str = ""
    lines: tuple[str, ...] = ()
    evidence: Mapping[str, str] = {}
    commands: tuple[str, ...] = ()
    more: int = 0
    count: int = 0
    since: float | None = None
    first_at: float | None = None
    last_at: float | None = None
    resolved_at: float | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message: ``error`` is empty when it arrived. ``ref``: the channel's own name for it.

    ``retry_after_s``: how long the channel asks to be left alone.
    """

    ref: str = ""
    error: str = ""
    retry_after_s: float = 0.0


PingKind = Literal["start", "success", "fail"]


class Channel(Protocol):
    """A place where people, or their tools, are told of what is wrong."""

    def send(self, note: Note, /, *, ref: str) -> Reply:
        """Send one message, once, within a bounded time. ``ref``: its name for the incident's first one, if known.

        A refusal, and an answer that did not come, is a reply with an error, which holds no secret.
        """
        ...


class Pinger(Protocol):
    """A dead-man switch: a service outside that raises an alarm when it hears nothing."""

    def ping(self, what: PingKind, /) -> Reply:
        """Tell it that an evaluation began, ended well, or could not be brought to its end."""
        ...
