"""The document of one phase in one run, and what follows from it: what is fresh, may start, is settled. Pure.

It refuses to store what can be derived: freshness, counts and "ready" are computed where they are needed.

Rule (a build system's, see docs/explanation/freshness.md): a member is fresh when its accepted result was built
from the present inputs, and these are fresh. Inputs of an upstream phase are fresh by definition: they are what
its generation carried. Contents are compared by fingerprint, so the same content again is no change.
"""

from collections.abc import Mapping

from phasegate.base.codec import State
from phasegate.base.receipt import ABSENT, Stamp
from phasegate.gate.records import Claim, Claimant, Entry, Firing, Input, Member, Notice, Request, Result, Seen, Window
from phasegate.plan.gate import Gate, Need, Spec

LOOK_BY_S = 24 * 3600.0
HISTORY_MAX = 32


class Phase(State, frozen=True):
    """All that is known of one phase in one run.

    ``catch_up_since``: since when it has to read what other runs know; None: it has. ``cascade_from``: the oldest date
    whose change made a window of this run change, while the run is rebuilt for it. ``quiet``: triggers for receivers
    outside the plan are held. ``claims``: what calendar and operator say of whether the run takes place.
    """

    gate: Gate
    opened_at: float
    looked_at: float
    inputs: dict[str, Input] = {}
    waiting: dict[str, Input] = {}
    members: dict[str, Member] = {}
    requests: dict[str, Request] = {}
    firings: tuple[Firing, ...] = ()
    outbox: tuple[Entry, ...] = ()
    seen: tuple[Seen, ...] = ()
    windows: dict[str, Window] = {}
    notices: dict[str, Notice] = {}
    catch_up_since: float | None = None
    cascade_from: str | None = None
    quiet: bool = False
    asked: int = 0
    building_since: float | None = None
    changing_since: float | None = None
    changed_at: float | None = None
    paused: str | None = None
    claims: dict[Claimant, Claim] = {}

    @property
    def void(self) -> str | None:
        """Return why the run does not take place, the operator's reason before the calendar's; None: it does."""
        reasons = [self.claims[by].void for by in ("operator", "calendar") if by in self.claims]
        return next((reason for reason in reasons if reason is not None), None)

    def knows_change(self, order: float, /) -> bool:
        """Tell whether it knows of this change of the calendar, or of a later one."""
        return "calendar" in self.claims and order <= self.claims["calendar"].order

    def failures_of(self, member: str, /) -> int:
        """Return how often the standing request for a member has failed."""
        known = self.members.get(member)
        return 0 if known is None or known.attempt is None else known.attempt.count

    @property
    def generation(self) -> int:
        """Return the number of the last firing, 0 before the first."""
        return self.firings[-1].generation if self.firings else 0

    def result_of(self, member: str, /) -> Result | None:
        """Return the newest result of a member; None when it has none, or is not known."""
        known = self.members.get(member)
        return None if known is None else known.result

    @property
    def due(self) -> float | None:
        """When somebody must look again. Only a settled or void document has no such time."""
        if self.void is not None:
            return min((notice.at for notice in self.notices.values()), default=None)
        if settled(self):
            return None
        return min([*timers(self), self.looked_at + LOOK_BY_S])


def same(one: Mapping[str, Stamp], other: Mapping[str, Stamp]) -> bool:
    """Tell whether two sets of inputs hold the same contents under the same names."""
    return one.keys() == other.keys() and all(one[n].fingerprint == other[n].fingerprint for n in one)


def wanted(phase: Phase, spec: Spec, *, fresh: Mapping[str, Stamp]) -> dict[str, Stamp] | None:
    """Return the inputs a member would be built from now; None while one of them is not there yet."""
    inputs: dict[str, Stamp] = {}
    for need in spec.needs:
        stamp = _present(phase, need, fresh=fresh)
        if stamp is None:
            return None
        inputs[str(need)] = stamp
    return inputs


def _present(phase: Phase, need: Need, *, fresh: Mapping[str, Stamp]) -> Stamp | None:
    """Return what a need holds for whoever is built now; None while it is not there yet."""
    if need.back:
        window = phase.windows.get(str(need))
        return None if window is None or window.awaited else window.stamp
    if need.step in phase.gate.members:
        return fresh.get(need.step)
    begun = phase.inputs.get(need.phase)
    return None if begun is None else begun.stamps.get(need.step, ABSENT)


def present_inputs(phase: Phase, member: str) -> dict[str, Stamp]:
    """Return what the needs of a member hold as far as they are known, fresh or not: what somebody reads today."""
    inputs = {}
    for need in phase.gate.members[member].needs:
        if need.back:
            if str(need) in phase.windows:
                inputs[str(need)] = phase.windows[str(need)].stamp
        elif need.step in phase.gate.members:
            other = phase.result_of(need.step)
            if other is not None:
                inputs[str(need)] = other.stamp
        elif need.phase in phase.inputs:
            inputs[str(need)] = phase.inputs[need.phase].stamps.get(need.step, ABSENT)
    return inputs


