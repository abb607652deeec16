"""Mutants of values and clocks: rows taken back, half a date, versions, bad answers, bad documents, times ahead."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from msgspec.structs import replace

from phasegate.calendar import answer
from phasegate.dedup import choose
from phasegate.gate import decisions, evaluate
from phasegate.gate.decisions import Report
from phasegate.gate.phase import Phase
from phasegate.gate.records import Lacks
from phasegate.plan.gate import Spec
from phasegate.store import Doc
from phasegate.warehouses.memory import rows
from phasegate.work.sweeper import Sweeper
from tests.mutants.swap import swapped
from tests.mutants.wrong_gates import Patch


def keeps_what_a_source_took_back() -> Patch:
    def lacking(*_: object, **__: object) -> list[object]:
        return []

    return swapped(rows, "lacking", lacking)


def takes_a_part_for_the_whole() -> Patch:
    def lacks(spec: Spec, reported: Report) -> Lacks | None:
        found = right(spec, reported)
        return None if found is None else replace(found, missing=(), count=0)

    right = decisions._lacks
    return swapped(decisions, "_lacks", lacks)


def compares_versions_by_spelling() -> Patch:
    def ordered(values: Sequence[object], *, column: str) -> Sequence[object]:
        del column
        return values

    return swapped(choose, "ordered", ordered)


def stores_any_time_of_a_calendar() -> Patch:
    def anchor_time(name: object, at: object) -> object:
        del name
        return at

    return swapped(answer, "_anchor_time", anchor_time)


def ends_the_sweep_at_a_bad_document() -> Patch:
    def handle(self: Sweeper, doc: Doc, handler: Callable[[str], object]) -> None:
        del self
        handler(doc.key)

    return swapped(Sweeper, "_handle", handle)


@contextmanager
def believes_a_clock_that_was_ahead() -> Iterator[None]:
    def without_times_ahead(phase: Phase, *, now: float) -> Phase:
        del now
        return phase

    name = "without_times_ahead"
    with swapped(decisions, name, without_times_ahead), swapped(evaluate, name, without_times_ahead):
        yield
