"""Mutants of what runs tell each other: windows over earlier dates, ledgers, modes that share tables."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack

from msgspec.structs import replace

from phasegate.base import keys
from phasegate.base.keys import Run
from phasegate.base.receipt import Stamp
from phasegate.gate import decisions
from phasegate.gate import ledger as window
from phasegate.gate import propagation as across
from phasegate.gate import propagator as herald
from phasegate.gate.decisions import Decision
from phasegate.gate.ledger import Ledger
from phasegate.gate.phase import Phase, Request, Result, Window
from phasegate.gate.propagation import News, Told
from phasegate.gate.propagator import Herald
from phasegate.plan.model import Step
from phasegate.transact import transact
from phasegate.write import preconditions as judge
from phasegate.write.read_repair import Corrector
from tests.mutants.swap import swapped
from tests.mutants.wrong_gates import Patch

Recorded = Callable[[Ledger | None], tuple[Ledger, int]]


def tells_no_later_run() -> Patch:
    return swapped(Herald, "tell_later", lambda *_, **__: [])


def remembers_no_drift() -> Patch:
    def drifted(need: str, *, days: Iterable[str], seen: Window) -> Decision[bool]:
        del need, days, seen
        return lambda phase: (phase, False)

    return swapped(across, "drifted", drifted)


def drops_drift_at_any_reading() -> Patch:
    return swapped(across, "_with_drift", lambda window, *_: window)


def takes_older_readings() -> Patch:
    stack = ExitStack()
    stack.enter_context(swapped(across, "_is_newer", lambda *_: True))
    stack.enter_context(drops_drift_at_any_reading())
    return stack


def cascades_without_limit() -> Patch:
    return swapped(across, "must_rebuild", lambda *_, **__: True)


def forgets_where_a_change_began() -> Patch:
    return swapped(decisions, "_origin", lambda *_, key: keys.phase_of(key)[2].date)


def takes_every_change_for_an_old_one() -> Patch:
    def origin(phase: Phase, member: str, *, key: str) -> str:
        del member
        return min(keys.phase_of(key)[2].date, phase.cascade_from or "~")

    return swapped(decisions, "_origin", origin)


def leaves_drift_behind() -> Patch:
    """Who finds the window of its request changed tells nobody, so the request never names another."""

    def tell_owners(self: Corrector, request: Request, step: Step, *, run: Run) -> None:
        inputs = {name: stamp for name, stamp in request.inputs.items() if "@" not in name}
        right(self, replace(request, inputs=inputs), step, run=run)

    right = Corrector.tell_owners
    return swapped(Corrector, "tell_owners", tell_owners)


def tells_no_sister() -> Patch:
    return swapped(Herald, "_tell_sisters", lambda *_, **__: True)


def takes_a_relay_for_heard() -> Patch:
    def tell_sisters(self: Herald, member: str, result: Result, *, key: str, changed: list[str]) -> bool:
        right(self, member, result, key=key, changed=changed)
        return True

    right = Herald._tell_sisters
    return swapped(Herald, "_tell_sisters", tell_sisters)


def opens_without_asking() -> Patch:
    def catch_up(self: Herald, key: str) -> bool:
        decide = across.windowed({}, origin=None, key=key, now=self._ports.clock.now(), attempt=self._ports.ids())
        return transact(self._ports.store, key, kind=Phase, decide=decide, clock=self._ports.clock)

    return swapped(Herald, "catch_up", catch_up)


def forgets_before_telling() -> Patch:
    def deliver(self: Herald, key: str, phase: Phase) -> tuple[Told, list[str]]:
        all_of_them = Told(dict(phase.notices), {}, {})
        decide = across.delivered(all_of_them, until=0.0)
        transact(self._ports.store, key, kind=Phase, decide=decide, clock=self._ports.clock)
        return all_of_them, right(self, key, phase)[1]

    right = Herald.deliver
    return swapped(Herald, "deliver", deliver)


def lets_any_token_into_the_ledger() -> Patch:
    def recorded(day: str, *, stamp: Stamp) -> Recorded:
        def decide(ledger: Ledger | None) -> tuple[Ledger, int]:
            ledger = ledger or Ledger()
            if ledger.stamps.get(day) == stamp:
                return ledger, ledger.numbers[day]
            number = ledger.changes + 1
            numbers = {**ledger.numbers, day: number}
            return replace(ledger, stamps={**ledger.stamps, day: stamp}, changes=number, numbers=numbers), number

        return decide

    stack = ExitStack()
    stack.enter_context(swapped(window, "recorded", recorded))
    stack.enter_context(swapped(herald, "recorded", recorded))
    return stack


def tells_what_is_held() -> Patch:
    return swapped(News, "is_held", lambda *_: False)


def compares_no_windows() -> Patch:
    def moved(asked: Mapping[str, Stamp], now: Mapping[str, Stamp]) -> tuple[str, ...]:
        return tuple(name for name in right_moved(asked, now) if "@" not in name)

    def reread(before: Mapping[str, Stamp], now: Mapping[str, Stamp]) -> tuple[str, ...]:
        return tuple(name for name in right_reread(before, now) if "@" not in name)

    right_moved, right_reread = judge.moved, judge.reread
    stack = ExitStack()
    stack.enter_context(swapped(judge, "moved", moved))
    stack.enter_context(swapped(judge, "reread", reread))
    return stack
