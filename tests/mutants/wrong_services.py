"""Mutants of what goes round the decisions: store, bus, leases, builder, writer, warehouse."""

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self, TypeVar, cast

from msgspec.structs import replace

from phasegate import messages
from phasegate.base import backoff, keys
from phasegate.base.codec import Decision, State, decode, encode
from phasegate.base.keys import Run
from phasegate.base.receipt import Part, Receipt, Stamp
from phasegate.base.table import Table
from phasegate.bus import Message
from phasegate.errors import Ambiguous, Conflict, Contended
from phasegate.gate import applied, decisions, evaluate, outbox
from phasegate.gate.decisions import Answer, Report
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.phase import Phase
from phasegate.gate.records import Entry
from phasegate.messages import CompletionMessage
from phasegate.plan.gate import Status
from phasegate.plan.model import Step
from phasegate.ports import Clock, Ports
from phasegate.stores.memory import MemoryStore
from phasegate.transact import TRIES_MAX, AtHand
from phasegate.warehouse import InputRead, Reader, Staging, Warehouse, Write, WriteAnswer
from phasegate.warehouses.memory.warehouse import MemoryTransaction, MemoryWarehouse
from phasegate.work.sweeper import Sweeper
from phasegate.work.worker import Worker
from phasegate.write import preconditions
from phasegate.write.builder import Attempted, Builder
from phasegate.write.inputs import part_of
from phasegate.write.leases import HeldLease, Leases
from phasegate.write.writer import WriteJob, Writer
from tests.mutants.swap import swapped
from tests.mutants.wrong_gates import Patch

A = TypeVar("A")
S = TypeVar("S", bound=State)


def publishes_after_deciding() -> Patch:
    """The firing is in the document, the duty to send is not: the process that fired sends, if it lives."""

    def fire(phase: Phase, *, now: float, by: str) -> Phase:
        fired = right_fire(phase, now=now, by=by)
        return fired if fired is phase else replace(fired, outbox=phase.outbox)

    def transacted(self: Gatekeeper, key: str, decide: Decision[Phase, A], *, known: AtHand) -> A:
        before = _generation(self, key)
        answer = right_transact(self, key, decide, known=known)
        doc = self._ports.store.read(key)
        if doc is not None and _generation(self, key) > before:
            phase = decode(Phase, doc.body, key=key)
            for r in phase.gate.receivers:
                entry = Entry(generation=phase.generation, receiver=r.name, state="unsent", due=0.0)
                out = outbox._trigger(phase, entry, topic=r.topic, key=key)
                self._ports.bus.publish(Message(out.id, out.topic, out.body))
        return answer

    right_fire, right_transact = evaluate.fire, Gatekeeper._transact
    stack = ExitStack()
    stack.enter_context(swapped(evaluate, "fire", fire))
    stack.enter_context(swapped(Gatekeeper, "_transact", transacted))
    return stack


def _generation(self: Gatekeeper, key: str) -> int:
    doc = self._ports.store.read(key)
    return 0 if doc is None else decode(Phase, doc.body, key=key).generation


def forgets_what_it_failed_to_send() -> Patch:
    def flush(self: Gatekeeper, key: str, *, known: AtHand | None = None) -> int:
        del known
        now, doc = self._ports.clock.now(), self._ports.store.read(key)
        found = [] if doc is None else outbox.outgoing(decode(Phase, doc.body, key=key), key=key, now=now)
        try:
            for m in found:
                self._ports.bus.publish(Message(m.id, m.topic, m.body))
        finally:
            self._transact(key, outbox.sent(found, key=key, now=now), known=AtHand())
            for m in found:
                if m.kind == "trigger":
                    begun = outbox.acknowledged(m.generation, receiver=m.subject, ack="begin", now=now)
                    self._transact(key, begun, known=AtHand())
        return len(found)

    return swapped(Gatekeeper, "flush", flush)


