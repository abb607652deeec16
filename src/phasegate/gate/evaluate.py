"""What follows from a phase's document: newer inputs are taken over, requests opened, the phase fired. Pure.

Every decision ends here, so nothing depends on which message came, or whether it came twice.
Deciding twice gives the same document.
"""

from collections.abc import Collection

from msgspec.structs import replace

from phasegate.base import keys
from phasegate.gate.outbox import entries
from phasegate.gate.phase import (
    HISTORY_MAX,
    Phase,
    accepted,
    building,
    carried,
    catch_up_at,
    fired_as_is,
    ready,
    same,
    settle_at,
    survey,
)
from phasegate.gate.records import Firing, Member, Request


def evaluate(phase: Phase, *, key: str, now: float, by: str) -> Phase:
    """Return the document with all consequences drawn at ``now``; ``by`` is the attempt that led here."""
    if phase.void is not None:
        return phase if not phase.requests else replace(phase, requests={})
    phase = _turn(phase, key=key, now=now, by=by)
    if phase.waiting:  # a build that just ended has fired first; now the inputs that waited for it are taken over
        phase = _turn(phase, key=key, now=now, by=by)
    return phase


def _turn(phase: Phase, *, key: str, now: float, by: str) -> Phase:
    phase = _give_up_waiting(phase, now=_latest(phase, now))
    phase = adopt(phase, now=now)
    phase = ask(phase, key=key, now=now)
    return fire(phase, now=now, by=by)


def _give_up_waiting(phase: Phase, *, now: float) -> Phase:
    """Wait no longer for dates of a window whose deadline is over."""
    windows = {
        name: replace(window, awaited={day: until for day, until in window.awaited.items() if until > now})
        if window.awaited
        else window
        for name, window in phase.windows.items()
    }
    return phase if windows == phase.windows else replace(phase, windows=windows)


def _latest(phase: Phase, now: float) -> float:
    """Return the latest time that this document has seen: a machine whose clock is behind must not undo a look."""
    return max(now, phase.looked_at)


def adopt(phase: Phase, *, now: float) -> Phase:
    """Take over waiting inputs, unless a build of the present ones is under way and has time left."""
    if not phase.waiting:
        return phase
    patience = catch_up_at(phase)
    if building(phase) and patience is not None and _latest(phase, now) < patience:
        return phase
    return replace(phase, inputs={**phase.inputs, **phase.waiting}, waiting={}, building_since=now)


def ask(phase: Phase, *, key: str, now: float) -> Phase:
    """Keep one request per member that may start; withdraw those of members that are fresh or whose inputs changed.

    A withdrawn request may have been served without our knowing, so its member is stale: it is asked for again,
    and what waits for it waits. Each turn can only make more members stale, so it ends.
    """
    while True:
        wanted = ready(phase)
        kept = {
            name: replace(old, inputs=wanted[name])
            for name, old in phase.requests.items()
            if name in wanted and same(old.inputs, wanted[name])
        }
        unknown = {
            name: phase.members.get(name, Member()).made_stale("unknown")
            for name, old in phase.requests.items()
            if name not in kept and not _answered(phase, name, old)
        }
        if unknown.items() <= phase.members.items():
            break
        phase = replace(phase, members={**phase.members, **unknown})
    asked, members = phase.asked, dict(phase.members)
    for name, inputs in wanted.items():
        if name not in kept:
            asked += 1
            number = keys.request_id(key, name, number=asked)
            kept[name] = Request(id=number, inputs=inputs, state="open", opened_at=now, due=now)
            if phase.failures_of(name):
                members[name] = uncounted(members[name])
    since = phase.building_since
    if kept and since is None:
        since = now
    if len(survey(phase)) == len(phase.gate.members):
        since = None
    origin = phase.cascade_from if since is not None else None
    return replace(phase, requests=kept, members=members, building_since=since, asked=asked, cascade_from=origin)


def uncounted(member: Member) -> Member:
    """Return a member whose failures count from 0 again: a new request, or one that an operator brought back."""
    return replace(member, attempt=None if member.attempt is None else replace(member.attempt, count=0))


def _answered(phase: Phase, name: str, request: Request) -> bool:
    """Tell whether a withdrawn request can leave nothing behind that the accepted result does not tell.

    The result is the answer to this very request; or it is of the same inputs (a sibling run's, say), and a worker that
    serves the request now finds its receipt. Requests of steps that left the gate are ignored.
    """
    member = phase.members.get(name)
    if name not in phase.gate.members:
        return True
    if member is None or member.result is None:
        return False
    return member.result.request == request.id or (
        member.stale in (None, "unknown") and same(request.inputs, member.result.built_from)
    )


def fire(phase: Phase, *, now: float, by: str) -> Phase:
    """Fire the next generation when the gate is satisfied by contents that the last firing did not carry."""
    there, as_is = accepted(phase), fired_as_is(phase)
    lacking = tuple(name for name in phase.gate.expect if name not in there)
    if as_is and not lacking:  # what changed has changed back
        return phase if phase.changing_since is None else replace(phase, changing_since=None, changed_at=None)
    if phase.paused is not None or as_is or not _may_fire(phase, there=there, now=_latest(phase, now)):
        return phase
    quiet = settle_at(phase)
    if quiet is not None and _latest(phase, now) < quiet:
        return phase
    generation = phase.generation + 1
    firing = Firing(generation=generation, stamps=carried(phase), at=now, by=by, missing=lacking)
    older = tuple(
        replace(e, state="superseded") if e.waiting or e.state in ("dead", "held") else e for e in phase.outbox
    )
    newer = entries(phase.gate.receivers, generation=generation, now=now, quiet=phase.quiet)
    return replace(
        phase,
        firings=(*phase.firings, firing)[-HISTORY_MAX:],
        outbox=(*older, *newer)[-max(HISTORY_MAX, len(newer)) :],
        changing_since=None,
        changed_at=None,
    )


def _may_fire(phase: Phase, *, there: Collection[str], now: float) -> bool:
    """Tell whether the gate's policy is met.

    With everything expected there: yes. With a part that the policy allows (at_least, or past the deadline):
    the first time at once; later only when nothing missing is still being built, so that a change fires once.
    A run that was opened after its own deadline (a backfill) is not hurried either; and none before it has read all
    that its sibling runs know, unless that has failed for ``catch_up_max_s``.
    """
    gate = phase.gate
    if len(there) == len(gate.expect):
        return True
    if not all(name in there for name in gate.critical):
        return False
    if phase.catch_up_since is not None and now < phase.catch_up_since + gate.catch_up_max_s:
        return False
    overdue = gate.deadline is not None and now >= gate.deadline
    enough = gate.at_least is not None and len(there) >= gate.at_least
    if not (overdue or enough):
        return False
    patience = catch_up_at(phase)
    hurried = not phase.firings and not (gate.deadline is not None and gate.deadline <= phase.opened_at)
    return hurried or not building(phase) or (patience is not None and now >= patience)
