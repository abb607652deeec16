"""The commands on a phase's document: open, report, begin, look.

Pure. Each returns a decision for ``transact``: a function from the document to the new document and an answer. Each
takes an attempt id that was drawn beforehand and is stored in the document, so deciding again on the decision's own
result changes nothing and answers the same. The same command under another attempt id changes only the stored attempts.

A decision refuses to do I/O, to read a clock, or to put an older result over a newer one.
"""

from collections.abc import Callable
from typing import Final, TypeVar, assert_never, cast

import msgspec
from msgspec.structs import replace

from phasegate.base import backoff
from phasegate.base.codec import Decision
from phasegate.base.fingerprint import counts_rows
from phasegate.base.receipt import Stamp
from phasegate.gate.evaluate import evaluate, without_times_ahead
from phasegate.gate.phase import HISTORY_MAX, Phase, delivered_at, present_inputs, same
from phasegate.gate.propagation import origin_of
from phasegate.gate.records import (
    Attempt,
    Claim,
    Claimant,
    CommandName,
    CommandOutcome,
    Input,
    Lacks,
    Member,
    Notice,
    Ordered,
    Request,
    Result,
    Seen,
    Stale,
    cut_error,
    is_after,
    is_other_kind,
    made_up_order,
    ties_of,
)
from phasegate.plan.gate import Gate, Spec, Status

A = TypeVar("A")
TAKEN_WHILE_VOID: tuple[CommandName, ...] = ("void", "expect", "end quiet")
"""The commands that a void document accepts."""


class Answer(msgspec.Struct, frozen=True):
    """The outcome of a command; ``generation`` is the phase's last firing."""

    outcome: CommandOutcome
    generation: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report of one attempt to build a member.

    ``order`` decides which of two results is newer: the token of the write, or for an external step a declared sequence
    or the time of completion; ``ordered`` is its kind. A read of a foreign table gives ``after`` instead: the accepted
    order seen before the read; if that is no longer the accepted one, the answer is ``read again``.
    ``built_from`` None: the inputs present on arrival (weaker: not attested). ``request``: the id of the request that
    was served, if any. ``relayed``: it comes from a sibling run, which propagates the result itself, and knows its
    ``origin``. ``redriven``: an operator brought it back from quarantine, so an order of another kind is the newest.
    ``lacks``: what the table lacks; ``partial`` with a stamp is a result, without it a failure. ``build``: its builder.
    """

    member: str
    status: Status
    order: float = 0.0
    ordered: Ordered | None = None
    after: float | None = None
    stamp: Stamp | None = None
    built_from: dict[str, Stamp] | None = None
    rows: int | None = None
    error: str = ""
    request: str = ""
    write_id: str = ""
    code: str = ""
    build: str = ""
    relayed: bool = False
    origin: str = ""
    redriven: bool = False
    lacks: Lacks | None = None


SUBJECT_MAX = 200
UNKNOWN_RUN = Answer("unknown run")
READ_AGAIN: Final = "read again"
OTHER_ORDER: Final = "other order"


def open_phase(
    *, key: str, gate: Gate, now: float, attempt: str, alone: bool = True, order: float | None = None
) -> Decision[Phase, Answer]:
    """Create the document unless it exists, and pin its gate.

    ``alone`` False: it must first read the results of other runs. ``order``: the order of the calendar's change that
    allowed the run.
    """

    def decide(phase: Phase | None) -> tuple[Phase, Answer]:
        if phase is None:
            claims: dict[Claimant, Claim] = {} if order is None else {"calendar": Claim(order=order)}
            catch_up_since = None if alone else now
            phase = Phase(gate=gate, opened_at=now, looked_at=now, catch_up_since=catch_up_since, claims=claims)
            phase = evaluate(phase, key=key, now=now, by=attempt)
        return phase, Answer("open", phase.generation)

    return decide


def open_then(opening: Decision[Phase, Answer], command: Decision[Phase, Answer]) -> Decision[Phase, Answer]:
    """Return one decision that opens the document and applies a command.

    The document is never stored without the command applied.
    """

    def decide(phase: Phase | None) -> tuple[Phase | None, Answer]:
        return command(opening(phase)[0])

    return decide


def report(reported: Report, *, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Take in a report of one attempt to build a member.

    A result older than the accepted one changes nothing. A failure never removes a result. The answer for a step that
    the gate does not have is ``unknown member``, and ``other order`` for an order that cannot be compared with the
    accepted one; the caller quarantines the message.
    """

    def decide(phase: Phase) -> tuple[Phase, CommandOutcome]:
        return taken_in(phase, replace(reported, error=cut_error(reported.error, members=len(phase.gate.members))))

    def taken_in(phase: Phase, reported: Report) -> tuple[Phase, CommandOutcome]:
        if reported.member not in phase.gate.members:
            return phase, "unknown member"
        is_result = reported.status == "partial" and reported.stamp is not None
        match "success" if is_result else reported.status:
            case "success" | "empty":
                return _result(phase, reported, key=key, now=now)
            case "inputs_changed":
                return _park(phase, reported, now=now), "parked"
            case "partial" | "failed" | "transient":
                return _fail(phase, reported, key=key, now=now, final=reported.status != "transient")
            case "skipped":
                return phase, "skipped"
            case _:
                assert_never(reported.status)

    return command("report", reported.member, key=key, now=now, attempt=attempt, decide=decide)


