"""Decisions on propagation between runs.

Pure. Results go to sibling runs, changes of a date to later runs. A run that accepts a shared result stores a notice,
and keeps it until the result is in the ledger, in its sibling runs (same date, other modes) and in the later runs whose
windows hold the date. A later run within ``cascade_days`` of the changed date reads its window again and is rebuilt;
one further away records only that the window has drifted. An older reading of a window never replaces a newer one.

The windows of a run are of one reading: a phase reads its windows again only when the phases before it are built of the
present content of theirs, and have handed that on (``follows``). Until then it has to catch up, and its steps that read
a window wait.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from phasegate.base import backoff, keys
from phasegate.base.codec import Decision
from phasegate.base.dates import distance
from phasegate.base.receipt import Stamp
from phasegate.gate.evaluate import evaluate
from phasegate.gate.phase import Phase, fired_as_is, missing, unanswered
from phasegate.gate.records import Lacks, Notice, Result, Window
from phasegate.plan.gate import Need

A = TypeVar("A")
DRIFT_MAX = 400


def window_needs(phase: Phase) -> dict[str, Need]:
    """Return the windows that the members of a phase read, by name."""
    return {str(n): n for spec in phase.gate.members.values() for n in spec.needs if n.back}


def origin_of(phase: Phase, member: str, *, stamp: Stamp, lacks: Lacks | None, key: str) -> str:
    """Return the earlier date whose change led to a content, "" for none.

    It is an earlier date only for a member that reads a window, itself or through a need. Any other result would
    otherwise count as a change of long ago, and the dates just after it would not be rebuilt. The same content again,
    such as the write of a process that has lost its lease, is no change: it keeps the date.
    """
    old, date, lineage = phase.result_of(member), keys.phase_of(key)[2].date, [member]
    if old is not None and old.stamp.fingerprint == stamp.fingerprint and lacks in (None, old.lacks):
        return old.origin
    if phase.cascade_from is None or phase.cascade_from >= date:
        return ""
    for name in lineage:  # grows during the loop; a plan's needs have no cycle
        needs = phase.gate.members[name].needs if name in phase.gate.members else ()
        if any(need.back for need in needs):
            return phase.cascade_from
        lineage += [need.step for need in needs if need.step in phase.gate.members]
    return ""


def never(_: Phase, /) -> bool:
    """Return False: apply the reading in any case (see ``windowed``)."""
    return False


class DateChange(NamedTuple):
    """A change of a date that later runs must be notified of.

    ``number``: its number in the ledger of its month. ``origin``: the date whose change led to it.
    """

    date: str
    number: int
    origin: str

    def is_held(self, window: Window | None, /) -> bool:
        """Return whether a reading of a window includes the change.

        A date that it still waits for may have become whole, with the same content.
        """
        if window is None or self.date in window.awaited:
            return False
        return window.orders.get(self.date[:7], 0) >= self.number


def windowed(
    windows: Mapping[str, Window], *, origin: str | None, key: str, now: float, attempt: str,
    unless: Callable[[Phase], bool] = never,
) -> Decision[Phase, bool]:  # fmt: skip
    """Apply newer readings of windows; answer whether the run is due now.

    ``origin``: the date whose change led to the reading; None when the run catches up. ``unless``: returns whether the
    run no longer needs the reading, because another process was faster; then nothing changes.
    """

    def decide(phase: Phase | None) -> tuple[Phase | None, bool]:
        if phase is None or unless(phase):
            return phase, False
        wanted = window_needs(phase)
        stored = {n: phase.windows.get(n) for n in windows if n in wanted}
        newer = {n: _with_drift(windows[n], old) for n, old in stored.items() if _is_newer(windows[n], old)}
        changed = any(n not in phase.windows or phase.windows[n].stamp != w.stamp for n, w in newer.items())
        phase = replace(phase, windows={**phase.windows, **newer})
        if origin is None:
            phase = replace(phase, catch_up_since=None)
        elif changed:
            oldest = min(origin, phase.cascade_from or origin)
            phase = replace(phase, cascade_from=oldest)
        phase = evaluate(phase, key=key, now=now, by=attempt)
        return phase, phase.due is not None and phase.due <= now

    return decide


def is_outdated(phase: Phase, windows: Mapping[str, Window]) -> bool:
    """Return whether a reading differs in content from the phase's windows."""
    return any(
        name not in phase.windows or phase.windows[name].stamp.fingerprint != window.stamp.fingerprint
        for name, window in windows.items()
    )


def follows(phase: Phase, name: str, upstream: Phase | None) -> bool:
    """Return whether a phase works on all that the one before it has.

    That one, ``name``, is built, it fired what it has, and this phase began that generation.
    """
    if upstream is None or upstream.void is not None:
        return True
    begun = phase.waiting.get(name) or phase.inputs.get(name)
    if not upstream.firings:
        return begun is None
    has_fired = fired_as_is(upstream) and upstream.firings[-1].missing == missing(upstream)
    return has_fired and begun is not None and begun.generation == upstream.generation and name not in phase.waiting


def is_moving(phase: Phase, *, receivers: Collection[str]) -> bool:
    """Return whether a build or a firing to one of these phases is under way.

    A parked request counts too: it is sent again, and may be served at any time.
    """
    if phase.void is not None or phase.paused is not None:
        return False
    fires = not missing(phase) and not fired_as_is(phase)
    sends = any(entry.waiting and entry.receiver in receivers for entry in phase.outbox)
    builds = any(unanswered(request) for request in phase.requests.values())
    return builds or bool(phase.waiting) or fires or sends


