"""All checks of one date, each with an outcome of its own.

A check that raises is not evaluated; the others go on. Nothing is changed.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from msgspec.structs import replace

from phasegate.base.dates import local_date, shift
from phasegate.base.disk import Disk
from phasegate.base.findings import PAST, CheckResult, Finding
from phasegate.base.keys import parse_run
from phasegate.check import machine
from phasegate.check.machine import RecordedTime
from phasegate.errors import BadDocument, words
from phasegate.explain.documents import span
from phasegate.explain.overview import Overview
from phasegate.explain.phase_view import PhaseView
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.write.identity import store_id

# Findings, how many things were evaluated, and why others could not be.
Look = Callable[[], tuple[Sequence[Finding], int, str]]


class Spans(Protocol):
    """A function that checks a span of dates."""

    def __call__(self, first: str, last: str, /) -> Sequence[CheckResult]:
        """Return the outcomes of its checks."""
        ...


class Health:
    """The checks of one pipeline.

    ``spans``: the checks of other parts, by name. ``disks``: the file systems of state and warehouse, if they have any.
    """

    def __init__(
        self, plan: Plan, ports: Ports, *, overview: Overview, spans: Sequence[tuple[str, Spans]],
        disks: Callable[[], Sequence[Disk]] | None,
    ) -> None:  # fmt: skip
        self._plan, self._ports, self._overview = plan, ports, overview
        self._spans, self._disks = spans, disks

    def yesterday(self) -> str:
        """Return yesterday's date in the pipeline's zone."""
        return shift(local_date(self._ports.clock.now(), timezone=self._plan.timezone), -1)

    def evaluate(self, on: str, *, last: str | None = None) -> tuple[CheckResult, ...]:
        """Return the outcome of every check for a date.

        ``last``: for all dates from ``on`` to it. Raises BadInput for a wrong span.
        """
        first, last = on, on if last is None else last
        span(first, last)
        outcomes = [
            self._checked("store", self._store),
            self._checked("warehouse", self._warehouse),
            *self._moments(first, last),
        ]
        if self._disks is not None:
            outcomes.append(self._checked("disk", self._room))
        return (*outcomes, *self._parts(first, last))

    def again(self, dates: Iterable[str]) -> list[tuple[CheckResult, ...]]:
        """Return the outcomes for some more dates, of what can be fixed only.

        The checks of store, warehouse and disk are not repeated.
        """
        return [
            tuple(replace(one, findings=tuple(f for f in one.findings if f.code not in PAST)) for one in outcomes)
            for on in sorted(dates)
            for outcomes in [(*self._moments(on, on), *self._parts(on, on))]
        ]

    def _moments(self, first: str, last: str) -> list[CheckResult]:
        return [
            self._checked("deadlines", lambda: self._deadlines(first, last)),
            self._checked("clock", lambda: self._clock(first)),
        ]

    def _parts(self, first: str, last: str) -> list[CheckResult]:
        """Return the outcomes of the checks of other parts."""
        outcomes: list[CheckResult] = []
        for name, check in self._spans:
            try:
                outcomes += check(first, last)
            except Exception as e:  # noqa: BLE001  one part that fails must not hide what the others found
                outcomes.append(CheckResult(check=name, error=words(e)))
        return outcomes

    def _checked(self, name: str, found: Look) -> CheckResult:
        try:
            findings, evaluated, error = found()
        except Exception as e:  # noqa: BLE001  reported as "not evaluated", which no exit code hides
            return CheckResult(check=name, error=words(e))
        return CheckResult(check=name, findings=tuple(findings), evaluated=evaluated, error=error)

    def _store(self) -> tuple[Sequence[Finding], int, str]:
        store_id(self._ports)
        return (), 1, ""

    def _warehouse(self) -> tuple[Sequence[Finding], int, str]:
        step = next((step for step in self._plan.steps.values() if step.table is not None), None)
        with self._ports.warehouse.snapshot() as reader:
            if step is not None and step.table is not None:
                reader.count(step.table, partition=None)
        return (), 1, ""

    def _deadlines(self, first: str, last: str) -> tuple[Sequence[Finding], int, str]:
        views, by_date = self._overview.phases(first=first, last=last), dict[str, list[PhaseView]]()
        for view in views:
            by_date.setdefault(parse_run(view.run).date, []).append(view)
        now = self._ports.clock.now()
        unwatched = [machine.unwatched(self._plan, found, on=on, now=now) for on, found in by_date.items()]
        return machine.deadlines(views), len(views), "; ".join(filter(None, unwatched))

    def _clock(self, first: str) -> tuple[Sequence[Finding], int, str]:
        broken: list[BadDocument] = []  # reported by the inspection of documents
        moments = [*machine.moments_of(self._overview.phases(first=first, broken=broken))]
        moments += [RecordedTime(at=lease.since, where=lease.key) for lease in self._overview.leases(broken=broken)]
        return machine.clock(moments, now=self._ports.clock.now()), len(moments), ""

    def _room(self) -> tuple[Sequence[Finding], int, str]:
        assert self._disks is not None
        disks = self._disks()
        return [finding for disk in disks for finding in machine.disk(disk)], len(disks), ""
