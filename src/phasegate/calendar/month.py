"""The calendar document of one month.

Pure. A date has work, has none, is void, or is unknown. Unknown is a state of its own: a source that failed, or an
answer too old, must not look like a date without work. The document is due when its source must be asked again, a run
must be opened by the clock, or a change must be applied.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from phasegate.base.backoff import clipped, is_ahead
from phasegate.base.codec import Decision, State
from phasegate.base.dates import shift

DayState = Literal["work", "none", "void"]
AGE_MAX_S = 36 * 3600.0
REFRESH_S = 6 * 3600.0
RETRY_S = 900.0
TICK_S = 0.001
ERROR_MAX = 500


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One date: whether it has work, and its ``anchors``.

    ``anchors``: the times that deadlines may count from, by name, in epoch seconds. ``void``: the date was expected to
    have work and has none, for the ``reason``.
    """

    date: str
    state: DayState
    anchors: dict[str, float] = {}
    reason: str = ""


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """The last answer for a date, and when it was learned.

    ``order``: the order of the last change of its state, which is the time it was learned, but later than the change
    before it.
    """

    day: Day
    at: float
    order: float = 0.0


class Month(State, frozen=True):
    """The calendar of one month.

    ``error``: why the source could not be asked last, or why its answer is incomplete. ``refused``: date -> why its
    last answer cannot be used; the date is unknown. ``started``: the runs that the clock opens until this time are
    open. ``changed``: dates whose change is not yet applied to their open runs.
    """

    days: dict[str, Learned] = {}
    asked_at: float = 0.0
    error: str = ""
    started: float = 0.0
    next_start: float | None = None
    ends_at: float = 0.0
    changed: tuple[str, ...] = ()
    refused: dict[str, str] = {}

    @property
    def incomplete(self) -> bool:
        """Return whether the last answer lacks dates, so that it is asked soon."""
        return bool(self.error or self.refused)

    def is_ahead(self, now: float, /) -> bool:
        """Return whether a clock ahead has asked, or opened runs, for this month."""
        return is_ahead(max(self.asked_at, self.started), now=now)

    def why_unknown(self, date: str, /) -> str:
        """Return why a date is unknown, as far as it is known.

        "" for one that was left out, or whose answer expired.
        """
        reason = self.refused.get(date)
        return self.error if reason is None else f"its source's answer is refused: {reason}"

    @property
    def ask_at(self) -> float | None:
        """Return when to ask the source again.

        None once it has answered after the month's end.
        """
        if self.incomplete:
            return self.asked_at + RETRY_S
        return self.asked_at + REFRESH_S if self.asked_at < self.ends_at else None

    @property
    def due(self) -> float | None:
        """Return when to ask the source, open a run, or apply a change."""
        apply_at = self.asked_at if self.changed else None
        return min((at for at in (self.ask_at, self.next_start, apply_at) if at is not None), default=None)


def learned(
    days: Iterable[Day], *, now: float, ends_at: float, refused: Mapping[str, str] | None = None, error: str = ""
) -> Decision[Month, None]:
    """Store a source's answer for dates of this month.

    Dates that it leaves out keep their last answer, which expires with time. ``refused``: date -> why its answer cannot
    be used. ``error``: why the answer is incomplete.
    """
    given = {day.date: day for day in days}

    def decide(month: Month | None) -> tuple[Month, None]:
        month = _present(month, now=now, ends_at=ends_at)
        taken = {date: _taken_over(month.days.get(date), day, now=now) for date, day in given.items()}
        changed = {d for d, entry in taken.items() if d not in month.days or entry.order != month.days[d].order}
        # due at once: the next sweep works out whether a run must be opened
        soon = now if month.next_start is None else min(now, month.next_start)
        unknown = {date: why for date, why in month.refused.items() if date not in given} | dict(refused or {})
        return replace(month, days={**month.days, **taken}, changed=tuple(sorted(changed.union(month.changed))),
                       asked_at=max(now, month.asked_at), error=error[:ERROR_MAX], next_start=soon,
                       refused=unknown), None  # fmt: skip

    return decide


