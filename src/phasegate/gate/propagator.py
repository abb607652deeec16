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
from phasegate.base.dates import distance, shift
from phasegate.base.keys import Run
from phasegate.base.receipt import Stamp
from phasegate.bus import Message
from phasegate.calendar.calendar import Calendar
from phasegate.errors import BadDocument
from phasegate.gate import decisions, propagation
from phasegate.gate.applied import apply
from phasegate.gate.decisions import Report
from phasegate.gate.phase import Phase, defers_propagation
from phasegate.gate.propagation import DateChange, Propagated
from phasegate.gate.records import Result, Window
from phasegate.gate.windows import WindowReader
from phasegate.ledger import Ledger, fold, recorded
from phasegate.plan.gate import Need
from phasegate.plan.model import Plan, completions_topic
from phasegate.ports import Ports
from phasegate.scan import scanned
from phasegate.transact import AtHand, transact

PAGE = 200

S = TypeVar("S", bound=State)
A = TypeVar("A")


class Propagator:
    """Relays results to sibling runs, records ledgers, refreshes windows.

    Its methods return the keys of the documents that they changed, for the gatekeeper to flush.
    """

    def __init__(self, plan: Plan, ports: Ports, *, calendar: Calendar) -> None:
        self._plan, self._ports = plan, ports
        self.windows = WindowReader(plan, ports, calendar=calendar)

    def catch_up(self, key: str, *, known: AtHand | None = None) -> list[str]:
        """Give a run the results of its sibling runs, and read its windows.

        Return the documents that changed: none for a run that is not open, has caught up, or waits for the phases
        before it. ``known``: the document as it was just read.
        """
        known = known or AtHand()
        phase = self._read(Phase, key, known=known)
        if phase is None or phase.catch_up_since is None:
            return []
        _, name, run = keys.phase_of(key)
        for mode in self._plan.phases[name].modes:
            sibling = None
            if mode != run.mode:
                sibling = self._read(Phase, keys.phase_key(self._plan.pipeline, name, run=Run(run.date, mode)))
            for member, theirs in ({} if sibling is None else sibling.members).items():
                if theirs.result is None or not self._is_table(member):
                    continue
                if propagation.needs_no_relay(phase, member, result=theirs.result):
                    continue
                if theirs.result.write_id or phase.result_of(member) is None:
                    self._relay(member, theirs.result, key=key, known=known)
                else:
                    self._ask_to_read(member, theirs.result, key=key)

        def has_ended(current: Phase) -> bool:
            """Return whether this catching up was finished or replaced since."""
            started = (phase.void, phase.catch_up_since)
            return current.catch_up_since is None or (current.void, current.catch_up_since) != started

        return self._read_windows(key, origin=None, unless=has_ended)

    def waiting_for(self, key: str, phase: Phase) -> list[str]:
        """Return the phases after this one that wait until it is built."""
        if phase.requests or phase.waiting:
            return []
        pipeline, name, run = keys.phase_of(key)
        later = [other for other in self._plan.downstream(name) if run.mode in self._plan.phases[other].modes]
        found = [keys.phase_key(pipeline, other, run=run) for other in later]
        return [other for other in found if (read := self._read(Phase, other)) and read.catch_up_since is not None]

    def deliver(self, key: str, phase: Phase) -> tuple[Propagated, list[str]]:
        """Propagate a run's notices; return the outcome and changed documents.

        Sibling runs get the results at once, and messages again when they are due. Later runs are notified after the
        build in progress, and only when all its results are in the ledgers, so that each of them reads its windows
        once.
        """
        date, now = keys.phase_of(key)[2].date, self._ports.clock.now()
        outcome, changed, changes = Propagated({}, {}, {}, {}), list[str](), list[tuple[str, DateChange]]()
        for member, notice in phase.notices.items():
            result = phase.members[member].result if member in phase.members else None
            if result is None or member not in self._plan.steps:
                continue
            is_due = notice.at <= now
            if not (notice.relayed or self._relay_to_siblings(member, result, key=key, sends=is_due, changed=changed)):
                (outcome.pending if is_due else outcome.awaited)[member] = notice
            if self._plan.windows_on(member) and defers_propagation(phase):
                outcome.deferred[member] = notice
            elif self._plan.windows_on(member) and (number := self.record(member, date, stamp=result.stamp)):
                changes.append((member, DateChange(date, number, result.origin or date)))
        for member, change in changes:
            changed += self.propagate_later(member, change)
        outcome.done.update(phase.notices)
        return outcome, changed

    def _relay_to_siblings(self, member: str, result: Result, *, key: str, sends: bool, changed: list[str]) -> bool:
        """Relay a result to the open sibling runs; return whether all have it.

        A foreign table's result is relayed by a message, so a sibling run has it only once its document shows it.
        ``sends`` False: a message was sent before, and may still arrive.
        """
        pipeline, name, run = keys.phase_of(key)
        all_have = True
        for mode in self._plan.sibling_modes(member, mode=run.mode):
            sibling_key, known = keys.phase_key(pipeline, name, run=Run(run.date, mode)), AtHand()
            sibling = self._read(Phase, sibling_key, known=known)
            if sibling is None:
                continue
            if result.write_id:
                changed += [sibling_key] if self._relay(member, result, key=sibling_key, known=known) else []
            elif not propagation.needs_no_relay(sibling, member, result=result):
                if sends:
                    self._ask_to_read(member, result, key=sibling_key)
                all_have = False
        return all_have

    def record(self, step: str, date: str, *, stamp: Stamp) -> int:
        """Set a date's stamp in the ledger; return the number of the change.

        The number is 0 if the stamp is outdated.
        """
        key = keys.ledger_key(self._plan.pipeline, step, date[:7])
        decide = recorded(date, stamp=stamp)
        try:
            return transact(self._ports, key, kind=Ledger, decide=decide)
        except BadDocument:
            self.windows.ledger(step, date[:7])  # derives it again, or raises
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
                if in_window:
                    changed += self._propagate(key, phase, needs=needs, change=change)
        return changed

    def recheck_windows(self, date: str) -> list[str]:
        """Make later runs that wait for a date check whether it is still expected.

        Return the documents that changed.
        """

        def waits_no_more(phase: Phase) -> bool:
            return not any(date in window.awaited for window in phase.windows.values())

        backs: dict[str, int] = {}
        for step in self._plan.steps:
            for name, back in self._plan.windows_on(step).items():
                backs[name] = max(back, backs.get(name, 0))
        changed = []
        for name, back in backs.items():
            prefix = f"phase:{self._plan.pipeline}:{name}:"
            for key, phase in self._phases(prefix, after=f"{prefix}{date}~", until=f"{prefix}{shift(date, back)}~"):
                if not waits_no_more(phase):
                    changed += self.refresh(key, unless=waits_no_more)
        return changed

    def refresh(self, key: str, *, unless: Callable[[Phase], bool] = propagation.never) -> list[str]:
        """Read a run's windows again, from its first phase to this one.

        Return the documents that changed.
        """
        return self._read_windows(key, origin=keys.phase_of(key)[2].date, unless=unless)

    def _propagate(self, key: str, phase: Phase, *, needs: list[Need], change: DateChange) -> list[str]:
        """Refresh one later run's windows, or record their drift."""
        cascade, names = self._plan.cascade_days, [str(need) for need in needs]

        def held(current: Phase) -> bool:
            return all(change.is_held(current.windows.get(name)) for name in names)

        if phase.void is not None or held(phase):
            return []
        date = keys.phase_of(key)[2].date
        readings = {str(need): found for need, found in self.windows.readings(needs, date).items()}
        windows = {name: Window(stamp=fold(r.stamps), orders=r.orders) for name, r in readings.items()}
        awaits = any(phase.windows[name].awaited for name in names if name in phase.windows)
        if (awaits or propagation.is_outdated(phase, windows)) and any(
            propagation.must_rebuild(phase, name, key=key, origin=change.origin, cascade_days=cascade) for name in names
        ):
            return self._read_windows(key, origin=change.origin, unless=held)
        decides = [propagation.drifted(name, dates=[change.date], seen=window) for name, window in windows.items()]
        drifted = [apply(self._ports, key, decide=decide, known=AtHand())[0] for decide in decides]
        if any(drifted):
            self._ports.observer.event("window drifted", key=key, date=change.date)
        return [key] if any(drifted) else []

    def _read_windows(
        self, key: str, *, origin: str | None, unless: Callable[[Phase], bool] = propagation.never
    ) -> list[str]:
        """Read a phase's windows again, those of the phases before it first.

        A phase whose windows changed is put off while a phase before it is yet to be built. Return the documents that
        changed.
        """
        pipeline, name, run = keys.phase_of(key)
        known = AtHand()  # read now: a decision on an older document could put the run off once more
        asked = self._read(Phase, key, known=known)
        if asked is None or asked.void is not None or unless(asked):
            return []
        phases = {other: self._of_run(other, run) for other in self._plan.upstream(name, mode=run.mode)}
        phases[name] = asked
        changed, blocked, held = list[str](), False, list[tuple[Need, Stamp]]()
        for other, phase in phases.items():
            if phase is None:
                continue
            after = self._plan.phases[other].after
            blocked = blocked or not all(propagation.follows(phase, u, phases.get(u)) for u in after)
            windows = self.windows.windows(phase, run)
            held += [(need, windows[window].stamp) for window, need in propagation.window_needs(phase).items()]
            outdated, is_put_off = propagation.is_outdated(phase, windows), phase.catch_up_since is not None
            reads = bool(windows) and (outdated or is_put_off)  # one without windows has nothing to wait for
            blocked = blocked or (reads and not self.windows.is_at_rest(phase, run, held))
            its_key = keys.phase_key(pipeline, other, run=run)
            its_unless = unless if other == name else propagation.never
            later = self._outdated_after(other, run) if outdated and not blocked else {}
            if outdated and not self._is_wanted(key, unless=unless, known=known):  # after all readings
                return changed
            if blocked and (outdated or is_put_off):
                changed += [] if is_put_off else self._put_off(its_key, windows, origin=origin, unless=its_unless)
            elif is_put_off and other != name:
                changed += self.catch_up(its_key)
            elif outdated or other == name:
                for later_key, its_windows in later.items():
                    changed += self._put_off(later_key, its_windows, origin=origin)
                its_origin = origin if other == name else origin or run.date
                its_known = known if other == name else AtHand()
                changed += self._apply(its_key, windows, origin=its_origin, unless=its_unless, known=its_known)
            blocked = blocked or outdated or is_put_off
        return changed

    def _is_wanted(self, key: str, *, unless: Callable[[Phase], bool], known: AtHand) -> bool:
        """Return whether a run still needs a reading that was taken before.

        This process may have paused since it read the run's document: another one has then read the windows for it, and
        a later change of them may be too far back to be built into the run.
        """
        known.forget()
        now = self._read(Phase, key, known=known)
        return now is not None and now.void is None and not unless(now)

    def _apply(
        self, key: str, windows: dict[str, Window], *, origin: str | None, unless: Callable[[Phase], bool],
        known: AtHand,
    ) -> list[str]:  # fmt: skip
        decide = propagation.windowed(
            windows, origin=origin, key=key, now=self._ports.clock.now(), attempt=self._ports.ids(), unless=unless
        )
        return [key] if apply(self._ports, key, decide=decide, known=known)[0] else []

    def _outdated_after(self, phase: str, run: Run) -> dict[str, dict[str, Window]]:
        """Return the phases after this one whose windows changed, with these."""
        found = {}
        for other in self._plan.phases:
            later = self._of_run(other, run) if phase in self._plan.upstream(other, mode=run.mode) else None
            windows = {} if later is None else self.windows.windows(later, run)
            if later is not None and propagation.is_outdated(later, windows):
                found[keys.phase_key(self._plan.pipeline, other, run=run)] = windows
        return found

    def _put_off(
        self, key: str, windows: dict[str, Window], *, origin: str | None,
        unless: Callable[[Phase], bool] = propagation.never,
    ) -> list[str]:  # fmt: skip
        decide = propagation.put_off(
            windows, origin=origin, key=key, now=self._ports.clock.now(), attempt=self._ports.ids(), unless=unless
        )
        apply(self._ports, key, decide=decide, known=AtHand())
        return [key]

    def _of_run(self, phase: str, run: Run) -> Phase | None:
        """Return a phase of a run if it is open and takes place."""
        found = self._read(Phase, keys.phase_key(self._plan.pipeline, phase, run=run))
        return None if found is None or found.void is not None else found

    def _ask_to_read(self, member: str, result: Result, *, key: str) -> None:
        """Send a run a completion message: a sibling run has read other content.

        A result without a receipt (a foreign table) has no order that both runs share, so the run reads the table
        itself.
        """
        number = f"relay.{key.partition(':')[2].replace(':', '.')}.{member}.{result.stamp.fingerprint}"
        body: dict[str, object] = {
            "kind": "completion", "step": member, "run": str(keys.phase_of(key)[2]), "status": "success",
        }  # fmt: skip
        if result.lacks is not None and result.lacks.missing and not result.lacks.rule:
            body |= {"status": "partial", "missing": list(result.lacks.missing)}
        self._ports.bus.publish(Message(id=number, topic=completions_topic(self._plan.pipeline), body=body))

    def _relay(self, member: str, result: Result, *, key: str, known: AtHand) -> bool:
        """Report a sibling run's result to a run; return whether it was accepted.

        One without a receipt counts only if the run has no result yet.
        """
        report = Report(
            member=member, status=result.status, order=result.order, after=None if result.write_id else 0.0,
            stamp=result.stamp, built_from=result.built_from, rows=result.rows, write_id=result.write_id,
            code=result.code, relayed=True, origin=result.origin, lacks=result.lacks,
        )  # fmt: skip
        decide = decisions.report(report, key=key, now=self._ports.clock.now(), attempt=self._ports.ids())
        answer, _ = apply(self._ports, key, decide=decide, known=known)
        return answer.outcome == "accepted"

    def _is_table(self, member: str) -> bool:
        step = self._plan.steps.get(member)
        return step is not None and step.table is not None

    def _phases(self, prefix: str, *, after: str, until: str) -> Iterator[tuple[str, Phase]]:
        return self.windows.decoded(scanned(self._ports.store, prefix, after=after, until=until, page=PAGE))

    def _read(self, kind: type[S], key: str, *, known: AtHand | None = None) -> S | None:
        doc = (known or AtHand()).doc(self._ports.store, key)
        return None if doc is None else decode(kind, doc.body, key=key)
