"""The state of one member of a phase: since when, and why.

Pure.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from phasegate.base.receipt import ABSENT, Stamp
from phasegate.base.wording import counted_rows, listed, times
from phasegate.gate.phase import (
    Phase,
    covered,
    current,
    fresh_members,
    is_compared,
    lacks_of,
    same,
    usable_members,
    wanted,
)
from phasegate.gate.records import Attempt, Request
from phasegate.plan.gate import Need, Spec

MemberState = Literal["fresh", "partial", "asked", "parked", "dead", "blocked", "unreported"]
SHOWN_MAX = 5


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """One step: its state, since when (epoch seconds), and the reason.

    ``last``: the outcome of the last report about it that the document stores. ``lacks``: the first keys of the rows
    that its result must cover and does not.
    """

    name: str
    state: MemberState
    reason: str
    since: float | None
    rows: int | None
    token: int | None
    stale_against: tuple[str, ...]
    last: str
    last_at: float | None
    lacks: tuple[str, ...] = ()


def member_view(phase: Phase, name: str, spec: Spec) -> MemberView:
    """Return the view of a member."""
    fresh, member, request = fresh_members(phase), phase.members.get(name), phase.requests.get(name)
    result = phase.result_of(name)
    stale = _stale_against(phase, name, spec)
    state: MemberState
    since: float | None
    if name in fresh:
        assert result is not None
        weaker = "" if result.attested else "; what it was built from is not attested"
        state, reason, since = "fresh", f"{result.status}, {counted_rows(result.rows)}{weaker}", result.at
    elif _is_partial(phase, name, spec):
        assert result is not None
        state, reason, since = "partial", f"{counted_rows(result.rows)}; {lacking(phase, name)}", result.at
    elif request is not None:
        state, reason, since = _requested(request, stale, attempt=None if member is None else member.attempt)
        if state == "dead" and member is not None and member.attempt is not None:
            since = max(since, member.attempt.at)
    else:
        since = _could_since(phase, spec, fresh=fresh)
        awaited = _waits_for(phase, spec, fresh=fresh)
        if result is not None and spec.covers is not None and covered(phase, spec, fresh=fresh) is None:
            awaited.append(f"{spec.covers.need}, which it must cover")
        state = "blocked" if awaited else "unreported"
        waits = f"waits for {', '.join(dict.fromkeys(awaited))}" if awaited else "not reported yet"
        reason = waits if result is None or awaited else f"stale against {', '.join(stale)}; not reported again yet"
    attempt = None if member is None else member.attempt
    if attempt is not None and attempt.error and state != "fresh" and attempt.error not in reason:
        reason += f"; last try: {attempt.error}"
    report = next((seen for seen in reversed(phase.seen) if seen.what == "report" and seen.subject == name), None)
    return MemberView(
        name=name,
        state=state,
        reason=reason,
        since=since,
        rows=None if result is None else result.rows,
        token=None if result is None else result.stamp.token,
        stale_against=stale,
        last="" if report is None else report.outcome,
        last_at=None if report is None else report.at,
        lacks=() if (known := lacks_of(phase, name)) is None else known.missing,
    )


def _waits_for(phase: Phase, spec: Spec, *, fresh: Mapping[str, Stamp]) -> list[str]:
    """Return what a member cannot be built without."""
    inside = [n for n in spec.needs if not n.back and n.step in phase.gate.members]
    outside = [n for n in spec.needs if not n.back and n.step not in phase.gate.members]
    lacking_dates = [_awaited(phase, n) for n in spec.needs if n.back]
    names = [str(n) for n in inside if n.step not in fresh]
    return [*names, *(n.phase for n in outside if n.phase not in phase.inputs), *filter(None, lacking_dates)]


def _is_partial(phase: Phase, name: str, spec: Spec) -> bool:
    """Return whether a result is of the present contents, and lacks rows."""
    fresh = usable_members(phase)
    inputs = wanted(phase, spec, fresh=fresh)
    result = None if inputs is None else current(phase, name, inputs)
    if result is None or not lacks_of(phase, name):
        return False
    return is_compared(spec, result, against=covered(phase, spec, fresh=fresh))


def lacking(phase: Phase, name: str) -> str:
    """Return, in words, what the result of a member lacks; "" for nothing.

    It names the first SHOWN_MAX keys.
    """
    lacks, spec = lacks_of(phase, name), phase.gate.members.get(name)
    if lacks is None:
        return ""
    of = "" if spec is None or spec.covers is None else f" of {spec.covers.need}"
    return f"lacks {lacks.count}{of}: {listed(lacks.missing, most=SHOWN_MAX, of=lacks.count)}"


def _awaited(phase: Phase, need: Need) -> str:
    """Return the awaited dates of a window, in words; "" for none."""
    window = phase.windows.get(str(need))
    if window is None:
        return f"{need}, which is not read yet"
    days = sorted(window.awaited)
    return f"{need.phase}.{need.step} of {listed(days)}" if days else ""


def _could_since(phase: Phase, spec: Spec, *, fresh: Mapping[str, Stamp]) -> float:
    """Return since when a member could have been reported."""
    moments = [phase.opened_at]
    for need in spec.needs:
        if need.back:
            continue
        if need.step not in phase.gate.members and need.phase in phase.inputs:
            moments.append(phase.inputs[need.phase].begun_at)
        elif need.step in fresh and (result := phase.members[need.step].result) is not None:
            moments.append(result.at)
    return max(moments)


def _requested(request: Request, stale: tuple[str, ...], *, attempt: Attempt | None) -> tuple[MemberState, str, float]:
    against = f"stale against {', '.join(stale)}; " if stale else ""
    if request.state == "dead":
        return "dead", "" if attempt is None else attempt.error, request.opened_at
    if request.state == "parked":
        return "parked", f"{against}{request.reason}", request.opened_at
    tries = f", failed {times(attempt.count)}: {attempt.error}" if attempt is not None and attempt.count else ""
    return "asked", f"{against}asked for {times(request.sends)}{tries}", request.opened_at


def _stale_against(phase: Phase, name: str, spec: Spec) -> tuple[str, ...]:
    """Return the needs whose present content a result was not built from.

    Also the code, if it changed.
    """
    result = phase.result_of(name)
    if result is None:
        return ()
    fresh, built = fresh_members(phase), result.built_from
    if name in fresh:
        return ()
    found = ["its code"] if phase.members[name].stale == "code_changed" else []
    for need in spec.needs:
        now = wanted(phase, Spec(needs=(need,)), fresh=fresh)
        if now is None or not same(now, {str(need): built.get(str(need), ABSENT)}):
            found.append(str(need))
    against = covered(phase, spec, fresh=fresh)
    if spec.covers is not None and against is not None and not is_compared(spec, result, against=against):
        found.append(str(spec.covers.need))
    return tuple(dict.fromkeys(found))
