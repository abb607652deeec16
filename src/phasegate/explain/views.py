"""Everything that a pipeline's documents show, as one value."""

from phasegate.explain.late_results import LateResults
from phasegate.explain.overview import Overview
from phasegate.plan.model import Plan
from phasegate.ports import ReadPorts


class Views(Overview):
    """The overview, and the late results.

    ``lateness``: the expected results that arrived late, or never.
    """

    def __init__(self, plan: Plan, ports: ReadPorts) -> None:
        super().__init__(plan, ports)
        self.lateness = LateResults(plan, ports)
