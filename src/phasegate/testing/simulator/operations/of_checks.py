"""What watches a pipeline: reconciliation beside workers."""

from collections.abc import Iterator
from functools import partial

from phasegate.base.findings import GRACE_S, listed
from phasegate.pipeline import Pipeline
from phasegate.testing.simulator.operations.of_operators import AT_S
from phasegate.testing.simulator.operations.operation import Operation
from phasegate.testing.simulator.outside import Outside

UNITS = 3


class Reconcile(Operation):
    """Findings are fixed while workers work; at the end there are none."""

    name = "reconcile"

    def start(self, outside: Outside) -> None:
        """Fix what is found, once to three times, perhaps at any age."""
        self._world = outside.world
        for number in range(self.rng.choice((1, 2, 3))):
            grace_s = self.rng.choice((0.0, 60.0, GRACE_S))
            outside.carry_out(f"reconciler {number}", [(self.rng.choice(AT_S), partial(self._fix, grace_s))])

    def _fix(self, grace_s: float) -> None:
        pipeline, first, last = self._world.pipeline, self._world.days[0], self._world.days[-1]
        outcomes = pipeline.checks.inspector.inspect(first, last, grace_s=grace_s)
        pipeline.checks.reconciler.fix(outcomes, first=first, last=last, work=partial(self._work, pipeline))

    @staticmethod
    def _work(pipeline: Pipeline) -> None:
        for _ in range(UNITS):
            pipeline.work_one()

    def ended(self) -> Iterator[str]:
        """Check that nothing is found, at any age."""
        outcomes = self._world.pipeline.checks.inspector.inspect(self._world.days[0], self._world.days[-1], grace_s=0.0)
        yield from (f"found at the end: {found.code} {found.subject} {found.text}" for found in listed(outcomes))
        yield from (f"{one.check} was not evaluated: {one.error}" for one in outcomes if one.error)
