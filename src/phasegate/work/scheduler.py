"""The scheduler: does what calendar and clock require.

It refreshes the calendar, opens runs by the clock, and voids runs that do not take place.
"""

from collections.abc import Iterable, Iterator

from phasegate.base import keys
from phasegate.base.backoff import AHEAD_EVERY_S
from phasegate.base.dates import local_date, shift
from phasegate.base.keys import Run
from phasegate.calendar.calendar import Calendar
from phasegate.calendar.month import Day, Learned, Month, month_bounds
from phasegate.errors import BadInput, PhasegateError
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.plan.model import Plan
from phasegate.ports import Ports


class Scheduler:
    """Handles a month's calendar document when it is due."""

    def __init__(self, plan: Plan, ports: Ports, *, gatekeeper: Gatekeeper, calendar: Calendar) -> None:
        self._plan, self._ports, self._gatekeeper, self._calendar = plan, ports, gatekeeper, calendar
        self._kept, self._kept_at = "", 0.0

    def keep_up(self) -> None:
        """Ask the calendar's source about the present month, if it is not stored.

        So runs are opened by the clock again after an outage of any length. Runs that were missed are not opened; a
        finding names them. It is also asked by the first sweep of a process if its last answer was incomplete: its
        source may be fixed; and again if a clock ahead has put it off. An error is reported, and the next sweep tries
        again.
        """
        if not self._calendar.exists:
            return
        now = self._ports.clock.now()
        month = local_date(now, timezone=self._plan.timezone)[:7]
        if month == self._kept and self._kept_at <= now < self._kept_at + AHEAD_EVERY_S:
            return
        try:
            stored = self._calendar.read(month)
            if stored is None or stored.is_ahead(now) or (stored.incomplete and month != self._kept):
                self.ask(month)
        except PhasegateError as e:
            self._ports.observer.event("calendar failed", month=month, error=str(e))
        else:
            self._kept, self._kept_at = month, now

    def look(self, key: str) -> None:
        """Handle one month: ask its source, apply changes, open runs.

        The next month is asked for if it has no document yet.
        """
        month, now = key.rpartition(":")[2], self._ports.clock.now()
        stored = self._calendar.read(month)
        if stored is None or stored.is_ahead(now) or (stored.ask_at is not None and stored.ask_at <= now):
            self._calendar.refresh(month)
        failure = self._apply_changes(month)
        stored = self._calendar.read(month)
        if stored is None:
            return
        failure = self._start(month, stored, now=now) or failure
        last = month_bounds(month)[1]
        if now < stored.ends_at < now + 35 * 86400.0:
            following = self._calendar.read(shift(last, 1)[:7])
            if following is None or following.is_ahead(now):
                self._calendar.refresh(shift(last, 1)[:7])
        if failure is not None:
            raise failure

    def ask(self, month: str) -> None:
        """Ask the source about a month now, and apply changes to open runs."""
        self._calendar.refresh(month)
        self._apply_changes(month)

    def put(self, days: Iterable[Day]) -> None:
        """Store the given days, and apply changes to open runs."""
        for month in self._calendar.put(days):
            self._apply_changes(month)

    def _apply_changes(self, month: str) -> PhasegateError | None:
        """Apply a month's changed dates to open runs; return the first error.

        A date that fails does not keep the others from being applied.
        """
        stored = self._calendar.read(month)
        if stored is None:
            return None
        # void dates every time: another process may have opened a run before it saw the change
        changed = {on: e for on, e in stored.days.items() if on in stored.changed or e.day.state == "void"}
        applied, failure = dict[str, float](), None
        for on, entry in changed.items():
            try:
                self._apply(entry)
            except PhasegateError as e:
                failure = failure or e
                self._ports.observer.event("date not applied", date=on, error=str(e))
            else:
                applied[on] = entry.order
        if applied or stored.changed:
            self._calendar.note_applied(month, applied)
        return failure

    def _apply(self, learned: Learned) -> None:
        """Void the open runs of a date without work, or bring them back."""
        day = learned.day
        why = None if day.state == "work" else day.reason or f"the calendar says {day.state}"
        found = {phase: self._gatekeeper.of_date(phase, day.date) for phase in self._plan.phases}
        for phase, run in self._runs(day.date):
            existing, asks = found[phase].get(run.mode), self._plan.asks_calendar(phase, mode=run.mode)
            if existing is None or existing.has_applied(learned.order):
                continue
            claim = existing.claims.get("calendar")
            if not asks and (claim is None or claim.void is None):
                continue  # but a void run is brought back if its mode no longer asks the calendar
            self._gatekeeper.expect(phase, run, order=learned.order, void=why if asks else None)
        if day.state != "work":
            self._gatekeeper.recheck_windows(day.date)

    def _start(self, month: str, stored: Month, *, now: float) -> PhasegateError | None:
        """Open the runs whose time to start has come since the last call.

        Return the first error: a run that cannot be opened does not keep the others from it, and is tried again.
        """
        times, failure = sorted(self._starts(stored)), None
        for at, phase, run in times:
            if stored.started < at <= now:
                try:
                    self._gatekeeper.open(phase, run, by="schedule")
                except PhasegateError as e:
                    failure = failure or e
                    self._ports.observer.event("run not opened", run=str(run), phase=phase, error=str(e))
        if failure is not None:
            return failure
        upcoming = min((at for at, _, _ in times if at > now), default=None)
        if times or stored.next_start is not None:
            self._calendar.note_started(month, now, upcoming=upcoming, seen=stored)
        return None

    def _starts(self, stored: Month) -> Iterator[tuple[float, str, Run]]:
        for date, entry in stored.days.items():
            if entry.day.state != "work" or date in stored.refused:
                continue
            for phase, run in self._runs(date):
                start = self._plan.phases[phase].modes[run.mode].start
                if start.by == "schedule" and start.at is not None:
                    try:
                        at = start.at.at(run, timezone=self._plan.timezone, opened_at=0.0, anchors=entry.day.anchors)
                    except BadInput as e:
                        self._ports.observer.event("run not opened", run=str(run), phase=phase, error=str(e))
                        continue
                    yield at, phase, run

    def _runs(self, date: str) -> Iterator[tuple[str, Run]]:
        for phase, plan in self._plan.phases.items():
            for mode in plan.modes:
                yield phase, Run(keys.parse_date(date), mode)
