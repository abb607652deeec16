"""Operator commands on a phase's document: pause, void, replan, redrive, rebuild. Pure."""

from msgspec.structs import replace

from phasegate.base.codec import Decision
from phasegate.gate.decisions import Answer, command
from phasegate.gate.evaluate import uncounted
from phasegate.gate.outbox import entries
from phasegate.gate.phase import Phase
from phasegate.gate.propagation import window_needs
from phasegate.gate.records import Claim, Claimant, Entry, Member
from phasegate.plan.gate import Gate

BACK = ("dead", "held")


def pause(reason: str | None, *, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Hold the gate (None: resume). Messages are still recorded; nothing fires and nothing is requested."""

    def decide(phase: Phase) -> tuple[Phase, str]:
        return replace(phase, paused=reason), "paused" if reason is not None else "resumed"

    return command("pause", reason or "resume", key=key, now=now, attempt=attempt, decide=decide)


def void(reason: str | None, *, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Declare that this run does not take place, with the reason (None: it does after all).

    None takes back what an operator has declared; without such a claim it overrides the calendar's, until that changes.
    """

    def decide(phase: Phase) -> tuple[Phase, str]:
        operator = phase.claims.get("operator", Claim())
        if reason is not None or operator.void is not None:
            return _claimed(phase, "operator", Claim(void=reason), now=now)
        calendar = phase.claims.get("calendar")
        return _claimed(phase, "calendar", None if calendar is None else replace(calendar, void=None), now=now)

    return command("void", reason or "not void", key=key, now=now, attempt=attempt, decide=decide)


def expect(order: float, *, void: str | None, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Take in a change of the calendar: this run does not take place, for this reason (None: it does after all).

    A change that is older than one it knows is refused: its bearer was held up. What an operator has declared void
    stays so.
    """

    def decide(phase: Phase) -> tuple[Phase, str]:
        if phase.knows_change(order):
            return phase, "older"
        return _claimed(phase, "calendar", Claim(void=void, order=order), now=now)

    return command("expect", void or "takes place", key=key, now=now, attempt=attempt, decide=decide)


def _claimed(phase: Phase, by: Claimant, claim: Claim | None, *, now: float) -> tuple[Phase, str]:
    """Return a run with another claim of whether it takes place, and what it is now.

    A run that is brought back reads again what other runs know: reports that came while it was void changed nothing.
    """
    was = phase.void
    claims = {name: old for name, old in phase.claims.items() if name != by}
    phase = replace(phase, claims=claims if claim is None else {**claims, by: claim})
    if phase.void is None:
        return (phase if was is None else replace(phase, catch_up_since=now)), "open"
    # a request may be served all the same, and its report changes nothing: what the table then holds is unknown
    stale = {name: phase.members.get(name, Member()).made_stale("unknown") for name in phase.requests}
    return replace(phase, requests={}, members={**phase.members, **stale}), "void"


def replan(gate: Gate, *, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Pin another gate. Results of members that it still has are kept, as stale where their code changed."""

    def decide(phase: Phase) -> tuple[Phase, str]:
        members = {
            name: _pinned(member, code=gate.members[name].code)
            for name, member in phase.members.items()
            if name in gate.members
        }
        outbox = _readdressed(phase, gate, now=now)
        planned = replace(phase, gate=gate, members=members, outbox=outbox)
        # a window that the old gate did not have, or waited for otherwise, must still be read
        is_read = window_needs(planned).keys() <= phase.windows.keys()
        if phase.catch_up_since is None and not (is_read and gate.await_windows == phase.gate.await_windows):
            planned = replace(planned, catch_up_since=now)
        return planned, "replanned"

    return command("replan", gate.hash, key=key, now=now, attempt=attempt, decide=decide)


def redrive(
    step: str | None, *, key: str, now: float, attempt: str, force: bool = False, held: bool = True
) -> Decision[Phase, Answer]:
    """Bring dead requests, and dead or held triggers, back (None: all); answer their names, separated by blanks.

    ``held`` False leaves out triggers that a quiet backfill holds: they are not dead.
    ``force`` lets the rebuilt partition lose more rows than ``shrink_max``; the receipt says so.
    """

    def decide(phase: Phase) -> tuple[Phase, str]:
        back = {n for n, r in phase.requests.items() if r.state == "dead" and step in (None, n)}
        states = BACK if held else ("dead",)
        dead = {e.receiver for e in phase.outbox if e.state in states and step in (None, e.receiver)}
        requests = {
            name: replace(r, state="open", reason="", due=now, allow_shrink=force) if name in back else r
            for name, r in phase.requests.items()
        }
        members = {name: uncounted(phase.members[name]) for name in back if name in phase.members}
        outbox = tuple(
            replace(e, state="unsent", sends=0, due=now) if e.state in states and e.receiver in dead else e
            for e in phase.outbox
        )
        redriven = replace(phase, requests=requests, members={**phase.members, **members}, outbox=outbox)
        return redriven, " ".join(sorted(back | dead))

    return command("redrive", step or "all", key=key, now=now, attempt=attempt, decide=decide)


def _readdressed(phase: Phase, gate: Gate, *, now: float) -> tuple[Entry, ...]:
    """Return the outbox for another set of receivers: new ones get the last generation, removed ones nothing more."""
    names = {receiver.name for receiver in gate.receivers}
    kept = [replace(e, state="superseded") if e.waiting and e.receiver not in names else e for e in phase.outbox]
    sent = {entry.receiver for entry in phase.outbox if entry.generation == phase.generation}
    if phase.firings:
        new = [receiver for receiver in gate.receivers if receiver.name not in sent]
        kept += entries(new, generation=phase.generation, now=now)
    return tuple(kept)


def doubt(step: str, *, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Mark a step whose table does not hold what this document believes: it is asked for again."""

    def decide(phase: Phase) -> tuple[Phase, str]:
        member = phase.members.get(step)
        if member is None or member.result is None:
            return phase, "unknown result"
        return replace(phase, members={**phase.members, step: member.made_stale("unknown")}), "stale"

    return command("doubt", step, key=key, now=now, attempt=attempt, decide=decide)


def _pinned(member: Member, *, code: str) -> Member:
    """Return a member under newly pinned code: a result of other known code is stale, one of the same code is not."""
    result = member.result
    if result is None or not result.code or not code:
        return member
    if result.code != code:
        return member.made_stale("code_changed")
    return replace(member, stale=None) if member.stale == "code_changed" else member


def rebuild(steps: tuple[str, ...], *, quiet: bool, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Ask for steps again whatever their receipts say; answer their names. ``quiet`` holds triggers for outsiders."""

    def decide(phase: Phase) -> tuple[Phase, str]:
        chosen = [n for n in steps if n in phase.gate.members and phase.gate.members[n].asks]
        forced = {name: phase.members.get(name, Member()).made_stale("forced") for name in chosen}
        requests = {name: request for name, request in phase.requests.items() if name not in chosen}
        phase = replace(phase, members={**phase.members, **forced}, requests=requests, quiet=quiet)
        return phase, " ".join(chosen)

    return command("rebuild", " ".join(steps) or "what is stale", key=key, now=now, attempt=attempt, decide=decide)


def loud(*, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """End a quiet time: what fires from now on is sent to every receiver again."""

    def decide(phase: Phase) -> tuple[Phase, str]:
        return replace(phase, quiet=False), "loud"

    return command("loud", "foreign receivers", key=key, now=now, attempt=attempt, decide=decide)
