"""Records evaluations as one incident per cause, and notifies channels.

Nothing is decided here: evaluations, incidents and digests are documents, which `evaluations` and `incident` decide on.
"""

from collections.abc import Mapping, Sequence

import msgspec

from phasegate.alerts import evaluations, notes
from phasegate.alerts import incident as incidents
from phasegate.alerts.dispatcher import Dispatched, Dispatcher
from phasegate.alerts.evaluations import Watch
from phasegate.alerts.grouping import grouped
from phasegate.alerts.incident import Incident
from phasegate.alerts.incident_store import IncidentStore
from phasegate.base.findings import CheckResult
from phasegate.calendar.calendar import Calendar
from phasegate.channel import Channel, Pinger
from phasegate.errors import BadDocument, NotFound
from phasegate.plan.model import Plan
from phasegate.ports import Ports


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of incidents that an evaluation changed.

    ``late``: checks of which a newer evaluation was already recorded.
    """

    opened: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    late: tuple[str, ...] = ()


class Incidents:
    """The incidents of one pipeline; nothing is sent before ``reach``."""

    def __init__(self, plan: Plan, ports: Ports, *, calendar: Calendar) -> None:
        self._plan, self._ports = plan, ports
        self._store = IncidentStore(plan, ports, calendar=calendar)
        self._dispatcher = Dispatcher(self._store, {}, pinger=None)

    def reach(self, channels: Mapping[str, Channel], /, *, pinger: Pinger | None = None) -> None:
        """Set the channels, by their names in the plan, and the dead-man switch."""
        self._dispatcher = Dispatcher(self._store, channels, pinger=pinger)

    def start(self) -> float:
        """Ping that an evaluation begins; return the moment that names it."""
        self._dispatcher.start()
        return self._ports.clock.now()

    def take(self, outcomes: Sequence[CheckResult], *, started: float) -> Evaluated:
        """Record the findings of one evaluation.

        ``started``: when it began (epoch seconds). A check with a newer recorded evaluation is ignored. The same
        evaluation may be recorded again.
        """
        context = self._store.context()
        late = tuple(o.check for o in outcomes if incidents.is_late(o.check, started=started, checks=context.checks))
        outcomes = [outcome for outcome in outcomes if outcome.check not in late]
        answers: dict[str, list[str]] = {"opened": [], "found": [], "older": []}
        for group in grouped(outcomes):
            key = incidents.key_of(self._plan.pipeline, group.cause)
            answer = self._store.decide(key, incidents.found(group, started=started, context=context)) or "older"
            answers[answer].append(key)
            if answer == "opened":  # in words of its own: metrics of a cloud count lines of the log
                codes = dict.fromkeys(one.code for one in group.findings)
                self._ports.observer.event("incident opened", key=key, severity=group.severity, codes=" ".join(codes))
        if outcomes:
            self._store.watch(evaluations.taken(outcomes, started=started))
        resolved = self._update()
        taken = Evaluated(opened=tuple(answers["opened"]), found=tuple(answers["found"]), resolved=resolved, late=late)
        self._ports.observer.event("evaluation taken", checks=len(outcomes), late=len(late), opened=len(taken.opened),
                                   found=len(taken.found), resolved=len(resolved))  # fmt: skip
        return taken

    def send(self) -> Dispatched:
        """Send what is due to the channels, then ping the dead-man switch.

        See ``Dispatcher.send``.
        """
        return self._dispatcher.send()

    def close(self, name: str) -> Incident:
        """Resolve an incident, named by its key or the beginning of its id.

        The next ``send`` notifies the channels. An evaluation that starts later and finds it reopens it. Raises
        NotFound if no open incident has that name, or several have.
        """
        found = [doc.key for doc, one in self._store.all([]) if one.state == "open" and _called(doc.key, name)]
        if len(found) != 1:
            problem = f"{len(found)} open incidents match; give more of the name" if found else "is not open"
            raise NotFound(f"incident {name!r}: {problem}; phasegate alerts lists the open ones")
        self._store.decide(found[0], incidents.closed(self._store.context()))
        closed = self._store.read(found[0])
        assert closed is not None, "an incident is forgotten long after it is resolved"
        return closed

    def listed(self, *, broken: list[BadDocument] | None = None) -> list[tuple[str, Incident]]:
        """Return the open incidents with their keys, the worst first.

        Resolved ones are included while a notification is pending. The error of an unreadable document is appended to
        ``broken``; if that is None, it is raised.
        """
        found = [(doc.key, one) for doc, one in self._store.all(broken) if one.state == "open" or one.has_pending]
        return sorted(found, key=lambda item: notes.rank(item[1]))

    def open_dates(self) -> set[str]:
        """Return the dates named by open incidents.

        Only an evaluation of these dates can show that they are fixed.
        """
        return {on for _, one in self._store.all([]) if one.state == "open" for on in incidents.dates_of(one)}

    def watched(self) -> Watch:
        """Return the record of evaluations."""
        return self._store.watched()

    def _update(self) -> tuple[str, ...]:
        """Update every incident, delete those long resolved.

        Return the keys of those that were resolved by this.
        """
        context, resolved = self._store.context(), list[str]()
        for doc, incident in self._store.all([]):
            if incident.state == "open" and self._store.decide(doc.key, incidents.updated(context)) == "resolved":
                resolved.append(doc.key)
            elif (incident.resolved_at or context.now) < context.now - incidents.KEEP_S and incident.due is None:
                self._store.forget(doc)
        return tuple(resolved)


def _called(key: str, name: str) -> bool:
    return name == key or (bool(name) and key.rpartition(":")[2].startswith(name))
