"""Mutants of what an operator does, and of what else happens beside the usual reports."""

from collections.abc import Collection, Sequence
from contextlib import ExitStack

from msgspec.structs import replace

from phasegate.base.codec import decode
from phasegate.base.receipt import Part, Receipt
from phasegate.errors import Unavailable
from phasegate.gate import decisions, evaluate, operator, outbox
from phasegate.gate import phase as documents
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.outbox import Outgoing
from phasegate.gate.phase import Phase
from phasegate.gate.records import Firing, Member, Ordered, Result
from phasegate.plan.gate import Spec
from phasegate.plan.model import Step
from phasegate.transact import AtHand
from phasegate.warehouses.memory.warehouse import MemoryTransaction
from phasegate.write.rescuer import Rescuer
from tests.mutants.swap import swapped
from tests.mutants.wrong_gates import Patch


def fires_while_paused() -> Patch:
    def fire(phase: Phase, *, now: float, by: str) -> Phase:
        return replace(right(replace(phase, paused=None), now=now, by=by), paused=phase.paused)

    right = evaluate.fire
    return swapped(evaluate, "fire", fire)


def sends_while_paused() -> Patch:
    def outgoing(phase: Phase, *, key: str, now: float) -> list[Outgoing]:
        return right(replace(phase, paused=None), key=key, now=now)

    right = outbox.outgoing
    return swapped(outbox, "outgoing", outgoing)


def asks_for_a_void_run() -> Patch:
    def evaluated(phase: Phase, *, key: str, now: float, by: str) -> Phase:
        return replace(right(replace(phase, claims={}), key=key, now=now, by=by), claims=phase.claims)

    right = evaluate.evaluate
    return swapped(decisions, "evaluate", evaluated)


def knows_no_deadline() -> Patch:
    def may_fire(phase: Phase, *, present: Collection[str], now: float) -> bool:
        del now
        return len(present) == len(phase.gate.expect)

    return swapped(evaluate, "_may_fire", may_fire)


def settles_from_the_first_change() -> Patch:
    def settle_at(phase: Phase) -> float | None:
        return None if phase.changing_since is None else phase.changing_since + phase.gate.settle_s

    stack = ExitStack()
    for module in (evaluate, documents):
        stack.enter_context(swapped(module, "settle_at", settle_at))
    return stack


def names_nothing_missing() -> Patch:
    def fire(phase: Phase, *, now: float, by: str) -> Phase:
        fired = right(phase, now=now, by=by)
        if fired.generation == phase.generation:
            return fired
        return replace(fired, firings=(*fired.firings[:-1], replace(fired.firings[-1], missing=())))

    right = evaluate.fire
    return swapped(evaluate, "fire", fire)


def records_what_the_bus_refused() -> Patch:
    def flush(self: Gatekeeper, key: str, *, known: AtHand) -> tuple[int, list[str]]:
        now, doc = self._ports.clock.now(), self._ports.store.read(key)
        found = [] if doc is None else outbox.outgoing(decode(Phase, doc.body, key=key), key=key, now=now)
        try:
            return right(self, key, known=known)
        except Unavailable:
            foreign = [m for m in found if m.topic == "consumer"]
            self._transact(key, outbox.sent(foreign, key=key, now=now), known=known)
            raise

    right = Gatekeeper._flush
    return swapped(Gatekeeper, "_flush", flush)


def compares_tokens_only() -> Patch:
    def change_fence(
        self: MemoryTransaction, part: Part, /, *, token: int, store_id: str, holders: Sequence[str]
    ) -> bool:
        row = self.fence(part)
        anyone = [] if row is None else [row.holder]
        return right(self, part, token=token, store_id=store_id, holders=(*anyone, *holders))

    right = MemoryTransaction.change_fence
    return swapped(MemoryTransaction, "change_fence", change_fence)


def adopts_without_a_report() -> Patch:
    def adopt_result(self: Rescuer, step: Step, receipt: Receipt) -> str:
        del self, step, receipt
        return "accepted"

    return swapped(Rescuer, "_adopt_result", adopt_result)


def orders_of_all_kinds_are_one() -> Patch:
    def is_after(old: Result, /, *, order: float, ordered: Ordered | None) -> bool:
        del ordered
        return order > old.order

    stack = ExitStack()
    stack.enter_context(swapped(decisions, "_is_other", lambda *_: False))
    stack.enter_context(swapped(decisions, "is_after", is_after))
    return stack


def forgets_the_code_that_it_replaced() -> Patch:
    def pinned(member: Member, spec: Spec, *, before: Spec | None) -> Member:
        del before
        return right(member, spec, before=None)

    right = operator._pinned
    return swapped(operator, "_pinned", pinned)


def keeps_all_stamps() -> Patch:
    return swapped(Firing, "as_older", lambda firing: firing)
