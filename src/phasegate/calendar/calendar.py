"""Knows which dates have work: asks the plan's calendar, remembers its answers, and says when it does not know."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date

from phasegate.base import keys
from phasegate.base.codec import Decision, decode
from phasegate.base.dates import local_time, shift
from phasegate.calendar import month as calendar
from phasegate.calendar.month import Day, Learned, Month
from phasegate.errors import BadInput, words
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.transact import transact

Dates = Callable[[date, date], Iterable[Day]]


class Calendar:
    """The calendar documents of one pipeline. ``dates`` is the plan's function; None: the plan has no calendar."""

    def __init__(self, plan: Plan, ports: Ports, *, dates: Dates | None) -> None:
        self._plan, self._ports, self._dates = plan, ports, dates
        self.is_kept = plan.calendar is not None
        self._foreseen: dict[str, Month] = {}

    def day(self, on: str, *, ask: bool = True) -> Day | None:
        """Return what is known of a date, None for unknown. ``ask``: the source is asked where nothing is known."""
        known = self._day(on, ask=ask)
        return None if known is None else known.day

    def _day(self, on: str, *, ask: bool) -> Learned | None:
        month = self.read(on[:7])
        known = self._known(month, on)
        if known is None and ask and self._may_ask(month):
            self.refresh(on[:7])
            known = self._known(self.read(on[:7]), on)
        return known

    def foresee(self, on: str) -> Day | None:
        """Return what ``day`` would, and keep nothing of it: for whoever looks ahead, as in a dry run."""
        known = self._foresee(on)
        return None if known is None else known.day

    def _foresee(self, on: str) -> Learned | None:
        month = on[:7]
        kept, foreseen = self.read(month), self._foreseen.get(month)
        known = self._known(kept, on) or self._known(foreseen, on)
        if known is None and self._may_ask(kept) and self._may_ask(foreseen):
            answered, _ = self._ask(month)(foreseen or kept)
            assert answered is not None, "an answer always makes a month"
            self._foreseen[month] = answered
            known = self._known(answered, on)
        return known

    def expected(self, on: str, *, keep: bool = True) -> Learned:
        """Return what is known of a date that has work; ``keep``: what the source answers is kept.

        Raises BadInput for one without, and for one that nothing is known of.
        """
        known = self._day(on, ask=True) if keep else self._foresee(on)
        if known is None:
            month = self._foreseen.get(on[:7]) if not keep else None
            month = month or self.read(on[:7])
            why = f" ({month.error})" if month is not None and month.error else ""
            raise BadInput(f"the calendar knows nothing of {on}{why}; mend its source, then: phasegate sweep")
        day = known.day
        if day.state != "work":
            reason = f": {day.reason}" if day.reason else ""
            raise BadInput(f"the calendar has no work on {on} ({day.state}{reason}); correct the date, or its source")
        return known

    def read(self, month: str) -> Month | None:
        """Return a month's document."""
        key = keys.calendar_key(self._plan.pipeline, month)
        doc = self._ports.store.read(key)
        return None if doc is None else decode(Month, doc.body, key=key)

    def refresh(self, month: str) -> None:
        """Ask the source about a month. What it does not answer is unknown."""
        self._decide(month, self._ask(month))

    def put(self, days: Iterable[Day]) -> tuple[str, ...]:
        """Take over what somebody who has just looked says of dates; return their months."""
        months: dict[str, list[Day]] = {}
        for day in days:
            months.setdefault(keys.parse_date(day.date)[:7], []).append(day)
        for month, given in months.items():
            ends_at = self.ends_at(calendar.month_bounds(month)[1])
            self._decide(month, calendar.learned(given, now=self._ports.clock.now(), ends_at=ends_at))
        return tuple(months)

    def note_heard(self, month: str, told: Mapping[str, float]) -> None:
        """Remember of which change the open runs of each date have heard."""
        self._decide(month, calendar.heard(told))

    def note_started(self, month: str, until: float, *, upcoming: float | None, seen: Month) -> None:
        """Remember up to when runs were opened by the clock, by what was seen of the month."""
        self._decide(month, calendar.started(until, upcoming=upcoming, seen=seen))

    def ends_at(self, on: str) -> float:
        """Return when a date is over in the pipeline's zone."""
        return local_time("00:00", shift(on, 1), timezone=self._plan.timezone)

    def _may_ask(self, month: Month | None) -> bool:
        return month is None or self._ports.clock.now() - month.asked_at >= calendar.RETRY_S

    def _ask(self, month: str) -> Decision[Month, None]:
        """Ask the source about a month; return the decision that takes its answer over."""
        first, last = calendar.month_bounds(month)
        now, ends_at = self._ports.clock.now(), self.ends_at(last)
        if self._dates is None:
            return calendar.failed("it has no source", now=now, ends_at=ends_at)
        try:
            days = [d for d in self._dates(date.fromisoformat(first), date.fromisoformat(last)) if d.date[:7] == month]
            return calendar.learned(days, now=now, ends_at=ends_at)
        except Exception as e:  # noqa: BLE001  the user's own function may raise anything; it is told and asked again
            error = words(e)
            self._ports.observer.event("calendar failed", month=month, error=error)
            return calendar.failed(error, now=now, ends_at=ends_at)

    def _known(self, month: Month | None, on: str) -> Learned | None:
        return calendar.known_of(month, on, now=self._ports.clock.now(), day_ends_at=self.ends_at(on))

    def _decide(self, month: str, decide: Decision[Month, None]) -> None:
        key = keys.calendar_key(self._plan.pipeline, month)
        transact(self._ports, key, kind=Month, decide=decide)
