"""The scenario of one schedule: dates, plan, ports and pipeline."""

import random
from collections.abc import Sequence
from dataclasses import replace

from phasegate.pipeline import Pipeline
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.testing.simulator.interleaver import Faults, Interleaver
from phasegate.testing.simulator.invariants import InvariantChecker
from phasegate.testing.simulator.ports import SimBackground, SimBus, SimClock, SimObserver, SimStore, SimWarehouse
from phasegate.testing.simulator.promises import Promises
from phasegate.testing.simulator.scene import BOX, NARROW, TEAM, TREND, Scene, Steps, wide

START = 1_770_000_000.0
TTL_S = 60.0
HEARTBEAT_S = 15.0
CATCH_UP_S = (0.0, 120.0)
LONG_S = 4 * 3600.0
DAYS = ("2026-02-03", "2026-02-04", "2026-02-05", "2026-02-06")
NARROW_DAYS, WIDE_DAYS = (1, 1, 2), (3, 3, 3, 4)
# A second mode or not; what the last phase looks back over.
VARIANTS = (
    (True, None), (True, None), (False, TREND), (True, TREND), (False, TEAM), (False, BOX), (True, TEAM),
)  # fmt: skip


def is_wide(seed: int, *, faults: Faults) -> bool:
    """Return whether a seed plays dates in a row.

    It is drawn from a random source of its own, so that it changes no other draw.
    """
    return not faults.operation and random.Random(f"scene of {seed}").random() < faults.wide


class Scenario:
    """All that one seed plays with.

    ``last_change``: when something outside changed last.
    """

    def __init__(self, seed: int, *, faults: Faults | None = None, operations: Sequence[Promises] = ()) -> None:
        self.seed, self.faults = seed, faults or Faults()
        self.sim = Interleaver(seed, faults=self.faults, start=START)
        rng = self.sim.rng
        wide_one, self.operations = is_wide(seed, faults=self.faults), operations
        self.days = DAYS[: rng.choice(WIDE_DAYS if wide_one else NARROW_DAYS)]
        self.guarded = rng.random() < 0.5
        self.scene = self._wide() if wide_one else NARROW
        self.modes = tuple(self.scene.modes["raw"])
        python = [step for step, needs in self.scene.needs.items() if needs and rng.random() < 0.3]
        catch_up_max_s = rng.choice(CATCH_UP_S)
        if len({need.step for _, need in self.scene.windows()}) > 1:  # no mixture only while builds end in this time
            catch_up_max_s = LONG_S
        plan = self.scene.plan(python=python, catch_up_max_s=catch_up_max_s)
        for operation in self.operations:
            plan = operation.planned(plan)
        self.skew_s = max(self.faults.skew_s) - min(self.faults.skew_s)
        runs = {key for day in self.days for key in self.scene.documents(day)}
        self.checker = InvariantChecker(
            now=lambda: self.sim.now,
            skew_s=self.skew_s,
            calls=lambda: self.sim.calls,
            runs=runs,
            windows=self.scene.windows(),
            cascade_days=self.scene.cascade_days,
            operations=self.operations,
        )
        self.codes: dict[str, str] = {}
        self._steps = steps = Steps(self.scene, self.sim, self.checker, operations=operations)
        self.store, self.bus = SimStore(self.sim, self.checker), SimBus(self.sim, self.checker, topics=plan.topics())
        self.warehouse = SimWarehouse(self.sim, self.checker, functions=steps.sql())
        self.observer = SimObserver(self.sim)
        self._ports = Ports(
            store=self.store,
            bus=self.bus,
            warehouse=self.warehouse,
            clock=SimClock(self.sim),
            observer=self.observer,
            background=SimBackground(self.sim),
            ids=self.sim.new_id,
        )
        self.pipelines = [self.pipeline_of(plan)]
        self.last_change = START

    def pipeline_of(self, plan: Plan) -> Pipeline:
        """Return a pipeline of a plan on the scenario's ports."""
        return self._on(self._ports, plan)

    def copied(self) -> Pipeline:
        """Return the pipeline on a copy of store and bus, and the same tables."""
        plan = self.pipeline.plan
        store, bus = SimStore(self.sim, None), SimBus(self.sim, self.checker, topics=plan.topics())
        store.restore(self.store.backup())
        bus.restore(self.bus.backup())
        return self._on(replace(self._ports, store=store, bus=bus), plan)

    def _on(self, ports: Ports, plan: Plan) -> Pipeline:
        dates = next((source for each in self.operations if (source := each.dates()) is not None), None)
        return Pipeline(plan, ports, warehouse_name="sim", ttl_s=TTL_S, heartbeat_s=HEARTBEAT_S,
                        functions=self._steps.python(), dates=dates)  # fmt: skip

    @property
    def pipeline(self) -> Pipeline:
        """Return a pipeline, as some process has it.

        In a rolling restart some have the old plan.
        """
        return self.pipelines[0] if len(self.pipelines) == 1 else self.sim.rng.choice(self.pipelines)

    def roll_out(self, new: Pipeline | None) -> None:
        """Start processes with another plan beside the old ones; None: end those."""
        self.pipelines = [*self.pipelines, new] if new is not None else self.pipelines[-1:]

    @property
    def ending(self) -> tuple[str, ...]:
        """Return the dates that must end undisturbed."""
        return tuple(day for day in self.days if not any(each.skips(day) for each in self.operations))

    def _wide(self) -> Scene:
        early, chain = self.sim.rng.choice(VARIANTS)
        return wide(over=self.sim.rng.choice((TEAM, TEAM, BOX)), early=early, chain=chain)

    def changed(self) -> None:
        """Record a change from outside: everything must come to rest again."""
        self.last_change = self.sim.now
