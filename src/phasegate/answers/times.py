"""Times as text: in the pipeline's own zone, with their age."""

from datetime import UTC, datetime
from typing import overload
from zoneinfo import ZoneInfo


class Times:
    """Formats times (epoch seconds) as seen at ``now`` in one zone."""

    def __init__(self, timezone: str, *, now: float) -> None:
        self.timezone, self.now = timezone, now
        self._zone = ZoneInfo(timezone)

    def moment(self, at: float, /) -> str:
        """Return the local time, with its date or year where needed.

        With its date if that is not today, with its year if that is not this one.

        >>> times = Times("America/New_York", now=1770127200.0)
        >>> times.moment(1770120000.0), times.moment(1770000000.0), times.moment(1700000000.0)
        ('07:00', '1 Feb 21:40', '14 Nov 2023 17:13')
        """
        then, today = datetime.fromtimestamp(at, self._zone), datetime.fromtimestamp(self.now, self._zone)
        clock = f"{then:%H:%M}"
        if then.date() == today.date():
            return clock
        return f"{then.day} {then:%b} {clock}" if then.year == today.year else f"{then.day} {then:%b %Y} {clock}"

    def since(self, at: float | None, /) -> str:
        """Return a time and its age; "" for None.

        >>> Times("UTC", now=1770127200.0).since(1770120000.0)
        '12:00, 2 h'
        """
        return "" if at is None else f"{self.moment(at)}, {age(self.now - at)}"

    @overload
    def iso(self, at: float, /) -> str: ...

    @overload
    def iso(self, at: float | None, /) -> str | None: ...

    def iso(self, at: float | None, /) -> str | None:
        """Return a time for programs: ISO 8601 in UTC.

        >>> Times("UTC", now=0.0).iso(1770120000.0)
        '2026-02-03T12:00:00Z'
        """
        return None if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def left(seconds: float, /) -> str:
    """Return how long something lasts, or since when it has ended.

    >>> left(90), left(-90)
    ('1 min', 'expired 1 min ago')
    """
    return age(seconds) if seconds > 0 else f"expired {age(-seconds)} ago"


def age(seconds: float, /) -> str:
    """Return a duration in its largest useful unit.

    >>> [age(s) for s in (-5, 42, 3599, 3 * 3600 + 60, 47.5 * 3600, 5 * 86400)]
    ['0 s', '42 s', '59 min', '3 h', '47 h', '5 d']
    """
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h" if whole < 48 * 3600 else f"{whole // 86400} d"
