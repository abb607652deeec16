"""Takes in what checks found, keeps one incident per cause, and has the channels told of it.

Nothing is decided here: evaluations, incidents and the daily digest are documents, and core says what follows.
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
    """What an evaluation changed: keys of incidents. ``late``: checks of which a newer evaluation was known."""

    opened: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    late: tuple[str, ...] = ()


class Incidents:
    """The incidents of one pipeline. Nobody is told before ``reach`` has said how."""

    def __init__(self, plan: Plan, ports: Ports, *, calendar: Calendar) -> None:
        self._plan, self._ports = plan, ports
        self._book = IncidentStore(plan, ports, calendar=calendar)
        self._dispatcher = Dispatcher(self._book, {}, pinger=None)

    def reach(self, channels: Mapping[str, Channel], /, *, pinger: Pinger | None = None) -> None:
        """Take over how to reach each channel, by the names that the plan gives them, and the dead-man switch."""
        self._dispatcher = Dispatcher(self._book, channels, pinger=pinger)

    def start(self) -> float:
        """Tell the dead-man switch that an evaluation begins; return the moment that names the evaluation."""
        self._dispatcher.start()
        return self._ports.clock.now()

    def take(self, outcomes: Sequence[CheckResult], *, started: float) -> Evaluated:
        """Take in what the checks of one evaluation found; ``started`` is when it began (epoch seconds).

        Of a check whose newer evaluation is known, nothing is taken. An evaluation may be taken in again.
        """
        sight = self._book.sight()
        late = tuple(o.check for o in outcomes if incidents.is_late(o.check, started=started, checks=sight.checks))
        outcomes = [outcome for outcome in outcomes if outcome.check not in late]
        answers: dict[str, list[str]] = {"opened": [], "found": [], "older": []}
        for group in grouped(outcomes):
            key = incidents.key_of(self._plan.pipeline, group.cause)
            answers[self._book.decide(key, incidents.found(group, started=started, sight=sight)) or "older"].append(key)
        if outcomes:
            self._book.watch(evaluations.taken(outcomes, started=started))
        resolved = self._look()
        taken = Evaluated(opened=tuple(answers["opened"]), found=tuple(answers["found"]), resolved=resolved, late=late)
        self._ports.observer.event("evaluation taken", checks=len(outcomes), late=len(late), opened=len(taken.opened),
                                   found=len(taken.found), resolved=len(resolved))  # fmt: skip
        return taken

    def send(self) -> Dispatched:
        """Tell the channels what they must be told now, then the dead-man switch; see ``Dispatcher.send``."""
        return self._dispatcher.send()

    def close(self, name: str) -> Incident:
        """Declare an incident over, by its key or the end of it, and have the channels told so when it is their turn.

        An evaluation that starts later and finds it opens it anew. Raises NotFound when no open incident is called so,
        or several are.
        """
        found = [doc.key for doc, one in self._book.all([]) if one.state == "open" and _called(doc.key, name)]
        if len(found) != 1:
            problem = f"{len(found)} open incidents are called so; give more of the name" if found else "is not open"
            raise NotFound(f"incident {name!r}: {problem}; phasegate alerts lists what is")
        self._book.decide(found[0], incidents.closed(self._book.sight()))
        closed = self._book.read(found[0])
        assert closed is not None, "an incident is forgotten long after it is resolved"
        return closed

    def listed(self, *, broken: list[BadDocument] | None = None) -> list[tuple[str, Incident]]:
        """Return the open incidents with their keys, the worst first; and those whose resolution nobody knows of yet.

        A document that cannot be read is put into ``broken``; without it BadDocument is raised.
        """
        found = [(doc.key, one) for doc, one in self._book.all(broken) if one.state == "open" or one.is_untold]
        return sorted(found, key=lambda item: notes.rank(item[1]))

    def open_dates(self) -> set[str]:
        """Return the dates that open incidents name: only who looks at them again can tell that they are mended."""
        return {on for _, one in self._book.all([]) if one.state == "open" for on in incidents.dates_of(one)}

    def watched(self) -> Watch:
        """Return what is known of the evaluations."""
        return self._book.watched()

    def _look(self) -> tuple[str, ...]:
        """Draw the consequences for every incident; forget those long resolved. Return those resolved by it."""
        sight, resolved = self._book.sight(), list[str]()
        for doc, incident in self._book.all([]):
            if incident.state == "open" and self._book.decide(doc.key, incidents.looked(sight)) == "resolved":
                resolved.append(doc.key)
            elif (incident.resolved_at or sight.now) < sight.now - incidents.KEEP_S and incident.due is None:
                self._book.forget(doc)
        return tuple(resolved)


def _called(key: str, name: str) -> bool:
    return name == key or (bool(name) and key.rpartition(":")[2].startswith(name))