def _result(phase: Phase, reported: Report, *, key: str, now: float) -> tuple[Phase, CommandOutcome]:
    member = phase.members.get(reported.member, Member())
    assert reported.stamp is not None, "a good report carries the stamp of what was written"
    order, old = reported.order, member.result
    if reported.after is not None:
        if reported.after != (0.0 if old is None else old.order):
            return phase, READ_AGAIN
        order = reported.after + 1
    if old is not None and not reported.redriven and _is_other(old, reported):
        return phase, OTHER_ORDER
    asked = phase.requests.get(reported.member)
    answers = asked is not None and asked.id == reported.request
    built_from = reported.built_from if reported.built_from is not None else present_inputs(phase, reported.member)
    if old is not None and _not_newer(old, reported, order=order, built_from=built_from):
        lacks = _lacks(phase.gate.members[reported.member], reported)
        if old.stamp == reported.stamp and (answers or lacks not in (None, old.lacks)):
            return _confirmed(phase, reported, old, lacks=lacks, answers=answers, key=key, now=now), "confirmed"
        return phase, "duplicate" if old.stamp == reported.stamp else "older"
    spec = phase.gate.members[reported.member]
    ordered = reported.ordered
    if ordered == "arrival":
        order, ordered = made_up_order(old, now=order)
    result = Result(
        stamp=reported.stamp, built_from=built_from, at=now, sequence=0.0 if reported.write_id else order,
        ordered=ordered, ties=ties_of(old, reported.stamp, order=order), counted=_counted(reported),
        attested=spec.attested and (reported.built_from is not None or not spec.needs), write_id=reported.write_id,
        code=reported.code, request=reported.request, lacks=(lacks := _lacks(spec, reported)),
        origin=_origin(phase, reported, lacks=lacks, key=key),
    )  # fmt: skip
    by_table = reported.write_id or reported.after is not None
    attempt = Attempt(status=result.status, at=now, order=0.0 if by_table else order, ordered=ordered)
    stale = _stale(member, reported, answers=answers, pinned=spec.code)
    member = replace(member, result=result, attempt=attempt, stale=stale,
                     delivered_at=delivered_at(member, result, spec, now=now))  # fmt: skip
    phase = _noticed(replace(phase, members={**phase.members, reported.member: member}), reported, now=now)
    if not spec.asks and (old is None or old.stamp.fingerprint != reported.stamp.fingerprint):
        since, last = (now if at is None else at for at in (phase.changing_since, phase.changed_at))
        phase = replace(phase, changing_since=since, changed_at=max(last, now))
    return phase, "accepted"


def _confirmed(
    phase: Phase, reported: Report, old: Result, *, lacks: Lacks | None, answers: bool, key: str, now: float
) -> Phase:
    """Return the phase with the accepted result confirmed.

    What it lacks is that of the new comparison: the table that it must cover may have changed. An outdated comparison
    does no harm: it is of other content than the present one, so another is requested.
    """
    member = phase.members[reported.member]
    # while code_changed stands, the accepted result is of the old code: that confirms nothing
    stale = member.stale if not answers or member.stale == "code_changed" else None
    result = replace(old, request=reported.request if answers else old.request, lacks=lacks or old.lacks,
                     origin=_origin(phase, reported, lacks=lacks, key=key))  # fmt: skip
    spec = phase.gate.members[reported.member]
    delivered = delivered_at(member, result, spec, now=now)
    member = replace(member, result=result, stale=stale, delivered_at=delivered)
    confirmed = replace(phase, members={**phase.members, reported.member: member})
    return confirmed if result.lacks == old.lacks else _noticed(confirmed, reported, now=now)


