"""One incident per cause: what evaluations found of it, whether it is open, and what each channel must be told. Pure.

An evaluation is named by the moment it started. Of each check only newer evaluations count: an older one that arrives
late changes nothing, and a check that could not be evaluated says nothing, so it resolves nothing. Whether an incident
is over is derived from what is remembered of the checks; there is no counter that could be wrong.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from phasegate.alerts.delivery import Notification, claimed, delivered, refused, wanting
from phasegate.alerts.grouping import FINDINGS_MAX, Group, distinct
from phasegate.base.codec import Decision, State
from phasegate.base.findings import PAST, SEVERITIES, CheckResult, Finding, Severity
from phasegate.base.keys import is_date
from phasegate.plan.policy import ChannelRule, Policy

CLEAN = 2
KEEP_S = 30 * 24 * 3600.0

KNOWING = ("opened", "escalated")
ISO_DATE = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)", re.ASCII)

Evaluations = Mapping[str, tuple[float, ...]]


class Incident(State, frozen=True):
    """One cause. ``seen``: check -> start of the newest evaluation that found it. ``number``: how often it was opened.

    ``findings``: of the newest evaluation, bounded; ``found`` is how many there were. ``severity``: the worst since it
    was opened. ``resolved_by``: start of the evaluation that made it clean; an older one cannot open it again.
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
    told_severity: Severity | None = None
    escalated_at: float | None = None
    escalate_at: float | None = None
    resolved_at: float | None = None
    resolved_by: float = 0.0
    posts: dict[str, Notification] = {}

    @property
    def due(self) -> float | None:
        """When a channel must be told, or the incident is to be escalated."""
        times = [post.due for post in self.posts.values() if post.pending]
        if self.state == "open" and self.escalated_at is None:
            times.append(self.escalate_at)
        return min((at for at in times if at is not None), default=None)

    @property
    def is_untold(self) -> bool:
        """Whether a channel must still be told something."""
        return any(post.pending for post in self.posts.values())


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision must know beside the incident: the checks' evaluations, the rules, the time.

    ``held_until``: what is no error is not told before; None: nothing is held.
    """

    checks: Evaluations
    policy: Policy
    now: float
    held_until: float | None = None


def key_of(pipeline: str, cause: str, /) -> str:
    """Return the key of a cause's document; causes are free text, so it holds their hash."""
    return f"incident:{pipeline}:cause:{hashlib.sha256(cause.encode()).hexdigest()[:20]}"


def evaluated(outcomes: Iterable[CheckResult], *, started: float, over: Evaluations) -> dict[str, tuple[float, ...]]:
    """Return the last evaluations of each check; those that could not be evaluated, or are older, are left as known."""
    checks = dict(over)
    for outcome in outcomes:
        known = checks.get(outcome.check, ())
        if not outcome.error and (not known or started > known[-1]):
            checks[outcome.check] = (*known, started)[-CLEAN:]
    return checks


def is_late(check: str, /, *, started: float, checks: Evaluations) -> bool:
    """Tell whether a newer evaluation of a check is known already."""
    return bool(checks.get(check)) and checks[check][-1] > started


def found(group: Group, *, started: float, sight: Context) -> Decision[Incident, str]:
    """Take in that an evaluation found a cause; answer ``opened``, ``found``, or ``older`` where nothing changes."""

    def decide(old: Incident | None) -> tuple[Incident | None, str]:
        if old is None or (old.state == "resolved" and started > max(old.resolved_by, old.last_at)):
            new = settled(_opened(group, started=started, old=old), sight=sight)
        elif old.state == "resolved" or all(old.seen.get(check, -1.0) >= started for check in group.checks):
            new = old
        else:
            new = settled(_again(old, group, started=started), sight=sight)
        if new.state == "resolved" or new.last_at != started:
            return new, "older"
        return new, "opened" if new.first_at == started else "found"

    return decide


def looked(sight: Context, /) -> Decision[Incident, str]:
    """Draw the consequences of what is known now: resolve, escalate, say what must be told; answer the state."""

    def decide(old: Incident | None) -> tuple[Incident | None, str]:
        if old is None:
            return None, "gone"
        new = settled(old, sight=sight)
        return new, new.state

    return decide


def closed(sight: Context, /) -> Decision[Incident, str]:
    """Declare an incident over, whatever evaluations say; answer the state. Only a later evaluation opens it again."""

    def decide(old: Incident | None) -> tuple[Incident | None, str]:
        if old is None or old.state != "open":
            return old, "gone" if old is None else old.state
        over = replace(old, state="resolved", resolved_at=sight.now, resolved_by=sight.now)
        return settled(over, sight=sight), "resolved"

    return decide


