"""What a phase's document means to the person who asks: where it stands, what it waits for, what to type. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal, assert_never

import msgspec

from phasegate.core.freshness import fired_as_is, missing, same, settle_at, survey, wanted
from phasegate.core.keys import Run
from phasegate.core.phase import Firing, Need, Phase, Request, Spec
from phasegate.core.receipt import ABSENT, Stamp

State = Literal["void", "paused", "dead", "complete", "degraded", "sending", "settling", "building", "waiting"]
MemberState = Literal["fresh", "asked", "parked", "dead", "blocked", "unreported"]


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """One step: where it stands, since when (epoch seconds), and the reason in words.

    ``last`` is what became of the last delivery about it that the document remembers.
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


class GenerationView(msgspec.Struct, frozen=True, kw_only=True):
    """One firing: what made it fire, what it went without, and who has it. Receiver -> state of its trigger."""

    number: int
    at: float
    made_by: tuple[str, ...]
    missing: tuple[str, ...]
    receivers: dict[str, str]


class PhaseView(msgspec.Struct, frozen=True, kw_only=True):
    """One phase of one run. ``mends`` are the commands that bring it on, ``last`` is the last thing it was told.

    ``since`` is when it came into its state. ``overdue``: past its deadline, and it has never fired. ``drifted``: dates
    of its windows that changed too long ago to be built into it without being asked.
    """

    phase: str
    run: str
    state: State
    reason: str
    since: float
    generation: int
    overdue: bool
    opened_at: float
    missing: tuple[str, ...]
    members: tuple[MemberView, ...]
    generations: tuple[GenerationView, ...]
    inputs: dict[str, int]
    waiting: dict[str, int]
    last: str
    last_at: float | None
    due: float | None
    mends: tuple[str, ...]
    drifted: tuple[str, ...] = ()


def explain(phase: Phase, *, run: Run, now: float) -> PhaseView:
    """Return everything there is to say about a phase at ``now``."""
    members = tuple(_member(phase, name, spec) for name, spec in phase.gate.members.items())
    state, reason = _state(phase, members, now=now)
    last = phase.seen[-1] if phase.seen else None
    overdue = state in ("settling", "building", "waiting") and _overdue(phase, now=now)
    drifted = tuple(sorted({day for window in phase.windows.values() for day in window.drifted}))
    if drifted and state != "void":
        reason += f"; built before {_listed(drifted)} changed"
    if phase.quiet:
        reason += "; a backfill has not ended, so receivers outside the plan are not told"
    return PhaseView(
        phase=phase.name,
        run=str(run),
        state=state,
        reason=f"{reason}; {_shut_by(phase)}" if overdue else reason,
        since=_since(phase, members, state=state),
        generation=phase.generation,
        overdue=overdue,
        opened_at=phase.opened_at,
        missing=missing(phase),
        members=members,
        generations=_generations(phase),
        inputs={name: begun.generation for name, begun in phase.inputs.items()},
        waiting={name: begun.generation for name, begun in phase.waiting.items()},
        last="" if last is None else f"{last.what} of {last.subject}: {last.outcome}",
        last_at=None if last is None else last.at,
        due=phase.due,
        mends=_mends(phase, members, run=run),
        drifted=drifted,
    )


def _state(phase: Phase, members: tuple[MemberView, ...], *, now: float) -> tuple[State, str]:
    """Return the one word for a phase, the worst first, and the reason for it."""
    if phase.void is not None:
        return "void", phase.void
    if phase.paused is not None:
        return "paused", phase.paused
    dead = [f"{m.name}: {m.reason}" for m in members if m.state == "dead"]
    dead += [f"the trigger for {e.receiver} was never acknowledged" for e in phase.outbox if e.state == "dead"]
    if dead:
        return "dead", "; ".join(dead)
    # A stale member is still carried with its last stamp: the firing is as it is, and something is due all the same.
    if fired_as_is(phase) and (phase.firings[-1].missing or not missing(phase)):
        return _fired(phase)
    return _unfired(phase, members, now=now)


def _fired(phase: Phase) -> tuple[State, str]:
    """Return the word for a phase whose last firing carried what is there."""
    unsent = [e.receiver for e in phase.outbox if e.waiting]
    if unsent:
        return "sending", f"generation {phase.generation} is not acknowledged by {', '.join(unsent)} yet"
    if phase.waiting:
        newer = ", ".join(f"{name} generation {begun.generation}" for name, begun in phase.waiting.items())
        return "waiting", f"{newer} came, and is not taken over yet"
    if missing(phase):
        return "degraded", f"generation {phase.generation} went out without {', '.join(missing(phase))}"
    return "complete", f"generation {phase.generation} is fresh and handed on"


