"""Mutants of what runs tell each other: windows over earlier dates, ledgers, modes that share tables."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack

from msgspec.structs import replace

from phasegate import ledger
from phasegate.base import keys
from phasegate.base.codec import Decision
from phasegate.base.keys import Run
from phasegate.base.receipt import Stamp
from phasegate.gate import decisions, propagation, propagator
from phasegate.gate.phase import Phase
from phasegate.gate.propagation import DateChange, Propagated
from phasegate.gate.propagator import Propagator
from phasegate.gate.records import Lacks, Request, Result, Window
from phasegate.gate.windows import WindowReader
from phasegate.ledger import Ledger
from phasegate.plan.model import Step
from phasegate.transact import AtHand, transact
from phasegate.write import preconditions
from phasegate.write.read_repair import ReadRepair
from tests.mutants.swap import swapped
from tests.mutants.wrong_gates import Patch

Recorded = Callable[[Ledger | None], tuple[Ledger, int]]


def tells_no_later_run() -> Patch:
    return swapped(Propagator, "propagate_later", lambda *_, **__: [])


def remembers_no_drift() -> Patch:
    def drifted(need: str, *, dates: Iterable[str], seen: Window) -> Decision[Phase, bool]:
        del need, dates, seen
        return lambda phase: (phase, False)

    return swapped(propagation, "drifted", drifted)


def drops_drift_at_any_reading() -> Patch:
    return swapped(propagation, "_with_drift", lambda window, *_: window)


def takes_older_readings() -> Patch:
    stack = ExitStack()
    stack.enter_context(swapped(propagation, "_is_newer", lambda *_: True))
    stack.enter_context(drops_drift_at_any_reading())
    return stack


def relays_what_is_there() -> Patch:
    def needs_no_relay(sibling: Phase, member: str, *, result: Result) -> bool:
        return right(sibling, member, result=result) and (sibling.catch_up_since is None or bool(result.write_id))

    right = propagation.needs_no_relay
    return swapped(propagation, "needs_no_relay", needs_no_relay)


def follows_no_phase_before_it() -> Patch:
    return swapped(propagation, "follows", lambda *_: True)


def reads_while_a_date_is_built() -> Patch:
    return swapped(WindowReader, "is_at_rest", lambda *_: True)


def cascades_without_limit() -> Patch:
    return swapped(propagation, "must_rebuild", lambda *_, **__: True)


def forgets_where_a_change_began() -> Patch:
    return swapped(decisions, "origin_of", lambda *_, **__: "")


def takes_every_change_for_an_old_one() -> Patch:
    def origin(phase: Phase, member: str, *, key: str, **_: object) -> str:
        del member
        return min(keys.phase_of(key)[2].date, phase.cascade_from or "~")

    return swapped(decisions, "origin_of", origin)


def takes_the_same_content_for_a_change() -> Patch:
    """A step is rebuilt for an earlier date; the same content written again counts as a change of its own date."""

    def origin(phase: Phase, member: str, *, stamp: Stamp, lacks: Lacks | None, key: str) -> str:
        return right(replace(phase, members={}), member, stamp=stamp, lacks=lacks, key=key)

    right = propagation.origin_of
    return swapped(decisions, "origin_of", origin)


def leaves_drift_behind() -> Patch:
    """Who finds the window of its request changed tells nobody, so the request never names another."""

    def report_to_owners(self: ReadRepair, request: Request, step: Step, *, run: Run) -> None:
        inputs = {name: stamp for name, stamp in request.inputs.items() if "@" not in name}
        right(self, replace(request, inputs=inputs), step, run=run)

    right = ReadRepair.report_to_owners
    return swapped(ReadRepair, "report_to_owners", report_to_owners)


def relays_to_no_sibling() -> Patch:
    return swapped(Propagator, "_relay_to_siblings", lambda *_, **__: True)


def takes_a_relay_for_heard() -> Patch:
    def relay_to_siblings(
        self: Propagator, member: str, result: Result, *, key: str, sends: bool, changed: list[str]
    ) -> bool:
        right(self, member, result, key=key, sends=sends, changed=changed)
        return True

    right = Propagator._relay_to_siblings
    return swapped(Propagator, "_relay_to_siblings", relay_to_siblings)


def opens_without_asking() -> Patch:
    def catch_up(self: Propagator, key: str, *, known: AtHand | None = None) -> list[str]:
        del known
        return self._read_windows(key, origin=None, unless=lambda phase: phase.catch_up_since is None)

    return swapped(Propagator, "catch_up", catch_up)


def forgets_before_telling() -> Patch:
    def deliver(self: Propagator, key: str, phase: Phase) -> tuple[Propagated, list[str]]:
        all_of_them = Propagated(dict(phase.notices), {}, {}, {})
        decide = propagation.delivered(all_of_them, key=key, now=0.0)
        transact(self._ports, key, kind=Phase, decide=decide)
        return all_of_them, right(self, key, phase)[1]

    right = Propagator.deliver
    return swapped(Propagator, "deliver", deliver)


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
    stack.enter_context(swapped(ledger, "recorded", recorded))
    stack.enter_context(swapped(propagator, "recorded", recorded))
    return stack


def tells_what_is_held() -> Patch:
    return swapped(DateChange, "is_held", lambda *_: False)


def compares_no_windows() -> Patch:
    def moved(asked: Mapping[str, Stamp], now: Mapping[str, Stamp]) -> tuple[str, ...]:
        return tuple(name for name in right_moved(asked, now) if "@" not in name)

    def written_since(before: Mapping[str, Stamp], now: Mapping[str, Stamp]) -> tuple[str, ...]:
        return tuple(name for name in right_written_since(before, now) if "@" not in name)

    right_moved, right_written_since = preconditions.changed_inputs, preconditions.written_since
    stack = ExitStack()
    stack.enter_context(swapped(preconditions, "changed_inputs", moved))
    stack.enter_context(swapped(preconditions, "written_since", written_since))
    return stack
