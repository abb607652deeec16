"""What is known of the watching itself: which checks were evaluated when, the daily digest, the dead-man ping. Pure.

One document per pipeline. Quiet hours, and dates without work, hold back what is no error.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from phasegate.alerts.delivery import Notification, claimed, delivered, refused, wanting
from phasegate.alerts.incident import evaluated
from phasegate.base.codec import Decision, State
from phasegate.base.dates import local_time, shift
from phasegate.base.findings import CheckResult
from phasegate.plan.policy import Policy

NEGLECTED_S = 24 * 3600.0


class Watch(State, frozen=True):
    """``checks``: the starts of the last two evaluations of each. ``full_at``: of the newest in which all were.

    ``pinged_at``: the newest evaluation that the dead-man switch was told of.
    """

    checks: dict[str, tuple[float, ...]] = {}
    taken_at: float = 0.0
    full_at: float = 0.0
    pinged_at: float = 0.0
    digests: dict[str, Notification] = {}


def key_of(pipeline: str, /) -> str:
    """Return the key of a pipeline's document."""
    return f"watch:{pipeline}:alerts:all"


def taken(outcomes: Sequence[CheckResult], *, started: float) -> Decision[Watch, str]:
    """Note an evaluation. It is full if there was a check, and each could be evaluated."""
    full = bool(outcomes) and not any(outcome.error for outcome in outcomes)

    def decide(old: Watch | None) -> tuple[Watch, str]:
        watch = old or Watch()
        return replace(
            watch,
            checks=evaluated(outcomes, started=started, over=watch.checks),
            taken_at=max(watch.taken_at, started),
            full_at=max(watch.full_at, started) if full else watch.full_at,
        ), ""

    return decide


def neglected(watch: Watch, checks: Iterable[str], /) -> dict[str, float]:
    """Return which checks took no part in the evaluations of the newest day, and when they last did (0: never)."""
    last = {check: max(watch.checks.get(check, ()), default=0.0) for check in sorted(checks)}
    return {check: at for check, at in last.items() if at < watch.taken_at - NEGLECTED_S}


def pinged(started: float, /) -> Decision[Watch, str]:
    """Note that the dead-man switch was told of an evaluation."""

    def decide(old: Watch | None) -> tuple[Watch, str]:
        watch = old or Watch()
        return replace(watch, pinged_at=max(watch.pinged_at, started)), ""

    return decide


def digest_due(policy: Policy, /, *, timezone: str, now: float, idle: bool) -> str:
    """Return the date whose digest is to be told by now; empty for none, as on a date without work (``idle``)."""
    today = local_date(now, timezone=timezone)
    if policy.digest is None or idle or now < local_time(policy.digest, today, timezone=timezone):
        return ""
    return today


def claim_digest(channel: str, *, date: str, attempt: str, now: float) -> Decision[Watch, str]:
    """Take a date's digest to send it to a channel; answer the date, empty where it is told or not due."""

    def decide(old: Watch | None) -> tuple[Watch, str]:
        watch = old or Watch()
        post = watch.digests.get(channel, Notification())
        post = wanting(post, date if date > post.told else "", held_until=None, now=now)
        post, what = claimed(post, attempt=attempt, now=now)
        return replace(watch, digests={**watch.digests, channel: post}), what

    return decide


def answer_digest(
    channel: str, date: str, *, attempt: str, now: float, error: str = "", retry_after_s: float = 0.0
) -> Decision[Watch, str]:
    """Take in what became of the sending of a digest."""

    def decide(old: Watch | None) -> tuple[Watch, str]:
        watch = old or Watch()
        post = watch.digests.get(channel, Notification())
        if error:
            post = refused(post, error, attempt=attempt, key=f"digest/{channel}", now=now, retry_after_s=retry_after_s)
        else:
            post = delivered(post, date, attempt=attempt, ref="", now=now)
        return replace(watch, digests={**watch.digests, channel: post}), ""

    return decide


def held_until(policy: Policy, /, *, timezone: str, now: float, idle: bool) -> float | None:
    """Return until when what is no error waits: the end of the quiet hours, of a date without work; None: no wait.

    >>> night = Policy(quiet=("22:00", "07:00"))
    >>> held_until(night, timezone="UTC", now=23 * 3600.0, idle=False) == 31 * 3600.0
    True
    >>> held_until(night, timezone="UTC", now=12 * 3600.0, idle=False) is None
    True
    """
    today = local_date(now, timezone=timezone)
    ends = [local_time("00:00", shift(today, 1), timezone=timezone)] if idle else []
    if policy.quiet is not None:
        first, last = policy.quiet
        for day in (shift(today, -1), today):
            begin = local_time(first, day, timezone=timezone)
            end = local_time(last, day if last > first else shift(day, 1), timezone=timezone)
            if begin <= now < end:
                ends.append(end)
    return max(ends, default=None)


def local_date(at: float, /, *, timezone: str) -> str:
    """Return the date of a moment in a zone."""
    return datetime.fromtimestamp(at, ZoneInfo(timezone)).date().isoformat()
