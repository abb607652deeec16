"""The Channel: a place that messages about incidents are sent to. Pure."""

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from phasegate.base.findings import Severity

NoteKind = Literal["opened", "escalated", "resolved", "digest", "test"]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One message.

    ``id``: the same at every sending. ``incident``: the same for all messages about one incident. Times are epoch
    seconds, to be shown in ``timezone``. ``lines``: the findings, or a digest's entries.
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
    """The outcome of sending a message.

    ``error``: empty if it arrived. ``ref``: the channel's id of it. ``retry_after_s``: how long the channel asks to
    wait before the next try.
    """

    ref: str = ""
    error: str = ""
    retry_after_s: float = 0.0


PingKind = Literal["start", "success", "fail"]


class Channel(Protocol):
    """A place where people, or their tools, read about incidents."""

    def send(self, note: Note, /, *, ref: str) -> Reply:
        """Send one message, once, within a bounded time.

        ``ref``: the channel's id of the incident's first message, if known. A refusal or a missing answer is a reply
        with an error, which holds no secret.
        """
        ...


class PostReceiver(Protocol):
    """A program that gets each firing of a phase, at a URL."""

    def post(self, trigger: Mapping[str, object], /, *, fired_at: float) -> Reply:
        """Post the body of a trigger, once, within a bounded time.

        A refusal or a missing answer is a reply with an error, which holds no secret.
        """
        ...


class Pinger(Protocol):
    """A dead-man switch: an outside service that alarms when pings stop."""

    def ping(self, what: PingKind, /) -> Reply:
        """Report that an evaluation began, succeeded or failed."""
        ...
