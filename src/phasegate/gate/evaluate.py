"""The consequences of a phase's document.

Pure. Inputs are taken over, requests opened or withdrawn, the phase fired. Every decision ends with ``evaluate``, which
looks only at the document and the time. So the outcome does not depend on which message arrived, in which order, or how
often; evaluating twice gives the same document. It refuses to send anything: messages are entries of the document, and
the gatekeeper publishes them.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial

from msgspec.structs import replace

from phasegate.base import keys
from phasegate.base.backoff import RESEND_MAX_S, RETRY_MAX_S, clipped, is_ahead
from phasegate.base.receipt import ABSENT, Stamp
from phasegate.gate.outbox import entries
from phasegate.gate.phase import (
    HISTORY_MAX,
    Phase,
    accepted,
    building,
    carried,
    catch_up_at,
    current,
    fired_as_is,
    fresh_members,
    ready,
    same,
    settle_at,
)
from phasegate.gate.records import LISTED_MAX, Firing, Member, Request

# The longest that a run waits for a date of a window: a deadline 30 days after it, of a date 31 days ahead.
AWAIT_MAX_S = 62 * 24 * 3600.0


def evaluate(phase: Phase, *, key: str, now: float, by: str) -> Phase:
    """Return the document with all consequences applied at ``now``.

    ``by`` is the attempt that led here; a firing records it.
    """
    phase = without_times_ahead(phase, now=now)
    if phase.void is not None:
        return phase if not phase.requests else replace(phase, requests={})
    phase = _evaluate_once(phase, key=key, now=now, by=by)
    if phase.waiting:  # a build that just ended has fired; now take over the inputs that waited for it
        phase = _evaluate_once(phase, key=key, now=now, by=by)
    return phase


def without_times_ahead(phase: Phase, *, now: float) -> Phase:
    """Return the document without times that only a clock ahead can have set.

    They become now, so that nothing waits for them and no deadline counts as past. A deadline that counts from the
    opening moves with it.
    """
    if not _is_any_ahead(phase, now=now):
        return phase
    at = partial(clipped, now=now)
    opened_at, deadline = at(phase.opened_at), phase.gate.deadline
    if deadline is not None and deadline >= phase.opened_at:
        deadline -= phase.opened_at - opened_at
    return replace(
        phase,
        gate=replace(phase.gate, deadline=deadline),
        opened_at=opened_at,
        looked_at=at(phase.looked_at),
        members={name: _member_without(member, at=at) for name, member in phase.members.items()},
        requests={
            name: replace(r, opened_at=at(r.opened_at), due=at(r.due, bound_s=RETRY_MAX_S))
            for name, r in phase.requests.items()
        },
        outbox=tuple(replace(e, at=at(e.at), due=at(e.due, bound_s=RESEND_MAX_S)) for e in phase.outbox),
        notices={name: replace(n, at=at(n.at, bound_s=RESEND_MAX_S)) for name, n in phase.notices.items()},
        windows={
            name: replace(w, awaited={on: at(until, bound_s=AWAIT_MAX_S) for on, until in w.awaited.items()})
            for name, w in phase.windows.items()
        },
        catch_up_since=None if phase.catch_up_since is None else at(phase.catch_up_since),
        building_since=None if phase.building_since is None else at(phase.building_since),
        changing_since=None if phase.changing_since is None else at(phase.changing_since),
        changed_at=None if phase.changed_at is None else at(phase.changed_at),
    )


def _is_any_ahead(phase: Phase, *, now: float) -> bool:
    """Return whether a clock ahead has set a time of the document."""
    times = [phase.opened_at, phase.looked_at]
    since = (phase.catch_up_since, phase.building_since, phase.changing_since, phase.changed_at)
    times += [at for at in since if at is not None]
    times += [request.due - RETRY_MAX_S for request in phase.requests.values()]
    times += [entry.due - RESEND_MAX_S for entry in phase.outbox]
    times += [notice.at - RESEND_MAX_S for notice in phase.notices.values()]
    times += [until - AWAIT_MAX_S for window in phase.windows.values() for until in window.awaited.values()]
    times += [member.result.at for member in phase.members.values() if member.result is not None]
    times += [member.attempt.at for member in phase.members.values() if member.attempt is not None]
    return is_ahead(max(times), now=now)


def _member_without(member: Member, *, at: Callable[[float], float]) -> Member:
    """Return a member with its times clipped."""
    result, attempt, delivered_at = member.result, member.attempt, member.delivered_at
    return replace(
        member,
        result=None if result is None else replace(result, at=at(result.at)),
        attempt=None if attempt is None else replace(attempt, at=at(attempt.at)),
        delivered_at=None if delivered_at is None else at(delivered_at),
    )


def _evaluate_once(phase: Phase, *, key: str, now: float, by: str) -> Phase:
    phase = _drop_overdue_dates(phase, now=_latest(phase, now))
    phase = take_over_inputs(phase, now=now)
    phase = update_requests(phase, key=key, now=now)
    return fire(phase, now=now, by=by)


def _drop_overdue_dates(phase: Phase, *, now: float) -> Phase:
    """Stop waiting for dates of a window whose deadline has passed."""
    windows = {
        name: replace(window, awaited={date: until for date, until in window.awaited.items() if until > now})
        if window.awaited
        else window
        for name, window in phase.windows.items()
    }
    return phase if windows == phase.windows else replace(phase, windows=windows)


def _latest(phase: Phase, now: float) -> float:
    """Return the latest time that this document was handled at.

    A machine with a slow clock must not undo what a later time has caused. A time that only a clock ahead can have set
    was removed before (``without_times_ahead``): it would make every deadline past.
    """
    return max(now, phase.looked_at)


def take_over_inputs(phase: Phase, *, now: float) -> Phase:
    """Take over waiting inputs, unless a build must end first.

    A build of the present inputs delays them, for ``catch_up_max_s`` at most.
    """
    if not phase.waiting:
        return phase
    limit = catch_up_at(phase)
    if building(phase) and limit is not None and _latest(phase, now) < limit:
        return phase
    return replace(phase, inputs={**phase.inputs, **phase.waiting}, waiting={}, building_since=now)


def update_requests(phase: Phase, *, key: str, now: float) -> Phase:
    """Keep one request per member that may start, and withdraw all others.

    A request is withdrawn when its member is fresh or its inputs changed. A worker may have served it without a report
    reaching us, so the member becomes stale (``unknown``): it is requested again, and its readers wait. Each round can
    only make more members stale, so the loop ends.
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
            kept[name] = Request(id=number, inputs=inputs, state="open", opened_at=now, due=now,
                                 topic=_topic(phase, name, inputs))  # fmt: skip
            if phase.failures_of(name):
                members[name] = uncounted(members[name])
    since = phase.building_since
    if kept and since is None:
        since = now
    if len(fresh_members(phase)) == len(phase.gate.members):
        since = None
    origin = phase.cascade_from if since is not None or phase.catch_up_since is not None else None
    return replace(phase, requests=kept, members=members, building_since=since, asked=asked, cascade_from=origin)


