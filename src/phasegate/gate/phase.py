"""The document of one phase in one run, and what is derived from it.

Pure. The rule is a build system's (docs/explanation/freshness.md): a member is fresh when its accepted result was built
from the present inputs and those are fresh. Inputs from an upstream phase are fresh by definition: its trigger carried
them. Contents are compared by fingerprint, so the same content again is no change.
A member that must cover another table is fresh when it was compared with that table's present content and lacks
nothing; after the deadline, what needs it is built from what is there.

The document refuses to store what can be derived: which members are fresh, which may start, whether it is settled.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from phasegate.base.backoff import RESEND_FIRST_S
from phasegate.base.codec import State
from phasegate.base.receipt import ABSENT, Stamp
from phasegate.gate.records import (
    Claim,
    Claimant,
    Entry,
    Firing,
    Input,
    Lacks,
    Member,
    Notice,
    Request,
    Result,
    Seen,
    Served,
    Window,
)
from phasegate.plan.gate import Gate, Need, Spec

LOOK_BY_S = 24 * 3600.0
CATCH_UP_FIRST_S = 1.0
HISTORY_MAX = 32
SERVED_MAX, SERVED_CHARS_MAX = 8, 100


class Phase(State, frozen=True):
    """The document of one phase in one run.

    ``waiting``: newer upstream generations, taken over once the build in progress has ended. ``catch_up_since``: since
    when it must read the results of other runs, or its windows again; None: it has. ``cascade_from``: the oldest date
    whose change this run is being rebuilt for. ``quiet``: triggers for receivers outside the plan are held.
    ``claims``: whether the run takes place, according to calendar and operator. ``served``: the last SERVED_MAX builds
    that handled a command of it, or reported to it.
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
    served: dict[str, Served] = {}

    @property
    def void(self) -> str | None:
        """Return why the run does not take place; None if it does.

        The operator's reason comes before the calendar's.
        """
        reasons = [self.claims[by].void for by in ("operator", "calendar") if by in self.claims]
        return next((reason for reason in reasons if reason is not None), None)

    def has_applied(self, order: float, /) -> bool:
        """Return whether this change of the calendar, or a later one, was applied."""
        return "calendar" in self.claims and order <= self.claims["calendar"].order

    def failures_of(self, member: str, /) -> int:
        """Return how often the standing request for a member has failed."""
        stored = self.members.get(member)
        return 0 if stored is None or stored.attempt is None else stored.attempt.count

    @property
    def generation(self) -> int:
        """Return the number of the last firing, 0 before the first."""
        return self.firings[-1].generation if self.firings else 0

    def result_of(self, member: str, /) -> Result | None:
        """Return the newest result of a member, None if it has none."""
        stored = self.members.get(member)
        return None if stored is None else stored.result

    @property
    def due(self) -> float | None:
        """Return when the sweeper must handle it next, None if it is settled.

        A void document is due only while it has results to propagate.
        """
        if self.void is not None:
            return min((notice.at for notice in self.notices.values()), default=None)
        if settled(self):
            return None
        return min([*timers(self), self.looked_at + LOOK_BY_S])


def served_by(phase: Phase, build: str, /, *, at: float, what: str) -> Phase:
    """Return the phase with the last that a build did; "" is no build."""
    if not build:
        return phase
    one = Served(since=at, at=at, what=what[:SERVED_CHARS_MAX])
    if (known := phase.served.get(build)) is not None:
        one = replace(one, since=min(at, known.since), at=max(at, known.at))
    served = {**phase.served, build: one}
    newest = sorted(served, key=lambda one: (served[one].at, one))[-SERVED_MAX:]
    return replace(phase, served={one: served[one] for one in sorted(newest)})


def same(one: Mapping[str, Stamp], other: Mapping[str, Stamp]) -> bool:
    """Return whether two sets of inputs hold the same contents by name."""
    return one.keys() == other.keys() and all(one[n].fingerprint == other[n].fingerprint for n in one)


def wanted(phase: Phase, spec: Spec, *, fresh: Mapping[str, Stamp]) -> dict[str, Stamp] | None:
    """Return the inputs to build a member from now, None if one is missing."""
    inputs: dict[str, Stamp] = {}
    for need in spec.needs:
        stamp = _present(phase, need, fresh=fresh)
        if stamp is None:
            return None
        inputs[str(need)] = stamp
    return inputs