def writes_over_what_it_did_not_read() -> Patch:
    def transact(ports: Ports, key: str, *, kind: type[S], decide: Decision[S, A], known: AtHand | None = None) -> A:
        known = AtHand() if known is None else known
        for attempt in range(TRIES_MAX):
            doc = known.doc(ports.store, key)
            known.forget()
            new, answer = decide(None if doc is None else decode(kind, doc.body, key=key))
            if new is None:
                return answer
            newest = ports.store.read(key)
            try:
                ports.store.write(key, encode(new), due=new.due, expect=None if newest is None else newest.version)
            except (Conflict, Ambiguous):
                ports.clock.sleep(backoff.contention_s(key, attempt))
            else:
                return answer
        raise Contended(key, TRIES_MAX)

    return swapped(applied, "transact", transact)


def compares_no_versions() -> Patch:
    return swapped(MemoryStore, "_compare", lambda *_: None)


def recovers_at_launch_only() -> Patch:
    def sweep(self: Sweeper) -> int:
        clock = self._ports.clock
        launched = launches.setdefault(id(self), clock.now())
        at_launch = dataclasses.replace(self._ports, clock=_Stopped(clock, launched))
        return right(Sweeper(at_launch, handlers=self._handlers))

    launches: dict[int, float] = {}
    right = Sweeper.sweep
    return swapped(Sweeper, "sweep", sweep)


class _Stopped:
    """A clock whose ``now`` is when its process was launched."""

    def __init__(self, clock: Clock, at: float) -> None:
        self._clock, self._at = clock, at
        self.monotonic, self.sleep = clock.monotonic, clock.sleep

    def now(self) -> float:
        return self._at


def decides_on_new_reports_only() -> Patch:
    """Two writers of one document: the first puts the result in, the second decides unless it is there already."""

    def report(self: Gatekeeper, phase: str, run: Run, said: Report) -> Answer:
        key = keys.phase_key(self.plan.pipeline, phase, run=run)
        if self._ports.store.read(key) is None:
            self.open(phase, run)
        answer = _recorded(self, key, said)
        if answer.outcome not in ("duplicate", "older", "confirmed"):
            self.look(key)
        return answer

    return swapped(Gatekeeper, "report", report)


def _recorded(self: Gatekeeper, key: str, said: Report) -> Answer:
    """Record a report; the document's timer stays as it was, since whoever records it is about to decide."""
    decide = decisions.report(said, key=key, now=self._ports.clock.now(), attempt=self._ports.ids())
    for attempt in range(TRIES_MAX):
        doc = self._ports.store.read(key)
        assert doc is not None
        with swapped(decisions, "evaluate", lambda phase, **_: phase):
            new, answer = decide(decode(Phase, doc.body, key=key))
        assert new is not None
        try:
            self._ports.store.write(key, encode(new), due=doc.due, expect=doc.version)
        except (Conflict, Ambiguous):
            self._ports.clock.sleep(backoff.contention_s(key, attempt))
        else:
            return answer
    raise Contended(key, TRIES_MAX)


def answers_busy_with(status: Status) -> Patch:
    """A lease that somebody else holds: taken for a success, or counted as a failed try."""

    def serve(self: Builder, step: Step, run: Run, *, request_id: str) -> str:
        outcome = right(self, step, run, request_id=request_id)
        phase = self._gatekeeper.read(step.phase, run) if outcome == "busy" else None
        if phase is None or step.name not in phase.requests:
            return outcome
        request = phase.requests[step.name]
        with self._ports.warehouse.snapshot() as reader:
            receipt = reader.receipts([part_of(step, run)]).get(part_of(step, run))
            assert step.table is not None
            stamp = Stamp(reader.fingerprint(step.table, partition=run.date))
        said = Report(member=step.name, status=status, order=1.0 + (receipt.token if receipt is not None else 0),
                      stamp=stamp, built_from=request.inputs, request=request.id, error="busy")  # fmt: skip
        return self._gatekeeper.report(step.phase, run, said).outcome

    right = Builder.serve
    return swapped(Builder, "serve", serve)


def shares_a_holder() -> Patch:
    def made(self: Leases, ports: Ports, *, warehouse: str, ttl_s: float, heartbeat_s: float) -> None:
        shared = dataclasses.replace(ports, ids=lambda: "this process")
        right(self, shared, warehouse=warehouse, ttl_s=ttl_s, heartbeat_s=heartbeat_s)

    right = Leases.__init__
    return swapped(Leases, "__init__", made)


