"""The calendar: stores which dates have work, as its source answers.

It never guesses: without an answer that is recent enough, a date is unknown.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import TypeVar

from phasegate.base import keys
from phasegate.base.backoff import is_ahead
from phasegate.base.codec import Decision, decode
from phasegate.base.dates import local_time, shift
from phasegate.calendar import month as calendar
from phasegate.calendar.answer import checked, checked_day, shown
from phasegate.calendar.month import Day, Learned, Month
from phasegate.errors import BadDocument, BadInput
from phasegate.plan.gate import SEASON, SEASON_START
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.store import Doc
from phasegate.transact import read_derived, transact

A = TypeVar("A")
Dates = Callable[[date, date], Iterable[Day]]
ASKS_MAX = 2


class Calendar:
    """The calendar documents of one pipeline.

    ``dates``: the plan's function, its source; None: there is none. ``exists``: the plan has a calendar.
    """

    def __init__(self, plan: Plan, ports: Ports, *, dates: Dates | None) -> None:
        self._plan, self._ports, self._dates = plan, ports, dates
        self.exists = plan.calendar is not None
        # the anchor of windows of a season: answers from before the plan had one lack it
        self._has_seasons = any(need.back == SEASON for step in plan.steps.values() for need in step.needs)
        self._foreseen: dict[str, Month] = {}
        self._asked: set[str] = set()

    def day(self, on: str, *, ask: bool = True) -> Day | None:
        """Return the day of a date, None if unknown.

        ``ask``: ask the source then.
        """
        learned = self._day(on, ask=ask)
        return None if learned is None else learned.day

    def _day(self, on: str, *, ask: bool) -> Learned | None:
        month = self.read(on[:7])
        learned = self._learned(month, on)
        if self._is_wanting(learned) and ask and self._may_ask(on[:7], month):
            self.refresh(on[:7])
            learned = self._learned(self.read(on[:7]), on)
        return learned

    def foresee(self, on: str) -> Day | None:
        """Return the same as ``day``, but store nothing: for a dry run."""
        learned = self._foresee(on)
        return None if learned is None else learned.day

    def _foresee(self, on: str) -> Learned | None:
        month = on[:7]
        stored, foreseen = self.read(month), self._foreseen.get(month)
        learned = self._learned(foreseen, on) or self._learned(stored, on)
        if self._is_wanting(learned) and self._may_ask(month, stored) and self._may_ask(month, foreseen):
            answered, _ = self._ask(month)(foreseen or stored)
            assert answered is not None, "an answer always makes a month"
            self._foreseen[month] = answered
            learned = self._learned(answered, on)
        return learned

    def expected(self, on: str, *, keep: bool = True) -> Learned:
        """Return the calendar's entry of a date that has work.

        ``keep``: store what the source answers. Raises BadInput for a date without work, and for an unknown one.
        """
        learned = self._day(on, ask=True) if keep else self._foresee(on)
        if learned is None:
            month = self._foreseen.get(on[:7]) if not keep else None
            month = month or self.read(on[:7])
            reason = "" if month is None else month.why_unknown(on)
            why = f" ({reason})" if reason else ""
            raise BadInput(f"the calendar has no answer for {on}{why}; fix its source, then: phasegate sweep")
        day = learned.day
        if day.state != "work":
            reason = f": {day.reason}" if day.reason else ""
            raise BadInput(f"the calendar has no work on {on} ({day.state}{reason}); correct the date, or its source")
        return learned

    def read(self, month: str) -> Month | None:
        """Return a month's document, None if there is none that can be read.

        It is asked for again then.
        """
        doc = self._ports.store.read(keys.calendar_key(self._plan.pipeline, month))
        return None if doc is None else read_derived(Month, doc)

    def is_ahead(self, doc: Doc, now: float) -> bool:
        """Return whether a month waits for a time that a clock ahead has set."""
        try:
            return decode(Month, doc.body, key=doc.key).is_ahead(now)
        except BadDocument:
            return is_ahead(doc.due, now=now, bound_s=calendar.REFRESH_S)

    def refresh(self, month: str) -> None:
        """Ask the source about a month, and store its answer or its error.

        If another process stores its answer in between, the answer here may be the older one: the source is asked once
        more. An answer that is stored during that was asked for after this call began, and stays.
        """
        for _ in range(ASKS_MAX):
            seen = self.read(month)
            if self._decide(month, calendar.unless_answered(self._ask(month), seen=seen)):
                return

    def put(self, days: Iterable[Day]) -> tuple[str, ...]:
        """Store days that the caller has just obtained; return their months.

        Raises BadInput for a value that cannot be used; nothing is stored then.
        """
        months: dict[str, list[Day]] = {}
        for number, day in enumerate(days, start=1):
            try:
                taken = checked_day(day)
            except BadInput as e:
                on = shown(getattr(day, "date", None))
                raise BadInput(f"item {number} ({on}): {e}; nothing was stored") from None
            months.setdefault(taken.date[:7], []).append(taken)
        for month, given in months.items():
            ends_at = self.ends_at(calendar.month_bounds(month)[1])
            self._decide(month, calendar.learned(given, now=self._ports.clock.now(), ends_at=ends_at))
        return tuple(months)

    def note_applied(self, month: str, orders: Mapping[str, float]) -> None:
        """Record which change of each date was applied to its open runs."""
        self._decide(month, calendar.applied(orders))

    def note_started(self, month: str, until: float, *, upcoming: float | None, seen: Month) -> None:
        """Record until when the clock has opened runs, worked out from ``seen``."""
        self._decide(month, calendar.started(until, upcoming=upcoming, seen=seen))

    def ends_at(self, on: str) -> float:
        """Return when a date ends in the pipeline's time zone."""
        return local_time("00:00", shift(on, 1), timezone=self._plan.timezone)

    def _is_wanting(self, learned: Learned | None) -> bool:
        """Return whether the source must say more about a date."""
        if learned is None or not self._has_seasons or learned.day.state != "work":
            return learned is None
        return SEASON_START not in learned.day.anchors

    def _may_ask(self, name: str, month: Month | None) -> bool:
        """Return whether to ask now for a date that is unknown.

        After an incomplete answer a new process asks at once: the source may be fixed.
        """
        if month is None or month.is_ahead(self._ports.clock.now()) or (month.incomplete and name not in self._asked):
            return True
        return self._ports.clock.now() - month.asked_at >= calendar.RETRY_S

    def _ask(self, month: str) -> Decision[Month, None]:
        """Ask the source about a month; return a decision that stores the answer."""
        (first, last), source = calendar.month_bounds(month), self._dates
        self._asked.add(month)
        now, ends_at = self._ports.clock.now(), self.ends_at(last)
        if source is None:
            return calendar.failed("it has no source", now=now, ends_at=ends_at)
        answer = checked(lambda: source(date.fromisoformat(first), date.fromisoformat(last)), month=month)
        if answer.error or answer.refused:
            self._ports.observer.event("calendar failed", month=month, error=answer.in_words)
        return calendar.learned(
            answer.days.values(), now=now, ends_at=ends_at, refused=answer.refused, error=answer.error
        )

    def _learned(self, month: Month | None, on: str) -> Learned | None:
        return calendar.known_of(month, on, now=self._ports.clock.now(), day_ends_at=self.ends_at(on))

    def _decide(self, month: str, decide: Decision[Month, A]) -> A:
        key = keys.calendar_key(self._plan.pipeline, month)
        return transact(self._ports, key, kind=Month, decide=decide, derived=True)
