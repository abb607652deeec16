"""The record of evaluations: times per check, daily digests, pings. Pure.

One document per pipeline. Quiet hours and dates without work hold back everything but errors.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from phasegate.alerts.delivery import Notification, claimed, delivered, refused, with_pending
from phasegate.alerts.incident import evaluated
from phasegate.base.backoff import is_ahead
from phasegate.base.codec import Decision, State
from phasegate.base.dates import local_time, shift
from phasegate.base.findings import CheckResult
from phasegate.plan.policy import Policy

NEGLECTED_S = 24 * 3600.0


class Watch(State, frozen=True):
    """The evaluations of one pipeline, by their starts.

    ``checks``: the last two of each check. ``taken_at``: the newest. ``full_at``: the newest in which every check was
    evaluated. ``pinged_at``: the newest that was reported to the dead-man switch.
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
    """Record an evaluation; full if every check, at least one, was evaluated."""
    full = bool(outcomes) and not any(outcome.error for outcome in outcomes)

    def decide(old: Watch | None) -> tuple[Watch, str]:
        watch = without_times_ahead(old or Watch(), now=started)
        return replace(
            watch,
            checks=evaluated(outcomes, started=started, over=watch.checks),
            taken_at=max(watch.taken_at, started),
            full_at=max(watch.full_at, started) if full else watch.full_at,
        ), ""

    return decide


def without_times_ahead(watch: Watch, /, *, now: float) -> Watch:
    """Return the record without evaluations of a clock that was ahead.

    Every later evaluation would count as older.
    """
    checks = {check: tuple(at for at in known if not is_ahead(at, now=now)) for check, known in watch.checks.items()}
    known = (watch.taken_at, watch.full_at, watch.pinged_at)
    taken_at, full_at, pinged_at = (0.0 if is_ahead(at, now=now) else at for at in known)
    return replace(watch, checks=checks, taken_at=taken_at, full_at=full_at, pinged_at=pinged_at)


def neglected(watch: Watch, checks: Iterable[str], /) -> dict[str, float]:
    """Return checks without a recent evaluation, with their last (0: never).

    Recent: at most NEGLECTED_S before the newest evaluation of the pipeline.
    """
    last = {check: max(watch.checks.get(check, ()), default=0.0) for check in sorted(checks)}
    return {check: at for check, at in last.items() if at < watch.taken_at - NEGLECTED_S}


def pinged(started: float, /) -> Decision[Watch, str]:
    """Record that an evaluation was reported to the dead-man switch."""

    def decide(old: Watch | None) -> tuple[Watch, str]:
        watch = old or Watch()
        return replace(watch, pinged_at=max(watch.pinged_at, started)), ""

    return decide


def digest_due(policy: Policy, /, *, timezone: str, now: float, idle: bool) -> str:
    """Return the date whose digest is due; empty for none.

    None is due on a date without work (``idle``).
    """
    today = local_date(now, timezone=timezone)
    if policy.digest is None or idle or now < local_time(policy.digest, today, timezone=timezone):
        return ""
    return today


def claim_digest(channel: str, *, date: str, attempt: str, now: float) -> Decision[Watch, str]:
    """Claim a date's digest for a channel; answer the date.

    The answer is empty if it was delivered or is not due.
    """

    def decide(old: Watch | None) -> tuple[Watch, str]:
        watch = old or Watch()
        notification = watch.digests.get(channel, Notification()).without_times_ahead(now)
        if notification.delivered > shift(date, 1):  # by a clock that was ahead
            notification = replace(notification, delivered="")
        notification = with_pending(
            notification, date if date > notification.delivered else "", held_until=None, now=now
        )
        notification, what = claimed(notification, attempt=attempt, now=now)
        return replace(watch, digests={**watch.digests, channel: notification}), what

    return decide


def answer_digest(
    channel: str, date: str, *, attempt: str, now: float, error: str = "", retry_after_s: float = 0.0
) -> Decision[Watch, str]:
    """Record the outcome of sending a digest."""

    def decide(old: Watch | None) -> tuple[Watch, str]:
        watch = old or Watch()
        notification = watch.digests.get(channel, Notification())
        if error:
            notification = refused(
                notification, error, attempt=attempt, key=f"digest/{channel}", now=now, retry_after_s=retry_after_s
            )
        else:
            notification = delivered(notification, date, attempt=attempt, ref="", now=now)
        return replace(watch, digests={**watch.digests, channel: notification}), ""

    return decide


def held_until(policy: Policy, /, *, timezone: str, now: float, idle: bool) -> float | None:
    """Return until when all but errors are held; None: not held.

    That is the end of the quiet hours, or of a date without work (``idle``), whichever is later.

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
    """Return the local date of a moment."""
    return datetime.fromtimestamp(at, ZoneInfo(timezone)).date().isoformat()
