"""One incident per cause: its findings, state and notifications. Pure.

An evaluation is named by the moment it started. Of each check only newer evaluations count: an older one that arrives
late changes nothing, and a check that could not be evaluated resolves nothing. Whether an incident is resolved is
derived from the recorded evaluations of its checks; there is no counter that could be wrong.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Literal

import msgspec
from msgspec.structs import replace

from phasegate.alerts.delivery import Notification, claimed, delivered, refused, with_pending
from phasegate.alerts.grouping import FINDINGS_MAX, Group, distinct
from phasegate.base.backoff import clipped, is_ahead
from phasegate.base.codec import Decision, State
from phasegate.base.findings import PAST, SEVERITIES, CheckResult, Finding, Severity
from phasegate.base.keys import is_date
from phasegate.plan.policy import ChannelRule, Policy

CLEAN = 2
KEEP_S = 30 * 24 * 3600.0

NOTIFIED = ("opened", "escalated")
ISO_DATE = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)", re.ASCII)

Evaluations = Mapping[str, tuple[float, ...]]


class Incident(State, frozen=True):
    """One cause, and what was and is to be sent about it.

    ``seen``: check -> start of the newest evaluation that found it. ``number``: how often it was opened. ``findings``:
    of the newest evaluation, bounded; ``found`` is their full number. ``severity``: the worst since it was opened;
    ``notified_severity``: the severity when it was first sent. ``resolved_by``: start of the evaluation that resolved
    it; an older one cannot reopen it. ``notifications``: by channel.
    """

    cause: str
    state: Literal["open", "resolved"]
    severity: Severity
    findings: tuple[Finding, ...]
    found: int
    seen: dict[str, float]
    since: float
    first_at: float
    last_at: float
    count: int = 1
    number: int = 1
    notified_severity: Severity | None = None
    escalated_at: float | None = None
    escalate_at: float | None = None
    resolved_at: float | None = None
    resolved_by: float = 0.0
    notifications: dict[str, Notification] = {}

    @property
    def due(self) -> float | None:
        """Return when a notification or the escalation is due."""
        times = [notification.due for notification in self.notifications.values() if notification.pending]
        if self.state == "open" and self.escalated_at is None:
            times.append(self.escalate_at)
        return min((at for at in times if at is not None), default=None)

    @property
    def has_pending(self) -> bool:
        """Return whether a notification is still pending."""
        return any(notification.pending for notification in self.notifications.values())


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of a decision beside the incident.

    They are the checks' evaluations, the rules and the time. ``held_until``: only errors are sent before; None:
    nothing is held.
    """

    checks: Evaluations
    policy: Policy
    now: float
    held_until: float | None = None


def key_of(pipeline: str, cause: str, /) -> str:
    """Return the key of a cause's document: causes are free text, so a hash."""
    return f"incident:{pipeline}:cause:{hashlib.sha256(cause.encode()).hexdigest()[:20]}"


def evaluated(outcomes: Iterable[CheckResult], *, started: float, over: Evaluations) -> dict[str, tuple[float, ...]]:
    """Return the last evaluations of each check, with newer ones added.

    A check that could not be evaluated, or whose recorded evaluation is newer, keeps its recorded ones.
    """
    checks = dict(over)
    for outcome in outcomes:
        known = checks.get(outcome.check, ())
        if not outcome.error and (not known or started > known[-1]):
            checks[outcome.check] = (*known, started)[-CLEAN:]
    return checks


def is_late(check: str, /, *, started: float, checks: Evaluations) -> bool:
    """Return whether a newer evaluation of a check is recorded."""
    return bool(checks.get(check)) and checks[check][-1] > started


def found(group: Group, *, started: float, context: Context) -> Decision[Incident, str]:
    """Record that an evaluation found a cause.

    The answer is ``opened``, ``found``, or ``older`` if nothing changes.
    """
    context = replace(context, now=max(context.now, started))

    def decide(old: Incident | None) -> tuple[Incident | None, str]:
        old = None if old is None else without_times_ahead(old, now=context.now)
        if old is None or (old.state == "resolved" and started > max(old.resolved_by, old.last_at)):
            new = settled(_opened(group, started=started, old=old), context=context)
        elif old.state == "resolved" or all(old.seen.get(check, -1.0) >= started for check in group.checks):
            new = old
        else:
            new = settled(_again(old, group, started=started), context=context)
        if new.state == "resolved" or new.last_at != started:
            return new, "older"
        return new, "opened" if new.first_at == started else "found"

    return decide