def _present(phase: Phase, need: Need, *, fresh: Mapping[str, Stamp]) -> Stamp | None:
    """Return the stamp of a need for a build that starts now, None if missing.

    A window that is still to be read is missing.
    """
    if need.back:
        window = phase.windows.get(str(need)) if phase.catch_up_since is None else None
        return None if window is None or window.awaited else window.stamp
    if need.step in phase.gate.members:
        return fresh.get(need.step)
    begun = phase.inputs.get(need.phase)
    return None if begun is None else begun.stamps.get(need.step, ABSENT)


def present_inputs(phase: Phase, member: str) -> dict[str, Stamp]:
    """Return the present stamps of a member's needs, fresh or not.

    They are what an external step reads if it runs now. Needs without a result are left out.
    """
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


def fresh_members(phase: Phase) -> dict[str, Stamp]:
    """Return the fresh members with their stamps, needs first."""
    return _present_members(phase, with_partial=False)


def usable_members(phase: Phase) -> dict[str, Stamp]:
    """Return the members that others may be built from now.

    The fresh ones; after the deadline also those that lack rows, and what was built from these.
    """
    deadline = phase.gate.deadline
    return _present_members(phase, with_partial=deadline is not None and phase.looked_at >= deadline)


def _present_members(phase: Phase, *, with_partial: bool) -> dict[str, Stamp]:
    """Return the members whose results are of the present contents."""
    fresh: dict[str, Stamp] = {}
    stored = {name: phase.members[name] for name in phase.gate.members if name in phase.members}
    unchecked = {name: m.result for name, m in stored.items() if m.result is not None and m.stale is None}
    found = True
    while found:  # a stored body is sorted by name, so a member may come before its needs
        found = False
        for name, result in list(unchecked.items()):
            spec = phase.gate.members[name]
            inputs, against = wanted(phase, spec, fresh=fresh), covered(phase, spec, fresh=fresh)
            if inputs is None or (against is None and spec.covers is not None):
                continue
            del unchecked[name]
            is_whole = with_partial or result.status != "partial" or "partial" in phase.gate.accept
            if is_whole and same(inputs, result.built_from) and is_compared(spec, result, against=against):
                fresh[name], found = result.stamp, True
    return fresh


def covered(phase: Phase, spec: Spec, *, fresh: Mapping[str, Stamp]) -> Stamp | None:
    """Return the present stamp of what a member must cover.

    None if there is none: nothing can be compared without it.
    """
    stamp = None if spec.covers is None else _present(phase, spec.covers.need, fresh=fresh)
    return None if stamp == ABSENT else stamp


def is_compared(spec: Spec, result: Result, *, against: Stamp | None) -> bool:
    """Return whether a result was compared with what it must cover now."""
    if spec.covers is None:
        return True
    known = None if result.lacks is None else (result.lacks.rule, result.lacks.against)
    return against is not None and known == (spec.covers.rule, against.fingerprint)


def delivered_at(member: Member, result: Result, spec: Spec, *, now: float) -> float | None:
    """Return when a member first had rows, and lacked none."""
    is_whole = result.status == "success" and (spec.covers is None or result.lacks is not None)
    if not is_whole or member.delivered_at is not None:
        return member.delivered_at
    old = member.result  # has rows, but was accepted before ``delivered_at`` was stored
    return old.at if old is not None and old.status == "success" else now


def lacks_of(phase: Phase, member: str) -> Lacks | None:
    """Return what the result of a member lacks; None for nothing."""
    result = phase.result_of(member)
    return result.lacks if result is not None and result.status == "partial" else None


def ready(phase: Phase) -> dict[str, dict[str, Stamp]]:
    """Return the members that may start now, with the inputs of each.

    One that only lacks rows is not requested: building it again from the same inputs would bring the same rows.
    """
    fresh, found = usable_members(phase), dict[str, dict[str, Stamp]]()
    for name, spec in phase.gate.members.items():
        inputs = None if name in fresh else wanted(phase, spec, fresh=fresh)
        if inputs is None:
            continue
        result, against = current(phase, name, inputs), covered(phase, spec, fresh=fresh)
        if result is None:
            found |= {name: inputs} if spec.asks else {}
        elif spec.covers is not None and against is not None and not is_compared(spec, result, against=against):
            found[name] = {**inputs, str(spec.covers.need): against} if spec.covers.topic else inputs
    return found


def current(phase: Phase, name: str, inputs: Mapping[str, Stamp]) -> Result | None:
    """Return the result of a member if it counts and is of these inputs."""
    member = phase.members.get(name, Member())
    is_of = member.stale is None and member.result is not None and same(inputs, member.result.built_from)
    return member.result if is_of else None


