"""Which dates have work: work, none, void, or unknown. Pure.

Unknown is an answer of its own: a source that failed, or an answer too old, must not look like a date without work.
One document per month, which is due when it must be asked for anew, or when a run must be opened by the clock.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from phasegate.base.codec import Decision, State
from phasegate.base.dates import shift

DayState = Literal["work", "none", "void"]
AGE_MAX_S = 36 * 3600.0
REFRESH_S = 6 * 3600.0
RETRY_S = 900.0
TICK_S = 0.001


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One date: whether it has work, and the times that deadlines may count from (epoch seconds, by name).

    ``void``: it was expected and does not take place, for the ``reason``.
    """

    date: str
    state: DayState
    anchors: dict[str, float] = {}
    reason: str = ""


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned of a date, and when.

    ``order`` is that of the last change of its state: when it was learned, and later than the change before it.
    """

    day: Day
    at: float
    order: float = 0.0


class Month(State, frozen=True):
    """What is known of one month.

    ``error``: why the last asking failed. ``started``: the runs that the clock opens up to this time are open.
    ``changed``: dates whose open runs have not heard yet whether they take place.
    """

    days: dict[str, Learned] = {}
    asked_at: float = 0.0
    error: str = ""
    started: float = 0.0
    next_start: float | None = None
    ends_at: float = 0.0
    changed: tuple[str, ...] = ()

    @property
    def ask_at(self) -> float | None:
        """When the source is to be asked again; never once it was asked after the month was over."""
        if self.error:
            return self.asked_at + RETRY_S
        return self.asked_at + REFRESH_S if self.asked_at < self.ends_at else None

    @property
    def due(self) -> float | None:
        """When the source is to be asked again, a run is to be opened, or is to hear of a change."""
        hears_at = self.asked_at if self.changed else None
        return min((at for at in (self.ask_at, self.next_start, hears_at) if at is not None), default=None)


def learned(days: Iterable[Day], *, now: float, ends_at: float) -> Decision[Month, None]:
    """Take over what a source says of dates of this month.

    Dates that it says nothing of keep what was known, and grow old.
    """
    given = {day.date: day for day in days}

    def decide(month: Month | None) -> tuple[Month, None]:
        month = month or Month(started=now - 24 * 3600.0, ends_at=ends_at)
        taken = {date: _taken_over(month.days.get(date), day, now=now) for date, day in given.items()}
        # their open runs must hear of it
        changed = {d for d, known in taken.items() if d not in month.days or known.order != month.days[d].order}
        # due at once: whoever sweeps next sees whether a run must be opened
        soon = now if month.next_start is None else min(now, month.next_start)
        return replace(month, days={**month.days, **taken}, changed=tuple(sorted(changed.union(month.changed))),
                       asked_at=max(now, month.asked_at), error="", next_start=soon), None  # fmt: skip

    return decide


def _taken_over(known: Learned | None, day: Day, *, now: float) -> Learned:
    if known is None:
        return Learned(day=day, at=now, order=now)
    order = known.order if known.day.state == day.state else max(now, known.order + TICK_S)
    return Learned(day=day, at=now, order=order)


def heard(told: Mapping[str, float]) -> Decision[Month, None]:
    """Note of which change the open runs of each date have heard: date -> its order.

    A date that has changed since, or whose runs were told too late of an older change, is still to be told.
    """

    def decide(month: Month | None) -> tuple[Month, None]:
        month = month or Month()
        asked = {*month.changed, *told} & month.days.keys()
        return replace(month, changed=tuple(sorted(d for d in asked if told.get(d) != month.days[d].order))), None

    return decide


def failed(error: str, *, now: float, ends_at: float) -> Decision[Month, None]:
    """Note that the source could not be asked: what was known grows old, and is unknown in the end."""

    def decide(month: Month | None) -> tuple[Month, None]:
        month = month or Month(started=now - 24 * 3600.0, ends_at=ends_at)
        return replace(month, error=error[:500], asked_at=max(now, month.asked_at)), None

    return decide


def started(until: float, *, upcoming: float | None, seen: Month) -> Decision[Month, None]:
    """Note that all runs to be opened by ``until`` are open, and when the next one is to be.

    ``seen`` is what that was read from. It says nothing where something else was learned since: it stays due.
    """

    def decide(month: Month | None) -> tuple[Month, None]:
        month = month or seen
        if month.days != seen.days:
            return month, None
        return replace(month, started=max(until, month.started), next_start=upcoming), None

    return decide


def known_of(month: Month | None, date: str, *, now: float, day_ends_at: float) -> Learned | None:
    """Return what is known of a date; None when nothing is, or when it is too old to be believed.

    What was learned after a date was over stays true.
    """
    known = None if month is None else month.days.get(date)
    if known is None or (known.at < day_ends_at and now - known.at > AGE_MAX_S):
        return None
    return known


def month_bounds(month: str, /) -> tuple[str, str]:
    """Return the first and last date of a month.

    >>> month_bounds("2024-02")
    ('2024-02-01', '2024-02-29')
    """
    year, number = int(month[:4]), int(month[5:])
    following = f"{year + number // 12:04d}-{number % 12 + 1:02d}-01"
    return f"{month}-01", shift(following, -1)
