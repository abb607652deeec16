"""A backfill of all dates, beside the workers that build them."""

import random
from collections.abc import Callable, Iterator
from functools import partial

from phasegate.base.keys import Run, phase_of
from phasegate.gate.phase import Phase
from phasegate.testing.simulator.operations.of_operators import AT_S, Rebuild
from phasegate.testing.simulator.outside import Outside
from phasegate.testing.simulator.scene import MODE, document
from phasegate.work.backfill import BackfillJob

LOOKED_S = 60.0


class Backfills(Rebuild):
    """A step is built again on every date, oldest first.

    If the backfill crashes, the same order continues. While a run is quiet, nothing is sent out of the plan; an
    operator sends it later.
    """

    name = "backfill"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._at_s, self._is_redriven = rng.choice(AT_S), False
        self._open: set[str] | None = None

    def start(self, outside: Outside) -> None:
        """Order it once, then send what it held back."""
        self.world = world = outside.world
        step = self.rng.choice([name for name, needs in world.scene.needs.items() if needs])
        job = BackfillJob(first=world.days[0], last=world.days[-1], steps=(step,), quiet=self.rng.random() < 0.7)
        self.asked += [(step, day) for day in world.days]
        todo: list[tuple[float, Callable[[], object]]] = [(self._at_s, partial(self._carry_out, job))]
        todo += [(self._at_s, partial(self._redrive, day)) for day in world.days]
        outside.carry_out("operator who backfills", todo)

    def _carry_out(self, job: BackfillJob) -> None:
        (step,) = job.steps
        homes = {day: document(self.world.scene.homes[step], day) for day in self.world.days}
        if self._open is None:
            self._open = {day for day, key in homes.items() if key in self.world.checker.phases}
        backfill = self.world.pipeline.backfill(job)
        backfill.check()
        backfill.carry_out(backfill.items(), work=self._wait, progress=lambda *_: None)

    def _wait(self) -> bool:
        """Let the workers work."""
        self.world.sim.sleep(LOOKED_S)
        return True

    def _redrive(self, day: str) -> None:
        self._is_redriven = True
        self.world.pipeline.runs.redrive("precompute", Run(day, MODE), step=None)

    def wrote(self, key: str, *, old: Phase | None, new: Phase) -> Iterator[str]:
        """Check that what is held goes out by a redrive only."""
        yield from super().wrote(key, old=old, new=new)
        held = {e.generation for e in old.outbox if e.state == "held"} if old is not None else set[int]()
        sent = [e for e in new.outbox if e.generation in held and e.state not in ("held", "superseded")]
        if sent and not self._is_redriven:
            yield f"{key} sends generation {sent[0].generation}, which a quiet backfill holds"
        if old is not None and old.quiet and new.quiet and phase_of(key)[1] == "precompute":
            fresh = [e for e in new.outbox if e.generation > old.generation and e.state != "held"]
            if fresh:
                yield f"{key} fired generation {fresh[0].generation} to receivers outside of the plan, while quiet"

    def ended(self) -> Iterator[str]:
        """Check that each date that was requested is built, and none is quiet."""
        yield from self.left()
        if missed := (self._open or set()) - {part.partition for part in self.built}:
            yield f"the backfill requested nothing on {sorted(missed)}, where runs were open"
        yield from (f"{key} is still quiet" for key, phase in self.world.checker.phases.items() if phase.quiet)