def updated(context: Context, /) -> Decision[Incident, str]:
    """Resolve, escalate and set what is pending; answer the state."""

    def decide(old: Incident | None) -> tuple[Incident | None, str]:
        if old is None:
            return None, "gone"
        new = settled(old, context=context)
        return new, new.state

    return decide


def closed(context: Context, /) -> Decision[Incident, str]:
    """Resolve an incident, whatever evaluations found; answer the state.

    Only a later evaluation reopens it.
    """

    def decide(old: Incident | None) -> tuple[Incident | None, str]:
        if old is None or old.state != "open":
            return old, "gone" if old is None else old.state
        resolved = replace(old, state="resolved", resolved_at=context.now, resolved_by=context.now)
        return settled(resolved, context=context), "resolved"

    return decide


def claim(channel: str, *, attempt: str, context: Context) -> Callable[[Incident | None], tuple[Incident | None, str]]:
    """Claim the due message of a channel; answer its kind, empty for none."""

    def decide(old: Incident | None) -> tuple[Incident | None, str]:
        if old is None:
            return None, ""
        new = settled(old, context=context)
        if channel not in new.notifications:
            return new, ""
        notification, what = claimed(new.notifications[channel], attempt=attempt, now=context.now)
        # a message that is being sent may arrive without a reply
        severity = new.severity if notification.tries and new.notified_severity is None else new.notified_severity
        notifications = {**new.notifications, channel: notification}
        return replace(new, notifications=notifications, notified_severity=severity), what

    return decide


def answered(
    channel: str,
    what: str,
    *,
    attempt: str,
    context: Context,
    ref: str = "",
    error: str = "",
    retry_after_s: float = 0.0,
) -> Decision[Incident, str]:
    """Record the outcome of a sending; answer the incident's state.

    With an ``error`` the message is retried later.
    """

    def decide(old: Incident | None) -> tuple[Incident | None, str]:
        if old is None or channel not in old.notifications or old.notifications[channel].by != attempt:
            return old, "gone" if old is None else old.state
        notification = old.notifications[channel]
        if error:
            notification = refused(notification, error, attempt=attempt, key=f"{old.cause}/{channel}", now=context.now,
                           retry_after_s=retry_after_s)  # fmt: skip
        else:
            notification = delivered(notification, what, attempt=attempt, ref=ref, now=context.now)
        new = settled(replace(old, notifications={**old.notifications, channel: notification}), context=context)
        return new, new.state

    return decide


def dates_of(incident: Incident, /) -> set[str]:
    """Return the dates named by findings that can be fixed.

    Only an evaluation of these dates can show that they are fixed.
    """
    found = [one for one in incident.findings if one.code not in PAST]
    texts = [text for one in found for text in (one.subject, *one.evidence.values())]
    return {on for text in texts for on in ISO_DATE.findall(text) if is_date(on)}


def clean(incident: Incident, /, *, checks: Evaluations) -> tuple[float, ...]:
    """Return the starts of the newest clean evaluations, at most CLEAN.

    In these no check found the incident any more. Of several checks the one with the fewest counts.
    """
    since = [tuple(at for at in checks.get(check, ()) if at > seen) for check, seen in incident.seen.items()]
    return min(since, key=len, default=())