def survey(phase: Phase) -> dict[str, Stamp]:
    """Return the fresh members and their stamps, needs first."""
    fresh: dict[str, Stamp] = {}
    known = {name: phase.members[name] for name in phase.gate.members if name in phase.members}
    left = {name: member.result for name, member in known.items() if member.result is not None and member.stale is None}
    found = True
    while found:  # a document's body is sorted by name, so needs need not come first in it
        found = False
        for name, result in list(left.items()):
            inputs = wanted(phase, phase.gate.members[name], fresh=fresh)
            if inputs is not None:
                del left[name]
                if same(inputs, result.built_from):
                    fresh[name], found = result.stamp, True
    return fresh


def ready(phase: Phase) -> dict[str, dict[str, Stamp]]:
    """Return the members that may start now, with the inputs each must be built from."""
    fresh, found = survey(phase), {}
    for name, spec in phase.gate.members.items():
        if spec.asks and name not in fresh:
            inputs = wanted(phase, spec, fresh=fresh)
            if inputs is not None:
                found[name] = inputs
    return found


def accepted(phase: Phase) -> dict[str, Stamp]:
    """Return the expected members that are fresh with a status that the gate accepts."""
    found = {}
    for name, stamp in survey(phase).items():
        result = phase.members[name].result
        if name in phase.gate.expect and result is not None and result.status in phase.gate.accept:
            found[name] = stamp
    return found


def missing(phase: Phase) -> tuple[str, ...]:
    """Return the expected members that are absent, stale, or not accepted, in the plan's order."""
    there = accepted(phase)
    return tuple(name for name in phase.gate.expect if name not in there)


def carried(phase: Phase) -> dict[str, Stamp]:
    """Return what a firing now would carry: for a stale member its last stamp, for an unknown one ``absent``."""
    stamps = {}
    for name in phase.gate.expect:
        result = phase.result_of(name)
        stamps[name] = ABSENT if result is None else result.stamp
    return stamps


def fired_as_is(phase: Phase) -> bool:
    """Tell whether the last firing carried exactly today's contents."""
    return bool(phase.firings) and same(phase.firings[-1].stamps, carried(phase))


def settled(phase: Phase) -> bool:
    """Tell whether everything expected is fresh, fired and acknowledged, and nothing is asked for or to be told."""
    return (
        fired_as_is(phase)
        and phase.catch_up_since is None
        and not phase.notices
        and not phase.requests
        and not phase.waiting
        and not missing(phase)
        and not any(entry.waiting for entry in phase.outbox)
    )


def unanswered(request: Request) -> bool:
    """Tell whether a request is still sent now and then."""
    return request.state != "dead"


def building(phase: Phase) -> bool:
    """Tell whether a member is being built, or asked to be: parked and dead requests wait for something else."""
    return any(request.state == "open" for request in phase.requests.values())


def settle_at(phase: Phase) -> float | None:
    """Return when reports have been quiet for long enough to fire; None when nothing changes."""
    if phase.changed_at is None or phase.changing_since is None:
        return None
    gate = phase.gate
    return min(phase.changed_at + gate.settle_s, phase.changing_since + max(gate.settle_max_s, gate.settle_s))


def catch_up_at(phase: Phase) -> float | None:
    """Return when a build in progress no longer keeps newer inputs, or a degraded firing, waiting."""
    return None if phase.building_since is None else phase.building_since + phase.gate.catch_up_max_s


def keeps_back(phase: Phase) -> bool:
    """Tell whether later runs hear of changes only after the build in progress, which may change more."""
    patience = catch_up_at(phase)
    return building(phase) and patience is not None and phase.looked_at < patience


def timers(phase: Phase) -> list[float]:
    """Return the times at which something can happen by time alone; those already looked at are left out."""
    told = [notice.at for notice in phase.notices.values() if not (notice.relayed and keeps_back(phase))]
    told += [] if phase.catch_up_since is None else [phase.catch_up_since]
    if phase.paused is not None:
        return told
    messages = [entry.due for entry in phase.outbox if entry.waiting]
    messages += [request.due for request in phase.requests.values() if unanswered(request)]
    messages += told
    clocks = [settle_at(phase), catch_up_at(phase)]
    clocks += [until for window in phase.windows.values() for until in window.awaited.values()]
    if not fired_as_is(phase):
        clocks.append(phase.gate.deadline)
    return messages + [at for at in clocks if at is not None and at > phase.looked_at]
