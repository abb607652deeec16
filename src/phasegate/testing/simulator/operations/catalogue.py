"""The operations by name, and which of them a seed plays."""

import random

from phasegate.errors import BadInput
from phasegate.testing.simulator.interleaver import Faults
from phasegate.testing.simulator.operations.of_alerts import Alerts
from phasegate.testing.simulator.operations.of_backfills import Backfills
from phasegate.testing.simulator.operations.of_calendars import CalendarChanges
from phasegate.testing.simulator.operations.of_checks import Reconcile
from phasegate.testing.simulator.operations.of_gates import Consumer, Degraded, Settle
from phasegate.testing.simulator.operations.of_operators import Pause, Rebuild, Replan, Void
from phasegate.testing.simulator.operations.of_orders import Orders
from phasegate.testing.simulator.operations.of_reports import BadMessages
from phasegate.testing.simulator.operations.of_stores import Copy, Restore
from phasegate.testing.simulator.operations.of_tables import Merge, Shrink
from phasegate.testing.simulator.operations.operation import Operation
from phasegate.testing.simulator.scenario import is_wide

OPERATIONS: tuple[type[Operation], ...] = (
    Pause,
    Rebuild,
    BadMessages,
    Void,
    Replan,
    Settle,
    Degraded,
    Consumer,
    Restore,
    Copy,
    Orders,
    Shrink,
    Merge,
    Reconcile,
    Backfills,
    CalendarChanges,
    Alerts,
)


def drawn(seed: int, *, faults: Faults) -> tuple[Operation, ...]:
    """Return the operations of a seed, from a random source of their own.

    Raises BadInput for a name that there is not.
    """
    rng = random.Random(f"operations of {seed}")
    kinds = {kind.name: kind for kind in OPERATIONS}
    if faults.operation:
        names = faults.operation.split("+")
        if unknown := set(names) - set(kinds):
            raise BadInput(
                f"operation={faults.operation}: there is no {min(unknown)!r}; choose from {', '.join(kinds)}"
            )
        return tuple(kinds[name](rng) for name in names)
    if is_wide(seed, faults=faults) or rng.random() >= faults.operated:
        return ()
    return (kinds[rng.choice(list(kinds))](rng),)