def settled(incident: Incident, /, *, context: Context) -> Incident:
    """Return the incident resolved, escalated and with messages pending.

    Each as the recorded evaluations, the rules and the time demand.
    """
    incident = without_times_ahead(incident, now=context.now)
    clear = tuple(at for at in clean(incident, checks=context.checks) if not is_ahead(at, now=context.now))
    if incident.state == "open" and len(clear) >= CLEAN:
        incident = replace(incident, state="resolved", resolved_at=context.now, resolved_by=clear[-1])
    after_s = context.policy.escalate_after_s
    escalate_at = None if after_s is None or incident.severity == "note" else incident.first_at + after_s
    if incident.state == "open" and incident.escalated_at is None and not clear and _escalates(
        incident, escalate_at, now=context.now
    ):  # fmt: skip
        incident = replace(incident, escalated_at=context.now)
    held_until = None if incident.severity == "error" else context.held_until
    notifications = {}
    for rule in context.policy.channels:
        notification = incident.notifications.get(rule.name, Notification())
        what = _wanted(incident, notification, rule, is_found=not clear)
        notifications[rule.name] = with_pending(notification, what, held_until=held_until, now=context.now)
    notified = incident.notified_severity
    if notified is None and any(one.delivered in NOTIFIED or one.tries for one in notifications.values()):
        notified = incident.severity
    return replace(incident, escalate_at=escalate_at, notifications=notifications, notified_severity=notified)


def without_times_ahead(incident: Incident, /, *, now: float) -> Incident:
    """Return the incident without times that only a clock ahead can have set.

    They become now, so that later evaluations count, and its notifications are sent.
    """
    at = partial(clipped, now=now)
    return replace(
        incident,
        seen={check: at(seen) for check, seen in incident.seen.items()},
        since=at(incident.since),
        first_at=at(incident.first_at),
        last_at=at(incident.last_at),
        escalated_at=None if incident.escalated_at is None else at(incident.escalated_at),
        resolved_at=None if incident.resolved_at is None else at(incident.resolved_at),
        resolved_by=at(incident.resolved_by),
        notifications={n: one.without_times_ahead(now) for n, one in incident.notifications.items()},
    )


def _escalates(incident: Incident, escalate_at: float | None, /, *, now: float) -> bool:
    """Return whether it is open too long, or worse than what was sent."""
    if escalate_at is not None and now >= escalate_at:
        return True
    notified = incident.notified_severity
    return notified is not None and SEVERITIES.index(incident.severity) < SEVERITIES.index(notified)


def _wanted(incident: Incident, notification: Notification, rule: ChannelRule, /, *, is_found: bool) -> str:
    """Return the kind of message that a channel needs next; empty for none.

    ``is_found``: no clean evaluation is newer than the last that found it.
    """
    is_notified = notification.delivered in NOTIFIED
    if incident.state == "resolved":
        return "resolved" if is_notified or (notification.tries and not notification.delivered) else ""
    what = "opened" if incident.escalated_at is None else "escalated"
    if not rule.accepts(incident.severity) or (rule.escalated and what == "opened"):
        return ""
    if not is_notified:
        # not found any more before it was sent: nothing is sent, unless a tried message may have arrived
        return what if is_found or notification.tries else ""
    return what if what == "escalated" and notification.delivered == "opened" else ""


def _opened(group: Group, *, started: float, old: Incident | None) -> Incident:
    fresh = Incident(
        cause=group.cause, state="open", severity=group.severity, findings=group.findings[:FINDINGS_MAX],
        found=len(group.findings), seen=dict.fromkeys(group.checks, started), since=group.since(started),
        first_at=started, last_at=started,
    )  # fmt: skip
    if old is None:
        return fresh
    notifications = {
        n: notification if notification.delivered in NOTIFIED else replace(notification, delivered="", ref="")
        for n, notification in old.notifications.items()
    }
    return replace(fresh, number=old.number + 1, notifications=notifications, resolved_by=old.resolved_by)


def _again(old: Incident, group: Group, *, started: float) -> Incident:
    """Return an open incident with another group of findings added.

    The newest evaluation's findings are stored, and counted once.
    """
    seen = {**old.seen, **{check: max(started, old.seen.get(check, started)) for check in group.checks}}
    severity = min(old.severity, group.severity, key=SEVERITIES.index)
    merged = replace(old, seen=seen, severity=severity, since=min(old.since, group.since(started)))
    if started < old.last_at:
        return merged
    findings, number = group.findings, len(group.findings)
    if started == old.last_at:  # more of the same evaluation
        findings = distinct((*old.findings, *group.findings))
        number = max(old.found, len(findings))
    count = old.count + (started > old.last_at)
    return replace(merged, findings=findings[:FINDINGS_MAX], found=number, last_at=started, count=count)