def _topic(phase: Phase, name: str, inputs: Mapping[str, Stamp]) -> str:
    """Return where a request goes that only compares a table; "" for others."""
    spec = phase.gate.members[name]
    built = {need: stamp for need, stamp in inputs.items() if need in {str(n) for n in spec.needs}}
    return spec.covers.topic if spec.covers is not None and current(phase, name, built) is not None else ""


def uncounted(member: Member) -> Member:
    """Return the member with its failures counted from 0 again."""
    return replace(member, attempt=None if member.attempt is None else replace(member.attempt, count=0))


def _answered(phase: Phase, name: str, request: Request) -> bool:
    """Return whether the accepted result already covers a withdrawn request.

    Either the result answers this very request, or it was built from the same inputs (by a sibling run, say), so that a
    worker serving the request finds its receipt. Requests of steps that left the gate are ignored.
    """
    member = phase.members.get(name)
    if name not in phase.gate.members or request.topic:  # a comparison writes nothing
        return True
    if member is None or member.result is None:
        return False
    return member.result.request == request.id or (
        member.stale in (None, "unknown") and same(request.inputs, member.result.built_from)
    )


def fire(phase: Phase, *, now: float, by: str) -> Phase:
    """Fire the next generation if the gate is satisfied by new contents.

    Contents are new when the last firing did not carry them. A newer generation supersedes older entries of the outbox
    that are not acknowledged.
    """
    present, as_is = accepted(phase), fired_as_is(phase)
    lacking = tuple(name for name in phase.gate.expect if name not in present)
    if as_is and not lacking:  # contents that had changed are as they were fired
        return phase if phase.changing_since is None else replace(phase, changing_since=None, changed_at=None)
    if phase.paused is not None or as_is or not _may_fire(phase, present=present, now=_latest(phase, now)):
        return phase
    settles_at = settle_at(phase)
    if settles_at is not None and _latest(phase, now) < settles_at:
        return phase
    generation = phase.generation + 1
    stamps = carried(phase)
    firing = Firing(generation=generation, stamps=stamps, at=_latest(phase, now), by=by, missing=lacking,
                    changes=_changes(phase, stamps))  # fmt: skip
    older = tuple(
        replace(e, state="superseded") if e.waiting or e.state in ("dead", "held") else e for e in phase.outbox
    )
    newer = entries(phase.gate.receivers, generation=generation, now=now, quiet=phase.quiet)
    return replace(
        phase,
        firings=(*(older_one.as_older() for older_one in phase.firings), firing)[-HISTORY_MAX:],
        outbox=(*older, *newer)[-max(HISTORY_MAX, len(newer)) :],
        changing_since=None,
        changed_at=None,
    )


