"""Compares documents, tables and calendar of a span of dates.

Here the facts are read in bulk, documents page by page and tables in a fixed number of queries, however many dates;
check.documents and check.tables judge them. A check that raises is not evaluated; the others go on. Nothing is changed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from phasegate.base import keys
from phasegate.base.codec import decode
from phasegate.base.dates import local_date, shift
from phasegate.base.findings import GRACE_S, CheckResult, Finding
from phasegate.base.keys import Run
from phasegate.base.receipt import Part
from phasegate.base.wording import count
from phasegate.check import documents, mirrors, tables
from phasegate.check.documents import StoredPhase
from phasegate.check.evidence import Evidence
from phasegate.check.tables import DocumentFacts
from phasegate.errors import BadDocument, BadInput, NotFound, words
from phasegate.explain.coverage import absent, unexpected
from phasegate.explain.documents import Documents, span
from phasegate.explain.late_results import known_of
from phasegate.explain.overview import Overview
from phasegate.gate.phase import settled
from phasegate.ledger import Ledger
from phasegate.plan.model import Plan, Step
from phasegate.ports import Ports
from phasegate.scan import scanned
from phasegate.write.lease import WHOLE, Lease

Found = Iterable[Finding]
A = TypeVar("A")
# The checks that need the tables: no document shows what they find.
OF_TABLES = ("receipts", "duplicates", "identities", "covers", "fences")


class Inspector:
    """Inspects one pipeline.

    ``warehouse_name``: the warehouse of its leases. ``store_id``: the store that its fences must obey.
    """

    def __init__(self, plan: Plan, ports: Ports, *, warehouse_name: str, store_id: str) -> None:
        self._plan, self._ports = plan, ports
        self._warehouse_name, self._store_id = warehouse_name, store_id

    def inspect(
        self, first: str, last: str, *, phase: str | None = None, grace_s: float = GRACE_S
    ) -> tuple[CheckResult, ...]:  # fmt: skip
        """Return the outcome of every check on the dates ``first`` to ``last``.

        They are of one phase or of all. Raises BadInput for a wrong span, NotFound for a phase that the plan lacks.
        """
        if phase is not None and phase not in self._plan.phases:
            raise NotFound(f"unknown phase {phase!r}; the plan has {', '.join(self._plan.phases)}")
        span(first, last)
        try:
            inspection = _Inspection(
                self._plan, self._ports, first=first, last=last, phase=phase, warehouse=self._warehouse_name
            )
            inspection.read_leases()
        except Exception as e:  # noqa: BLE001  reported as "not evaluated", which no exit code hides
            return (CheckResult(check="documents", error=words(e)),)
        return tuple(self._outcomes(inspection, grace_s=grace_s))

    def tables(self, on: str, runs: Iterable[Run]) -> dict[Run, tuple[CheckResult, ...]]:
        """Return the outcomes of the checks of tables for some runs of a date.

        These are OF_TABLES; an outcome of the documents is added if they could not be read.
        """
        known = self.inspect(on, on)
        found = [one for one in known if one.check in OF_TABLES or (one.check == "documents" and one.error)]
        return {
            run: tuple(
                replace(one, findings=_of_run(one.findings, run), settling=_of_run(one.settling, run)) for one in found
            )
            for run in runs
        }

    def _outcomes(self, inspection: "_Inspection", *, grace_s: float) -> Iterator[CheckResult]:
        runs, steps = len(inspection.phases), len(inspection.steps)

        def checked(check: str, found: Callable[[], Found], *, of: int, errors: Sequence[str] = ()) -> CheckResult:
            findings: list[Finding] = []
            reasons = list(errors)
            try:
                for finding in found():
                    findings.append(finding)  # noqa: PERF402  what was found before it raised is kept
            except Exception as e:  # noqa: BLE001  reported as "not evaluated", which no exit code hides
                reasons.append(words(e))
            kept = documents.aged(findings, now=inspection.now, grace_s=grace_s)
            settling = tuple(finding for finding in findings if finding not in kept)
            return CheckResult(check=check, findings=kept, settling=settling, error="; ".join(reasons), evaluated=of)

        yield checked("quarantine", inspection.quarantined, of=runs)
        yield checked("firing", inspection.firing, of=runs)
        yield checked("triggers", inspection.triggers, of=runs)
        yield checked("freshness", inspection.freshness, of=runs)
        yield checked("windows", lambda: _each(inspection, documents.drifted), of=runs)
        yield checked("plan", inspection.replanned, of=runs)
        yield checked("dead letters", inspection.dead, of=runs)
        yield checked("mirrors", inspection.mirrors, of=runs)
        yield checked("leases", inspection.expired, of=len(inspection.leases))
        evidence = inspection.evidence()
        errors = evidence.errors
        yield checked(
            "runs", lambda: inspection.absences(evidence), of=len(inspection.dates), errors=inspection.unknown_dates()
        )
        yield checked("calendar", inspection.unknown, of=len(inspection.dates))
        yield checked("receipts", lambda: inspection.reports(evidence), of=steps, errors=errors.get("receipts", ()))
        yield checked(
            "duplicates", lambda: inspection.duplicates(evidence), of=steps, errors=errors.get("duplicates", ())
        )
        if any(step.identity or step.determines or step.sums for step in inspection.steps):
            found = errors.get("identities", ())
            yield checked("identities", lambda: inspection.identities(evidence), of=steps, errors=found)
        covering = sum(1 for step in inspection.steps if step.covers is not None)
        if covering:
            found = errors.get("covers", ())
            yield checked("covers", lambda: inspection.uncovered(evidence), of=covering, errors=found)
        yield checked("fences", lambda: inspection.fences(evidence, store_id=self._store_id), of=len(evidence.fences),
                      errors=errors.get("fences", ()))  # fmt: skip
        # last: it reports the unreadable documents that the others met
        yield checked("documents", inspection.documents, of=runs)


class _Inspection:
    """The facts of one inspection, and the checks on them."""

    def __init__(self, plan: Plan, ports: Ports, *, first: str, last: str, phase: str | None, warehouse: str) -> None:
        self._plan, self._ports, self.first, self.last = plan, ports, first, last
        self._warehouse = warehouse
        self._documents = Documents(plan, ports, first=first, last=last)
        self.now, self.dates = self._documents.now, self._documents.dates
        self._overview = Overview(plan, ports)
        self._names = tuple(plan.phases) if phase is None else (phase,)
        self.steps = [s for s in plan.steps.values() if s.table is not None and s.phase in self._names]
        self.broken: list[BadDocument] = list(self._documents.broken)
        self.leases: dict[str, tuple[Part, Lease]] = {}
        self.phases = [
            StoredPhase(key=key, run=Run(on, mode), phase=phase, due=put_off.due if put_off else None,
                   failures=put_off.failures if put_off else 0)
            for on in self.dates
            for (name, mode), phase in self._documents.phases.get(on, {}).items()
            if name in self._names
            for key in [keys.phase_key(plan.pipeline, name, run=Run(on, mode))]
            for put_off in [self._documents.put_off.get(key)]
        ]  # fmt: skip
        # nothing is due in a settled phase, and most of ten years are settled
        self._unsettled = [one for one in self.phases if not settled(one.phase)]

    def read_leases(self) -> None:
        """Read the leases of the dates' partitions, and of whole tables."""
        for step in self.steps:
            assert step.table is not None
            prefix = keys.lease_key(self._warehouse, Part(step.table.name, ""))
            after = f"{prefix}{shift(self.first, -1)}~"
            found = [*scanned(self._ports.store, prefix, after=after, until=f"{prefix}{self.last}~")]
            if self._ports.warehouse.scope == "table":
                found += filter(None, [self._ports.store.read(f"{prefix}{WHOLE}")])
            for doc in found:
                part = Part(step.table.name, doc.key.removeprefix(prefix))
                try:
                    self.leases[doc.key] = part, decode(Lease, doc.body, key=doc.key)
                except BadDocument as e:
                    self.broken.append(e)

    def evidence(self) -> Evidence:
        """Read the tables."""
        return Evidence(self._ports.warehouse, self.steps, plan=self._plan, first=self.first, last=self.last)

    def firing(self) -> Found:
        """Find phases that are complete and have not fired."""
        for one in self._unsettled:
            yield from documents.unfired(one, now=self.now)

    def triggers(self) -> Found:
        """Find triggers that were not sent, or had no effect."""
        for one in self.phases:
            place = self._documents.phases.get(one.run.date, {})
            unreadable = self._documents.unreadable.get(one.run.date, ())
            after = {name: place.get((name, one.run.mode)) for name in self._plan.downstream(one.name)
                     if (name, one.run.mode) not in unreadable}  # fmt: skip
            yield from documents.unsent(one)
            yield from documents.unbegun(one, after=after, now=self.now)

    def freshness(self) -> Found:
        """Find stale results and unanswered requests."""
        busy = self._busy()
        for one in self._unsettled:
            steps = [name for name in one.phase.gate.members if self._part(name, one.run) in busy]
            yield from documents.stale(one, busy=steps, now=self.now)

    def replanned(self) -> Found:
        """Find open runs of an older plan.

        Raises BadInput, after the others, for a run whose gate cannot be computed from today's plan.
        """
        failed: BadInput | None = None
        for one in self._unsettled:
            if one.run.mode not in self._plan.phases[one.name].modes:
                continue
            day = self._documents.day(one.run.date)
            anchors = None if day is None else day.anchors
            try:
                gate = self._plan.gate(one.name, run=one.run, opened_at=one.phase.opened_at, anchors=anchors)
            except BadInput as e:
                failed = failed or e
            else:
                yield from documents.replanned(one, pinned_now=gate.hash)
        if failed is not None:
            raise failed

    def dead(self) -> Found:
        """Find dead letters."""
        for one in self.phases:
            yield from documents.dead(one, now=self.now)

    def documents(self) -> Found:
        """Find documents that cannot be read or processed."""
        for error in dict.fromkeys(map(str, self.broken)):
            yield Finding(code="PG019", subject="store", text=error, cause=error,
                          command="upgrade phasegate, or restore the document from a backup")  # fmt: skip
        yield from self._ledgers()
        yield from _each(self, lambda one: documents.postponed(one, now=self.now))

    def _ledgers(self) -> Found:
        """Find ledgers that cannot be read."""
        for step in (step for step in self.steps if self._plan.windows_on(step.name)):
            prefix = keys.ledger_key(self._plan.pipeline, step.name, "")
            before = shift(f"{self.first[:7]}-01", -1)[:7]
            for doc in scanned(
                self._ports.store, prefix, after=f"{prefix}{before}~", until=f"{prefix}{self.last[:7]}~"
            ):
                try:
                    decode(Ledger, doc.body, key=doc.key)
                except BadDocument as e:
                    yield documents.unreadable_ledger(e, step=step.name, first=self.first, last=self.last)

    def quarantined(self) -> Found:
        """Find quarantined messages of these dates, or of no known date."""
        for letter in self._overview.quarantined(broken=self.broken):
            on = letter.run.partition(".")[0]
            if not on or self.first <= on <= self.last:
                yield Finding(code="PG008", subject=letter.subject, text=letter.reason, command=letter.command,
                              cause=letter.subject, since=letter.at, evidence={"key": letter.subject})  # fmt: skip

    def mirrors(self) -> Found:
        """Find mirrors that differ from their phases."""
        return mirrors.differing(self._plan, self._ports, phases=self.phases, broken=self.broken)

    def expired(self) -> Found:
        """Find expired leases."""
        for key, (_, lease) in self.leases.items():
            yield from tables.expired(key, lease, now=self.now)

    def absences(self, evidence: Evidence) -> Found:
        """Find runs that should be open and are not, with the rows they have."""
        for on in self.dates:
            for cell in absent(self._plan, on=on, known=known_of(self._plan, self._documents, on), now=self.now):
                if cell.state != "MISSED" or cell.phase not in self._names:
                    continue
                rows = self._rows_of(cell.phase, on, mode=cell.mode, evidence=evidence)
                text = f"expected, and never opened; {rows or 'its tables hold no row'}"
                where = {"phase": cell.phase, "run": cell.run} | ({"rows": rows} if rows else {})
                yield Finding(code="PG007", subject=f"{cell.phase} of {cell.run}", text=text, evidence=where,
                              cause=f"{cell.phase}:{cell.run}",
                              command=documents.reconcile_command(on) if rows else cell.command)  # fmt: skip

    def _rows_of(self, phase: str, on: str, *, mode: str, evidence: Evidence) -> str:
        """Return in words the external tables that hold rows of a run."""
        members = self._plan.members(phase, mode=mode)
        external = [name for name, step in members.items() if step.kind == "external" and step.table is not None]
        held = [name for name in external if name in evidence.held and on in evidence.held[name].prints]
        return f"rows in {', '.join(held)}" if held else ""

    def unknown_dates(self) -> list[str]:
        """Return why absences cannot be found, () if they can.

        The calendar lacks dates; or no date of the span has a run or an expectation, or has begun.
        """
        dates, today = self._unknown(), local_date(self.now, timezone=self._plan.timezone)
        if dates:
            return [f"the calendar lacks {len(dates)} of {count(len(self.dates), 'date')}, from {dates[0]}"]
        reasons = []
        for on in self.dates:
            known = known_of(self._plan, self._documents, on)
            ahead = on > today and not known.phases
            reason = f"{on} has not begun, so nothing is expected yet" if ahead else ""
            reasons.append(reason or unexpected(self._plan, on=on, known=known))
        return [reasons[0]] if all(reasons) else []

    def unknown(self) -> Found:
        """Find dates up to today that the calendar lacks, and refused answers."""
        dates = self._unknown(ahead=True)
        if dates:
            months = ", ".join(sorted({on[:7] for on in dates}))
            first = next(filter(self._documents.error, dates), "")
            error = self._documents.error(first) if first else ""
            on = f"{first}: " if error and self._documents.is_refused(first) else ""
            why, fix = (f": {on}{error}", "fix the calendar's source, then: ") if error else ("", "")
            have = "1 date has" if len(dates) == 1 else f"{len(dates)} dates have"
            yield Finding(code="PG017", subject=f"calendar {dates[0]} to {dates[-1]}", cause="calendar",
                          text=f"it is unknown whether {have} work{why}",
                          command=fix + documents.reconcile_command(*dates), evidence={"months": months})  # fmt: skip

    def reports(self, evidence: Evidence) -> Found:
        """Compare tables with reports."""
        facts = DocumentFacts(plan=self._plan, phases=self._documents.phases, busy=self._busy(),
                          unreadable=self._documents.unreadable)  # fmt: skip
        for step, held in self._by_step(evidence.held):
            yield from tables.reports(step, held, facts)

    def duplicates(self, evidence: Evidence) -> Found:
        """Find repeated keys."""
        for step, found in self._by_step(evidence.repeats):
            receipts = evidence.held[step.name].receipts if step.name in evidence.held else {}
            yield from tables.duplicates(step, found, receipts=receipts)

    def identities(self, evidence: Evidence) -> Found:
        """Find one thing under two keys."""
        for step, found in self._by_step(evidence.identities):
            yield from tables.identities(step, found, evidence.repeats.get(step.name, {}))
        for step, known in self._by_step(evidence.broken):
            modes = self._plan.phases[step.phase].modes
            mode = self._plan.main_mode if self._plan.main_mode in modes else next(iter(modes))
            yield from tables.broken(step, known, mode=mode)

    def uncovered(self, evidence: Evidence) -> Found:
        """Find rows that a table must cover and does not."""
        facts = DocumentFacts(plan=self._plan, phases=self._documents.phases, busy=self._busy())
        for step, found in self._by_step(evidence.uncovered):
            yield from tables.uncovered(step, found, facts, now=self.now)

    def fences(self, evidence: Evidence, *, store_id: str) -> Found:
        """Find fences that do not obey this store, or are gone."""
        names = {step.table.name for step in self.steps if step.table is not None}
        mine = {part: fence for part, fence in evidence.fences.items() if part.table in names}
        before = dict(self.leases.values())
        self.read_leases()  # again: a write since the last reading has a newer token
        known = {} if "fences" in evidence.errors else evidence.held  # fences that could not be read are not lost
        written = {Part(step.table.name, date) for step, held in self._by_step(known)
                   for date in held.receipts if step.table is not None}  # fmt: skip
        yield from tables.fences(
            mine, store_id=store_id, before=before, leases=dict(self.leases.values()), written=written
        )

    def _by_step(self, found: Mapping[str, A]) -> Iterator[tuple[Step, A]]:
        for step in self.steps:
            if step.name in found:
                yield step, found[step.name]

    def _unknown(self, *, ahead: bool = False) -> list[str]:
        """Return the dates up to today without an answer.

        ``ahead``: also later ones, if their answer is refused.
        """
        if self._plan.calendar is None:
            return []
        today = local_date(self.now, timezone=self._plan.timezone)
        known = self._documents
        due = [on for on in self.dates if on <= today or (ahead and known.is_refused(on))]
        return [on for on in due if known.day(on) is None]

    def _busy(self) -> set[Part]:
        return {part for part, lease in self.leases.values() if lease.holder is not None and lease.until > self.now}

    def _part(self, step: str, run: Run) -> Part | None:
        known = self._plan.steps.get(step)
        return None if known is None or known.table is None else Part(known.table.name, run.date)


def _of_run(findings: Found, run: Run) -> tuple[Finding, ...]:
    """Return the findings of a run, and those of none."""
    return tuple(f for f in findings if f.evidence.get("run", "") in (str(run), ""))


def _each(inspection: _Inspection, judge: Callable[[StoredPhase], Found]) -> Found:
    for one in inspection.phases:
        yield from judge(one)