def claim(channel: str, *, attempt: str, sight: Context) -> Callable[[Incident | None], tuple[Incident | None, str]]:
    """Take what a channel must be told now, in order to send it; answer what, empty for nothing."""

    def decide(old: Incident | None) -> tuple[Incident | None, str]:
        if old is None:
            return None, ""
        new = settled(old, sight=sight)
        if channel not in new.posts:
            return new, ""
        post, what = claimed(new.posts[channel], attempt=attempt, now=sight.now)
        # what is being sent may arrive though nobody hears of it
        told = new.severity if post.tries and new.told_severity is None else new.told_severity
        return replace(new, posts={**new.posts, channel: post}, told_severity=told), what

    return decide


def answered(
    channel: str, what: str, *, attempt: str, sight: Context, ref: str = "", error: str = "", retry_after_s: float = 0.0
) -> Decision[Incident, str]:
    """Take in what became of a sending: with an ``error`` it is tried again later. Answer the incident's state."""

    def decide(old: Incident | None) -> tuple[Incident | None, str]:
        if old is None or channel not in old.posts or old.posts[channel].by != attempt:
            return old, "gone" if old is None else old.state
        post = old.posts[channel]
        if error:
            post = refused(post, error, attempt=attempt, key=f"{old.cause}/{channel}", now=sight.now,
                           retry_after_s=retry_after_s)  # fmt: skip
        else:
            post = delivered(post, what, attempt=attempt, ref=ref, now=sight.now)
        new = settled(replace(old, posts={**old.posts, channel: post}), sight=sight)
        return new, new.state

    return decide


def dates_of(incident: Incident, /) -> set[str]:
    """Return the dates that what can be mended names: an evaluation that looks at others cannot tell whether it is."""
    found = [one for one in incident.findings if one.code not in PAST]
    texts = [text for one in found for text in (one.subject, *one.evidence.values())]
    return {on for text in texts for on in ISO_DATE.findall(text) if is_date(on)}


def clean(incident: Incident, /, *, checks: Evaluations) -> tuple[float, ...]:
    """Return the starts of the evaluations, at most CLEAN, in which every check that once found it did not.

    Of several checks the one that lags counts.
    """
    since = [tuple(at for at in checks.get(check, ()) if at > seen) for check, seen in incident.seen.items()]
    return min(since, key=len, default=())


def settled(incident: Incident, /, *, sight: Context) -> Incident:
    """Return the incident with all that follows: whether it is over, is escalated, and what channels must be told."""
    clear = clean(incident, checks=sight.checks)
    if incident.state == "open" and len(clear) >= CLEAN:
        incident = replace(incident, state="resolved", resolved_at=sight.now, resolved_by=clear[-1])
    after_s = sight.policy.escalate_after_s
    escalate_at = None if after_s is None or incident.severity == "note" else incident.first_at + after_s
    if incident.state == "open" and incident.escalated_at is None and not clear and _escalates(
        incident, escalate_at, now=sight.now
    ):  # fmt: skip
        incident = replace(incident, escalated_at=sight.now)
    held_until = None if incident.severity == "error" else sight.held_until
    posts = {}
    for rule in sight.policy.channels:
        post = incident.posts.get(rule.name, Notification())
        what = _wanted(incident, post, rule, sighted=not clear)
        posts[rule.name] = wanting(post, what, held_until=held_until, now=sight.now)
    told = incident.told_severity
    if told is None and any(post.told in KNOWING or post.tries for post in posts.values()):
        told = incident.severity
    return replace(incident, escalate_at=escalate_at, posts=posts, told_severity=told)


def _escalates(incident: Incident, escalate_at: float | None, /, *, now: float) -> bool:
    """Tell whether it has been open for too long, or is worse than what somebody was told."""
    if escalate_at is not None and now >= escalate_at:
        return True
    told = incident.told_severity
    return told is not None and SEVERITIES.index(incident.severity) < SEVERITIES.index(told)


def _wanted(incident: Incident, post: Notification, rule: ChannelRule, /, *, sighted: bool) -> str:
    """Return what a channel must be told next. ``sighted``: the newest evaluations do find it."""
    knows = post.told in KNOWING
    if incident.state == "resolved":
        return "resolved" if knows or (post.tries and not post.told) else ""
    what = "opened" if incident.escalated_at is None else "escalated"
    if not rule.accepts(incident.severity) or (rule.escalated and what == "opened"):
        return ""
    if not knows:
        # gone as soon as it came: nobody is told, unless somebody may have been
        return what if sighted or post.tries else ""
    return what if what == "escalated" and post.told == "opened" else ""


def _opened(group: Group, *, started: float, old: Incident | None) -> Incident:
    fresh = Incident(
        cause=group.cause, state="open", severity=group.severity, findings=group.findings[:FINDINGS_MAX],
        found=len(group.findings), seen=dict.fromkeys(group.checks, started), since=group.since(started),
        first_at=started, last_at=started,
    )  # fmt: skip
    if old is None:
        return fresh
    posts = {n: post if post.told in KNOWING else replace(post, told="", ref="") for n, post in old.posts.items()}
    return replace(fresh, number=old.number + 1, posts=posts, resolved_by=old.resolved_by)


def _again(old: Incident, group: Group, *, started: float) -> Incident:
    """Take in another finding of an open incident. The newest evaluation's findings are kept, and counted once."""
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