def _changes(phase: Phase, stamps: Mapping[str, Stamp]) -> tuple[str, ...]:
    """Return which contents the last firing did not carry, in words."""
    before = phase.firings[-1].stamps if phase.firings else {}
    found = []
    for name, stamp in stamps.items() if phase.firings else ():
        old = before.get(name, ABSENT)
        if old.fingerprint != stamp.fingerprint:
            found.append(f"{name} {'arrived' if old == ABSENT else 'changed'}")
    more = len(found) - LISTED_MAX
    return (*found[:LISTED_MAX], f"{more} more") if more > 0 else tuple(found)


def _may_fire(phase: Phase, *, present: Collection[str], now: float) -> bool:
    """Return whether the gate's policy allows a firing.

    - Every expected member is accepted: yes.
    - A critical member is missing: no.
    - The run has not yet read its sibling runs' results: no, for ``catch_up_max_s`` at most.
    - Neither is the deadline past nor are ``at_least`` members accepted: no.
    - Otherwise the firing is degraded. The first one goes out at once. A later one, or one of a run that was opened
      after its own deadline (a backfill), waits for the build in progress, so that one change fires once; it waits
      for ``catch_up_max_s`` at most.
    """
    gate = phase.gate
    if len(present) == len(gate.expect):
        return True
    if not all(name in present for name in gate.critical):
        return False
    if phase.catch_up_since is not None and now < phase.catch_up_since + gate.catch_up_max_s:
        return False
    overdue = gate.deadline is not None and now >= gate.deadline
    enough = gate.at_least is not None and len(present) >= gate.at_least
    if not (overdue or enough):
        return False
    limit = catch_up_at(phase)
    at_once = not phase.firings and not (gate.deadline is not None and gate.deadline <= phase.opened_at)
    return at_once or not building(phase) or (limit is not None and now >= limit)