def unless_answered(decide: Decision[Month, None], *, seen: Month | None) -> Decision[Month, bool]:
    """Store an answer, unless another one was stored since.

    Answers whether it is stored. ``seen``: the month before the source was asked. No clock decides which of two answers
    is the newer one: those of two machines differ.
    """

    def decide_then(month: Month | None) -> tuple[Month | None, bool]:
        new, _ = decide(month)
        if _answers(month) not in (_answers(seen), _answers(new)):
            return month, False
        return new, True

    return decide_then


def _answers(month: Month | None) -> tuple[Mapping[str, Learned], Mapping[str, str]]:
    return ({}, {}) if month is None else (month.days, month.refused)


def _present(month: Month | None, *, now: float, ends_at: float) -> Month:
    """Return the month, a new one if there is none.

    A time that only a clock ahead can have set is taken back.
    """
    since = now - 24 * 3600.0
    if month is None:
        return Month(started=since, ends_at=ends_at)
    if not month.is_ahead(now):
        return month
    started = since if is_ahead(month.started, now=now) else month.started
    return replace(month, asked_at=clipped(month.asked_at, now=now), started=started)


def _taken_over(old: Learned | None, day: Day, *, now: float) -> Learned:
    if old is None:
        return Learned(day=day, at=now, order=now)
    order = old.order if old.day.state == day.state else max(now, old.order + TICK_S)
    return Learned(day=day, at=now, order=order)


def applied(orders: Mapping[str, float]) -> Decision[Month, None]:
    """Record which change of each date was applied: date -> its order.

    A date whose newest change is another one stays to be applied.
    """

    def decide(month: Month | None) -> tuple[Month, None]:
        month = month or Month()
        dates = {*month.changed, *orders} & month.days.keys()
        return replace(month, changed=tuple(sorted(d for d in dates if orders.get(d) != month.days[d].order))), None

    return decide


def failed(error: str, *, now: float, ends_at: float) -> Decision[Month, None]:
    """Record that the source could not be asked.

    Earlier answers stay until they expire.
    """

    def decide(month: Month | None) -> tuple[Month, None]:
        month = _present(month, now=now, ends_at=ends_at)
        return replace(month, error=error[:ERROR_MAX], asked_at=max(now, month.asked_at)), None

    return decide


def started(until: float, *, upcoming: float | None, seen: Month) -> Decision[Month, None]:
    """Record that the runs which the clock opens by ``until`` are open.

    ``upcoming``: when it opens the next. ``seen``: the month that this was worked out from. If the month's days have
    changed since, nothing is recorded and the month stays due. While an answer is incomplete, ``started`` waits: the
    runs of a date that is unknown now are opened when it is known.
    """

    def decide(month: Month | None) -> tuple[Month, None]:
        month = month or seen
        if (month.days, month.refused, month.error) != (seen.days, seen.refused, seen.error):
            return month, None
        return replace(month, started=month.started if month.incomplete else max(until, month.started),
                       next_start=upcoming), None  # fmt: skip

    return decide


def known_of(month: Month | None, date: str, *, now: float, day_ends_at: float) -> Learned | None:
    """Return the last answer for a date, None if there is none to use.

    An answer that was learned after the date's end does not expire.
    """
    entry = None if month is None else month.days.get(date)
    if (
        month is None
        or entry is None
        or date in month.refused
        or (entry.at < day_ends_at and now - entry.at > AGE_MAX_S)
    ):
        return None
    return entry


def month_bounds(month: str, /) -> tuple[str, str]:
    """Return the first and last date of a month.

    >>> month_bounds("2024-02")
    ('2024-02-01', '2024-02-29')
    """
    year, number = int(month[:4]), int(month[5:])
    following = f"{year + number // 12:04d}-{number % 12 + 1:02d}-01"
    return f"{month}-01", shift(following, -1)