def _unfired(phase: Phase, members: tuple[MemberView, ...], *, now: float) -> tuple[State, str]:
    """Return the word for a phase that has something to fire, or waits for it."""
    at = settle_at(phase)
    if not missing(phase) and at is not None:
        return "settling", f"everything is there; waiting {max(0.0, at - now):.0f} s for further changes"
    asked = [m.name for m in members if m.state in ("asked", "parked")]
    if asked:
        return "building", f"{', '.join(asked)} asked for"
    if phase.gate.members and not phase.inputs and any(spec.needs for spec in phase.gate.members.values()):
        return "waiting", "no trigger from upstream yet"
    if not missing(phase):
        return "waiting", "everything expected is there, and it has not fired: nobody has looked at it since"
    return "waiting", f"waiting for {', '.join(missing(phase))}"


def _overdue(phase: Phase, *, now: float) -> bool:
    return not phase.firings and phase.gate.deadline is not None and now >= phase.gate.deadline


def _shut_by(phase: Phase) -> str:
    """Return why a phase past its deadline has not fired."""
    shut = [name for name in missing(phase) if name in phase.gate.critical]
    return f"past its deadline, kept shut by {', '.join(shut)}" if shut else "past its deadline"


def _since(phase: Phase, members: tuple[MemberView, ...], *, state: State) -> float:
    """Return when the phase came into its state, as well as the document tells."""
    fired = phase.firings[-1].at if phase.firings else phase.opened_at
    match state:
        case "void" | "paused":
            told = [seen.at for seen in phase.seen if seen.what == ("void" if state == "void" else "pause")]
            return told[-1] if told else phase.opened_at
        case "dead":
            died = [m.since for m in members if m.state == "dead" and m.since is not None]
            return min([*died, *(e.at for e in phase.outbox if e.state == "dead")])
        case "complete" | "degraded" | "sending":
            return fired
        case "settling":
            return phase.opened_at if phase.changed_at is None else phase.changed_at
        case "building":
            return min(r.opened_at for r in phase.requests.values() if r.state != "dead")
        case "waiting":
            changed = [i.begun_at for i in (*phase.inputs.values(), *phase.waiting.values())]
            changed += [] if phase.changing_since is None else [phase.changing_since]
            return min((at for at in changed if at > fired), default=fired)
        case _:
            assert_never(state)


def _member(phase: Phase, name: str, spec: Spec) -> MemberView:
    fresh, member, request = survey(phase), phase.members.get(name), phase.requests.get(name)
    result = phase.result_of(name)
    stale = _stale_against(phase, name, spec)
    state: MemberState
    since: float | None
    if name in fresh:
        assert result is not None
        weaker = "" if result.attested else "; what it was built from is not attested"
        rows = "rows not counted" if result.rows is None else f"{result.rows} rows"
        state, reason, since = "fresh", f"{result.status}, {rows}{weaker}", result.at
    elif request is not None:
        state, reason, since = _requested(request, stale)
        if state == "dead" and member is not None and member.attempt is not None:
            since = max(since, member.attempt.at)
    else:
        since = _could_since(phase, spec, fresh=fresh)
        lacking = [str(n) for n in spec.needs if not n.back and n.phase == phase.name and n.step not in fresh]
        lacking += [n.phase for n in spec.needs if not n.back and n.phase != phase.name and n.phase not in phase.inputs]
        lacking += [_awaited(phase, n) for n in spec.needs if n.back and _awaited(phase, n)]
        state = "blocked" if lacking else "unreported"
        waits = f"waits for {', '.join(dict.fromkeys(lacking))}" if lacking else "nobody has reported it yet"
        reason = waits if result is None or lacking else f"stale against {', '.join(stale)}; not reported again yet"
    attempt = None if member is None else member.attempt
    if attempt is not None and attempt.error and state != "fresh" and attempt.error not in reason:
        reason += f"; last try: {attempt.error}"
    told = next((seen for seen in reversed(phase.seen) if seen.what == "report" and seen.subject == name), None)
    return MemberView(
        name=name,
        state=state,
        reason=reason,
        since=since,
        rows=None if result is None else result.rows,
        token=None if result is None else result.stamp.token,
        stale_against=stale,
        last="" if told is None else told.outcome,
        last_at=None if told is None else told.at,
    )


