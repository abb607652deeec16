"""The commands of a phase's document. Each returns a pure decision for ``transact``.

Each takes an attempt id drawn before: the document remembers it, so deciding again on its own result changes
nothing and answers the same. The same command under another attempt id changes nothing but that memory.
"""

from collections.abc import Callable
from typing import TypeVar, assert_never

import msgspec
from msgspec.structs import replace

from phasegate.core import backoff
from phasegate.core.evaluate import evaluate
from phasegate.core.freshness import present_inputs, same
from phasegate.core.outbox import entries
from phasegate.core.phase import (
    HISTORY_MAX,
    Attempt,
    Entry,
    Gate,
    Input,
    Member,
    Phase,
    Request,
    Result,
    Seen,
    Status,
)
from phasegate.core.receipt import Stamp

A = TypeVar("A")
Decision = Callable[[Phase | None], tuple[Phase | None, A]]


class Answer(msgspec.Struct, frozen=True):
    """What became of a command; ``generation`` is the number of the phase's last firing."""

    outcome: str
    generation: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a step, or somebody for it, says of one try.

    ``order`` says which of two results is newer: the token of the write, for external reporters a declared
    sequence or the time of completion. A read of a foreign table gives ``after`` instead: the accepted order seen
    before the read; if that is no longer the accepted one the answer is ``read again``.
    ``built_from`` None: as it stands on arrival (weaker: not attested).
    ``request`` is the id of the request that was served, if one was.
    """

    member: str
    status: Status
    order: float = 0.0
    after: float | None = None
    stamp: Stamp | None = None
    built_from: dict[str, Stamp] | None = None
    rows: int | None = None
    error: str = ""
    request: str = ""
    write_id: str = ""
    code: str = ""


ERROR_MAX = 2_000
UNKNOWN_RUN = Answer("unknown run")
READ_AGAIN = "read again"


def open_phase(name: str, *, key: str, gate: Gate, now: float, attempt: str) -> Decision[Answer]:
    """Create the document unless it exists. A gate that is already pinned stays."""

    def decide(phase: Phase | None) -> tuple[Phase, Answer]:
        if phase is None:
            phase = Phase(name=name, gate=gate, opened_at=now, looked_at=now)
            phase = evaluate(phase, key=key, now=now, by=attempt)
        return phase, Answer("open", phase.generation)

    return decide


def report(said: Report, *, key: str, now: float, attempt: str) -> Decision[Answer]:
    """Take in what became of a try.

    A result that is older than the accepted one is remembered and changes nothing. Unknown members are answered
    ``unknown member``, for the caller to quarantine. A failure never removes a result.
    """
    said = replace(said, error=said.error[:ERROR_MAX])

    def decide(phase: Phase) -> tuple[Phase, str]:
        if said.member not in phase.gate.members:
            return phase, "unknown member"
        match said.status:
            case "success" | "empty":
                return _result(phase, said, now=now)
            case "moved":
                return _park(phase, said, now=now), "parked"
            case "partial" | "failed":
                return _fail(phase, said, key=key, now=now, final=True)
            case "transient":
                return _fail(phase, said, key=key, now=now, final=False)
            case "skipped":
                return phase, "skipped"
            case _:
                assert_never(said.status)

    return _command("report", said.member, key=key, now=now, attempt=attempt, decide=decide)


def _result(phase: Phase, said: Report, *, now: float) -> tuple[Phase, str]:
    member = phase.members.get(said.member, Member())
    assert said.stamp is not None, "a good report carries the stamp of what was written"
    order, old = said.order, member.result
    if said.after is not None:
        if said.after != (0.0 if old is None else old.order):
            return phase, READ_AGAIN
        order = said.after + 1
    asked = phase.requests.get(said.member)
    sure = asked is not None and asked.id == said.request
    built_from = said.built_from if said.built_from is not None else present_inputs(phase, said.member)
    if old is not None and _not_newer(old, said, order=order, built_from=built_from):
        if sure and old.stamp == said.stamp:
            confirmed = replace(member, result=replace(old, request=said.request), unsure=False)
            return replace(phase, members={**phase.members, said.member: confirmed}), "confirmed"
        return phase, "duplicate" if old.stamp == said.stamp else "older"
    spec = phase.gate.members[said.member]
    result = Result(
        status=said.status, stamp=said.stamp, order=order, built_from=built_from, rows=said.rows, at=now,
        attested=spec.attested and (said.built_from is not None or not spec.needs), write_id=said.write_id,
        code=said.code,
        request=said.request,
        outdated=old is not None and old.outdated and bool(said.code) and said.code == old.code,
    )  # fmt: skip
    attempt = Attempt(status=said.status, at=now, order=0.0 if said.write_id else said.order)
    member = replace(member, result=result, attempt=attempt, unsure=member.unsure and not sure)
    phase = replace(phase, members={**phase.members, said.member: member})
    if not spec.asks and (old is None or old.stamp.fingerprint != said.stamp.fingerprint):
        since = now if phase.changing_since is None else phase.changing_since
        phase = replace(phase, changing_since=since, changed_at=now)
    return phase, "accepted"


def _not_newer(old: Result, said: Report, *, order: float, built_from: dict[str, Stamp]) -> bool:
    """Tell whether a report brings nothing over the accepted result.

    The same content read again is nothing new. A receipt is always newer than a read of the same table without one.
    """
    if said.write_id and not old.write_id:
        return False
    if said.after is not None:
        return old.stamp == said.stamp and same(built_from, old.built_from)
    return order <= old.order


def _park(phase: Phase, said: Report, *, now: float) -> Phase:
    """Let a request wait for other inputs: not an attempt, and tried again at the ceiling of the back-off."""
    request = phase.requests.get(said.member)
    if request is None or request.id != said.request or request.state == "dead":
        return phase
    reason = said.error or "its inputs moved while it was served"
    return _with(phase, said, replace(request, state="parked", due=now + backoff.RESEND_MAX_S, reason=reason))


def _fail(phase: Phase, said: Report, *, key: str, now: float, final: bool) -> tuple[Phase, str]:
    """Count a failure of the request that was served; a final one, or one too many, kills it for these inputs."""
    member = phase.members.get(said.member, Member())
    request = phase.requests.get(said.member)
    if said.order and member.attempt is not None and said.order <= member.attempt.order:
        return phase, "older"  # the same failure delivered again
    served = request is not None and request.id == said.request and request.state != "dead"
    count = request.failures + 1 if request is not None and served else 0
    attempt = Attempt(status=said.status, at=now, error=said.error, count=count, order=said.order)
    phase = replace(phase, members={**phase.members, said.member: replace(member, attempt=attempt)})
    if request is None or not served:
        return phase, "noted"
    dead = final or count >= phase.gate.members[said.member].attempts_max
    later = replace(
        request, failures=count, state="dead" if dead else "open", reason=said.error,
        due=now + backoff.retry_s(f"{key}/{said.member}", count),
    )  # fmt: skip
    return _with(phase, said, later), "dead" if dead else "failed"


def _with(phase: Phase, said: Report, request: Request) -> Phase:
    return replace(phase, requests={**phase.requests, said.member: request})


def begin(upstream: str, *, given: Input, key: str, now: float, attempt: str) -> Decision[Answer]:
    """Take over the stamps that a trigger carries as this phase's inputs; an older generation changes nothing.

    A newer generation waits while the build of the present one is under way (at most ``catch_up_max_s``).
    Answers ``begun`` to the attempt that brought the generation, ``already begun`` to any other.
    """

    def decide(phase: Phase) -> tuple[Phase, str]:
        known = phase.waiting.get(upstream) or phase.inputs.get(upstream)
        if known is not None and given.generation <= known.generation:
            ours = given.generation == known.generation and known.begun_by == attempt
            return phase, "begun" if ours else "already begun"
        taken = replace(given, begun_at=now, begun_by=attempt)
        return replace(phase, waiting={**phase.waiting, upstream: taken}), "begun"

    return _command("begin", f"{upstream} generation {given.generation}", key=key, now=now, attempt=attempt,
                    decide=decide)  # fmt: skip


def look(*, key: str, now: float, attempt: str) -> Decision[Answer]:
    """Draw the consequences of time: what is due by the clock happens, and the next look is set."""

    def decide(phase: Phase | None) -> tuple[Phase | None, Answer]:
        if phase is None:
            return None, UNKNOWN_RUN
        phase = evaluate(replace(phase, looked_at=max(phase.looked_at, now)), key=key, now=now, by=attempt)
        return phase, Answer("looked", phase.generation)

    return decide


def pause(reason: str | None, *, key: str, now: float, attempt: str) -> Decision[Answer]:
    """Hold the gate (None: let go). Messages are recorded meanwhile; nothing is fired or asked for again."""

    def decide(phase: Phase) -> tuple[Phase, str]:
        return replace(phase, paused=reason), "paused" if reason is not None else "resumed"

    return _command("pause", reason or "resume", key=key, now=now, attempt=attempt, decide=decide)


def void(reason: str, *, key: str, now: float, attempt: str) -> Decision[Answer]:
    """Declare that this run does not take place, with the reason."""

    def decide(phase: Phase) -> tuple[Phase, str]:
        return replace(phase, void=reason, waiting={}, requests={}), "void"

    return _command("void", reason, key=key, now=now, attempt=attempt, decide=decide)


def replan(gate: Gate, *, key: str, now: float, attempt: str) -> Decision[Answer]:
    """Pin another gate. Results of members that it still has are kept, as outdated where their code changed."""

    def decide(phase: Phase) -> tuple[Phase, str]:
        members = {
            name: _pinned(member, code=gate.members[name].code)
            for name, member in phase.members.items()
            if name in gate.members
        }
        return replace(phase, gate=gate, members=members, outbox=_readdressed(phase, gate, now=now)), "replanned"

    return _command("replan", gate.hash, key=key, now=now, attempt=attempt, decide=decide)


def redrive(step: str | None, *, key: str, now: float, attempt: str, force: bool = False) -> Decision[Answer]:
    """Bring dead requests and triggers back (None: all of this document); answer their names, apart by blanks.

    ``force`` lets the rebuilt partition lose more rows than ``shrink_max``; the receipt says so.
    """

    def decide(phase: Phase) -> tuple[Phase, str]:
        back = {n for n, r in phase.requests.items() if r.state == "dead" and step in (None, n)}
        dead = {e.receiver for e in phase.outbox if e.state == "dead" and step in (None, e.receiver)}
        requests = {
            name: replace(r, state="open", failures=0, due=now, forced=force) if name in back else r
            for name, r in phase.requests.items()
        }
        outbox = tuple(
            replace(e, state="unsent", sends=0, due=now) if e.state == "dead" and e.receiver in dead else e
            for e in phase.outbox
        )
        return replace(phase, requests=requests, outbox=outbox), " ".join(sorted(back | dead))

    return _command("redrive", step or "all", key=key, now=now, attempt=attempt, decide=decide)


def _readdressed(phase: Phase, gate: Gate, *, now: float) -> tuple[Entry, ...]:
    """Return the outbox for another set of receivers: new ones get the last generation, lost ones nothing more."""
    names = {receiver.name for receiver in gate.receivers}
    kept = [replace(e, state="superseded") if e.waiting and e.receiver not in names else e for e in phase.outbox]
    told = {entry.receiver for entry in phase.outbox if entry.generation == phase.generation}
    if phase.firings:
        new = [receiver for receiver in gate.receivers if receiver.name not in told]
        kept += entries(new, generation=phase.generation, now=now)
    return tuple(kept)


def doubt(step: str, *, key: str, now: float, attempt: str) -> Decision[Answer]:
    """Mark a step whose table does not hold what this document believes: it is asked for again."""

    def decide(phase: Phase) -> tuple[Phase, str]:
        member = phase.members.get(step)
        if member is None or member.result is None:
            return phase, "unknown result"
        return replace(phase, members={**phase.members, step: replace(member, unsure=True)}), "unsure"

    return _command("doubt", step, key=key, now=now, attempt=attempt, decide=decide)


def _pinned(member: Member, *, code: str) -> Member:
    """Return a member under a code that is newly pinned: a result of another known code is outdated."""
    result = member.result
    if result is None or not result.code or not code:
        return member
    return replace(member, result=replace(result, outdated=result.code != code))


def _command(
    what: str, subject: str, *, key: str, now: float, attempt: str, decide: Callable[[Phase], tuple[Phase, str]]
) -> Decision[Answer]:
    """Wrap a command: the same answer for the same attempt, the consequences, and a line of memory."""

    def command(phase: Phase | None) -> tuple[Phase | None, Answer]:
        if phase is None:
            return None, UNKNOWN_RUN
        for seen in phase.seen:
            if seen.attempt == attempt:
                return phase, Answer(seen.outcome, seen.generation)
        decided, outcome = decide(phase)
        if phase.void is not None and what != "void":
            decided, outcome = phase, "void"
        decided = evaluate(decided, key=key, now=now, by=attempt)
        line = Seen(
            attempt=attempt,
            what=what,
            subject=subject[:ERROR_MAX],
            at=now,
            outcome=outcome,
            generation=decided.generation,
        )
        decided = replace(decided, seen=(*decided.seen, line)[-HISTORY_MAX:])
        return decided, Answer(outcome, decided.generation)

    return command
