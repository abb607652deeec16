"""The commands of a phase's document. Each returns a pure decision for ``transact``. Pure.

Each takes an attempt id drawn before: the document remembers it, so deciding again on its own result changes
nothing and answers the same. The same command under another attempt id changes nothing but that memory.
"""

from collections.abc import Callable
from typing import TypeVar, assert_never

import msgspec
from msgspec.structs import replace

from phasegate.base import backoff, keys
from phasegate.base.codec import Decision
from phasegate.base.fingerprint import counts_rows
from phasegate.base.receipt import Stamp
from phasegate.gate.evaluate import evaluate
from phasegate.gate.phase import HISTORY_MAX, Phase, present_inputs, same
from phasegate.gate.records import Attempt, Claim, Claimant, Input, Member, Notice, Request, Result, Seen, Stale
from phasegate.plan.gate import Gate, Status

A = TypeVar("A")
VOIDING = ("void", "expect", "loud")
"""The commands that a void document takes."""


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
    ``request`` is the id of the request that was served, if one was. ``relayed``: a sister run said so; whoever it told
    has heard of it already.
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
    relayed: bool = False


ERROR_MAX = 2_000
UNKNOWN_RUN = Answer("unknown run")
READ_AGAIN = "read again"


def open_phase(
    *,
    key: str,
    gate: Gate,
    now: float,
    attempt: str,
    alone: bool = True,
    order: float | None = None,
) -> Decision[Phase, Answer]:
    """Create the document unless it exists. A gate that is already pinned stays.

    ``alone`` False: it must first read what other runs know. ``order``: that of the calendar's change that let it open.
    """

    def decide(phase: Phase | None) -> tuple[Phase, Answer]:
        if phase is None:
            claims: dict[Claimant, Claim] = {} if order is None else {"calendar": Claim(order=order)}
            phase = Phase(gate=gate, opened_at=now, looked_at=now, catch_up_since=None if alone else now, claims=claims)
            phase = evaluate(phase, key=key, now=now, by=attempt)
        return phase, Answer("open", phase.generation)

    return decide


def opened_and(opening: Decision[Phase, Answer], command: Decision[Phase, Answer]) -> Decision[Phase, Answer]:
    """Return two decisions as one: a document that is created has heard the command when it is first there."""

    def decide(phase: Phase | None) -> tuple[Phase | None, Answer]:
        return command(opening(phase)[0])

    return decide


