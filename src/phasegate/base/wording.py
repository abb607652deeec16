"""Numbers and lists in words, for findings and views.

Pure.
"""

from collections.abc import Sequence

LISTED_MAX = 3


def times(number: int, /) -> str:
    """Return a count as "once" or "N times".

    >>> times(1), times(3)
    ('once', '3 times')
    """
    return "once" if number == 1 else f"{number} times"


def days_ahead(at: float, /, *, now: float) -> str:
    """Return how far ahead a time is, in days.

    >>> days_ahead(86400.0 * 3650, now=0.0)
    '3,650 days from now'
    """
    return f"{(at - now) / 86400:,.0f} days from now"


def listed(names: Sequence[str], /, *, most: int = LISTED_MAX) -> str:
    """Return names separated by commas, the first ``most`` of many.

    >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ('a, b', 'a, b, c and 2 more')
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
