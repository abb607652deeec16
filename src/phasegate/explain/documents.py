"""Reads the documents of a span of dates, by scans.

The number of reads does not grow with the dates. It reads documents only: it asks no calendar and opens no warehouse;
what is not stored is unknown.
"""

from datetime import date, timedelta
from typing import NamedTuple

from phasegate.base import keys
from phasegate.base.codec import FAILURES_FIELD, decode
from phasegate.base.dates import distance, local_time, shift
from phasegate.calendar import month as calendar
from phasegate.calendar.month import Day, Month
from phasegate.errors import BadDocument, BadInput
from phasegate.gate.phase import Phase
from phasegate.plan.model import Plan
from phasegate.ports import ReadPorts
from phasegate.scan import scanned

DAYS_MAX = 3_700


class Postponed(NamedTuple):
    """When a document is handled again, and how often that has failed."""

    due: float | None
    failures: int


class Documents:
    """The documents of one span: phases and calendar answers by date.

    ``phases``: date -> (phase, mode) -> its document. ``unreadable``: date -> those that cannot be read; ``broken`` has
    the errors. ``put_off``: by key, documents whose handling has raised an error.
    """

    def __init__(self, plan: Plan, ports: ReadPorts, *, first: str, last: str) -> None:
        self.dates = span(first, last)
        self._plan, self.first, self.last, self.now = plan, first, last, ports.clock.now()
        self.broken: list[BadDocument] = []
        self.phases: dict[str, dict[tuple[str, str], Phase]] = {}
        self.unreadable: dict[str, set[tuple[str, str]]] = {}
        self.put_off: dict[str, Postponed] = {}
        self._months: dict[str, Month] = {}
        self._read_months(ports)
        for name in plan.phases:
            self._read_phases(ports, name)

    def day(self, on: str) -> Day | None:
        """Return the calendar's answer for a date; None for no recent one."""
        ends_at = local_time("00:00", shift(on, 1), timezone=self._plan.timezone)
        known = calendar.known_of(self._months.get(on[:7]), on, now=self.now, day_ends_at=ends_at)
        return None if known is None else known.day

    def error(self, on: str) -> str:
        """Return why the calendar has no answer for a date; "" if it was left out."""
        month = self._months.get(on[:7])
        return "" if month is None else month.why_unknown(on)

    def is_refused(self, on: str) -> bool:
        """Return whether the source's value for a date cannot be used."""
        month = self._months.get(on[:7])
        return month is not None and on in month.refused

    def _read_months(self, ports: ReadPorts) -> None:
        prefix = keys.calendar_key(self._plan.pipeline, "")
        before = shift(f"{self.first[:7]}-01", -1)[:7]
        for doc in scanned(ports.store, prefix, after=f"{prefix}{before}~", until=f"{prefix}{self.last[:7]}~"):
            name = doc.key.rpartition(":")[2]
            try:
                self._months[name] = decode(Month, doc.body, key=doc.key)
            except BadDocument as e:
                if e.newer:
                    self.broken.append(e)
                else:  # it is asked for again
                    self._months[name] = Month(error=str(e))

    def _read_phases(self, ports: ReadPorts, name: str) -> None:
        prefix = f"phase:{self._plan.pipeline}:{name}:"
        for doc in scanned(ports.store, prefix, after=prefix + self.first, until=f"{prefix}{self.last}~"):
            run = keys.phase_of(doc.key)[2]
            if isinstance(failures := doc.body.get(FAILURES_FIELD), int):
                self.put_off[doc.key] = Postponed(doc.due, failures)
            try:
                self.phases.setdefault(run.date, {})[name, run.mode] = decode(Phase, doc.body, key=doc.key)
            except BadDocument as e:
                self.broken.append(e)
                self.unreadable.setdefault(run.date, set()).add((name, run.mode))


def read(plan: Plan, ports: ReadPorts, *, first: str, last: str, broken: list[BadDocument] | None) -> Documents:
    """Return the documents of a span.

    Raises BadDocument for a document that cannot be read, unless ``broken`` takes it; BadInput for a wrong span.
    """
    book = Documents(plan, ports, first=first, last=last)
    if book.broken and broken is None:
        raise book.broken[0]
    if broken is not None:
        broken += book.broken
    return book


def span(first: str, last: str) -> list[str]:
    """Return the dates from one to another, both included.

    Raises BadInput for a last date before the first, and for more than DAYS_MAX dates.
    >>> span("2024-02-28", "2024-03-01")
    ['2024-02-28', '2024-02-29', '2024-03-01']
    """
    if first > last:
        raise BadInput(f"{first} is after {last}; swap them")
    days = distance(first, last) + 1
    if days > DAYS_MAX:
        raise BadInput(f"{first} to {last} are {days:,} dates, at most {DAYS_MAX:,} are read at once; name fewer")
    begin = date.fromisoformat(first)
    return [(begin + timedelta(days=n)).isoformat() for n in range(days)]
