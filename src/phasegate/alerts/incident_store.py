"""The documents of one pipeline's incidents, and of its watching: read, and changed by core's decisions only."""

from collections.abc import Iterator

from phasegate import scan
from phasegate.alerts import evaluations
from phasegate.alerts.evaluations import Watch
from phasegate.alerts.incident import Context, Incident
from phasegate.base.codec import Decision, decode
from phasegate.calendar.calendar import Calendar
from phasegate.errors import BadDocument, Conflict, PhasegateError
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.store import Doc
from phasegate.transact import transact

PAGE = 100


class IncidentStore:
    """Reads and changes them. An incident that nobody can read is left as it is, and keeps no other back."""

    def __init__(self, plan: Plan, ports: Ports, *, calendar: Calendar) -> None:
        self.plan, self.ports, self._calendar = plan, ports, calendar
        self._prefix = f"incident:{plan.pipeline}:"

    def all(self, broken: list[BadDocument] | None) -> Iterator[tuple[Doc, Incident]]:
        """Give every incident; what cannot be read is put into ``broken``, and raised without it."""
        yield from self._read(scan.scanned(self.ports.store, self._prefix, page=PAGE), broken)

    def due(self) -> Iterator[tuple[Doc, Incident]]:
        """Give the incidents that may have to be told of, or escalated, now: that which is due longest first."""
        yield from self._read(scan.due(self.ports.store, self.ports.clock.now(), prefix=self._prefix, page=PAGE), [])

    def read(self, key: str) -> Incident | None:
        """Return an incident. Raises BadDocument."""
        doc = self.ports.store.read(key)
        return None if doc is None else decode(Incident, doc.body, key=key)

    def decide(self, key: str, decide: Decision[Incident, str]) -> str:
        """Apply a decision. What cannot be read is left as it is, and answers nothing: the others go on."""
        try:
            return transact(self.ports, key, kind=Incident, decide=decide)
        except BadDocument:
            return ""

    def forget(self, doc: Doc) -> None:
        """Delete an incident, unless somebody has changed it meanwhile."""
        try:
            self.ports.store.delete(doc.key, expect=doc.version)
        except Conflict:
            return  # somebody has just opened it again

    def watched(self) -> Watch:
        """Return what is known of the evaluations."""
        key = evaluations.key_of(self.plan.pipeline)
        doc = self.ports.store.read(key)
        return Watch() if doc is None else decode(Watch, doc.body, key=key)

    def watch(self, decide: Decision[Watch, str]) -> str:
        """Apply a decision to what is known of the evaluations."""
        key = evaluations.key_of(self.plan.pipeline)
        return transact(self.ports, key, kind=Watch, decide=decide)

    def sight(self) -> Context:
        """Return what a decision must know beside the incident."""
        now, policy = self.ports.clock.now(), self.plan.alerts
        held = evaluations.held_until(policy, timezone=self.plan.timezone, now=now, idle=self.idle())
        return Context(checks=self.watched().checks, policy=policy, now=now, held_until=held)

    def idle(self) -> bool:
        """Tell whether the calendar knows that today has no work. What it does not know is no day off."""
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