def _awaited(phase: Phase, need: Need) -> str:
    """Return which dates of a window are waited for, in words; "" for none."""
    window = phase.windows.get(str(need))
    if window is None:
        return f"{need}, which is not read yet"
    days = sorted(window.awaited)
    return f"{need.phase}.{need.step} of {_listed(days)}" if days else ""


def _listed(days: Sequence[str]) -> str:
    more = f" and {len(days) - 3} more" if len(days) > 3 else ""
    return ", ".join(days[:3]) + more


def _could_since(phase: Phase, spec: Spec, *, fresh: Mapping[str, Stamp]) -> float:
    """Return since when a member could have been reported, for all that is known."""
    times = [phase.opened_at]
    for need in spec.needs:
        if need.back:
            continue
        if need.phase != phase.name and need.phase in phase.inputs:
            times.append(phase.inputs[need.phase].begun_at)
        elif need.step in fresh and (result := phase.members[need.step].result) is not None:
            times.append(result.at)
    return max(times)


def _requested(request: Request, stale: tuple[str, ...]) -> tuple[MemberState, str, float]:
    against = f"stale against {', '.join(stale)}; " if stale else ""
    if request.state == "dead":
        return "dead", request.reason, request.opened_at
    if request.state == "parked":
        return "parked", f"{against}{request.reason}", request.opened_at
    tries = f", failed {request.failures} times: {request.reason}" if request.failures else ""
    return "asked", f"{against}asked for {request.sends} times{tries}", request.opened_at


def _stale_against(phase: Phase, name: str, spec: Spec) -> tuple[str, ...]:
    """Return the needs whose present content is not what the result was built from, and the code if it changed."""
    result = phase.result_of(name)
    if result is None:
        return ()
    fresh, built = survey(phase), result.built_from
    if name in fresh:
        return ()
    found = ["its code"] if result.outdated else []
    for need in spec.needs:
        now = wanted(phase, Spec(needs=(need,)), fresh=fresh)
        if now is None or not same(now, {str(need): built.get(str(need), ABSENT)}):
            found.append(str(need))
    return tuple(found)


def _generations(phase: Phase) -> tuple[GenerationView, ...]:
    views, before = [], None
    for firing in phase.firings:
        receivers = {e.receiver: e.state for e in phase.outbox if e.generation == firing.generation}
        views.append(
            GenerationView(
                number=firing.generation,
                at=firing.at,
                made_by=_made_by(firing, before),
                missing=firing.missing,
                receivers=dict(receivers),
            )
        )
        before = firing
    return tuple(views)


def _made_by(firing: Firing, before: Firing | None) -> tuple[str, ...]:
    """Return, in words, what made a generation fire."""
    if before is None:
        if firing.generation > 1:
            return ("the generation before it is no longer remembered",)
        return (
            ("the deadline, or enough of what is expected",) if firing.missing else ("everything expected was fresh",)
        )
    found = []
    for name, stamp in firing.stamps.items():
        old = before.stamps.get(name, ABSENT)
        if old.fingerprint != stamp.fingerprint:
            found.append(f"{name} came" if old == ABSENT else f"{name} changed")
    return tuple(found) or ("another set of members is expected",)


def _mends(phase: Phase, members: tuple[MemberView, ...], *, run: Run) -> tuple[str, ...]:
    if phase.void is not None:
        return ()
    if phase.paused is not None:
        return (f"phasegate pause {run} --resume",)
    found = [f"phasegate redrive {run} --step {m.name}" for m in members if m.state == "dead"]
    found += [f"phasegate redrive {run} --step {e.receiver}" for e in phase.outbox if e.state == "dead"]
    found += [
        f"phasegate complete {m.name} --run {run}"
        for m in members
        if m.state == "unreported" and not phase.gate.members[m.name].asks
    ]
    if not phase.firings and not missing(phase) and settle_at(phase) is None:
        found.append(f"phasegate reconcile --from {run.date} --to {run.date} --fix")
    if any(m.state in ("asked", "parked") for m in members) or any(e.waiting for e in phase.outbox):
        found.append("phasegate worker --until-idle")
    if any(window.drifted for window in phase.windows.values()):
        found.append(f"phasegate backfill --from {run.date} --to {run.date} --mode {run.mode} --cascade")
    return tuple(dict.fromkeys(found))
