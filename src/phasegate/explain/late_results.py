"""Says which expected results came late, or never. It reads documents only; the warehouse stays closed."""

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
    """Compares what was accepted with what the plan's steps say of ``expected_by``."""

    def __init__(self, plan: Plan, ports: ReadPorts) -> None:
        self._plan, self._ports = plan, ports

    @property
    def expects(self) -> bool:
        """Tell whether any step of the plan is expected by a time."""
        return any(step.expected_by for step in self._plan.steps.values())

    def rows(self, first: str, last: str, *, broken: list[BadDocument] | None = None) -> list[Lateness]:
        """Return every expectation of the dates, oldest date first, in the plan's order.

        Raises BadDocument for one that cannot be understood, unless ``broken`` takes it; BadInput for a wrong span.
        """
        book = documents.read(self._plan, self._ports, first=first, last=last, broken=broken)
        return [
            row
            for on in book.dates
            for row in judge(self._plan, on=on, known=known_of(self._plan, book, on), now=book.now)
        ]

    def evaluate(self, first: str, last: str) -> CheckResult:
        """Return the check over the dates: PG020 late, PG021 never; not evaluated where the calendar does not know."""
        broken: list[BadDocument] = []
        rows = self.rows(first, last, broken=broken)
        return outcome(rows, unreadable=[str(error) for error in broken])


def known_of(plan: Plan, book: Documents, on: str) -> DateFacts:
    """Return what a daybook holds of one date."""
    return DateFacts(
        day=book.day(on),
        calendar=plan.calendar is not None,
        phases=book.phases.get(on, {}),
        unreadable=frozenset(book.unreadable.get(on, ())),
        told=book.error(on),
    )


class Coverage:
    """Looks at spans of dates: one scan for each phase and one of the calendar, however many dates."""

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
        """Return every phase and run of the dates that is open or should be, oldest date first.

        ``modes``: only these, () for all. ``trim``: leave out what lies before the first date, and after the last one,
        that has a run or that the calendar knows.
        Raises BadDocument for one that cannot be understood, unless ``broken`` takes it; BadInput for a wrong span.
        """
        book = documents.read(self._plan, self._ports, first=first, last=last, broken=broken)
        spoken = [on for on in book.dates if on in book.phases or on in book.unreadable]
        told = [on for on in book.dates if on in spoken or book.day(on) is not None] if trim else book.dates
        return [
            cell
            for on in (book.dates if not trim else _between(book.dates, told))
            for cell in cover(
                self._plan, on=on, known=known_of(self._plan, book, on), now=book.now, modes=modes,
                inside=bool(spoken) and spoken[0] <= on <= spoken[-1],
            )
        ]  # fmt: skip


def _between(dates: Sequence[str], told: Sequence[str]) -> list[str]:
    """Return the dates from the first that something is known of to the last."""
    return [on for on in dates if told and told[0] <= on <= told[-1]]