def reads_the_fence_only() -> Patch:
    def change_fence(
        self: MemoryTransaction, part: Part, /, *, token: int, store_id: str, holders: Sequence[str]
    ) -> bool:
        row = self.fence(part)
        known = row is not None and row.holder in ("", *holders)
        return row is not None and known and row.token <= token and row.store_id == store_id

    return swapped(MemoryTransaction, "change_fence", change_fence)


def reads_the_fingerprint_again() -> Patch:
    def build(self: Builder, attempt: Attempted, *, held: HeldLease, forced: bool) -> Receipt:
        receipt = right(self, attempt, held=held, forced=forced)
        with self._ports.warehouse.snapshot() as reader:
            assert attempt.step.table is not None
            return replace(receipt, fingerprint=reader.fingerprint(attempt.step.table, partition=attempt.run.date))

    right = Builder._build
    return swapped(Builder, "_build", build)


class _TornStaging:
    """A staging with the stamps of another snapshot than that of its rows."""

    def __init__(self, staging: Staging, stamps: list[dict[str, Stamp]]) -> None:
        self.staging, self.stamps, self.interrupt = staging, stamps, staging.interrupt

    def __enter__(self) -> Self:
        self.counts = self.staging.__enter__().counts
        return self

    def __exit__(self, *_: object) -> None:
        self.staging.__exit__()


class _Torn:
    """A warehouse whose writes compare the stamps of one snapshot, twice, and read the rows of another."""

    def __init__(self, warehouse: Warehouse, other: Reader) -> None:
        self._warehouse, self._other = warehouse, other

    def __getattr__(self, name: str) -> object:
        return getattr(self._warehouse, name)

    def stage(self, table: Table, /, *, reads: Sequence[InputRead], **options: object) -> _TornStaging:
        staging = self._warehouse.stage(table, reads=reads, **options)  # type: ignore[arg-type]
        return _TornStaging(staging, self._other.stamps(reads))

    def commit(self, write: Write, staging: _TornStaging, /) -> WriteAnswer:
        return self._warehouse.commit(replace(write, inputs=()), staging.staging)


def compares_in_another_snapshot() -> Patch:
    """The inputs' stamps are those from before the snapshot in which their rows are read."""

    def build(self: Builder, attempt: Attempted, *, held: HeldLease, forced: bool) -> Receipt:
        with self._ports.warehouse.snapshot() as reader:
            early[held.key, held.token] = reader
            return right_build(self, attempt, held=held, forced=forced)

    def attempt(self: Writer, work: WriteJob, *, held: HeldLease, write_id: str) -> WriteAnswer:
        other = early.get((held.key, held.token))
        if other is None:
            return right_attempt(self, work, held=held, write_id=write_id)
        torn = cast("Warehouse", _Torn(self._ports.warehouse, other))
        ports = dataclasses.replace(self._ports, warehouse=torn)
        return right_attempt(Writer(self._plan, ports, store_id=self.store_id), work, held=held, write_id=write_id)

    early: dict[tuple[str, int], Reader] = {}
    right_build, right_attempt = Builder._build, Writer._attempt
    stack = ExitStack()
    stack.enter_context(swapped(Builder, "_build", build))
    stack.enter_context(swapped(Writer, "_attempt", attempt))
    return stack


def compares_at_the_staging_only() -> Patch:
    """What is written between the staging and the commit is not noticed."""

    def commit(self: MemoryWarehouse, write: Write, staging: Staging, /) -> WriteAnswer:
        return right(self, replace(write, inputs=()), staging)

    right = MemoryWarehouse.commit
    return swapped(MemoryWarehouse, "commit", commit)


def compares_no_inputs() -> Patch:
    stack = ExitStack()
    stack.enter_context(swapped(preconditions, "changed_inputs", lambda *_: ()))
    stack.enter_context(swapped(preconditions, "written_since", lambda *_: ()))
    return stack


def stamps_by_execution() -> Patch:
    def complete(self: Worker, said: CompletionMessage, *, where: str, redriven: bool) -> Answer:
        del redriven
        step = self._step(said.step, runs=(), where=where)
        run = messages.completion_run(said, modes=self._plan.modes, where=where)
        order = messages.completion_order(said, where=where, now=self._ports.clock.now())
        stamp = Stamp(said.execution_id)
        return self.report(step, run, Report(member=step.name, status=said.status, order=order, stamp=stamp))

    return swapped(Worker, "_completed", complete)
