"""Operator commands on a phase's document, such as pause and redrive.

Pure. They are decisions like those of ``gate.decisions``. None of them sets a result or a firing: each changes the
gate, the claims, the requests or the outbox, and ``evaluate`` applies the consequences. They refuse to change what a
step built.
"""

from msgspec.structs import replace

from phasegate.base.codec import Decision
from phasegate.gate.decisions import Answer, command
from phasegate.gate.evaluate import uncounted
from phasegate.gate.outbox import entries
from phasegate.gate.phase import Phase, refused_shrinks
from phasegate.gate.propagation import window_needs
from phasegate.gate.records import Claim, Claimant, CommandOutcome, Entry, Member, Names
from phasegate.plan.gate import Gate, Spec

BACK = ("dead", "held")


def pause(reason: str | None, *, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Pause the gate with this reason (None: resume).

    Reports and triggers are still taken in; nothing fires and no message is sent.
    """

    def decide(phase: Phase) -> tuple[Phase, CommandOutcome]:
        return replace(phase, paused=reason), "paused" if reason is not None else "resumed"

    return command("pause", reason or "resume", key=key, now=now, attempt=attempt, decide=decide)


def void(reason: str | None, *, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Declare that a run does not take place, with the reason (None: it does).

    None removes an operator's claim. If there is none, it overrides the calendar's claim until the calendar changes.
    """

    def decide(phase: Phase) -> tuple[Phase, CommandOutcome]:
        operator = phase.claims.get("operator", Claim())
        if reason is not None or operator.void is not None:
            return _claimed(phase, "operator", Claim(void=reason), now=now)
        calendar = phase.claims.get("calendar")
        return _claimed(phase, "calendar", None if calendar is None else replace(calendar, void=None), now=now)

    return command("void", reason or "not void", key=key, now=now, attempt=attempt, decide=decide)


def expect(order: float, *, void: str | None, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Apply a change of the calendar.

    ``void``: why the run does not take place; None: it does. A change that is no newer than the applied one is refused.
    A run that an operator declared void stays void.
    """

    def decide(phase: Phase) -> tuple[Phase, CommandOutcome]:
        if phase.has_applied(order):
            return phase, "older"
        return _claimed(phase, "calendar", Claim(void=void, order=order), now=now)

    return command("expect", void or "takes place", key=key, now=now, attempt=attempt, decide=decide)


def _claimed(phase: Phase, by: Claimant, claim: Claim | None, *, now: float) -> tuple[Phase, CommandOutcome]:
    """Return the run with a new claim, and ``open`` or ``void``.

    A run that is brought back reads the results of other runs again: reports that arrived while it was void changed
    nothing.
    """
    was = phase.void
    claims = {name: old for name, old in phase.claims.items() if name != by}
    phase = replace(phase, claims=claims if claim is None else {**claims, by: claim})
    if phase.void is None:
        return (phase if was is None else replace(phase, catch_up_since=now)), "open"
    # a request may still be served, and its report changes nothing: the table's content is then unknown
    stale = {
        name: phase.members.get(name, Member()).made_stale("unknown")
        for name, request in phase.requests.items()
        if not request.topic  # a comparison writes nothing
    }
    return replace(phase, requests={}, members={**phase.members, **stale}), "void"


def replan(gate: Gate, *, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Pin another gate.

    Members that it still has keep their results; those of other code become stale. What is requested is requested again
    under another id: a worker that began before this may have other code, and its report then answers no request.
    """

    def decide(phase: Phase) -> tuple[Phase, CommandOutcome]:
        pinned = {
            name: _pinned(phase.members.get(name, Member()), spec, before=phase.gate.members.get(name))
            for name, spec in gate.members.items()
        }
        members = {name: member for name, member in pinned.items() if member != Member()}
        outbox = _readdressed(phase, gate, now=now)
        requests = {name: request for name, request in phase.requests.items() if request.state == "dead"}
        planned = replace(phase, gate=gate, members=members, outbox=outbox, requests=requests)
        # read windows that are new, and all if waiting for expected dates was switched on or off
        is_read = window_needs(planned).keys() <= phase.windows.keys()
        if phase.catch_up_since is None and not (is_read and gate.await_windows == phase.gate.await_windows):
            planned = replace(planned, catch_up_since=now)
        return planned, "replanned"

    return command("replan", gate.hash, key=key, now=now, attempt=attempt, decide=decide)


def redrive(
    step: str | None, *, key: str, now: float, attempt: str, force: bool = False, held: bool = True
) -> Decision[Phase, Answer]:
    """Send dead requests, and dead or held triggers, again.

    ``step``: only this step or receiver; None: all. The answer is their names, separated by blanks. ``held`` False
    leaves out triggers that a quiet backfill holds. ``force`` lets the rebuilt partition lose more rows than
    ``shrink_max``; the receipt records it. Without a step it does so for those alone that were refused for that.
    """

    def decide(phase: Phase) -> tuple[Phase, CommandOutcome]:
        back = {n for n, r in phase.requests.items() if r.state == "dead" and step in (None, n)}
        states = BACK if held else ("dead",)
        dead = {e.receiver for e in phase.outbox if e.state in states and step in (None, e.receiver)}
        shrinks = (back if step is not None else back.intersection(refused_shrinks(phase))) if force else set[str]()
        requests = {
            name: replace(r, state="open", reason="", due=now, allow_shrink=name in shrinks) if name in back else r
            for name, r in phase.requests.items()
        }
        members = {name: uncounted(phase.members[name]) for name in back if name in phase.members}
        outbox = tuple(
            replace(e, state="unsent", sends=0, due=now) if e.state in states and e.receiver in dead else e
            for e in phase.outbox
        )
        redriven = replace(phase, requests=requests, members={**phase.members, **members}, outbox=outbox)
        return redriven, Names(" ".join(sorted(back | dead)))

    return command("redrive", step or "all", key=key, now=now, attempt=attempt, decide=decide)


def _readdressed(phase: Phase, gate: Gate, *, now: float) -> tuple[Entry, ...]:
    """Return the outbox for another set of receivers.

    New receivers get the last generation; entries for removed ones are superseded.
    """
    names = {receiver.name for receiver in gate.receivers}
    kept = [replace(e, state="superseded") if e.waiting and e.receiver not in names else e for e in phase.outbox]
    sent = {entry.receiver for entry in phase.outbox if entry.generation == phase.generation}
    if phase.firings:
        new = [receiver for receiver in gate.receivers if receiver.name not in sent]
        kept += entries(new, generation=phase.generation, now=now)
    return tuple(kept)


def mark_stale(step: str, *, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Mark a step as stale: its table does not hold the accepted result.

    It is requested again.
    """

    def decide(phase: Phase) -> tuple[Phase, CommandOutcome]:
        member = phase.members.get(step)
        if member is None or member.result is None:
            return phase, "unknown result"
        return replace(phase, members={**phase.members, step: member.made_stale("unknown")}), "stale"

    return command("mark stale", step, key=key, now=now, attempt=attempt, decide=decide)


def _pinned(member: Member, spec: Spec, *, before: Spec | None) -> Member:
    """Return a member under newly pinned code, and a newly pinned rule.

    A result of other code becomes stale; one of the same code is no longer stale for ``code_changed``. A comparison by
    another rule does not count any more.
    """
    result, code = member.result, spec.code
    if before is not None and code not in ("", before.code):
        member = replace(member, old_code=before.code)
    if result is not None and result.lacks is not None:
        rule = "" if spec.covers is None else spec.covers.rule
        if result.lacks.rule != rule:
            result = replace(result, lacks=None)
            member = replace(member, result=result)
    if result is None or not result.code or not code:
        return member
    if result.code != code:
        return member.made_stale("code_changed")
    return replace(member, stale=None) if member.stale == "code_changed" else member


def rebuild(steps: tuple[str, ...], *, quiet: bool, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Request steps again whatever their receipts show; answer their names.

    ``quiet``: hold triggers for receivers outside the plan from now on.
    """

    def decide(phase: Phase) -> tuple[Phase, CommandOutcome]:
        chosen = [n for n in steps if n in phase.gate.members and phase.gate.members[n].asks]
        forced = {name: phase.members.get(name, Member()).made_stale("forced") for name in chosen}
        requests = {name: request for name, request in phase.requests.items() if name not in chosen}
        phase = replace(phase, members={**phase.members, **forced}, requests=requests, quiet=quiet)
        return phase, Names(" ".join(chosen))

    return command("rebuild", " ".join(steps) or "what is stale", key=key, now=now, attempt=attempt, decide=decide)


def end_quiet(*, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """End the quiet time: later firings are sent to every receiver again."""

    def decide(phase: Phase) -> tuple[Phase, CommandOutcome]:
        return replace(phase, quiet=False), "not quiet"

    return command("end quiet", "receivers outside the plan", key=key, now=now, attempt=attempt, decide=decide)
