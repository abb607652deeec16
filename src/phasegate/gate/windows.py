"""Reads the windows of runs: earlier dates' content, from the ledgers.

It refuses to change anything, but for one thing: a ledger that cannot be read is derived again.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from phasegate.base import keys
from phasegate.base.codec import State, decode
from phasegate.base.dates import bounds, months, shift
from phasegate.base.keys import Run
from phasegate.base.receipt import Stamp
from phasegate.calendar.calendar import Calendar
from phasegate.errors import BadDocument, BadInput
from phasegate.gate import propagation
from phasegate.gate.phase import Phase, lacks_of
from phasegate.gate.records import Window
from phasegate.ledger import Ledger, WindowReading, derived, fold
from phasegate.plan.gate import Need
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.scan import scanned
from phasegate.store import Doc
from phasegate.transact import read_derived, transact

WAIT_MAX_S = 24 * 3600.0
WAIT_DAYS_MAX = 31
FAR = 1e12
UNSETTLED_MAX = 1_000

S = TypeVar("S", bound=State)


class WindowReader:
    """Reads windows, and whether the tables in them are of one state."""

    def __init__(self, plan: Plan, ports: Ports, *, calendar: Calendar) -> None:
        self._plan, self._ports, self._calendar = plan, ports, calendar

    def windows(self, phase: Phase, run: Run) -> dict[str, Window]:
        """Return the present content of each window that a phase of a run reads."""
        waits = self._calendar.exists and phase.gate.await_windows
        needs = propagation.window_needs(phase)
        readings = self.readings(needs.values(), run.date)
        return {name: self._window(need, run, reading=readings[need], waits=waits) for name, need in needs.items()}

    def readings(self, needs: Iterable[Need], date: str) -> dict[Need, WindowReading]:
        """Return the ledgers' content for the windows of needs before a date.

        All ledgers of a step are read by one query.
        """
        backs: dict[str, int] = {}
        wanted = list(needs)
        for need in wanted:
            backs[need.step] = max(need.back, backs.get(need.step, 0))
        ledgers = {step: self._ledgers(step, *bounds(date, back)) for step, back in backs.items()}
        return {need: _reading(need, date, ledgers=ledgers[need.step]) for need in wanted}

    def _ledgers(self, step: str, first: str, last: str) -> dict[str, Ledger]:
        """Return the ledgers of a step that hold these dates, by month."""
        prefix, found = keys.ledger_key(self._plan.pipeline, step, ""), dict[str, Ledger]()
        before = shift(f"{first[:7]}-01", -1)[:7]
        for doc in scanned(self._ports.store, prefix, after=prefix + before, until=f"{prefix}{last[:7]}~"):
            month = doc.key.removeprefix(prefix)
            ledger = read_derived(Ledger, doc) or self.ledger(step, month)
            if ledger is not None:
                found[month] = ledger
        return found

    def ledger(self, step: str, month: str) -> Ledger | None:
        """Return the ledger of a step and month, None if there is none.

        One that cannot be read is derived again from the month's phase documents, and stored. A date that none of them
        shows is corrected by the first build whose window holds it (write.read_repair). Raises BadDocument for a ledger
        of a newer version.
        """
        doc = self._ports.store.read(keys.ledger_key(self._plan.pipeline, step, month))
        ledger = None if doc is None else read_derived(Ledger, doc)
        if doc is None or ledger is not None:
            return ledger
        found = derived(self._results(step, month), at=self._ports.clock.now())

        def decide(old: Ledger | None) -> tuple[Ledger, Ledger]:
            kept = found if old is None else old
            return kept, kept

        self._ports.observer.event("ledger derived", key=doc.key)
        return transact(self._ports, doc.key, kind=Ledger, decide=decide, derived=True)

    def _results(self, step: str, month: str) -> Iterator[tuple[str, Stamp]]:
        """Yield the dates of a month with the results of a step in each run."""
        prefix = f"phase:{self._plan.pipeline}:{self._plan.steps[step].phase}:{month}"
        for key, phase in self.decoded(scanned(self._ports.store, prefix)):
            member = phase.members.get(step)
            if member is not None and member.result is not None:
                yield keys.phase_of(key)[2].date, member.result.stamp

    def _window(self, need: Need, run: Run, *, reading: WindowReading, waits: bool) -> Window:
        step = self._plan.steps.get(need.step)
        whole = reading.stamps if step is None or step.covers is None else ()  # of others a date may be partial
        awaited = {on: until for on in (self._dates(need, run) if waits else ()) if on not in whole
                   and (until := self._awaited_until(need, on, mode=run.mode,
                                                     is_there=on in reading.stamps)) is not None}  # fmt: skip
        return Window(stamp=fold(reading.stamps), orders=reading.orders, awaited=awaited)

    def _dates(self, need: Need, run: Run) -> Iterator[str]:
        """Yield a window's dates that are recent enough to wait for."""
        first, on = bounds(run.date, min(need.back, WAIT_DAYS_MAX))
        while on >= first and self._calendar.ends_at(on) + WAIT_DAYS_MAX * 86400.0 > self._ports.clock.now():
            yield on
            on = shift(on, -1)

    def _awaited_until(self, need: Need, on: str, *, mode: str, is_there: bool) -> float | None:
        """Return until when to wait for a date; None: do not wait for it.

        It is waited for if the calendar has work on it and its own run's deadline has not passed. ``is_there``: it has
        a result, and is waited for only while that lacks rows.
        """
        day = self._calendar.day(on) if need.step in self._plan.steps else None
        if day is None or day.state != "work":
            return None
        modes = [m for m in self._plan.phases[need.phase].modes if need.step in self._plan.members(need.phase, mode=m)]
        run = Run(on, mode if mode in modes else modes[0])
        owner = self._read(Phase, keys.phase_key(self._plan.pipeline, need.phase, run=run))
        if owner is not None and owner.void is not None:
            return None
        if is_there and (owner is None or lacks_of(owner, need.step) is None):
            return None
        rule, until = self._plan.phases[need.phase].modes[run.mode].deadline, None
        if owner is not None:
            until = owner.gate.deadline
        elif rule is not None and not rule.opening:
            try:
                until = rule.at(run, timezone=self._plan.timezone, opened_at=0.0, anchors=day.anchors)
            except BadInput as e:
                self._ports.observer.event("calendar failed", month=on[:7], error=str(e))
        if until is None:
            until = self._calendar.ends_at(on) + WAIT_MAX_S
        return until if until > self._ports.clock.now() else None

    def is_at_rest(self, phase: Phase, run: Run, seen: Iterable[tuple[Need, Stamp]] = ()) -> bool:
        """Return whether the tables in a run's windows are of one state.

        They are not while an earlier date is built, if a run has windows over several steps: one of them may be new
        and the other old. A run waits for ``catch_up_max_s`` at most. ``seen``: what its windows held when they were
        read, one after the other; a build may have ended in between, so they must still hold it.
        """
        since = phase.catch_up_since
        if since is not None and self._ports.clock.now() >= since + phase.gate.catch_up_max_s:
            return True
        phases = {name: self._plan.upstream(name, mode=run.mode) for name in self._plan.phases}
        read = {need.step: need.back for name in phases for need in self._windows_of(name, run)}
        if len(read) < 2:
            return True
        owners = {self._plan.steps[step].phase for step in read}
        between = [  # in order: what one phase has just handed on is seen in the next
            name
            for name, upstream in phases.items()
            if owners & {name, *upstream} and any(name in (owner, *phases[owner]) for owner in owners)
        ]
        first, last = bounds(run.date, max(read.values()))
        for name in between:
            for key, earlier in self._unsettled(name):
                on = keys.phase_of(key)[2].date
                if first <= on <= last and (
                    propagation.is_moving(earlier, receivers=between) or self._is_unrecorded(earlier, on, steps=read)
                ):
                    return False
        held = list(seen)
        now = self.readings((need for need, _ in held), run.date)
        return all(fold(now[need].stamps).fingerprint == stamp.fingerprint for need, stamp in held)

    def _is_unrecorded(self, phase: Phase, date: str, *, steps: Collection[str]) -> bool:
        """Return whether a ledger does not have a result of these steps yet."""
        for member in phase.notices:
            result = phase.result_of(member)
            if member in steps and result is not None:
                ledger = self.ledger(member, date[:7]) or Ledger()
                recorded = ledger.stamps.get(date)
                if recorded is None or recorded.token < result.stamp.token:
                    return True
                if not result.stamp.token and recorded.fingerprint != result.stamp.fingerprint:
                    return True
        return False

    def _windows_of(self, phase: str, run: Run) -> list[Need]:
        if run.mode not in self._plan.phases[phase].modes:
            return []
        members = self._plan.members(phase, mode=run.mode)
        return [need for step in members.values() for need in step.needs if need.back]

    def _unsettled(self, phase: str) -> Iterator[tuple[str, Phase]]:
        docs = self._ports.store.due(FAR, prefixes=[f"phase:{self._plan.pipeline}:{phase}:"], limit=UNSETTLED_MAX)
        return self.decoded(docs)

    def decoded(self, docs: Iterable[Doc]) -> Iterator[tuple[str, Phase]]:
        """Yield the phases in documents with their keys; skip unreadable ones."""
        for doc in docs:
            try:
                phase = decode(Phase, doc.body, key=doc.key)
            except BadDocument as e:  # one unreadable document must not keep the others from being notified
                self._ports.observer.event("not propagated", key=doc.key, error=str(e))
            else:
                yield doc.key, phase

    def _read(self, kind: type[S], key: str) -> S | None:
        doc = self._ports.store.read(key)
        return None if doc is None else decode(kind, doc.body, key=key)


def _reading(need: Need, date: str, *, ledgers: Mapping[str, Ledger]) -> WindowReading:
    """Return the content of a need's window before a date."""
    first, last = bounds(date, need.back)
    stamps: dict[str, Stamp] = {}
    orders: dict[str, int] = {}
    for month in months(first, last):
        if month in ledgers:
            stamps |= {on: stamp for on, stamp in ledgers[month].stamps.items() if first <= on <= last}
            orders[month] = ledgers[month].changes
    return WindowReading(stamps=stamps, orders=orders)
