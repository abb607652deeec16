"""The stored incidents and evaluations of one pipeline.

They are changed by the decisions of `incident` and `evaluations` only.
"""

from collections.abc import Iterator

from phasegate import scan
from phasegate.alerts import evaluations
from phasegate.alerts.evaluations import Watch
from phasegate.alerts.incident import Context, Incident, without_times_ahead
from phasegate.base.codec import Decision, decode
from phasegate.calendar.calendar import Calendar
from phasegate.errors import BadDocument, Conflict, PhasegateError
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.store import Doc
from phasegate.transact import transact

PAGE = 100


class IncidentStore:
    """Reads and changes them.

    An unreadable incident is left as it is, and does not stop the others.
    """

    def __init__(self, plan: Plan, ports: Ports, *, calendar: Calendar) -> None:
        self.plan, self.ports, self._calendar = plan, ports, calendar
        self._prefix = f"incident:{plan.pipeline}:"

    def all(self, broken: list[BadDocument] | None) -> Iterator[tuple[Doc, Incident]]:
        """Yield every incident.

        Errors of unreadable ones are appended to ``broken``; if that is None, they are raised.
        """
        yield from self._read(scan.scanned(self.ports.store, self._prefix, page=PAGE), broken)

    def due(self) -> Iterator[tuple[Doc, Incident]]:
        """Yield incidents to notify of or to escalate now, longest due first."""
        store, now = self.ports.store, self.ports.clock.now()
        yield from self._read(scan.due(store, now, prefixes=[self._prefix], page=PAGE), [])
        for doc, incident in self._read(scan.later(store, now, prefixes=[self._prefix], page=PAGE), []):
            if without_times_ahead(incident, now=now) != incident:  # a clock ahead has put it off
                yield doc, incident

    def read(self, key: str) -> Incident | None:
        """Return an incident; raise BadDocument if it cannot be read."""
        doc = self.ports.store.read(key)
        return None if doc is None else decode(Incident, doc.body, key=key)

    def decide(self, key: str, decide: Decision[Incident, str]) -> str:
        """Apply a decision; return its answer, empty for an unreadable incident."""
        try:
            return transact(self.ports, key, kind=Incident, decide=decide)
        except BadDocument:
            return ""

    def forget(self, doc: Doc) -> None:
        """Delete an incident, unless it has changed since it was read."""
        try:
            self.ports.store.delete(doc.key, expect=doc.version)
        except Conflict:
            return  # it has just been opened again

    def watched(self) -> Watch:
        """Return the record of evaluations."""
        key = evaluations.key_of(self.plan.pipeline)
        doc = self.ports.store.read(key)
        watch = Watch() if doc is None else decode(Watch, doc.body, key=key)
        return evaluations.without_times_ahead(watch, now=self.ports.clock.now())

    def watch(self, decide: Decision[Watch, str]) -> str:
        """Apply a decision to the record of evaluations."""
        key = evaluations.key_of(self.plan.pipeline)
        return transact(self.ports, key, kind=Watch, decide=decide)

    def context(self) -> Context:
        """Return the inputs of a decision beside the incident."""
        now, policy = self.ports.clock.now(), self.plan.alerts
        held = evaluations.held_until(policy, timezone=self.plan.timezone, now=now, idle=self.idle())
        return Context(checks=self.watched().checks, policy=policy, now=now, held_until=held)

    def idle(self) -> bool:
        """Return whether the calendar has today as a date without work.

        A date that the calendar does not have is not taken for one.
        """
        if not self._calendar.exists:
            return False
        today = evaluations.local_date(self.ports.clock.now(), timezone=self.plan.timezone)
        try:
            day = self._calendar.day(today, ask=False)
        except PhasegateError as e:
            self.ports.observer.event("calendar failed", month=today[:7], error=str(e))
            return False
        return day is not None and day.state == "none"

    @staticmethod
    def _read(docs: Iterator[Doc], broken: list[BadDocument] | None) -> Iterator[tuple[Doc, Incident]]:
        for doc in docs:
            try:
                yield doc, decode(Incident, doc.body, key=doc.key)
            except BadDocument as e:
                if broken is None:
                    raise
                broken.append(e)
