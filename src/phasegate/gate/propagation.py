"""What the runs of one pipeline tell each other: results to other modes, changed dates to later dates. Pure.

A run that accepts a result keeps a notice until the ledger, its sister runs and the runs whose windows hold it have
heard. Only the request to rebuild is limited: a run more than ``cascade_days`` after the date that changed just
remembers that its window has drifted.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from phasegate.base import keys
from phasegate.base.codec import Decision
from phasegate.base.dates import distance
from phasegate.gate.evaluate import evaluate
from phasegate.gate.phase import Phase
from phasegate.gate.records import Notice, Result, Window
from phasegate.plan.gate import Need

A = TypeVar("A")
DRIFT_MAX = 400


def window_needs(phase: Phase) -> dict[str, Need]:
    """Return the windows that the members of a phase read, by name."""
    return {str(n): n for spec in phase.gate.members.values() for n in spec.needs if n.back}


def never(_: Phase, /) -> bool:
    """Say that a reading is wanted whatever a run has got since."""
    return False


class DateChange(NamedTuple):
    """A change of a date that later runs must hear of: what number it has in the ledger of its month.

    ``origin``: the date whose change led to it.
    """

    day: str
    number: int
    origin: str

    def is_held(self, window: Window | None, /) -> bool:
        """Tell whether a reading of a window was made after the change was in the ledger."""
        return window is not None and window.orders.get(self.day[:7], 0) >= self.number


def windowed(
    windows: Mapping[str, Window], *, origin: str | None, key: str, now: float, attempt: str,
    unless: Callable[[Phase], bool] = never,
) -> Decision[Phase, bool]:  # fmt: skip
    """Take over newer readings of windows; answer whether the run has something to send or to tell now.

    ``origin``: the date whose change led to the reading; None when the run was just opened, or asked to catch up.
    ``unless``: whether the run has since got what the reading is for; then nothing changes. Who reads may be slow,
    and what has come meanwhile is for others to tell.
    """

    def decide(phase: Phase | None) -> tuple[Phase | None, bool]:
        if phase is None or unless(phase):
            return phase, False
        wanted = window_needs(phase)
        known = {n: phase.windows.get(n) for n in windows if n in wanted}
        newer = {n: _with_drift(windows[n], old) for n, old in known.items() if _is_newer(windows[n], old)}
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


def _is_newer(window: Window, old: Window | None) -> bool:
    return old is None or window.order > old.order or (window.order == old.order and bool(old.awaited))


def _with_drift(window: Window, old: Window | None) -> Window:
    """Return a newer reading, with the drift that it is too old to show."""
    if old is None or window.order >= old.drift_order:
        return window
    return replace(window, drifted=old.drifted, drift_order=old.drift_order)


def must_rebuild(phase: Phase, need: str, *, key: str, origin: str, cascade_days: int) -> bool:
    """Tell whether a change at ``origin`` makes this run read its window anew, or only remember the drift.

    Near enough, or nothing was built of the window yet, or something is to be built of it anyway.
    """
    _, _, run = keys.phase_of(key)
    if distance(origin, run.date) <= cascade_days:
        return True
    readers = [name for name, spec in phase.gate.members.items() if any(str(n) == need for n in spec.needs)]
    built = [name for name in readers if name in phase.members and phase.members[name].result is not None]
    return not built or any(name in phase.requests for name in readers)


def drifted(need: str, *, days: Iterable[str], seen: Window) -> Decision[Phase, bool]:
    """Remember that dates of a window changed, without asking for anything; answer whether the run had not heard.

    ``seen``: a reading that shows the change. A window that was read since holds it already, and one of the same
    content has not drifted.
    """

    def decide(phase: Phase | None) -> tuple[Phase | None, bool]:
        if phase is None or need not in phase.windows:
            return phase, False
        window = phase.windows[need]
        if window.order >= seen.order:
            return phase, False
        if window.stamp.fingerprint == seen.stamp.fingerprint:
            read = replace(window, stamp=seen.stamp, orders=seen.orders, drifted=(), drift_order=0)
            known = _with_drift(read, window)
            return replace(phase, windows={**phase.windows, need: known}), False
        all_days = tuple(sorted({*window.drifted, *days}))[:DRIFT_MAX]
        known = replace(window, drifted=all_days, drift_order=max(seen.order, window.drift_order))
        return replace(phase, windows={**phase.windows, need: known}), True

    return decide


class Propagated(NamedTuple):
    """What became of notices, the first that holds.

    ``left``: a sister run may not have heard. ``kept``: later runs hear after the build. ``heard``: by everybody.
    """

    heard: dict[str, Notice]
    kept: dict[str, Notice]
    left: dict[str, Notice]


def delivered(told: Propagated, *, until: float) -> Decision[Phase, None]:
    """Forget notices that everybody has heard, put off those that a sister has not; a newer one stays as it is."""

    def decide(phase: Phase | None) -> tuple[Phase | None, None]:
        if phase is None:
            return None, None
        notices = {}
        for name, notice in phase.notices.items():
            if told.left.get(name) == notice:
                notices[name] = replace(notice, at=max(notice.at, until))
            elif told.kept.get(name) == notice:
                notices[name] = replace(notice, relayed=True)
            elif told.heard.get(name) != notice:
                notices[name] = notice
        return (phase if notices == phase.notices else replace(phase, notices=notices)), None

    return decide


def has_heard(sister: Phase, member: str, *, result: Result) -> bool:
    """Tell whether a sister run need not be told of a foreign table again: it holds this content, or never will."""
    known = sister.result_of(member)
    never = sister.void is not None or member not in sister.gate.members
    return never or (known is not None and known.stamp == result.stamp)
