"""Mutants of the decisions: counting, firing, freshness, requests. Each wrong version wraps or replaces a right one."""

from collections.abc import Collection
from contextlib import AbstractContextManager, ExitStack
from itertools import count
from typing import TypeVar

from msgspec.structs import replace

from phasegate import messages
from phasegate.base import keys
from phasegate.base.codec import Decision
from phasegate.base.keys import Run
from phasegate.base.receipt import ABSENT, Stamp
from phasegate.gate import decisions, evaluate, operator, outbox
from phasegate.gate import phase as phases
from phasegate.gate.decisions import Answer, Report
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.outbox import Outgoing
from phasegate.gate.phase import Phase
from phasegate.gate.records import Attempt, Entry, Firing, Input, Member
from phasegate.messages import CompletionMessage
from phasegate.plan.gate import Ack
from phasegate.transact import AtHand
from phasegate.write import lease
from phasegate.write.lease import Lease
from tests.mutants.swap import swapped

Patch = AbstractContextManager[object]
A = TypeVar("A")
TAKEN = ("accepted", "confirmed", "duplicate", "older")


def counts_reports() -> Patch:
    def may_fire(phase: Phase, *, present: Collection[str], now: float) -> bool:
        attempts = [line.attempt for line in phase.seen]
        last = phase.firings[-1].by if phase.firings else ""
        since = phase.seen[attempts.index(last) + 1 :] if last in attempts else phase.seen
        reports = 1 + sum(line.what == "report" and line.outcome in TAKEN for line in since)
        return right(phase, present=present, now=now) and reports == len(phase.gate.expect)

    right = evaluate._may_fire
    return swapped(evaluate, "_may_fire", may_fire)


def keeps_no_date() -> Patch:
    first: dict[tuple[str, str, str], str] = {}

    def phase_key(pipeline: str, phase: str, *, run: Run) -> str:
        date = first.setdefault((pipeline, phase, run.mode), run.date)
        return right(pipeline, phase, run=run._replace(date=date))

    right = keys.phase_key
    return swapped(keys, "phase_key", phase_key)


def takes_no_mode_for_a_mode() -> Patch:
    def completion_run(said: CompletionMessage, *, modes: tuple[str, ...], where: str, mode_at: object = None) -> Run:
        del mode_at
        run = right(said, modes=modes, where=where)
        return run if said.run or said.mode else run._replace(mode="none")

    def open_(self: Gatekeeper, phase: str, run: Run, *, known: AtHand | None = None) -> Answer:
        del known
        now, mode = self._ports.clock.now(), next(iter(self.plan.phases[phase].modes))
        gate = self.plan.gate(phase, run=run._replace(mode=mode), opened_at=now)
        return self._decide(phase, run, lambda key, by: decisions.open_phase(key=key, gate=gate, now=now, attempt=by))

    right = messages.completion_run
    stack = ExitStack()
    stack.enter_context(swapped(messages, "completion_run", completion_run))
    stack.enter_context(swapped(Gatekeeper, "open", open_))
    return stack


