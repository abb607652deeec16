"""The services that check a pipeline, as one value."""

from dataclasses import dataclass

from phasegate.check.health import Health
from phasegate.check.inspector import Inspector
from phasegate.check.reconciler import Reconciler
from phasegate.check.shapes import Shapes


@dataclass(frozen=True, slots=True)
class Checks:
    """The services that check a pipeline.

    ``inspector`` compares documents and tables, ``health`` answers for a date, ``reconciler`` applies fixes,
    ``shapes`` compares and changes the columns of tables.
    """

    inspector: Inspector
    health: Health
    reconciler: Reconciler
    shapes: Shapes
