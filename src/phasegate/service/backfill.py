"""Brings a span of dates up to date, oldest first: what is missing, stale, dead, drifted, or to be built anew.

It gives ordinary commands only, and remembers how far it came: the same backfill started again goes on. It refuses to
invent data: a date whose external steps have neither a report nor rows is named and left alone.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

import msgspec
from msgspec.structs import replace

from phasegate.core.codec import State, decode
from phasegate.core.explain import explain
from phasegate.core.freshness import missing
from phasegate.core.keys import Run
from phasegate.core.phase import Phase
from phasegate.core.plan import Plan, Step
from phasegate.core.wording import listed
from phasegate.errors import BadInput, NotFound
from phasegate.ports import Ports
from phasegate.service.almanac import Almanac
from phasegate.service.gatekeeper import Gatekeeper
from phasegate.service.inputs import part_of
from phasegate.service.tables import TableReporter
from phasegate.transact import transact

DAYS_MAX = 4_000


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. ``steps`` are built anew whatever they hold. ``modes`` (): those open, and the main one.

    ``cascade``: windows that drifted are read anew. ``quiet``: receivers outside the plan hear nothing of it.
    """

    first: str
    last: str
    steps: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    cascade: bool = False
    quiet: bool = True


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One phase of one run, and why it is touched. ``lacking``: external steps with no report and no rows.

    ``anew``: steps that are built whatever they hold.
    """

    phase: str
    run: Run
    reasons: tuple[str, ...]
    lacking: tuple[str, ...] = ()
    anew: tuple[str, ...] = ()


class Progress(State, frozen=True):
    """How far a backfill came: ``upto`` is the last date that was done whole. Its steps are not built anew again."""

    order: Order
    started_at: float
    upto: str = ""
    finished: bool = False


class Backfill:
    """Looks at a span of dates, and brings each up to date."""

    def __init__(
        self, plan: Plan, ports: Ports, *, gatekeeper: Gatekeeper, tables: TableReporter, almanac: Almanac
    ) -> None:
        self._plan, self._ports, self._gatekeeper = plan, ports, gatekeeper
        self._tables, self._almanac = tables, almanac

    def check(self, order: Order) -> None:
        """Refuse an order that cannot be carried out: unknown names, dates that the calendar knows nothing of."""
        if order.first > order.last:
            raise BadInput(f"backfill: --from {order.first} lies after --to {order.last}; swap them")
        if len(self._span(order)) > DAYS_MAX:
            raise BadInput(f"backfill: {order.first} to {order.last} is more than {DAYS_MAX} days; do it in parts")
        for step in order.steps:
            if step not in self._plan.steps:
                raise NotFound(f"backfill: unknown step {step!r}; the plan has {', '.join(self._plan.steps)}")
            if self._plan.steps[step].kind == "external" and not self._plan.steps[step].topic:
                raise BadInput(f"backfill: step {step} is external; whoever builds it must report it again")
        for mode in order.modes:
            if mode not in self._plan.modes:
                raise NotFound(f"backfill: unknown mode {mode!r}; the plan has {', '.join(self._plan.modes)}")
        if self._almanac.is_kept:
            unknown = [day for day in self._span(order) if self._almanac.foresee(day) is None]
            if unknown:
                raise BadInput(f"backfill: the calendar knows nothing of {listed(unknown)}; mend its "
                               "source, or choose other dates")  # fmt: skip

    def items(self, order: Order) -> list[Item]:
        """Return what would be touched, by date, then in the plan's order. Opens the warehouse, changes nothing.

        Where this very order was stopped before, its steps are built anew only on the dates that it did not reach.
        """
        key = self._key(order)
        doc = self._ports.store.read(key)
        known = None if doc is None else decode(Progress, doc.body, key=key)
        upto = "" if known is None or known.finished else known.upto
        again = replace(order, steps=())
        return [item for day in self._days(order) for item in self._items(day, again if day <= upto else order)]

    def carry_out(
        self, order: Order, items: Sequence[Item], *, work: Callable[[], bool], told: Callable[[int, int, str], None]
    ) -> None:
        """Do date by date, phase by phase: each works on what the one before has handed on.

        ``work`` lets workers work until idle, and answers False to be stopped; ``told`` hears of each date done.
        """
        self._begin(order)
        days = sorted({item.run.date for item in items if item.reasons})
        for number, day in enumerate(days, start=1):
            chosen = [item for item in items if item.run.date == day and item.reasons]
            goes_on = self._date(order, chosen, work=work)
            for phase, run in self._phases(chosen):
                self._gatekeeper.loud(phase, run)
            if not goes_on:
                return
            self._note(order, upto=day)
            told(number, len(days), day)
        self._note(order, upto=order.last, finished=True)

    def _date(self, order: Order, items: Sequence[Item], *, work: Callable[[], bool]) -> bool:
        """Do one date; answer whether to go on. Phases that a trigger would open are opened first, as quiet as all."""
        for phase, run in self._phases(items):
            self._gatekeeper.open(phase, run, by="operator")
            self._gatekeeper.rebuild(phase, run, steps=(), quiet=order.quiet)
        for phase in self._plan.phases:
            chosen = [item for item in items if item.phase == phase]
            for item in chosen:
                self._apply(item, order)
            if chosen and not work():
                return False
        return work()

    def _phases(self, items: Sequence[Item]) -> list[tuple[str, Run]]:
        """Return every phase of the runs that are touched."""
        runs = dict.fromkeys(item.run for item in items)
        return [(name, run) for run in runs for name, plan in self._plan.phases.items() if run.mode in plan.modes]

    def _begin(self, order: Order) -> None:
        """Note that this order begins now, or goes on where it was stopped."""
        now = self._ports.clock.now()

        def decide(known: Progress | None) -> tuple[Progress, None]:
            return (Progress(order=order, started_at=now) if known is None or known.finished else known), None

        transact(self._ports.store, self._key(order), kind=Progress, decide=decide, clock=self._ports.clock)

    def _note(self, order: Order, *, upto: str, finished: bool = False) -> None:
        """Remember that all dates up to one are done."""
        now = self._ports.clock.now()

        def decide(known: Progress | None) -> tuple[Progress, None]:
            known = known or Progress(order=order, started_at=now)
            return replace(known, upto=max(upto, known.upto), finished=finished), None

        transact(self._ports.store, self._key(order), kind=Progress, decide=decide, clock=self._ports.clock)

    def _apply(self, item: Item, order: Order) -> None:
        """Give the commands that bring one phase of one run up to date; workers do the rest."""
        phase, run = item.phase, item.run
        self._gatekeeper.open(phase, run, by="operator")
        there = self._gatekeeper.read(phase, run)
        assert there is not None
        if there.gate.hash != self._hash(phase, run, there, keep=True):
            self._gatekeeper.replan(phase, run)
        members = self._plan.members(phase, mode=run.mode)
        self._gatekeeper.rebuild(phase, run, steps=item.anew, quiet=order.quiet)
        for step in members.values():
            if step.kind == "external" and step.table is not None and step.name not in item.lacking:
                self._tables.report(step, run)
        if order.cascade:
            self._gatekeeper.refresh(phase, run)
        if "dead" in item.reasons:
            self._gatekeeper.redrive(phase, run, step=None)

    def _items(self, day: str, order: Order) -> Iterator[Item]:
        for run in self._runs(day, order):
            for phase, plan in self._plan.phases.items():
                if run.mode not in plan.modes:
                    continue
                there = self._gatekeeper.read(phase, run)
                if there is not None and there.void is not None:
                    continue
                if there is None and plan.after:
                    continue  # a trigger opens it
                lacking = self._lacking(phase, run, there)
                external = [s for s in self._plan.members(phase, mode=run.mode).values() if s.kind == "external"]
                is_empty = there is None and bool(external) and len(lacking) == len(external)
                reasons = () if is_empty else tuple(self._reasons(phase, run, there, order=order))
                if reasons or lacking:
                    anew = tuple(s for s in order.steps if s in self._plan.members(phase, mode=run.mode))
                    yield Item(phase=phase, run=run, reasons=reasons, lacking=lacking, anew=anew)

    def _reasons(self, phase: str, run: Run, there: Phase | None, *, order: Order) -> Iterator[str]:
        if there is None:
            yield "not open"
            return
        if there.gate.hash != self._hash(phase, run, there, keep=False):
            yield "the plan has changed"
        anew = [step for step in order.steps if step in there.gate.members]
        if anew:
            yield f"built anew: {', '.join(anew)}"
        drifted = {day for window in there.windows.values() for day in window.drifted}
        if drifted and order.cascade:
            yield f"window changed on {len(drifted)} date{'s' if len(drifted) > 1 else ''}"
        if there.quiet:
            yield "a backfill that was stopped left it quiet"
        view = explain(there, run=run, now=self._ports.clock.now())
        if view.state == "dead":
            yield "dead"
        elif missing(there):
            yield f"missing {', '.join(missing(there))}"

    def _lacking(self, phase: str, run: Run, there: Phase | None) -> tuple[str, ...]:
        """Return the expected external steps of which nothing is known and whose tables hold nothing."""
        known = {} if there is None else there.members
        external = [s for s in self._plan.members(phase, mode=run.mode).values() if s.kind == "external"]
        asked = [s for s in external if s.name not in known or known[s.name].result is None]
        return tuple(step.name for step in asked if not self._holds(step, run))

    def _holds(self, step: Step, run: Run) -> bool:
        if step.table is None:
            return False
        with self._ports.warehouse.snapshot() as reader:
            return bool(reader.receipts([part_of(step, run)])) or reader.count(step.table, partition=run.date) > 0

    def _hash(self, phase: str, run: Run, there: Phase, *, keep: bool) -> str:
        asks = self._almanac.is_kept and not self._plan.phases[phase].modes[run.mode].any_date
        anchors = self._almanac.expected(run.date, keep=keep).day.anchors if asks else None
        return self._plan.gate(phase, run=run, opened_at=there.opened_at, anchors=anchors).hash

    def _runs(self, day: str, order: Order) -> list[Run]:
        if order.modes:
            return [Run(day, mode) for mode in order.modes]
        known = [
            Run(day, mode)
            for mode in self._plan.modes
            if any(self._gatekeeper.read(phase, Run(day, mode)) is not None for phase in self._plan.phases)
        ]
        main = self._plan.main_mode
        return known if any(run.mode == main for run in known) else [*known, Run(day, main)]

    def _days(self, order: Order) -> Iterator[str]:
        for day in self._span(order):
            expected = self._almanac.foresee(day) if self._almanac.is_kept else None
            if expected is None or expected.state == "games":
                yield day

    @staticmethod
    def _span(order: Order) -> Sequence[str]:
        first, last = date.fromisoformat(order.first), date.fromisoformat(order.last)
        return [(first + timedelta(days=n)).isoformat() for n in range(min((last - first).days, DAYS_MAX) + 1)]

    def _key(self, order: Order) -> str:
        digest = hashlib.sha256(msgspec.json.encode(order, order="sorted")).hexdigest()[:16]
        return f"backfill:{self._plan.pipeline}:{digest}:{order.first}.{order.last}"