def ignores_begin_while_building() -> Patch:
    def begin(upstream: str, *, given: Input, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
        decide = right(upstream, given=given, key=key, now=now, attempt=attempt)

        def wrong(phase: Phase | None) -> tuple[Phase | None, Answer]:
            if phase is not None and any(request.state == "open" for request in phase.requests.values()):
                return phase, Answer("begun", phase.generation)
            return decide(phase)

        return wrong

    right = decisions.begin
    return swapped(decisions, "begin", begin)


def latches_a_refusal() -> Patch:
    def fire(phase: Phase, *, now: float, by: str) -> Phase:
        fired = right(phase, now=now, by=by)
        if fired.generation > phase.generation or phases.fired_as_is(phase) or not phase.members:
            return fired
        flag = Firing(generation=phase.generation + 1, stamps=phases.carried(phase), at=now, by=by)
        return replace(phase, firings=(*phase.firings, flag))

    right = evaluate.fire
    return swapped(evaluate, "fire", fire)


def redrives_by_flag_only() -> Patch:
    def redrive(
        step: str | None, *, key: str, now: float, attempt: str, force: bool = False, held: bool = True
    ) -> Decision[Phase, Answer]:
        decide = right(step, key=key, now=now, attempt=attempt, force=force, held=held)

        def wrong(phase: Phase | None) -> tuple[Phase | None, Answer]:
            done, answer = decide(phase)
            if phase is None or done is None:
                return done, answer
            dead = [name for name, request in phase.requests.items() if request.state == "dead"]
            # asked for again, yet dead: a time years ahead would be taken back
            flagged = {name: replace(r, state="dead") if name in dead else r for name, r in done.requests.items()}
            return replace(done, requests=flagged), answer

        return wrong

    right = operator.redrive
    return swapped(operator, "redrive", redrive)


def starts_before_its_needs() -> Patch:
    def ready(phase: Phase) -> dict[str, dict[str, Stamp]]:
        fresh = phases.fresh_members(phase)
        known = {name: m.result.stamp for name, m in phase.members.items() if m.result is not None}
        there = {**dict.fromkeys(phase.gate.members, ABSENT), **known, **fresh}
        found = {}
        for name, spec in phase.gate.members.items():
            inputs = phases.wanted(phase, spec, fresh=there) if spec.asks and name not in fresh else None
            if inputs is not None:
                found[name] = inputs
        return found

    return swapped(evaluate, "ready", ready)


def fires_on_any_results() -> Patch:
    def accepted(phase: Phase) -> dict[str, Stamp]:
        return {n: m.result.stamp for n, m in phase.members.items() if n in phase.gate.expect and m.result is not None}

    return swapped(evaluate, "accepted", accepted)


def lets_the_last_report_win() -> Patch:
    return swapped(decisions, "_not_newer", lambda *_, **__: False)


def draws_the_attempt_inside() -> Patch:
    """The memory of attempts is of no use: whoever decides again is somebody else."""
    numbers = count()

    def begin(upstream: str, *, given: Input, key: str, now: float, attempt: str) -> Decision[Phase, Answer]:
        def wrong(phase: Phase | None) -> tuple[Phase | None, Answer]:
            return right(upstream, given=given, key=key, now=now, attempt=f"{attempt}.{next(numbers)}")(phase)

        return wrong

    right = decisions.begin
    return swapped(decisions, "begin", begin)


def forgets_who_released() -> Patch:
    def release(holder: str, *, token: int, fenced: bool = False) -> Decision[Lease, bool]:
        decide = right(holder, token=token, fenced=fenced)

        def wrong(held: Lease | None) -> tuple[Lease | None, bool]:
            new, _ = decide(held)
            return new, held is not None and held.holder == holder and held.token == token

        return wrong

    right = lease.release
    return swapped(lease, "release", release)


def releases_for_anyone() -> Patch:
    def release(holder: str, *, token: int, fenced: bool = False) -> Decision[Lease, bool]:
        del fenced  # all names are kept: whose write is in the fence is not this bug

        def wrong(held: Lease | None) -> tuple[Lease, bool]:
            return replace(held or Lease(token=token), holder=None, until=0.0, released=holder), True

        return wrong

    return swapped(lease, "release", release)


def takes_sent_for_done() -> Patch:
    def sent(entry: Entry, *, ack: Ack | None, key: str, now: float) -> Entry:
        return replace(right(entry, ack=ack, key=key, now=now), state="acked")

    right = outbox._sent
    return swapped(outbox, "_sent", sent)


def waits_for_a_publish_receiver() -> Patch:
    def sent(entry: Entry, *, ack: Ack | None, key: str, now: float) -> Entry:
        del ack
        return right(entry, ack="begin", key=key, now=now)

    right = outbox._sent
    return swapped(outbox, "_sent", sent)


def counts_moved_as_an_attempt() -> Patch:
    def park(phase: Phase, said: Report, *, now: float) -> Phase:
        parked = right(phase, said, now=now)
        return _one_failure_more(parked, [said.member] if parked != phase else [])

    right = decisions._park
    return swapped(decisions, "_park", park)


def counts_sending_as_an_attempt() -> Patch:
    def sent(published: list[Outgoing], *, key: str, now: float) -> Decision[Phase, None]:
        decide = right(published, key=key, now=now)

        def wrong(phase: Phase | None) -> tuple[Phase | None, None]:
            done, _ = decide(phase)
            if phase is None or done is None:
                return done, None
            return _one_failure_more(done, [n for n, r in done.requests.items() if r != phase.requests[n]]), None

        return wrong

    right = outbox.sent
    return swapped(outbox, "sent", sent)


def _one_failure_more(phase: Phase, names: list[str]) -> Phase:
    requests, members = dict(phase.requests), dict(phase.members)
    for name in names:
        failed = phase.failures_of(name) + 1
        dead = failed >= phase.gate.members[name].attempts_max
        requests[name] = replace(requests[name], state="dead" if dead else requests[name].state)
        member = members.get(name, Member())
        attempt = member.attempt or Attempt(status="transient", at=0.0)
        members[name] = replace(member, attempt=replace(attempt, count=failed))
    return replace(phase, requests=requests, members=members)
