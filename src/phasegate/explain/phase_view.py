"""The state of one phase of a run: reason, missing members, commands.

Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, assert_never

import msgspec

from phasegate.base.keys import Run
from phasegate.base.wording import deliver, listed
from phasegate.explain.member_view import MemberView, lacking, member_view
from phasegate.gate.decisions import TAKEN_WHILE_VOID
from phasegate.gate.phase import Phase, fired_as_is, missing, refused_shrinks, settle_at
from phasegate.gate.records import Firing

PhaseState = Literal["void", "paused", "dead", "complete", "degraded", "sending", "settling", "building", "waiting"]

WORK = "phasegate worker --until-idle"
RECEIVERS: Mapping[str, str] = {
    "unsent": "not sent to {} yet",
    "sent": "sent to {}, not acknowledged yet",
    "acked": "acknowledged by {}",
    "dead": "never acknowledged by {}",
    "superseded": "superseded for {} by a newer one",
    "held": "held back for {} by a quiet backfill",
}
"""What became of a trigger, in words, by its state."""


class GenerationView(msgspec.Struct, frozen=True, kw_only=True):
    """One firing: its cause, what was missing, and its triggers.

    ``receivers``: receiver -> state of its trigger.
    """

    number: int
    at: float
    made_by: tuple[str, ...]
    missing: tuple[str, ...]
    receivers: dict[str, str]

    @property
    def handed_on(self) -> list[str]:
        """Return what became of each trigger, in words."""
        return [RECEIVERS[state].format(name) for name, state in self.receivers.items()]


class PhaseView(msgspec.Struct, frozen=True, kw_only=True):
    """One phase of one run.

    ``commands``: what to type so that it goes on. ``last``: the last message or command about it, and the outcome.
    ``since``: when it entered its state. ``overdue``: past its deadline, and it has never fired. ``drifted``: dates of
    its windows that changed too long ago to be built into it automatically.
    """

    phase: str
    run: str
    state: PhaseState
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
    commands: tuple[str, ...]
    drifted: tuple[str, ...] = ()


def explain(phase: Phase, *, name: str, run: Run, now: float, before: Iterable[Phase] = ()) -> PhaseView:
    """Return the view of the phase ``name`` of a run at ``now``.

    ``before``: the phases before it in this run. Where one of them has drifted, this one has too.
    """
    members = tuple(member_view(phase, name, spec) for name, spec in phase.gate.members.items())
    state, reason = _state(phase, members, now=now)
    last = phase.seen[-1] if phase.seen else None
    overdue = state in ("settling", "building", "waiting") and _overdue(phase, now=now)
    windows = [window for each in (phase, *before) if each.void is None for window in each.windows.values()]
    drifted = tuple(sorted({day for window in windows for day in window.drifted}))
    if drifted and state != "void":
        reason += f"; built before {listed(drifted)} changed"
    if phase.quiet:
        reason += "; a quiet backfill has not ended, so receivers outside the plan get no triggers"
    return PhaseView(
        phase=name,
        run=str(run),
        state=state,
        reason=f"{reason}; {_shut_by(phase)}" if overdue else reason,
        since=_since(phase, members, state=state),
        generation=phase.generation,
        overdue=overdue,
        opened_at=phase.opened_at,
        missing=missing(phase),
        members=members,
        generations=generations(phase),
        inputs={name: begun.generation for name, begun in phase.inputs.items()},
        waiting={name: begun.generation for name, begun in phase.waiting.items()},
        last="" if last is None else f"{last.what} of {last.subject}: {last.outcome}",
        last_at=None if last is None else last.at,
        due=phase.due,
        commands=_commands(phase, members, name=name, run=run, now=now, drifted=bool(drifted)),
        drifted=drifted,
    )


def _state(phase: Phase, members: tuple[MemberView, ...], *, now: float) -> tuple[PhaseState, str]:
    """Return the state of a phase, the worst first, and the reason for it."""
    if phase.void is not None:
        return "void", phase.void
    if phase.paused is not None:
        return "paused", phase.paused
    dead = [f"{m.name}: {m.reason}" for m in members if m.state == "dead"]
    dead += [f"the trigger for {e.receiver} was never acknowledged" for e in phase.outbox if e.state == "dead"]
    if dead:
        return "dead", "; ".join(dead)
    # A stale member is still carried with its last stamp: the newest firing is up to date, yet something is missing.
    if fired_as_is(phase) and (phase.firings[-1].missing or not missing(phase)):
        return _fired(phase)
    return _unfired(phase, members, now=now)


def _fired(phase: Phase) -> tuple[PhaseState, str]:
    """Return state and reason of a phase whose last firing is up to date."""
    unsent = [e.receiver for e in phase.outbox if e.waiting]
    if unsent:
        return "sending", f"generation {phase.generation} is not acknowledged by {', '.join(unsent)} yet"
    if phase.waiting:
        newer = ", ".join(f"{name} generation {begun.generation}" for name, begun in phase.waiting.items())
        return "waiting", f"{newer} arrived and is not begun yet"
    if missing(phase):
        return "degraded", f"generation {phase.generation} fired without {_missing(phase)}"
    return "complete", f"generation {phase.generation} is fresh and handed on"


def _unfired(phase: Phase, members: tuple[MemberView, ...], *, now: float) -> tuple[PhaseState, str]:
    """Return state and reason of a phase that has not fired what it has."""
    at = settle_at(phase)
    if not missing(phase) and at is not None:
        return "settling", f"everything is there; waiting {max(0.0, at - now):.0f} s for further changes"
    asked = [m.name for m in members if m.state in ("asked", "parked")]
    if asked:
        partial = [f"{m.name} {lacking(phase, m.name)}" for m in members if m.state == "partial"]
        return "building", "; ".join([f"{', '.join(asked)} asked for", *partial])
    if phase.gate.members and not phase.inputs and any(spec.needs for spec in phase.gate.members.values()):
        return "waiting", "no trigger from upstream yet"
    if not missing(phase):
        return "waiting", "everything expected is there, but it has not fired yet"
    return "waiting", f"waiting for {_missing(phase)}"


def _missing(phase: Phase) -> str:
    """Return the missing members in words, with what they lack."""
    texts = {name: lacking(phase, name) for name in missing(phase)}
    return ", ".join(f"{name} ({text})" if text else name for name, text in texts.items())


def _overdue(phase: Phase, *, now: float) -> bool:
    return not phase.firings and phase.gate.deadline is not None and now >= phase.gate.deadline


def _shut_by(phase: Phase) -> str:
    """Return why a phase past its deadline has not fired."""
    shut = [name for name in missing(phase) if name in phase.gate.critical]
    return f"past its deadline, waiting for critical {', '.join(shut)}" if shut else "past its deadline"


def _since(phase: Phase, members: tuple[MemberView, ...], *, state: PhaseState) -> float:
    """Return when the phase entered its state, as far as it is stored."""
    fired = phase.firings[-1].at if phase.firings else phase.opened_at
    match state:
        case "void" | "paused":
            by = TAKEN_WHILE_VOID if state == "void" else ("pause",)
            entered = [seen.at for seen in phase.seen if seen.what in by and seen.outcome == state]
            return entered[-1] if entered else phase.opened_at
        case "dead":
            dead_since = [m.since for m in members if m.state == "dead" and m.since is not None]
            return min([*dead_since, *(e.at for e in phase.outbox if e.state == "dead")])
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


def generations(phase: Phase, /) -> tuple[GenerationView, ...]:
    """Return the firings of a phase that are stored, the oldest first."""
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
            return ("the generation before it is no longer stored",)
        early = "the deadline passed, or enough members were fresh"
        return (early,) if firing.missing else ("everything expected was fresh",)
    return firing.changes or ("another set of members is expected",)


def command_of(phase: Phase, member: MemberView, *, name: str, run: Run, now: float) -> str:
    """Return what brings a member's result, "" if another must come first.

    A worker builds Phasegate's own steps, a failed one when its back-off has ended. Only its owner builds an external
    one, and only a person knows whether rows may be lost.
    """
    request, spec = phase.requests.get(member.name), phase.gate.members[member.name]
    own = spec.asks and (not spec.topic or spec.topic.endswith(f".{name}.requests"))
    if member.state == "dead":
        again, shrinks = f"phasegate redrive {run} --step {member.name}", refused_shrinks(phase)
        if member.name not in shrinks:
            return again
        forced = f"{again} --force" if len(shrinks) == 1 else f"phasegate redrive {run} --force"  # all in one
        return f"if the rows may be lost: {forced}"
    if member.state == "unreported":
        return "" if spec.asks else deliver(member.name, run)
    if member.state not in ("asked", "parked") or request is None:
        return ""
    if not own and not request.topic:
        return deliver(member.name, run)
    waits_s = request.due - now
    is_held = member.state == "parked" or phase.failures_of(member.name) > 0
    return f"in {waits_s:.0f} s: {WORK}" if is_held and waits_s > 0 else WORK


def _commands(
    phase: Phase, members: tuple[MemberView, ...], *, name: str, run: Run, now: float, drifted: bool
) -> tuple[str, ...]:  # fmt: skip
    if phase.void is not None:
        return ()
    if phase.paused is not None:
        return (f"phasegate pause {run} --resume",)
    known = {m.name: command_of(phase, m, name=name, run=run, now=now) for m in members}
    found = [known[m.name] for m in members if m.state == "dead"]
    found += [f"phasegate redrive {run} --step {e.receiver}" for e in phase.outbox if e.state == "dead"]
    found += [known[m.name] for m in members if m.state == "unreported"]
    if not phase.firings and not missing(phase) and settle_at(phase) is None:
        found.append(f"phasegate reconcile --from {run.date} --to {run.date} --fix")
    found += [known[m.name] for m in members if m.state in ("asked", "parked")]
    outside = [r.name for r in phase.gate.receivers if r.ack == "completion"]
    if any(e.waiting and (e.state == "unsent" or e.receiver not in outside or e.due <= now) for e in phase.outbox):
        found.append(WORK)
    found += [f"have {e.receiver} report that it is done, with its trigger_id"
              for e in phase.outbox if e.state == "sent" and e.receiver in outside]  # fmt: skip
    if drifted:
        found.append(f"phasegate backfill --from {run.date} --to {run.date} --mode {run.mode} --cascade")
    return tuple(dict.fromkeys(filter(None, found)))
