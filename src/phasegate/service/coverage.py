"""Says of each date, phase and mode whether it is done. It reads documents only; the warehouse stays closed."""

from collections.abc import Sequence

from phasegate.core.coverage import Cell, cover
from phasegate.core.plan import Plan
from phasegate.errors import BadDocument
from phasegate.ports import Ports
from phasegate.service import daybook
from phasegate.service.lateness import known_of


class Coverage:
    """Looks at spans of dates: one scan for each phase and one of the calendar, however many dates."""

    def __init__(self, plan: Plan, ports: Ports) -> None:
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
        book = daybook.read(self._plan, self._ports, first=first, last=last, broken=broken)
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
