"""The services that show and check a pipeline, and alert.

A pipeline imports them from here when the first is asked for, so that one thread builds their types, and others wait.
"""

from dataclasses import dataclass

from phasegate.alerts.incidents import Incidents
from phasegate.base.codec import build_types
from phasegate.check.health import Health
from phasegate.check.inspector import Inspector
from phasegate.check.reconciler import Reconciler
from phasegate.check.shapes import Shapes
from phasegate.explain.views import Views
from phasegate.write.deduplicator import Deduplicator

__all__ = ["Checks", "Deduplicator", "Health", "Incidents", "Inspector", "Reconciler", "Shapes", "Views"]


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


build_types()
