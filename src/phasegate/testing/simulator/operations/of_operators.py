"""What an operator does to a run: pause it, build it again."""

import random
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from msgspec.structs import replace

from phasegate.base.keys import Run, phase_key, phase_of
from phasegate.base.receipt import Part
from phasegate.bus import Message
from phasegate.gate.phase import Phase
from phasegate.pipeline import Pipeline
from phasegate.plan.model import Plan
from phasegate.quarantine import REDRIVEN
from phasegate.testing.simulator.operations.operation import Operation
from phasegate.testing.simulator.outside import Outside
from phasegate.testing.simulator.scene import CODES, MODE, PHASES, coded, lineage

AT_S = (0.0, 1.0, 5.0, 20.0, 60.0, 150.0, 300.0, 1000.0, 3000.0)
FOR_S = (1.0, 30.0, 200.0, 1000.0, 3000.0)


class Halt(Operation):
    """A phase of a run is halted for a while: it fires and sends nothing."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._since: dict[str, int] = {}
        self._calls: Callable[[], int] = lambda: 0

    @abstractmethod
    def halted(self, phase: Phase) -> bool:
        """Return whether the phase is halted."""

    def start(self, outside: Outside) -> None:
        """Count port calls."""
        sim = outside.world.sim
        self._calls = lambda: sim.calls

    def wrote(self, key: str, *, old: Phase | None, new: Phase) -> Iterator[str]:
        """Check that nothing fires while it is halted."""
        if not self.halted(new):
            self._since.pop(key, None)
        elif old is None or not self.halted(old):
            self._since[key] = self._calls()
        if old is not None and self.halted(old) and self.halted(new) and new.generation != old.generation:
            yield f"{key} fired generation {new.generation}, though it was halted ({self.name})"

    def publishing(self, message: Message, *, begun: int) -> Iterator[str]:
        """Check that no process that started since sends its messages.

        What an operator brings back from quarantine was sent before; its run refuses it while it is halted.
        """
        body = message.body
        if body.get("kind") not in ("trigger", "request") or message.id.startswith(REDRIVEN):
            return
        key = f"phase:{body['pipeline']}:{body['phase']}:{body['run']}"
        if key in self._since and begun > self._since[key]:
            yield f"{message.id} was sent, though {key} was halted ({self.name})"


class Pause(Halt):
    """An operator pauses phases, and resumes each later."""

    name = "pause"

    def halted(self, phase: Phase) -> bool:
        """Return whether the phase is paused."""
        return phase.paused is not None

    def start(self, outside: Outside) -> None:
        """Pause one or two phases."""
        super().start(outside)
        for _ in range(self.rng.choice((1, 1, 2))):
            phase, day, at_s = self.rng.choice(PHASES), self.rng.choice(outside.world.days), self.rng.choice(AT_S)
            runs, run = outside.world.pipeline.runs, Run(day, MODE)
            todo = [
                (at_s, partial(runs.pause, phase, run, reason="maintenance")),
                (at_s + self.rng.choice(FOR_S), partial(runs.pause, phase, run, reason=None)),
            ]
            outside.carry_out(f"operator who pauses {phase} {day}", todo)


class Rebuild(Operation):
    """An operator has steps built again, whatever their receipts show."""

    name = "rebuild"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.asked: list[tuple[str, str]] = []
        self.built: dict[Part, int] = {}

    def start(self, outside: Outside) -> None:
        """Rebuild one or two steps."""
        self.world = world = outside.world
        built = [step for step, needs in world.scene.needs.items() if needs]
        for _ in range(self.rng.choice((1, 1, 2))):
            step, day, at_s = self.rng.choice(built), self.rng.choice(world.days), self.rng.choice(AT_S)
            rebuild = partial(
                world.pipeline.runs.rebuild, world.scene.homes[step], Run(day, MODE), steps=(step,), quiet=False
            )
            self.asked.append((step, day))
            outside.carry_out(f"operator who rebuilds {step} {day}", [(at_s, rebuild)])

    def wrote(self, key: str, *, old: Phase | None, new: Phase) -> Iterable[str]:
        """Remember how often a step was built when it was requested again."""
        for name, member in new.members.items():
            before = None if old is None else old.members.get(name)
            if member.stale == "forced" and (before is None or before.stale != "forced"):
                part = Part(f"sim.{name}", phase_of(key)[2].date)
                self.built[part] = self.world.checker.commits[part]
        return ()

    def more_builds(self, step: str, day: str) -> int:
        """Return how often a step, or what it needs, was requested again."""
        return sum(on == day and name in lineage(self.world.scene.needs, step) for name, on in self.asked)

    def ended(self) -> Iterator[str]:
        """Check that each was built again."""
        if len(set(self.asked)) > len(self.built):
            yield f"{self.asked} were to be built again, the documents only asked for {list(self.built)}"
        yield from self.left()

    def left(self) -> Iterator[str]:
        """Return what was requested again, and not built since."""
        commits = self.world.checker.commits
        for part, built in self.built.items():
            if commits[part] <= built:
                yield f"{part} was not built again, though it was asked for"


class Void(Halt):
    """An operator declares that a date does not take place.

    Perhaps it does after all: then its raw data is reported once more, since a void run takes in no reports.
    """

    name = "void"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._at_s, self._for_s = rng.choice(AT_S), rng.choice((None, *FOR_S))
        self._day = ""

    def halted(self, phase: Phase) -> bool:
        """Return whether the run is void."""
        return phase.void is not None

    def start(self, outside: Outside) -> None:
        """Void all phases of one date."""
        super().start(outside)
        self._world, self._day = outside.world, self.rng.choice(outside.world.days)
        runs, run = self._world.pipeline.runs, Run(self._day, MODE)
        todo: list[tuple[float, Callable[[], object]]] = [
            (self._at_s, partial(runs.void, phase, run, reason="postponed")) for phase in PHASES
        ]
        if self._for_s is not None:
            todo += [(self._at_s + self._for_s, partial(runs.void, phase, run, reason=None)) for phase in PHASES]
            todo.append((self._at_s + self._for_s, self._report))
        outside.carry_out(f"operator who voids {self._day}", todo)

    def _report(self) -> None:
        if self._world.warehouse.rows(Part("sim.box", self._day)):
            self._world.pipeline.complete({"step": "box", "run": f"{self._day}.{MODE}"})

    def wrote(self, key: str, *, old: Phase | None, new: Phase) -> Iterator[str]:
        """Check that nothing is asked for while it is void."""
        yield from super().wrote(key, old=old, new=new)
        if new.void is not None and new.requests:
            yield f"{key} requests {list(new.requests)}, though it is void"

    def skips(self, day: str) -> bool:
        """Return whether the date is void at the end."""
        return day == self._day and self._for_s is None

    def ended(self) -> Iterator[str]:
        """Check that a void date is at rest."""
        for key, phase in self._world.checker.phases.items():
            if phase_of(key)[2].date == self._day and (phase.void is None) != (self._for_s is not None):
                yield f"{key} is void: {phase.void}"
            if phase.void is not None and phase.due is not None:
                yield f"{key} is void, and due at {phase.due}"


class Replan(Operation):
    """A step gets other code.

    Workers are started with the new plan, then its runs are replanned. For a while some workers have the old plan, as
    in a rolling restart.
    """

    name = "replan"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._step, self._at_s, self._roll_s = "", rng.choice(AT_S), rng.choice((0.0, 30.0, 300.0))
        self._replanned = set[str]()

    def planned(self, plan: Plan) -> Plan:
        """Choose the step, and leave the plan as it is."""
        self._step = self.rng.choice([step.name for step in plan.steps.values() if step.needs])
        step = plan.steps[self._step]
        named = coded(step.name, CODES[-1])
        step = replace(
            step, code=CODES[-1], sql=named if step.sql else "", python=f"sim:{named}" if step.python else ""
        )
        self._plan = replace(plan, steps={**plan.steps, step.name: step})
        return plan

    def start(self, outside: Outside) -> None:
        """Start new workers, then replan all runs."""
        self._world = world = outside.world
        new, phase = world.pipeline_of(self._plan), self._plan.steps[self._step].phase
        todo: list[tuple[float, Callable[[], object]]] = [
            (self._at_s, partial(world.roll_out, new)), (self._at_s + self._roll_s, partial(world.roll_out, None))
        ]  # fmt: skip
        todo += [(self._at_s + self._roll_s, partial(self._replan, new, phase, Run(day, MODE))) for day in world.days]
        world.codes[self._step] = CODES[-1]
        outside.carry_out(f"operator who replans {self._step}", todo)

    def _replan(self, pipeline: Pipeline, phase: str, run: Run) -> None:
        """Replan a run that is open, as the command does.

        A later one has the plan of the worker that opens it.
        """
        if pipeline.runs.read(phase, run) is not None:
            pipeline.runs.replan(phase, run)
            self._replanned.add(phase_key(pipeline.plan.pipeline, phase, run=run))

    def more_builds(self, step: str, day: str) -> int:
        """Return whether a step, or what it needs, has other code."""
        del day
        return int(self._step in lineage(self._world.scene.needs, step))

    def more_firings(self, key: str) -> int:
        """Return whether a phase has the step, or comes after it."""
        return int(PHASES.index(phase_of(key)[1]) >= PHASES.index(self._plan.steps[self._step].phase))

    def ended(self) -> Iterator[str]:
        """Check that every result of a replanned run is of the new code."""
        for key in sorted(self._replanned):
            result = self._world.checker.phases[key].result_of(self._step)
            if result is not None and result.code != CODES[-1]:
                yield f"{key} ends with a result of {self._step} of code {result.code}"
