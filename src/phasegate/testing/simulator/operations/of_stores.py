"""Stores that go back to a backup, or that are copied."""

import random
from collections import Counter
from collections.abc import Callable
from functools import partial

from phasegate.base.receipt import Part
from phasegate.errors import PhasegateError
from phasegate.pipeline import Pipeline
from phasegate.testing.simulator.operations.of_operators import AT_S
from phasegate.testing.simulator.operations.operation import Operation
from phasegate.testing.simulator.outside import Outside
from phasegate.testing.simulator.scene import MODE

LATER_S = (1.0, 20.0, 100.0, 1000.0, 4000.0)
ADOPTED_S = (0.0, 0.0, 30.0, 300.0)
EVERY_S = (0.5, 5.0, 20.0)


class Restore(Operation):
    """The store goes back to a backup, the tables do not.

    The bus goes back with it, or keeps its messages, as one outside the store does. All processes end before it. An
    operator adopts, and reports foreign tables again.
    """

    name = "restore"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._at_s, self._later_s, self._adopted_s = rng.choice(AT_S), rng.choice(LATER_S), rng.choice(ADOPTED_S)
        self._lost, self._done = Counter[str](), False
        self._bus_stays = rng.random() < 0.5

    def start(self, outside: Outside) -> None:
        """Take a backup, restore it later, adopt, report."""
        self._world = world = outside.world
        at_s = self._at_s + self._later_s
        todo: list[tuple[float, Callable[[], object]]] = [
            (self._at_s, self._backup),
            (at_s, self._restore),
            (at_s + self._adopted_s, world.pipeline.adopt),
        ]
        if not world.guarded:
            todo += [(at_s + self._adopted_s, partial(self._report, day)) for day in world.days]
        outside.carry_out("operator of a store", todo)

    def _backup(self) -> None:
        self._store, self._bus = self._world.store.backup(), self._world.bus.backup()

    def _restore(self) -> None:
        world, self._done = self._world, True
        world.sim.end()
        before = {key: phase.generation for key, phase in world.checker.phases.items()}
        world.store.restore(self._store)
        if not self._bus_stays:
            world.bus.restore(self._bus)
        now = {key: phase.generation for key, phase in world.checker.phases.items()}
        self._lost = Counter({key: number - now.get(key, 0) for key, number in before.items()})

    def _report(self, day: str) -> None:
        if self._world.warehouse.rows(Part("sim.box", day)):
            self._world.pipeline.complete({"step": "box", "run": f"{day}.{MODE}"})

    def adopts(self) -> bool:
        """Return whether the store was restored."""
        return self._done

    def may_fail(self, step: str, day: str) -> bool:
        """Return whether writes are refused until the store is adopted."""
        del step, day
        return self._done

    def more_firings(self, key: str) -> int:
        """Return how many generations went with the store."""
        return self._lost[key]


class Copy(Operation):
    """Workers of a copy of the store build beside those of the store itself.

    They have the same tokens. An operator stops them, and adopts.
    """

    name = "copy"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._at_s, self._for_s = rng.choice(AT_S[2:]), rng.choice((30.0, 200.0, 1000.0))
        self._works = False

    def start(self, outside: Outside) -> None:
        """Copy the store, let workers use the copy, stop them, adopt."""
        self._world = world = outside.world
        todo: list[tuple[float, Callable[[], object]]] = [
            (self._at_s, self._copy),
            (self._at_s + self._for_s, self._stop),
            (self._at_s + self._for_s, world.pipeline.adopt),
        ]
        outside.carry_out("operator of two stores", todo)

    def _copy(self) -> None:
        if not self._works:
            self._works = True
            self._world.sim.spawn("users of a copy", partial(self._work, self._world.copied()), mortal=False)

    def _work(self, copy: Pipeline) -> None:
        sim = self._world.sim
        while self._works:
            sim.spawn("copy", partial(self._once, sim.rng.choice((copy.serve_one, copy.serve_one, copy.sweep))))
            sim.sleep(sim.rng.choice(EVERY_S))

    def _once(self, work: Callable[[], object]) -> None:
        try:
            work()
        except PhasegateError as e:
            self._world.observer.event("copy gave up", error=str(e))

    def _stop(self) -> None:
        self._works = False
        self._world.sim.end(named="copy")

    def adopts(self) -> bool:
        """Return that an operator adopts."""
        return True

    def may_fail(self, step: str, day: str) -> bool:
        """Return that writes are refused until the store is adopted."""
        del step, day
        return True
