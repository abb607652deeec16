"""Does what the calendar and the clock say: asks for the calendar anew, opens runs in time, voids what is cancelled."""

from collections.abc import Iterable, Iterator

from phasegate.base import keys
from phasegate.base.dates import local_date, shift
from phasegate.base.keys import Run
from phasegate.calendar.calendar import Calendar
from phasegate.calendar.month import Day, Learned, Month, month_bounds
from phasegate.errors import BadInput, PhasegateError
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.plan.model import Plan
from phasegate.ports import Ports


class Scheduler:
    """Looks at a month's calendar when it is due."""

    def __init__(self, plan: Plan, ports: Ports, *, gatekeeper: Gatekeeper, calendar: Calendar) -> None:
        self._plan, self._ports, self._gatekeeper, self._calendar = plan, ports, gatekeeper, calendar
        self._kept = ""

    def keep_up(self) -> None:
        """See to it that the present month is known, though nobody has spoken of a date of it.

        So the clock goes on after an outage of any length; runs that it missed are absent, and a finding.
        """
        if not self._calendar.is_kept:
            return
        month = local_date(self._ports.clock.now(), timezone=self._plan.timezone)[:7]
        if month != self._kept:
            if self._calendar.read(month) is None:
                self.ask(month)
            self._kept = month

    def look(self, key: str) -> None:
        """Ask the source if its time has come, open the runs whose time has come, and see to the next month."""
        month, now = key.rpartition(":")[2], self._ports.clock.now()
        known = self._calendar.read(month)
        if known is None:
            return
        if known.ask_at is not None and known.ask_at <= now:
            self._calendar.refresh(month)
        failure = self._tell(month)
        known = self._calendar.read(month) or known
        self._start(month, known, now=now)
        last = month_bounds(month)[1]
        if now < known.ends_at < now + 35 * 86400.0 and self._calendar.read(shift(last, 1)[:7]) is None:
            self._calendar.refresh(shift(last, 1)[:7])
        if failure is not None:
            raise failure

    def ask(self, month: str) -> None:
        """Ask the source about a month now, with what follows for runs that are open."""
        self._calendar.refresh(month)
        self._tell(month)

    def put(self, days: Iterable[Day]) -> None:
        """Take over what somebody who has just looked says of dates, with what follows for runs that are open."""
        for month in self._calendar.put(days):
            self._tell(month)

    def _tell(self, month: str) -> PhasegateError | None:
        """Have the open runs of a month hear what has changed, whoever learned of it.

        Return the first error: one date that cannot be told keeps back no other.
        """
        known = self._calendar.read(month)
        if known is None:
            return None
        # of what is void again and again: a run may have been opened by somebody who did not know it yet
        news = {on: e for on, e in known.days.items() if on in known.changed or e.day.state == "void"}
        told, failure = dict[str, float](), None
        for on, entry in news.items():
            try:
                self._settle(entry)
            except PhasegateError as e:
                failure = failure or e
                self._ports.observer.event("date not told", date=on, error=str(e))
            else:
                told[on] = entry.order
        if told or known.changed:
            self._calendar.note_heard(month, told)
        return failure

    def _settle(self, known: Learned) -> None:
        """Void the open runs of a date that no longer takes place, or bring back those of one that does after all."""
        day = known.day
        why = None if day.state == "work" else day.reason or f"the calendar says {day.state}"
        for phase, run in self._runs(day.date):
            there, asks = self._gatekeeper.read(phase, run), self._plan.asks_calendar(phase, mode=run.mode)
            if there is None or there.knows_change(known.order):
                continue
            claim = there.claims.get("calendar")
            if not asks and (claim is None or claim.void is None):
                continue  # a void run whose mode has come to ask no calendar is brought back
            self._gatekeeper.expect(phase, run, order=known.order, void=why if asks else None)
        if day.state != "work":
            self._gatekeeper.release(day.date)

    def _start(self, month: str, known: Month, *, now: float) -> None:
        """Open the runs whose start by the clock lies between the last look and now."""
        times = sorted(self._starts(known), key=lambda start: start[0])
        for at, phase, run in times:
            if known.started < at <= now:
                self._gatekeeper.open(phase, run, by="schedule")
        upcoming = min((at for at, _, _ in times if at > now), default=None)
        if times or known.next_start is not None:
            self._calendar.note_started(month, now, upcoming=upcoming, seen=known)

    def _starts(self, known: Month) -> Iterator[tuple[float, str, Run]]:
        for date, entry in known.days.items():
            if entry.day.state != "work":
                continue
            for phase, run in self._runs(date):
                start = self._plan.phases[phase].modes[run.mode].start
                if start.by == "schedule" and start.at is not None:
                    try:
                        at = start.at.at(run, timezone=self._plan.timezone, opened_at=0.0, anchors=entry.day.anchors)
                    except BadInput as e:
                        self._ports.observer.event("not started", run=str(run), phase=phase, error=str(e))
                        continue
                    yield at, phase, run

    def _runs(self, date: str) -> Iterator[tuple[str, Run]]:
        for phase, plan in self._plan.phases.items():
            for mode in plan.modes:
                yield phase, Run(keys.parse_date(date), mode)