def _origin(phase: Phase, reported: Report, *, lacks: Lacks | None, key: str) -> str:
    """Return the earlier date whose change led to a reported content."""
    assert reported.stamp is not None, "a good report carries the stamp of what was written"
    if reported.relayed:
        return reported.origin
    return origin_of(phase, reported.member, stamp=reported.stamp, lacks=lacks, key=key)


def _noticed(phase: Phase, reported: Report, *, now: float) -> Phase:
    """Return the phase with a notice for other runs, if its result is shared."""
    result = phase.result_of(reported.member)
    if result is None or reported.relayed or not phase.gate.members[reported.member].shared:
        return phase
    return replace(phase, notices={**phase.notices, reported.member: Notice(order=result.order, at=now)})


def _lacks(spec: Spec, reported: Report) -> Lacks | None:
    """Return what a report says is lacking, if it is by the pinned rule."""
    rule = "" if spec.covers is None else spec.covers.rule
    return reported.lacks if reported.lacks is not None and reported.lacks.rule == rule else None


def _counted(reported: Report) -> int | None:
    """Return the reported number of rows, None if the fingerprint gives it."""
    if reported.stamp is None or counts_rows(reported.stamp.fingerprint) is not None:
        return None
    return 0 if reported.status == "empty" else reported.rows


def _stale(member: Member, reported: Report, *, answers: bool, pinned: str) -> Stale | None:
    """Return why the newer result does not count either, None if it does.

    Only the answer to the standing request clears the reason. ``code_changed`` stays while results have the old code; a
    result of other code than is ``pinned`` that answers no request, such as one begun before a ``replan``, is unknown.
    """
    old, is_changed = member.result, member.stale == "code_changed"
    if reported.code and reported.code in (member.old_code, old.code if is_changed and old is not None else ""):
        return "code_changed"
    is_other = bool(reported.code and pinned) and reported.code != pinned
    return None if answers else "unknown" if is_changed else member.stale or ("unknown" if is_other else None)


def _not_newer(old: Result, reported: Report, *, order: float, built_from: dict[str, Stamp]) -> bool:
    """Return whether a report is no newer than the accepted result.

    A read of the same content of the same code is not newer. A receipt is always newer than a read without one. What a
    step without a table reports is newer than the content of a table that it had. Of two reports of one order, the one
    that arrives later is newer, once.
    """
    if reported.write_id and not old.write_id:
        return False
    if reported.after is not None:
        return old.stamp == reported.stamp and same(built_from, old.built_from) and old.code == reported.code
    if reported.ordered is None:
        return order <= old.order
    if reported.ordered == "arrival":
        return old.stamp == reported.stamp and same(built_from, old.built_from)
    if old.of_table or is_after(old, order=order, ordered=reported.ordered):
        return False
    assert reported.stamp is not None
    return order < old.order or reported.stamp.fingerprint in (old.stamp.fingerprint, *old.ties)


def _is_other(old: Result | Attempt, reported: Report) -> bool:
    """Return whether a report's order is of another kind."""
    if isinstance(old, Result) and old.of_table:
        return False
    return is_other_kind(old, order=reported.order, ordered=reported.ordered)


def _park(phase: Phase, reported: Report, *, now: float) -> Phase:
    """Park a request until its inputs change.

    It does not count as a failure, and is sent again at the longest interval of the back-off.
    """
    request = phase.requests.get(reported.member)
    if request is None or request.id != reported.request or request.state == "dead":
        return phase
    reason = reported.error or "its inputs changed while it was served"
    return _with(phase, reported, replace(request, state="parked", due=now + backoff.RESEND_MAX_S, reason=reason))


