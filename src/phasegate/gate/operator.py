"""What an operator may order of a phase's document: hold it, void it, plan it anew, bring back what is dead. Pure."""

from msgspec.structs import replace

from phasegate.base.codec import Decision
from phasegate.gate.decisions import Answer, command
from phasegate.gate.outbox import entries
from phasegate.gate.phase import Phase
from phasegate.gate.propagation import window_needs
from phasegate.gate.records import Entry, Member, VoidBy
from phasegate.plan.gate import Gate

BACK = ("dead", "held")


def pause(reason: str | None, *, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Hold the gate (None: let go). Messages are recorded meanwhile; nothing is fired or asked for again."""

    def decide(phase: Phase) -> tuple[Phase, str]:
        return replace(phase, paused=reason), "paused" if reason is not None else "resumed"

    return command("pause", reason or "resume", key=key, now=now, attempt=attempt, decide=decide)


def void(reason: str | None, *, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Declare that this run does not take place, with the reason (None: it does after all).

    Taken back is what an operator has declared; where nobody has, what the calendar says, until it changes again.
    """

    def decide(phase: Phase) -> tuple[Phase, str]:
        claims = dict(phase.voided_by)
        if reason is not None:
            claims["operator"] = reason
            return _declared(phase, claims, now=now)
        whose: VoidBy = "operator" if "operator" in claims else "calendar"
        return _declared(phase, {by: why for by, why in claims.items() if by != whose}, now=now)

    return command("void", reason or "not void", key=key, now=now, attempt=attempt, decide=decide)


def expect(order: float, *, void: str | None, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Take in a change of the calendar: this run does not take place, for this reason (None: it does after all).

    A change that is older than one it has heard of is refused: whoever brings it was held up. What an operator has
    declared void stays so.
    """

    def decide(phase: Phase) -> tuple[Phase, str]:
        if phase.has_heard(order):
            return phase, "older"
        claims: dict[VoidBy, str] = {by: why for by, why in phase.voided_by.items() if by != "calendar"}
        if void is not None:
            claims["calendar"] = void
        return _declared(replace(phase, heard=order), claims, now=now)

    return command("expect", void or "takes place", key=key, now=now, attempt=attempt, decide=decide)


def _declared(phase: Phase, claims: dict[VoidBy, str], *, now: float) -> tuple[Phase, str]:
    """Return a run with these who say that it does not take place, and what it is now.

    One that is brought back looks again at all that others know: what they said meanwhile it did not take in.
    """
    reason = claims.get("operator", claims.get("calendar"))
    if phase.void is not None and reason is None:
        phase = replace(phase, caught_up=False, lifted_at=now)
    phase = replace(phase, void=reason, voids=claims)
    if reason is None:
        return phase, "open"
    # who was asked may serve it all the same, and nobody takes his report: what the table then holds is not known
    unsure = {name: replace(phase.members.get(name, Member()), unsure=True) for name in phase.requests}
    return replace(phase, requests={}, members={**phase.members, **unsure}), "void"


def replan(gate: Gate, *, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Pin another gate. Results of members that it still has are kept, as outdated where their code changed."""

    def decide(phase: Phase) -> tuple[Phase, str]:
        members = {
            name: _pinned(member, code=gate.members[name].code)
            for name, member in phase.members.items()
            if name in gate.members
        }
        outbox = _readdressed(phase, gate, now=now)
        planned = replace(phase, gate=gate, members=members, outbox=outbox)
        # a window that the old gate did not have, or waited for otherwise, is still to be read
        caught_up = (
            phase.caught_up
            and window_needs(planned).keys() <= phase.windows.keys()
            and gate.await_windows == phase.gate.await_windows
        )
        return replace(planned, caught_up=caught_up), "replanned"

    return command("replan", gate.hash, key=key, now=now, attempt=attempt, decide=decide)


def redrive(
    step: str | None, *, key: str, now: float, attempt: str, force: bool = False, held: bool = True
) -> Decision[Phase, Answer]:
    """Bring dead requests, and dead or held triggers, back (None: all); answer their names, apart by blanks.

    ``held`` False leaves alone what a quiet backfill held back: it is not dead.
    ``force`` lets the rebuilt partition lose more rows than ``shrink_max``; the receipt says so.
    """

    def decide(phase: Phase) -> tuple[Phase, str]:
        back = {n for n, r in phase.requests.items() if r.state == "dead" and step in (None, n)}
        states = BACK if held else ("dead",)
        dead = {e.receiver for e in phase.outbox if e.state in states and step in (None, e.receiver)}
        requests = {
            name: replace(r, state="open", failures=0, due=now, forced=force) if name in back else r
            for name, r in phase.requests.items()
        }
        outbox = tuple(
            replace(e, state="unsent", sends=0, due=now) if e.state in states and e.receiver in dead else e
            for e in phase.outbox
        )
        return replace(phase, requests=requests, outbox=outbox), " ".join(sorted(back | dead))

    return command("redrive", step or "all", key=key, now=now, attempt=attempt, decide=decide)


def _readdressed(phase: Phase, gate: Gate, *, now: float) -> tuple[Entry, ...]:
    """Return the outbox for another set of receivers: new ones get the last generation, lost ones nothing more."""
    names = {receiver.name for receiver in gate.receivers}
    kept = [replace(e, state="superseded") if e.waiting and e.receiver not in names else e for e in phase.outbox]
    told = {entry.receiver for entry in phase.outbox if entry.generation == phase.generation}
    if phase.firings:
        new = [receiver for receiver in gate.receivers if receiver.name not in told]
        kept += entries(new, generation=phase.generation, now=now)
    return tuple(kept)


def doubt(step: str, *, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Mark a step whose table does not hold what this document believes: it is asked for again."""

    def decide(phase: Phase) -> tuple[Phase, str]:
        member = phase.members.get(step)
        if member is None or member.result is None:
            return phase, "unknown result"
        return replace(phase, members={**phase.members, step: replace(member, unsure=True)}), "unsure"

    return command("doubt", step, key=key, now=now, attempt=attempt, decide=decide)


def _pinned(member: Member, *, code: str) -> Member:
    """Return a member under a code that is newly pinned: a result of another known code is outdated."""
    result = member.result
    if result is None or not result.code or not code:
        return member
    return replace(member, result=replace(result, outdated=result.code != code))


def rebuild(steps: tuple[str, ...], *, quiet: bool, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Ask for steps anew whatever their receipts say; answer their names. ``quiet``: foreign receivers are not told."""

    def decide(phase: Phase) -> tuple[Phase, str]:
        chosen = [n for n in steps if n in phase.gate.members and phase.gate.members[n].asks]
        anew = {name: replace(phase.members.get(name, Member()), unsure=True, anew=True) for name in chosen}
        requests = {name: request for name, request in phase.requests.items() if name not in chosen}
        phase = replace(phase, members={**phase.members, **anew}, requests=requests, quiet=quiet)
        return phase, " ".join(chosen)

    return command("rebuild", " ".join(steps) or "what is stale", key=key, now=now, attempt=attempt, decide=decide)


def loud(*, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """End a quiet time: what is fired from now on is told to everybody again."""

    def decide(phase: Phase) -> tuple[Phase, str]:
        return replace(phase, quiet=False), "loud"

    return command("loud", "foreign receivers", key=key, now=now, attempt=attempt, decide=decide)
