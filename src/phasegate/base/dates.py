"""Dates, months and local times.

Pure.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo


def local_time(clock: str, day: str, /, *, timezone: str) -> float:
    """Return the epoch seconds of "HH:MM" on a date in a zone.

    On days when the clocks change: see ``TimeRule.at``.
    """
    hour, minute = map(int, clock.split(":"))
    on, zone = date.fromisoformat(day), ZoneInfo(timezone)
    return max(datetime(on.year, on.month, on.day, hour, minute, tzinfo=zone, fold=f).timestamp() for f in (0, 1))


def local_date(at: float, /, *, timezone: str) -> str:
    """Return the date, ISO, that a time (epoch seconds) has in a zone."""
    return datetime.fromtimestamp(at, tz=ZoneInfo(timezone)).date().isoformat()


BACK_MAX = 400


CASCADE_DAYS = 2


def bounds(day: str, back: int) -> tuple[str, str]:
    """Return the first and last date of the ``back`` days before a date.

    >>> bounds("2025-03-03", 7)
    ('2025-02-24', '2025-03-02')
    """
    first, last = shift(day, -back), shift(day, -1)
    return first, last


def shift(day: str, days: int) -> str:
    """Return the date so many days later."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def distance(earlier: str, later: str) -> int:
    """Return the number of days from one date to a later one."""
    return (date.fromisoformat(later) - date.fromisoformat(earlier)).days


def months(first: str, last: str) -> list[str]:
    """Return the months from one date to another, both included.

    >>> months("2024-11-30", "2025-01-01")
    ['2024-11', '2024-12', '2025-01']
    """
    year, month = int(first[:4]), int(first[5:7])
    found = []
    while f"{year:04d}-{month:02d}" <= last[:7]:
        found.append(f"{year:04d}-{month:02d}")
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return found
