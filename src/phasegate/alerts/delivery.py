"""What one channel was told last and what it must be told next: an outbox of one entry. Pure.

It is sent at least once: claimed first, for a while, so that two senders do not both send it; whoever dies between
the claim and the sending leaves it to the next. It is never given up: a failure only puts it off, up to a ceiling.
"""

import msgspec
from msgspec.structs import replace

from phasegate.base.backoff import exponential_s

# Longer than any sending may take, so that nobody else sends what is being sent.
CLAIM_S = 120.0
AGAIN_FIRST_S = 15.0
AGAIN_MAX_S = 900.0
RETRY_AFTER_MAX_S = 3600.0
ERROR_CHARS_MAX = 300


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """``told``: what the channel was told last, ``pending`` what it must be told (empty: nothing), from ``due`` on.

    ``by``: the attempt that sends it now. ``ref``: the channel's own name for the message. ``tries`` and ``error`` are
    of what is pending.
    """

    told: str = ""
    at: float | None = None
    pending: str = ""
    due: float | None = None
    tries: int = 0
    by: str = ""
    ref: str = ""
    error: str = ""

    def is_stuck(self, now: float, /) -> bool:
        """Tell whether it should have arrived by now, and is not known to have."""
        return bool(self.pending) and (self.tries > 0 or (self.due is not None and self.due <= now))


def wanting(post: Notification, what: str, /, *, held_until: float | None, now: float) -> Notification:
    """Have a channel told ``what`` (empty: nothing), not before ``held_until``. What is being tried keeps its turn.

    Who sends something just now may still say that it arrived.
    """
    if not what:
        return replace(post, pending="", due=None, tries=0, error="")
    if post.tries:
        return replace(post, pending=what)
    due = held_until if held_until is not None else now if post.due is None else min(post.due, now)
    return replace(post, pending=what, due=due)


def claimed(post: Notification, /, *, attempt: str, now: float) -> tuple[Notification, str]:
    """Take a post to send it; answer what to say, empty if it is not due or somebody else sends it."""
    if attempt == post.by:
        return post, post.pending
    if not post.pending or post.due is None or post.due > now:
        return post, ""
    return replace(post, by=attempt, due=now + CLAIM_S, tries=post.tries + 1), post.pending


def delivered(post: Notification, what: str, /, *, attempt: str, ref: str, now: float) -> Notification:
    """Note that the channel has it. A claim that somebody else took over meanwhile is theirs to end."""
    if post.by != attempt:
        return post
    done = replace(post, told=what, at=now, ref=ref or post.ref, tries=0, by="", error="")
    return replace(done, due=now) if post.pending != what else replace(done, pending="", due=None)


def refused(
    post: Notification, error: str, /, *, attempt: str, key: str, now: float, retry_after_s: float = 0.0
) -> Notification:
    """Note that the channel did not take it, and when to try again: backing off, or as late as the channel asks."""
    if post.by != attempt:
        return post
    wait = exponential_s(key, post.tries, first_s=AGAIN_FIRST_S, max_s=AGAIN_MAX_S)
    wait = max(wait, min(retry_after_s, RETRY_AFTER_MAX_S))
    return replace(post, by="", due=now + wait, error=error[:ERROR_CHARS_MAX])