def accepted(phase: Phase) -> dict[str, Stamp]:
    """Return the expected members that are fresh and of an accepted status."""
    found = {}
    for name, stamp in fresh_members(phase).items():
        result = phase.members[name].result
        if name in phase.gate.expect and result is not None and result.status in phase.gate.accept:
            found[name] = stamp
    return found


def missing(phase: Phase) -> tuple[str, ...]:
    """Return the expected members that are absent, stale or not accepted.

    They are in the plan's order.
    """
    present = accepted(phase)
    return tuple(name for name in phase.gate.expect if name not in present)


def carried(phase: Phase) -> dict[str, Stamp]:
    """Return the stamps that a firing now would carry.

    A stale member counts with its last stamp, a member without a result as ``absent``.
    """
    stamps = {}
    for name in phase.gate.expect:
        result = phase.result_of(name)
        stamps[name] = ABSENT if result is None else result.stamp
    return stamps


def fired_as_is(phase: Phase) -> bool:
    """Return whether the last firing carried exactly the present contents."""
    return bool(phase.firings) and same(phase.firings[-1].stamps, carried(phase))


def settled(phase: Phase) -> bool:
    """Return whether the phase has nothing left to do.

    Everything expected is fresh, fired and acknowledged; nothing is requested, waiting or to be propagated.
    """
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
    """Return whether a request is still sent until it is answered."""
    return request.state != "dead"


def building(phase: Phase) -> bool:
    """Return whether a request is open: parked and dead ones do not count."""
    return any(request.state == "open" for request in phase.requests.values())


def settle_at(phase: Phase) -> float | None:
    """Return when reports have been quiet for long enough to fire.

    None when no contents changed since the last firing.
    """
    if phase.changed_at is None or phase.changing_since is None:
        return None
    gate = phase.gate
    return min(phase.changed_at + gate.settle_s, phase.changing_since + max(gate.settle_max_s, gate.settle_s))


def catch_up_at(phase: Phase) -> float | None:
    """Return until when a build in progress delays newer inputs and firings."""
    return None if phase.building_since is None else phase.building_since + phase.gate.catch_up_max_s


def _next_catch_up(phase: Phase) -> float | None:
    """Return when to try to catch up, a while after the last try.

    An earlier date's build may take a second or an hour: the tries become rarer with the wait. After ``catch_up_max_s``
    only the run's other phases are awaited, and their reports and firings lead to a try: then they become ever rarer.
    """
    since = phase.catch_up_since
    if since is None or since >= phase.looked_at:
        return since
    waited = phase.looked_at - since
    if waited >= phase.gate.catch_up_max_s:
        return phase.looked_at + max(RESEND_FIRST_S, waited)
    return phase.looked_at + min(RESEND_FIRST_S, max(CATCH_UP_FIRST_S, waited))


def defers_propagation(phase: Phase) -> bool:
    """Return whether later runs are notified only after the build in progress.

    The build may change more results, and later runs then read all of them at once.
    """
    limit = catch_up_at(phase)
    return building(phase) and limit is not None and phase.looked_at < limit


def timers(phase: Phase) -> list[float]:
    """Return the times at which the document must be handled.

    Times that were handled already are left out.
    """
    exchange = [notice.at for notice in phase.notices.values() if not (notice.relayed and defers_propagation(phase))]
    exchange += [] if (at := _next_catch_up(phase)) is None else [at]
    if phase.paused is not None:
        return exchange
    messages = [entry.due for entry in phase.outbox if entry.waiting]
    messages += [request.due for request in phase.requests.values() if unanswered(request)]
    messages += exchange
    clocks = [settle_at(phase), catch_up_at(phase)]
    clocks += [until for window in phase.windows.values() for until in window.awaited.values()]
    if not fired_as_is(phase) or any(lacks_of(phase, name) for name in phase.gate.members):
        clocks.append(phase.gate.deadline)
    return messages + [at for at in clocks if at is not None and at > phase.looked_at]


def refused_shrinks(phase: Phase) -> tuple[str, ...]:
    """Return the dead steps whose write was refused since it would lose rows."""
    dead = (name for name, request in phase.requests.items() if request.state == "dead" and name in phase.members)
    attempts = {name: phase.members[name].attempt for name in dead}
    return tuple(n for n, one in attempts.items() if one and one.status == "partial" and "--force" in one.error)
