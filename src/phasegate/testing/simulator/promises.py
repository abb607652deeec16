"""What an operation of a schedule changes, and what must hold then.

See ``operations``: here is what scenario and invariants need to know.
"""

from collections.abc import Collection, Iterable, Sequence

from phasegate.base.receipt import Receipt
from phasegate.bus import Message
from phasegate.calendar.calendar import Dates
from phasegate.gate.phase import Phase
from phasegate.plan.model import Plan
from phasegate.warehouse import Row


class Promises:
    """The plan of a schedule and its promises: here, the usual ones.

    Checks return what is wrong, in words.
    """

    def planned(self, plan: Plan) -> Plan:
        """Return the plan that the schedule starts with."""
        return plan

    def dates(self) -> Dates | None:
        """Return the source of the calendar, None if there is none."""
        return None

    def wrote(self, key: str, *, old: Phase | None, new: Phase) -> Iterable[str]:
        """Check a phase's document that was written."""
        del key, old, new
        return ()

    def publishing(self, message: Message, *, begun: int) -> Iterable[str]:
        """Check a message that a task publishes; ``begun``: its first port call."""
        del message, begun
        return ()

    def published(self, message: Message) -> None:
        """Act on a message that the bus has taken, answered or not."""
        del message

    def committed(self, receipt: Receipt, rows: Sequence[Row]) -> Iterable[str]:
        """Check a write that was committed, and all rows of its partition."""
        del receipt, rows
        return ()

    def ended(self) -> Iterable[str]:
        """Check the end of the schedule."""
        return ()

    def more_builds(self, step: str, day: str) -> int:
        """Return how many builds more than changes there may be."""
        del step, day
        return 0

    def more_firings(self, key: str) -> int:
        """Return how many firings more than changes there may be."""
        del key
        return 0

    def may_lack(self, key: str) -> Collection[str]:
        """Return the steps that a firing of a document may lack."""
        del key
        return ()

    def may_mix(self, step: str, day: str) -> bool:
        """Return whether a step was given a stale input that is named as missing."""
        del step, day
        return False

    def rows_of(self, version: str) -> int:
        """Return how many rows a version of the raw data has."""
        del version
        return 2

    def forces(self, key: str) -> bool:
        """Return whether the operator lets a document's tables lose rows."""
        del key
        return False

    def adopts(self) -> bool:
        """Return whether an adoption may take leases from their holders."""
        return False

    def may_fail(self, step: str, day: str) -> bool:
        """Return whether a request may fail, and be dead, without a broken step."""
        del step, day
        return False

    def breaks(self, step: str, day: str) -> bool:
        """Return whether a step's own code fails now, whatever is drawn."""
        del step, day
        return False

    def skips(self, day: str) -> bool:
        """Return whether a date may end in another way than undisturbed."""
        del day
        return False

    def refuses(self, text: str) -> bool:
        """Return whether a message in quarantine belongs there."""
        del text
        return False
