"""Propagates results to sibling runs and to later runs.

A later run is one whose window holds the result's date. The propagator works from the notices in a run's document. A
notice is removed only after it was fully propagated; if a process crashes before that, the notice is still due and the
next sweep repeats it, which is harmless. The propagator refuses to decide anything: the decisions are in
``gate.propagation`` and ``gate.decisions``.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

from phasegate.base import keys
from phasegate.base.codec import State, decode
from phasegate.base.dates import bounds, distance, months, shift
from phasegate.base.keys import Run
from phasegate.base.receipt import Stamp
from phasegate.bus import Message
from phasegate.calendar.calendar import Calendar
from phasegate.errors import BadDocument, BadInput
from phasegate.gate import decisions, propagation
from phasegate.gate.decisions import Report
from phasegate.gate.ledger import Ledger, WindowReading, fold, recorded
from phasegate.gate.phase import Phase, defers_propagation, lacks_of
from phasegate.gate.propagation import DateChange, Propagated
from phasegate.gate.records import Result, Window
from phasegate.plan.gate import Need
from phasegate.plan.model import Plan, completions_topic
from phasegate.ports import Ports
from phasegate.scan import scanned
from phasegate.transact import transact

PAGE = 200
WAIT_MAX_S = 24 * 3600.0
WAIT_DAYS_MAX = 31

S = TypeVar("S", bound=State)


class Propagator:
    """Relays results to sibling runs, records ledgers, refreshes windows.

    Its methods return the keys of the documents that they changed, for the gatekeeper to flush.
    """

    def __init__(self, plan: Plan, ports: Ports, *, calendar: Calendar) -> None:
        self._plan, self._ports, self._calendar = plan, ports, calendar

    def catch_up(self, key: str) -> bool:
        """Give a run the results of its sibling runs, and read its windows.

        Return False for a run that is not open, or has caught up.
        """
        phase = self._read(Phase, key)
        if phase is None or phase.catch_up_since is None:
            return False
        _, name, run = keys.phase_of(key)
        for mode in self._plan.phases[name].modes:
            sibling = None
            if mode != run.mode:
                sibling = self._read(Phase, keys.phase_key(self._plan.pipeline, name, run=Run(run.date, mode)))
            for member, theirs in ({} if sibling is None else sibling.members).items():
                if member in phase.gate.members and theirs.result is not None and self._is_table(member):
                    self._relay(member, theirs.result, key=key, first=phase.result_of(member) is None)

        def has_ended(current: Phase) -> bool:
            """Return whether this catching up was finished or replaced since."""
            started = (phase.void, phase.catch_up_since)
            return current.catch_up_since is None or (current.void, current.catch_up_since) != started

        self._refresh(key, phase, origin=None, unless=has_ended)
        return True

    def deliver(self, key: str, phase: Phase) -> tuple[Propagated, list[str]]:
        """Propagate a run's notices; return the outcome and changed documents.

        Sibling runs get the results at once. Later runs are notified after the build in progress, and only when all its
        results are in the ledgers, so that each of them reads its windows once.
        """
        date = keys.phase_of(key)[2].date
        outcome, changed, changes = Propagated({}, {}, {}), list[str](), list[tuple[str, DateChange]]()
        for member, notice in phase.notices.items():
            result = phase.members[member].result if member in phase.members else None
            if result is None or member not in self._plan.steps:
                continue
            if not (notice.relayed or self._relay_to_siblings(member, result, key=key, changed=changed)):
                outcome.pending[member] = notice
            if self._plan.windows_on(member) and defers_propagation(phase):
                outcome.deferred[member] = notice
            elif self._plan.windows_on(member) and (number := self.record(member, date, stamp=result.stamp)):
                changes.append((member, DateChange(date, number, notice.origin)))
        for member, change in changes:
            changed += self.propagate_later(member, change)
        outcome.done.update(phase.notices)
        return outcome, changed

    def _relay_to_siblings(self, member: str, result: Result, *, key: str, changed: list[str]) -> bool:
        """Relay a result to the open sibling runs; return whether all have it.

        A foreign table's result is relayed by a message, so a sibling run has it only once its document shows it.
        """
        pipeline, name, run = keys.phase_of(key)
        all_have = True
        for mode in self._plan.sibling_modes(member, mode=run.mode):
            sibling_key = keys.phase_key(pipeline, name, run=Run(run.date, mode))
            sibling = self._read(Phase, sibling_key)
            if sibling is None:
                continue
            if result.write_id:
                changed += [sibling_key] if self._relay(member, result, key=sibling_key) else []
            elif not propagation.needs_no_relay(sibling, member, result=result):
                self._relay(member, result, key=sibling_key)
                all_have = False
        return all_have

    def record(self, step: str, date: str, *, stamp: Stamp) -> int:
        """Set a date's stamp in the ledger; return the number of the change.

        The number is 0 if the stamp is outdated.
        """
        key = keys.ledger_key(self._plan.pipeline, step, date[:7])
        decide = recorded(date, stamp=stamp)
        return transact(self._ports, key, kind=Ledger, decide=decide)

    def propagate_later(self, step: str, change: DateChange) -> list[str]:
        """Notify later runs that a date in their windows changed.

        Return the documents that changed.
        """
        changed, date = [], change.date
        for name, back in self._plan.windows_on(step).items():
            prefix = f"phase:{self._plan.pipeline}:{name}:"
            for key, phase in self._phases(prefix, after=f"{prefix}{date}~", until=f"{prefix}{shift(date, back)}~"):
                later = keys.phase_of(key)[2].date
                needs = [n for n in propagation.window_needs(phase).values() if n.step == step]
                in_window = any(distance(date, later) <= need.back for need in needs)
                if in_window and self._propagate(key, phase, needs=needs, change=change):
                    changed.append(key)
        return changed

    def recheck_windows(self, date: str) -> list[str]:
        """Make later runs that wait for a date check whether it is still expected.

        Return the documents that changed.
        """
        backs: dict[str, int] = {}
        for step in self._plan.steps:
            for name, back in self._plan.windows_on(step).items():
                backs[name] = max(back, backs.get(name, 0))
        changed = []
        for name, back in backs.items():
            prefix = f"phase:{self._plan.pipeline}:{name}:"
            for key, phase in self._phases(prefix, after=f"{prefix}{date}~", until=f"{prefix}{shift(date, back)}~"):
                if any(date in window.awaited for window in phase.windows.values()) and self.refresh(key):
                    changed.append(key)
        return changed

    def refresh(self, key: str, *, unless: Callable[[Phase], bool] = propagation.never) -> bool:
        """Read all windows of a run again; return whether it is due now."""
        phase = self._read(Phase, key)
        if phase is None:
            return False
        return self._refresh(key, phase, origin=keys.phase_of(key)[2].date, unless=unless)

    def reading(self, need: Need, date: str) -> WindowReading:
        """Return the ledgers' content for a need's window before a date."""
        first, last = bounds(date, need.back)
        stamps: dict[str, Stamp] = {}
        orders: dict[str, int] = {}
        for month in months(first, last):
            ledger = self._read(Ledger, keys.ledger_key(self._plan.pipeline, need.step, month))
            if ledger is not None:
                stamps |= {on: stamp for on, stamp in ledger.stamps.items() if first <= on <= last}
                orders[month] = ledger.changes
        return WindowReading(stamps=stamps, orders=orders)

    def _propagate(self, key: str, phase: Phase, *, needs: list[Need], change: DateChange) -> bool:
        """Refresh one later run's windows, or record their drift."""
        cascade, names = self._plan.cascade_days, [str(need) for need in needs]

        def held(current: Phase) -> bool:
            return all(change.is_held(current.windows.get(name)) for name in names)

        if phase.void is not None or held(phase):
            return False
        if any(
            propagation.must_rebuild(phase, name, key=key, origin=change.origin, cascade_days=cascade) for name in names
        ):
            return self._refresh(key, phase, origin=change.origin, unless=held)
        drifted = [self._drift(key, need, change.date) for need in needs]
        if any(drifted):
            self._ports.observer.event("window drifted", key=key, date=change.date)
        return any(drifted)

    def _drift(self, key: str, need: Need, date: str) -> bool:
        reading = self.reading(need, keys.phase_of(key)[2].date)
        seen = Window(stamp=fold(reading.stamps), orders=reading.orders)
        decide = propagation.drifted(str(need), dates=[date], seen=seen)
        return transact(self._ports, key, kind=Phase, decide=decide)

    def _refresh(
        self, key: str, phase: Phase, *, origin: str | None, unless: Callable[[Phase], bool] = propagation.never
    ) -> bool:
        run, now = keys.phase_of(key)[2], self._ports.clock.now()
        waits = self._calendar.exists and phase.gate.await_windows
        windows = {
            window: self._window(need, run, waits=waits) for window, need in propagation.window_needs(phase).items()
        }
        decide = propagation.windowed(
            windows, origin=origin, key=key, now=now, attempt=self._ports.ids(), unless=unless
        )
        return transact(self._ports, key, kind=Phase, decide=decide)

    def _window(self, need: Need, run: Run, *, waits: bool) -> Window:
        reading = self.reading(need, run.date)
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

    def _relay(self, member: str, result: Result, *, key: str, first: bool = False) -> bool:
        """Report a sibling run's result to a run; return whether it was accepted.

        A result without a receipt (a foreign table) has no order that both runs share, so the run is sent a completion
        message and reads the table itself, unless it has no result yet (``first``).
        """
        run = keys.phase_of(key)[2]
        if not result.write_id and not first:
            number = f"relay.{key.partition(':')[2].replace(':', '.')}.{member}.{result.stamp.fingerprint}"
            body: dict[str, object] = {"kind": "completion", "step": member, "run": str(run), "status": "success"}
            if result.lacks is not None and result.lacks.missing and not result.lacks.rule:
                body |= {"status": "partial", "missing": list(result.lacks.missing)}
            self._ports.bus.publish(Message(id=number, topic=completions_topic(self._plan.pipeline), body=body))
            return False
        report = Report(
            member=member, status=result.status, order=result.order, after=None if result.write_id else 0.0,
            stamp=result.stamp, built_from=result.built_from, rows=result.rows, write_id=result.write_id,
            code=result.code, relayed=True, lacks=result.lacks,
        )  # fmt: skip
        decide = decisions.report(report, key=key, now=self._ports.clock.now(), attempt=self._ports.ids())
        answer = transact(self._ports, key, kind=Phase, decide=decide)
        return answer.outcome == "accepted"

    def _is_table(self, member: str) -> bool:
        step = self._plan.steps.get(member)
        return step is not None and step.table is not None

    def _phases(self, prefix: str, *, after: str, until: str) -> Iterator[tuple[str, Phase]]:
        for doc in scanned(self._ports.store, prefix, after=after, until=until, page=PAGE):
            try:
                phase = decode(Phase, doc.body, key=doc.key)
            except BadDocument as e:  # one unreadable document must not keep the others from being notified
                self._ports.observer.event("not propagated", key=doc.key, error=str(e))
            else:
                yield doc.key, phase

    def _read(self, kind: type[S], key: str) -> S | None:
        doc = self._ports.store.read(key)
        return None if doc is None else decode(kind, doc.body, key=key)