def _fail(phase: Phase, reported: Report, *, key: str, now: float, final: bool) -> tuple[Phase, CommandOutcome]:
    """Count a failure of the request that was served.

    A final failure, or the last of ``attempts_max``, makes the request dead for these inputs.
    """
    member = phase.members.get(reported.member, Member())
    request = phase.requests.get(reported.member)
    last = member.attempt or Attempt(status=reported.status, at=now)
    order, ordered = reported.order, reported.ordered
    if not order or ordered == "arrival":
        order, ordered = last.order, last.ordered
    elif not reported.redriven and _is_other(member.result or last, reported):
        return phase, OTHER_ORDER
    elif not is_after(last, order=order, ordered=ordered) and not _is_tie(last, reported):
        return phase, "older"  # the same failure delivered again
    served = request is not None and request.id == reported.request and request.state != "dead"
    count = phase.failures_of(reported.member) + served
    attempt = Attempt(status=reported.status, at=now, error=reported.error, count=count, order=order, ordered=ordered)
    phase = replace(phase, members={**phase.members, reported.member: replace(member, attempt=attempt)})
    if request is None or not served:
        return phase, "noted"
    dead = final or count >= phase.gate.members[reported.member].attempts_max
    failed = replace(
        request, state="dead" if dead else "open", reason="",
        due=now + backoff.retry_s(f"{key}/{reported.member}", count),
    )  # fmt: skip
    return _with(phase, reported, failed), "dead" if dead else "failed"


def _is_tie(last: Attempt, reported: Report) -> bool:
    """Return whether a failure is another one of the same order."""
    return reported.order == last.order and (reported.status, reported.error) != (last.status, last.error)


def _with(phase: Phase, reported: Report, request: Request) -> Phase:
    return replace(phase, requests={**phase.requests, reported.member: request})


def begin(upstream: str, *, given: Input, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Take over the stamps that a trigger carries as this phase's inputs.

    An older generation changes nothing. A newer one waits while the build of the present one is in progress, for
    ``catch_up_max_s`` at most. The answer is ``begun`` for the attempt that brought the generation, ``already begun``
    for any other.
    """

    def decide(phase: Phase) -> tuple[Phase, CommandOutcome]:
        newest = phase.waiting.get(upstream) or phase.inputs.get(upstream)
        if newest is not None and given.generation <= newest.generation:
            ours = given.generation == newest.generation and newest.begun_by == attempt
            return phase, "begun" if ours else "already begun"
        taken = replace(given, begun_at=now, begun_by=attempt)
        return replace(phase, waiting={**phase.waiting, upstream: taken}), "begun"

    return command("begin", f"{upstream} generation {given.generation}", key=key, now=now, attempt=attempt,
                    decide=decide)  # fmt: skip


def look(*, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
    """Apply everything that is due at ``now``, such as a deadline."""

    def decide(phase: Phase | None) -> tuple[Phase | None, Answer]:
        if phase is None:
            return None, UNKNOWN_RUN
        phase = without_times_ahead(phase, now=now)
        phase = evaluate(replace(phase, looked_at=max(phase.looked_at, now)), key=key, now=now, by=attempt)
        return phase, Answer("looked", phase.generation)

    return decide


def command(
    what: CommandName, subject: str, *, key: str, now: float, attempt: str,
    decide: Callable[[Phase], tuple[Phase, CommandOutcome]],
) -> Decision[Phase, Answer]:  # fmt: skip
    """Return a command as a decision.

    The same attempt gets the same answer again. Otherwise the command is decided, its consequences are applied, and the
    attempt is stored. A void document stores the attempt and changes nothing else, except by TAKEN_WHILE_VOID.
    """

    def decided_once(phase: Phase | None) -> tuple[Phase | None, Answer]:
        if phase is None:
            return None, UNKNOWN_RUN
        for seen in phase.seen:
            if seen.attempt == attempt:
                return phase, Answer(cast("CommandOutcome", seen.outcome), seen.generation)
        decided, outcome = decide(phase)
        if phase.void is not None and what not in TAKEN_WHILE_VOID:
            # a trigger's inputs are stored all the same: it is acknowledged, and the run may be brought back
            decided, outcome = decided if what == "begin" else phase, "void"
        decided = evaluate(decided, key=key, now=now, by=attempt)
        line = Seen(
            attempt=attempt, what=what, subject=subject[:SUBJECT_MAX], at=now, outcome=outcome,
            generation=decided.generation,
        )  # fmt: skip
        decided = replace(decided, seen=(*decided.seen, line)[-HISTORY_MAX:])
        return decided, Answer(outcome, decided.generation)

    return decided_once
