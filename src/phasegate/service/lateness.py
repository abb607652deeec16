"""Says which expected results came late, or never. It reads documents only; the warehouse stays closed."""

from phasegate.core.findings import Outcome
from phasegate.core.lateness import Known, judge, outcome
from phasegate.core.lateness import Lateness as Row
from phasegate.core.plan import Plan
from phasegate.errors import BadDocument
from phasegate.ports import Ports
from phasegate.service import daybook
from phasegate.service.daybook import Daybook


class Lateness:
    """Compares what was accepted with what the plan's steps say of ``expected_by``."""

    def __init__(self, plan: Plan, ports: Ports) -> None:
        self._plan, self._ports = plan, ports

    @property
    def expects(self) -> bool:
        """Tell whether any step of the plan is expected by a time."""
        return any(step.expected_by for step in self._plan.steps.values())

    def rows(self, first: str, last: str, *, broken: list[BadDocument] | None = None) -> list[Row]:
        """Return every expectation of the dates, oldest date first, in the plan's order.

        Raises BadDocument for one that cannot be understood, unless ``broken`` takes it; BadInput for a wrong span.
        """
        book = daybook.read(self._plan, self._ports, first=first, last=last, broken=broken)
        return [
            row
            for on in book.dates
            for row in judge(self._plan, on=on, known=known_of(self._plan, book, on), now=book.now)
        ]

    def evaluate(self, first: str, last: str) -> Outcome:
        """Return the check over the dates: PG020 late, PG021 never; not evaluated where the calendar does not know."""
        broken: list[BadDocument] = []
        rows = self.rows(first, last, broken=broken)
        return outcome(rows, unreadable=[str(error) for error in broken])


def known_of(plan: Plan, book: Daybook, on: str) -> Known:
    """Return what a daybook holds of one date."""
    return Known(
        day=book.day(on),
        calendar=plan.calendar is not None,
        phases=book.phases.get(on, {}),
        unreadable=frozenset(book.unreadable.get(on, ())),
        told=book.error(on),
    )
