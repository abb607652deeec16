"""Finds the expected results that arrived late, or never.

It reads documents only; the warehouse stays closed.
"""

from collections.abc import Sequence

from phasegate.base.findings import CheckResult
from phasegate.errors import BadDocument
from phasegate.explain import documents
from phasegate.explain.coverage import Cell, cover
from phasegate.explain.documents import Documents
from phasegate.explain.lateness import DateFacts, Lateness, judge, outcome
from phasegate.plan.model import Plan
from phasegate.ports import ReadPorts


class LateResults:
    """Compares accepted results with ``expected_by`` of the plan's steps."""

    def __init__(self, plan: Plan, ports: ReadPorts) -> None:
        self._plan, self._ports = plan, ports

    @property
    def expects(self) -> bool:
        """Return whether any step of the plan has ``expected_by``."""
        return any(step.expected_by for step in self._plan.steps.values())

    def rows(self, first: str, last: str, *, broken: list[BadDocument] | None = None) -> list[Lateness]:
        """Return every expectation of the dates.

        Oldest date first, then in the plan's order. Raises BadDocument for one that cannot be read, unless ``broken``
        takes it; BadInput for a wrong span.
        """
        book = documents.read(self._plan, self._ports, first=first, last=last, broken=broken)
        return [
            row
            for on in book.dates
            for row in judge(self._plan, on=on, known=known_of(self._plan, book, on), now=book.now)
        ]

    def evaluate(self, first: str, last: str) -> CheckResult:
        """Return the check over the dates: PG020 late, PG021 never.

        It is not evaluated where the calendar has no answer.
        """
        broken: list[BadDocument] = []
        rows = self.rows(first, last, broken=broken)
        return outcome(rows, unreadable=[str(error) for error in broken])


def known_of(plan: Plan, book: Documents, on: str) -> DateFacts:
    """Return what is stored about one date."""
    return DateFacts(
        day=book.day(on),
        calendar=plan.calendar is not None,
        phases=book.phases.get(on, {}),
        unreadable=frozenset(book.unreadable.get(on, ())),
        calendar_error=book.error(on),
        refused=book.is_refused(on),
    )


class Coverage:
    """The state of every phase and run of a span of dates.

    One scan for each phase and one of the calendar, however many dates.
    """

    def __init__(self, plan: Plan, ports: ReadPorts) -> None:
        self._plan, self._ports = plan, ports

    def cells(
        self,
        first: str,
        last: str,
        *,
        modes: Sequence[str] = (),
        trim: bool = False,
        broken: list[BadDocument] | None = None,
    ) -> list[Cell]:
        """Return every phase and run of the dates that is open or should be.

        Oldest date first. ``modes``: only these, () for all. ``trim``: leave out the dates before the first, and after
        the last, that has a run or an answer of the calendar. Raises BadDocument for one that cannot be read, unless
        ``broken`` takes it; BadInput for a wrong span.
        """
        book = documents.read(self._plan, self._ports, first=first, last=last, broken=broken)
        with_runs = [on for on in book.dates if on in book.phases or on in book.unreadable]
        known = [on for on in book.dates if on in with_runs or book.day(on) is not None] if trim else book.dates
        return [
            cell
            for on in (book.dates if not trim else _between(book.dates, known))
            for cell in cover(
                self._plan, on=on, known=known_of(self._plan, book, on), now=book.now, modes=modes,
                inside=bool(with_runs) and with_runs[0] <= on <= with_runs[-1],
            )
        ]  # fmt: skip


def _between(dates: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the dates from the first to the last of the known ones."""
    return [on for on in dates if known and known[0] <= on <= known[-1]]