def report(said: Report, *, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
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
                return _result(phase, said, key=key, now=now)
            case "inputs_changed":
                return _park(phase, said, now=now), "parked"
            case "partial" | "failed":
                return _fail(phase, said, key=key, now=now, final=True)
            case "transient":
                return _fail(phase, said, key=key, now=now, final=False)
            case "skipped":
                return phase, "skipped"
            case _:
                assert_never(said.status)

    return command("report", said.member, key=key, now=now, attempt=attempt, decide=decide)


def _result(phase: Phase, said: Report, *, key: str, now: float) -> tuple[Phase, str]:
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
            # an answer of the old code confirms nothing where other code is pinned
            stale = member.stale if member.stale == "code_changed" else None
            confirmed = replace(member, result=replace(old, request=said.request), stale=stale)
            return replace(phase, members={**phase.members, said.member: confirmed}), "confirmed"
        return phase, "duplicate" if old.stamp == said.stamp else "older"
    spec = phase.gate.members[said.member]
    result = Result(
        stamp=said.stamp, built_from=built_from, at=now, sequence=0.0 if said.write_id else order,
        counted=_counted(said),
        attested=spec.attested and (said.built_from is not None or not spec.needs), write_id=said.write_id,
        code=said.code,
        request=said.request,
    )  # fmt: skip
    attempt = Attempt(status=said.status, at=now, order=0.0 if said.write_id else said.order)
    member = replace(member, result=result, attempt=attempt, stale=_stale(member, said, sure=sure),
                     delivered_at=_delivered_at(member, said, now=now))  # fmt: skip
    phase = replace(phase, members={**phase.members, said.member: member})
    if spec.shared and not said.relayed:
        notice = Notice(order=result.order, origin=_origin(phase, said.member, key=key), at=now)
        phase = replace(phase, notices={**phase.notices, said.member: notice})
    if not spec.asks and (old is None or old.stamp.fingerprint != said.stamp.fingerprint):
        since = now if phase.changing_since is None else phase.changing_since
        phase = replace(phase, changing_since=since, changed_at=now)
    return phase, "accepted"


def _counted(said: Report) -> int | None:
    """Return the rows that a report claims, where its content does not count them."""
    if said.stamp is None or counts_rows(said.stamp.fingerprint) is not None:
        return None
    return 0 if said.status == "empty" else said.rows


def _stale(member: Member, said: Report, *, sure: bool) -> Stale | None:
    """Return why a newer result does not count either: only the answer to the standing request clears the reason.

    Where other code was pinned, that answer must not be of the code before.
    """
    old = member.result
    if not sure:
        return member.stale
    same_code = member.stale == "code_changed" and old is not None and bool(said.code) and said.code == old.code
    return "code_changed" if same_code else None


def _delivered_at(member: Member, said: Report, *, now: float) -> float | None:
    """Return when a member first had rows: a result that is there already, from before this was kept, counts."""
    if said.status != "success" or member.delivered_at is not None:
        return member.delivered_at
    old = member.result
    return old.at if old is not None and old.status == "success" else now


def _origin(phase: Phase, member: str, *, key: str) -> str:
    """Return the date whose change led to a result: an earlier one only for what looks back, itself or through a need.

    What does not would else pass for a change of long ago, and not be built into the dates just after it.
    """
    date, lineage = keys.phase_of(key)[2].date, [member]
    for name in lineage:  # grows while it is read; a plan's needs have no cycle
        needs = phase.gate.members[name].needs if name in phase.gate.members else ()
        if any(need.back for need in needs):
            return min(date, phase.cascade_from or date)
        lineage += [need.step for need in needs if need.step in phase.gate.members]
    return date


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
    reason = said.error or "its inputs changed while it was served"
    return _with(phase, said, replace(request, state="parked", due=now + backoff.RESEND_MAX_S, reason=reason))


def _fail(phase: Phase, said: Report, *, key: str, now: float, final: bool) -> tuple[Phase, str]:
    """Count a failure of the request that was served; a final one, or one too many, kills it for these inputs."""
    member = phase.members.get(said.member, Member())
    request = phase.requests.get(said.member)
    if said.order and member.attempt is not None and said.order <= member.attempt.order:
        return phase, "older"  # the same failure delivered again
    served = request is not None and request.id == said.request and request.state != "dead"
    count = phase.failures_of(said.member) + served
    attempt = Attempt(status=said.status, at=now, error=said.error, count=count, order=said.order)
    phase = replace(phase, members={**phase.members, said.member: replace(member, attempt=attempt)})
    if request is None or not served:
        return phase, "noted"
    dead = final or count >= phase.gate.members[said.member].attempts_max
    later = replace(
        request, state="dead" if dead else "open", reason="",
        due=now + backoff.retry_s(f"{key}/{said.member}", count),
    )  # fmt: skip
    return _with(phase, said, later), "dead" if dead else "failed"


def _with(phase: Phase, said: Report, request: Request) -> Phase:
    return replace(phase, requests={**phase.requests, said.member: request})


def begin(upstream: str, *, given: Input, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
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

    return command("begin", f"{upstream} generation {given.generation}", key=key, now=now, attempt=attempt,
                    decide=decide)  # fmt: skip


def look(*, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Draw the consequences of time: what is due by the clock happens, and the next look is set."""

    def decide(phase: Phase | None) -> tuple[Phase | None, Answer]:
        if phase is None:
            return None, UNKNOWN_RUN
        phase = evaluate(replace(phase, looked_at=max(phase.looked_at, now)), key=key, now=now, by=attempt)
        return phase, Answer("looked", phase.generation)

    return decide


def command(
    what: str, subject: str, *, key: str, now: float, attempt: str, decide: Callable[[Phase], tuple[Phase, str]]
) -> Decision[Phase, Answer]:
    """Return a command as a decision: the same answer for the same attempt, the consequences, and a line of memory."""

    def decided_once(phase: Phase | None) -> tuple[Phase | None, Answer]:
        if phase is None:
            return None, UNKNOWN_RUN
        for seen in phase.seen:
            if seen.attempt == attempt:
                return phase, Answer(seen.outcome, seen.generation)
        decided, outcome = decide(phase)
        if phase.void is not None and what not in VOIDING:
            # a trigger has arrived, whatever becomes of the run: it is kept for when the run is brought back
            decided, outcome = decided if what == "begin" else phase, "void"
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

    return decided_once
