"""The documents of ``phasegate alerts``."""

from typing import Literal

from phasegate.base.findings import Severity
from phasegate.plan.policy import ChannelKind
from phasegate.printed.parts import PrintedJson, Time


class ReasonJson(PrintedJson, frozen=True, kw_only=True):
    """A finding of an incident."""

    code: str
    subject: str
    text: str
    command: str


class DeliveryJson(PrintedJson, frozen=True, kw_only=True):
    """What was delivered to a channel, and what is pending.

    ``delivered`` and ``at``: empty and null before the first. ``pending`` and ``due``: empty and null if nothing is.
    ``error``: of the last try, or empty.
    """

    name: str
    delivered: str
    at: Time | None
    pending: str
    due: Time | None
    tries: int
    error: str


class IncidentJson(PrintedJson, frozen=True, kw_only=True):
    """One cause, and its findings.

    ``escalated_at``: null if it was not. ``count``: how often it was found. ``checks``: those that found it.
    """

    key: str
    cause: str
    state: Literal["open", "resolved"]
    severity: Severity
    title: str
    since: Time
    first_seen: Time
    last_seen: Time
    count: int
    escalated_at: Time | None
    findings: tuple[ReasonJson, ...]
    checks: tuple[str, ...]
    next: tuple[str, ...]
    channels: tuple[DeliveryJson, ...]


class AlertsJson(PrintedJson, frozen=True, kw_only=True):
    """The open incidents, the worst first.

    ``evaluated_at``: null if nothing was evaluated yet. ``errors``: documents that could not be read.
    """

    now: Time
    evaluated_at: Time | None
    incidents: tuple[IncidentJson, ...]
    errors: tuple[str, ...]


class ClosedJson(PrintedJson, frozen=True, kw_only=True):
    """An incident that was closed."""

    cause: str
    state: Literal["open", "resolved"]
    title: str


class TestedJson(PrintedJson, frozen=True, kw_only=True):
    """A test message to a channel.

    ``error``: why it was not sent, or empty.
    """

    name: str
    kind: ChannelKind
    sent: bool
    error: str


class TestsJson(PrintedJson, frozen=True, kw_only=True):
    """The test messages to the channels."""

    channels: tuple[TestedJson, ...]
