"""Delays before a retry, and times that no delay explains.

The jitter derives from the key and the try, so a run can be replayed. Pure.
"""

import hashlib

RESEND_FIRST_S = 15.0
RESEND_MAX_S = 300.0
RETRY_FIRST_S = 30.0
RETRY_MAX_S = 900.0
CONTENTION_FIRST_S = 0.002
CONTENTION_MAX_S = 0.25
HELD_UP_FIRST_S = 0.5
HELD_UP_MAX_S = 5.0
POSTPONE_FIRST_S = 60.0
POSTPONE_MAX_S = 3600.0
AHEAD_MAX_S = 3600.0
"""By how much a stored time may be later than now: clocks differ, and a process that was suspended decides with the
time at which that happened."""
AHEAD_EVERY_S = 600.0


def is_ahead(at: float | None, /, *, now: float, bound_s: float = 0.0) -> bool:
    """Return whether a time was set by a clock that was ahead.

    ``bound_s``: how far ahead of its own clock a process sets such a time.
    """
    return at is not None and at > now + bound_s + AHEAD_MAX_S


def clipped(at: float, /, *, now: float, bound_s: float = 0.0) -> float:
    """Return a stored time, or now for one that was set by a clock ahead.

    So a clock that was years ahead for a moment delays nothing for years.
    """
    return now if is_ahead(at, now=now, bound_s=bound_s) else at


def jitter(key: str, attempt: int) -> float:
    """Return a number in [0, 1) that depends on the key and the attempt alone.

    >>> jitter("a", 1) == jitter("a", 1) != jitter("a", 2)
    True
    """
    digest = hashlib.blake2b(f"{key}/{attempt}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32


def exponential_s(key: str, attempt: int, *, first_s: float, max_s: float) -> float:
    """Return the wait after the ``attempt``-th try (1: the first).

    It doubles with each try, up to ``max_s``; jitter takes off up to a quarter.
    """
    wait = min(max_s, first_s * 2.0 ** min(max(attempt, 1) - 1, 30))
    return wait * (0.75 + 0.25 * jitter(key, attempt))


def resend_s(key: str, sends: int) -> float:
    """Return how long to wait for an answer before sending a message again."""
    return exponential_s(key, sends, first_s=RESEND_FIRST_S, max_s=RESEND_MAX_S)


def retry_s(key: str, failures: int) -> float:
    """Return how long to wait after a failed attempt."""
    return exponential_s(key, failures, first_s=RETRY_FIRST_S, max_s=RETRY_MAX_S)


def postpone_s(key: str, failures: int) -> float:
    """Return how long to postpone a document whose handling raised an error."""
    return exponential_s(key, failures, first_s=POSTPONE_FIRST_S, max_s=POSTPONE_MAX_S)


def held_up_s(key: str, failures: int) -> float:
    """Return how long a worker waits when its store or bus is unavailable."""
    return exponential_s(key, failures, first_s=HELD_UP_FIRST_S, max_s=HELD_UP_MAX_S)


def contention_s(key: str, attempt: int) -> float:
    """Return how long to wait after a lost compare-and-set."""
    return exponential_s(key, attempt + 1, first_s=CONTENTION_FIRST_S, max_s=CONTENTION_MAX_S)