def put_off(
    windows: Mapping[str, Window], *, origin: str | None, key: str, now: float, attempt: str,
    unless: Callable[[Phase], bool] = never,
) -> Decision[Phase, None]:  # fmt: skip
    """Make a phase read its windows again once the phases before it are built.

    ``windows``: the reading that shows that it must; a phase that has read as much since is left as it is. ``origin``:
    the date whose change led to it; None when the run catches up. ``unless``: as for ``windowed``.
    """

    def decide(phase: Phase | None) -> tuple[Phase | None, None]:
        if phase is None or phase.void is not None or unless(phase):
            return phase, None
        if not any(_is_newer(window, phase.windows.get(name)) for name, window in windows.items()):
            return phase, None
        oldest = phase.cascade_from if origin is None else min(origin, phase.cascade_from or origin)
        phase = replace(phase, catch_up_since=now, cascade_from=oldest)
        return evaluate(phase, key=key, now=now, by=attempt), None

    return decide


def _is_newer(window: Window, old: Window | None) -> bool:
    return old is None or window.order > old.order or (window.order == old.order and bool(old.awaited))


def _with_drift(window: Window, old: Window | None) -> Window:
    """Return a newer reading, with the drift that it does not include yet."""
    if old is None or window.order >= old.drift_order:
        return window
    return replace(window, drifted=old.drifted, drift_order=old.drift_order)


def must_rebuild(phase: Phase, need: str, *, key: str, origin: str, cascade_days: int) -> bool:
    """Return whether a change at ``origin`` makes a run read its window again.

    It does if the run is within ``cascade_days`` of it, if nothing was built from the window yet, or if a reader of the
    window is requested anyway. Otherwise the run only records the drift.
    """
    _, _, run = keys.phase_of(key)
    if distance(origin, run.date) <= cascade_days:
        return True
    readers = [name for name, spec in phase.gate.members.items() if any(str(n) == need for n in spec.needs)]
    built = [name for name in readers if name in phase.members and phase.members[name].result is not None]
    return not built or any(name in phase.requests for name in readers)


def drifted(need: str, *, dates: Iterable[str], seen: Window) -> Decision[Phase, bool]:
    """Record that dates of a window changed, without requesting a rebuild.

    ``seen``: a reading that includes the change. Answers False, and records no drift, for a window that was read as
    late as ``seen``, and for one of the same content.
    """

    def decide(phase: Phase | None) -> tuple[Phase | None, bool]:
        if phase is None or need not in phase.windows:
            return phase, False
        window = phase.windows[need]
        if window.order >= seen.order:
            return phase, False
        if window.stamp.fingerprint == seen.stamp.fingerprint:
            same = _with_drift(replace(seen, awaited=window.awaited), window)
            return replace(phase, windows={**phase.windows, need: same}), False
        all_dates = tuple(sorted({*window.drifted, *dates}))[:DRIFT_MAX]
        changed = replace(window, drifted=all_dates, drift_order=max(seen.order, window.drift_order))
        return replace(phase, windows={**phase.windows, need: changed}), True

    return decide


class Propagated(NamedTuple):
    """The outcome of propagating a run's notices, by member.

    ``pending``: a sibling run may not have the result yet, and was sent a message now; ``awaited``: it was sent one
    before. ``deferred``: later runs are notified after the build. ``done``: nothing is left to do. A notice in several
    of them counts as the first of these.
    """

    done: dict[str, Notice]
    deferred: dict[str, Notice]
    pending: dict[str, Notice]
    awaited: dict[str, Notice]


def delivered(outcome: Propagated, *, key: str, now: float) -> Decision[Phase, None]:
    """Remove notices that are done, and postpone pending ones, ever longer.

    A notice that was replaced by a newer one since is left as it is.
    """

    def decide(phase: Phase | None) -> tuple[Phase | None, None]:
        if phase is None:
            return None, None
        notices = {}
        for name, notice in phase.notices.items():
            if outcome.pending.get(name) == notice:
                sends = notice.sends + 1
                at = now + backoff.resend_s(f"{key}/{name}", sends)
                notices[name] = replace(notice, at=max(notice.at, at), sends=sends)
            elif outcome.awaited.get(name) == notice:
                notices[name] = notice
            elif outcome.deferred.get(name) == notice:
                notices[name] = replace(notice, relayed=True)
            elif outcome.done.get(name) != notice:
                notices[name] = notice
        return (phase if notices == phase.notices else replace(phase, notices=notices)), None

    return decide


def needs_no_relay(sibling: Phase, member: str, *, result: Result) -> bool:
    """Return whether a result would change nothing in a sibling run.

    It has the same content of a foreign table, or the same or a newer write with the same comparison. Also True for a
    sibling run that never takes it: it is void, or its gate does not have the member.
    """
    accepted = sibling.result_of(member)
    if sibling.void is not None or member not in sibling.gate.members:
        return True
    if accepted is None or bool(accepted.write_id) != bool(result.write_id):
        return False
    if accepted.stamp == result.stamp:
        return not result.write_id or accepted.lacks == result.lacks
    return bool(result.write_id) and accepted.order > result.order
