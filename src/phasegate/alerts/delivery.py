"""The delivery of one incident to one channel: an outbox of one entry. Pure.

Sending is at least once. An attempt claims the entry for a while before it sends, so that two senders do not both
send; if it crashes after the claim, the claim expires and the next attempt sends. A failure only postpones the entry,
up to a ceiling; it is never given up.
"""

import msgspec
from msgspec.structs import replace

from phasegate.base.backoff import clipped, exponential_s

# Longer than any sending may take, so that no other attempt sends at the same time.
CLAIM_S = 120.0
AGAIN_FIRST_S = 15.0
AGAIN_MAX_S = 900.0
RETRY_AFTER_MAX_S = 3600.0
ERROR_CHARS_MAX = 300
# The end of quiet hours, or of a date without work, is the latest time that a message waits for.
DUE_AHEAD_MAX_S = 50 * 3600.0


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """The newest message delivered to a channel, and the one pending.

    ``delivered``: the kind delivered last, at ``at``. ``pending``: the kind to send from ``due`` on; empty: none.
    ``by``: the attempt that is sending now. ``ref``: the channel's id of the message. ``tries`` and ``error``: of the
    pending message.
    """

    delivered: str = ""
    at: float | None = None
    pending: str = ""
    due: float | None = None
    tries: int = 0
    by: str = ""
    ref: str = ""
    error: str = ""

    def without_times_ahead(self, now: float, /) -> "Notification":
        """Return it without times that only a clock ahead can have set."""
        at = None if self.at is None else clipped(self.at, now=now)
        return replace(
            self, at=at, due=None if self.due is None else clipped(self.due, now=now, bound_s=DUE_AHEAD_MAX_S)
        )

    def is_stuck(self, now: float, /) -> bool:
        """Return whether a message is overdue or has been tried in vain."""
        return bool(self.pending) and (self.tries > 0 or (self.due is not None and self.due <= now))


def with_pending(
    notification: Notification, what: str, /, *, held_until: float | None, now: float
) -> Notification:  # fmt: skip
    """Set the pending message (empty: none), due not before ``held_until``.

    A message that was tried keeps its time. An attempt that is sending may still report its delivery.
    """
    if not what:
        return replace(notification, pending="", due=None, tries=0, error="")
    if notification.tries:
        return replace(notification, pending=what)
    due = held_until if held_until is not None else now if notification.due is None else min(notification.due, now)
    return replace(notification, pending=what, due=due)


def claimed(notification: Notification, /, *, attempt: str, now: float) -> tuple[Notification, str]:
    """Claim the pending message for an attempt; answer its kind.

    The answer is empty if nothing is due or another attempt has the claim.
    """
    if attempt == notification.by:
        return notification, notification.pending
    if not notification.pending or notification.due is None or notification.due > now:
        return notification, ""
    taken = replace(notification, by=attempt, due=now + CLAIM_S, tries=notification.tries + 1)
    return taken, notification.pending


def delivered(notification: Notification, what: str, /, *, attempt: str, ref: str, now: float) -> Notification:
    """Record a delivery, unless another attempt took over the claim."""
    if notification.by != attempt:
        return notification
    done = replace(notification, delivered=what, at=now, ref=ref or notification.ref, tries=0, by="", error="")
    return replace(done, due=now) if notification.pending != what else replace(done, pending="", due=None)


def refused(
    notification: Notification, error: str, /, *, attempt: str, key: str, now: float, retry_after_s: float = 0.0
) -> Notification:
    """Record a failed attempt, and when to try again.

    The wait backs off; it is at least what the channel asks for, up to RETRY_AFTER_MAX_S.
    """
    if notification.by != attempt:
        return notification
    wait = exponential_s(key, notification.tries, first_s=AGAIN_FIRST_S, max_s=AGAIN_MAX_S)
    wait = max(wait, min(retry_after_s, RETRY_AFTER_MAX_S))
    return replace(notification, by="", due=now + wait, error=error[:ERROR_CHARS_MAX])
