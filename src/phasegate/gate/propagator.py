"""Carries what one run knows to the others: to its sisters in other modes, and to later runs whose windows hold it.

It works from the notices that a run keeps until all have heard, so whoever dies on the way is followed by whoever
sweeps. It decides nothing itself.
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
from phasegate.gate.phase import Phase, keeps_back
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
    """Reads and writes ledgers, relays results, refreshes windows. Returns the keys of documents that it changed."""

    def __init__(self, plan: Plan, ports: Ports, *, calendar: Calendar) -> None:
        self._plan, self._ports, self._calendar = plan, ports, calendar

    def catch_up(self, key: str) -> bool:
        """Tell a run that was just opened what others know; return whether there was anything to do."""
        phase = self._read(Phase, key)
        if phase is None or phase.catch_up_since is None:
            return False
        _, name, run = keys.phase_of(key)
        for mode in self._plan.phases[name].modes:
            sister = None
            if mode != run.mode:
                sister = self._read(Phase, keys.phase_key(self._plan.pipeline, name, run=Run(run.date, mode)))
            for member, known in ({} if sister is None else sister.members).items():
                if member in phase.gate.members and known.result is not None and self._is_table(member):
                    self._relay(member, known.result, key=key, first=phase.result_of(member) is None)

        def is_over(there: Phase) -> bool:
            """Tell whether it has caught up since, does not take place, or was brought back again."""
            was = (phase.void, phase.catch_up_since)
            return there.catch_up_since is None or (there.void, there.catch_up_since) != was

        self._refresh(key, phase, origin=None, unless=is_over)
        return True

    def deliver(self, key: str, phase: Phase) -> tuple[Propagated, list[str]]:
        """Carry a run's notices to everybody; return what became of each, and the documents that changed.

        Sister runs hear at once. Later runs hear when the build in progress is over: the ledgers of all its results
        first, so that each reads them once.
        """
        day = keys.phase_of(key)[2].date
        told, changed, news = Propagated({}, {}, {}), list[str](), list[tuple[str, DateChange]]()
        for member, notice in phase.notices.items():
            result = phase.members[member].result if member in phase.members else None
            if result is None or member not in self._plan.steps:
                continue
            all_heard = notice.relayed or self._tell_sisters(member, result, key=key, changed=changed)
            if not all_heard:
                told.left[member] = notice
            if self._plan.windows_on(member) and keeps_back(phase):
                told.kept[member] = notice
            elif self._plan.windows_on(member) and (number := self.record(member, day, stamp=result.stamp)):
                told.heard[member] = notice
                news.append((member, DateChange(day, number, notice.origin)))
        for member, one in news:
            changed += self.tell_later(member, one)
        told.heard.update(phase.notices)
        return told, changed

    def _tell_sisters(self, member: str, result: Result, *, key: str, changed: list[str]) -> bool:
        """Relay a result to the sister runs that are open; tell whether all have heard it for certain."""
        pipeline, name, run = keys.phase_of(key)
        all_heard = True
        for mode in self._plan.sibling_modes(member, mode=run.mode):
            key_there = keys.phase_key(pipeline, name, run=Run(run.date, mode))
            sister = self._read(Phase, key_there)
            if sister is None:
                continue
            if result.write_id:
                changed += [key_there] if self._relay(member, result, key=key_there) else []
            elif not propagation.has_heard(sister, member, result=result):
                self._relay(member, result, key=key_there)
                all_heard = False
        return all_heard

    def record(self, step: str, day: str, *, stamp: Stamp) -> int:
        """Note in the ledger what a date of a step holds now; return the number of the change, 0 for no news."""
        key = keys.ledger_key(self._plan.pipeline, step, day[:7])
        decide = recorded(day, stamp=stamp)
        return transact(self._ports, key, kind=Ledger, decide=decide)

    def tell_later(self, step: str, news: DateChange) -> list[str]:
        """Tell the later runs whose window holds a date that it changed; return the documents that changed."""
        changed, day = [], news.day
        for name, back in self._plan.windows_on(step).items():
            prefix = f"phase:{self._plan.pipeline}:{name}:"
            for key, phase in self._phases(prefix, after=f"{prefix}{day}~", until=f"{prefix}{shift(day, back)}~"):
                later = keys.phase_of(key)[2].date
                needs = [n for n in propagation.window_needs(phase).values() if n.step == step]
                if any(distance(day, later) <= need.back for need in needs) and self._tell(
                    key, phase, needs=needs, news=news
                ):
                    changed.append(key)
        return changed

    def release(self, day: str) -> list[str]:
        """Have the later runs that wait for a date look whether it is still expected; return what changed."""
        backs: dict[str, int] = {}
        for step in self._plan.steps:
            for name, back in self._plan.windows_on(step).items():
                backs[name] = max(back, backs.get(name, 0))
        changed = []
        for name, back in backs.items():
            prefix = f"phase:{self._plan.pipeline}:{name}:"
            for key, phase in self._phases(prefix, after=f"{prefix}{day}~", until=f"{prefix}{shift(day, back)}~"):
                if any(day in window.awaited for window in phase.windows.values()) and self.refresh(key):
                    changed.append(key)
        return changed

    def refresh(self, key: str, *, unless: Callable[[Phase], bool] = propagation.never) -> bool:
        """Read all windows of a run anew, drifted or not; return whether something is to be sent because of it."""
        phase = self._read(Phase, key)
        if phase is None:
            return False
        return self._refresh(key, phase, origin=keys.phase_of(key)[2].date, unless=unless)

    def reading(self, need: Need, day: str) -> WindowReading:
        """Return what the ledgers say of the window of a need before a date."""
        first, last = bounds(day, need.back)
        stamps: dict[str, Stamp] = {}
        orders: dict[str, int] = {}
        for month in months(first, last):
            ledger = self._read(Ledger, keys.ledger_key(self._plan.pipeline, need.step, month))
            if ledger is not None:
                stamps |= {on: stamp for on, stamp in ledger.stamps.items() if first <= on <= last}
                orders[month] = ledger.changes
        return WindowReading(stamps=stamps, orders=orders)

    def _tell(self, key: str, phase: Phase, *, needs: list[Need], news: DateChange) -> bool:
        cascade, names = self._plan.cascade_days, [str(need) for need in needs]

        def held(there: Phase) -> bool:
            return all(news.is_held(there.windows.get(name)) for name in names)

        if phase.void is not None or held(phase):
            return False
        if any(
            propagation.must_rebuild(phase, name, key=key, origin=news.origin, cascade_days=cascade) for name in names
        ):
            return self._refresh(key, phase, origin=news.origin, unless=held)
        drifted = [self._drift(key, need, news.day) for need in needs]
        if any(drifted):
            self._ports.observer.event("window drifted", key=key, date=news.day)
        return any(drifted)

    def _drift(self, key: str, need: Need, day: str) -> bool:
        reading = self.reading(need, keys.phase_of(key)[2].date)
        seen = Window(stamp=fold(reading.stamps), orders=reading.orders)
        decide = propagation.drifted(str(need), days=[day], seen=seen)
        return transact(self._ports, key, kind=Phase, decide=decide)

    def _refresh(
        self, key: str, phase: Phase, *, origin: str | None, unless: Callable[[Phase], bool] = propagation.never
    ) -> bool:
        run, now = keys.phase_of(key)[2], self._ports.clock.now()
        waits = self._calendar.is_kept and phase.gate.await_windows
        windows = {
            window: self._window(need, run, waits=waits) for window, need in propagation.window_needs(phase).items()
        }
        decide = propagation.windowed(
            windows, origin=origin, key=key, now=now, attempt=self._ports.ids(), unless=unless
        )
        return transact(self._ports, key, kind=Phase, decide=decide)

    def _window(self, need: Need, run: Run, *, waits: bool) -> Window:
        reading = self.reading(need, run.date)
        awaited = {on: until for on in (self._dates(need, run) if waits else ()) if on not in reading.stamps
                   and (until := self._awaited_until(need, on, mode=run.mode)) is not None}  # fmt: skip
        return Window(stamp=fold(reading.stamps), orders=reading.orders, awaited=awaited)

    def _dates(self, need: Need, run: Run) -> Iterator[str]:
        """Give the dates of a window that may still be waited for."""
        first, on = bounds(run.date, min(need.back, WAIT_DAYS_MAX))
        while on >= first and self._calendar.ends_at(on) + WAIT_DAYS_MAX * 86400.0 > self._ports.clock.now():
            yield on
            on = shift(on, -1)

    def _awaited_until(self, need: Need, on: str, *, mode: str) -> float | None:
        """Return until when a date is waited for, if the calendar expects it and its deadline is not over."""
        day = self._calendar.day(on) if need.step in self._plan.steps else None
        if day is None or day.state != "work":
            return None
        modes = [m for m in self._plan.phases[need.phase].modes if need.step in self._plan.members(need.phase, mode=m)]
        run = Run(on, mode if mode in modes else modes[0])
        there = self._read(Phase, keys.phase_key(self._plan.pipeline, need.phase, run=run))
        if there is not None and there.void is not None:
            return None
        rule, until = self._plan.phases[need.phase].modes[run.mode].deadline, None
        if there is not None:
            until = there.gate.deadline
        elif rule is not None and not rule.opening:
            try:
                until = rule.at(run, timezone=self._plan.timezone, opened_at=0.0, anchors=day.anchors)
            except BadInput as e:
                self._ports.observer.event("calendar failed", month=on[:7], error=str(e))
        if until is None:
            until = self._calendar.ends_at(on) + WAIT_MAX_S
        return until if until > self._ports.clock.now() else None

    def _relay(self, member: str, result: Result, *, key: str, first: bool = False) -> bool:
        """Report a sister's result to a run.

        A foreign table is read anew there, as only a reader knows what is newer; but not where nothing is known yet
        (``first``).
        """
        run = keys.phase_of(key)[2]
        if not result.write_id and not first:
            number = f"relay.{key.partition(':')[2].replace(':', '.')}.{member}.{result.stamp.fingerprint}"
            body = {"kind": "completion", "step": member, "run": str(run), "status": "success"}
            self._ports.bus.publish(Message(id=number, topic=completions_topic(self._plan.pipeline), body=body))
            return False
        said = Report(
            member=member, status=result.status, order=result.order, after=None if result.write_id else 0.0,
            stamp=result.stamp, built_from=result.built_from, rows=result.rows, write_id=result.write_id,
            code=result.code, relayed=True,
        )  # fmt: skip
        decide = decisions.report(said, key=key, now=self._ports.clock.now(), attempt=self._ports.ids())
        answer = transact(self._ports, key, kind=Phase, decide=decide)
        return answer.outcome == "accepted"

    def _is_table(self, member: str) -> bool:
        step = self._plan.steps.get(member)
        return step is not None and step.table is not None

    def _phases(self, prefix: str, *, after: str, until: str) -> Iterator[tuple[str, Phase]]:
        for doc in scanned(self._ports.store, prefix, after=after, until=until, page=PAGE):
            try:
                phase = decode(Phase, doc.body, key=doc.key)
            except BadDocument as e:  # it cannot be told, and must not keep the others from hearing
                self._ports.observer.event("not told", key=doc.key, error=str(e))
            else:
                yield doc.key, phase

    def _read(self, kind: type[S], key: str) -> S | None:
        doc = self._ports.store.read(key)
        return None if doc is None else decode(kind, doc.body, key=key)
