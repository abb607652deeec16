"""One schedule: a small pipeline with scrapers, workers and an operator.

The scrapers correct themselves; sweepers run too.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from phasegate.base.keys import parse_run
from phasegate.errors import PhasegateError
from phasegate.testing.simulator.end_state import check_drift, check_end, unsettled
from phasegate.testing.simulator.interleaver import Faults, Livelock
from phasegate.testing.simulator.invariants import Violation
from phasegate.testing.simulator.operations.catalogue import drawn
from phasegate.testing.simulator.outside import Outside
from phasegate.testing.simulator.scenario import START, Scenario

WORKERS = ("work", "sweep", "operator")
TASKS_MAX = 5
IDLE_JUMPS_MAX = 10_000
OPERATOR_EVERY_S = 600.0
CALENDAR_S = 7200.0  # a calendar is asked for ever, but its last change is applied by then
# Every open request is repeated within minutes, so rest comes long before the sweep that runs once a day.
REST_MAX_S = 6 * 3600.0


@dataclass
class ScheduleResult:
    """The result of one schedule.

    ``violation`` is empty when every promise held; ``replay`` plays it again.
    """

    seed: int
    violation: str
    replay: str
    calls: int
    switches: int
    crashes: int
    rest_s: float
    fired: dict[str, int] = field(default_factory=dict)
    builds: dict[str, int] = field(default_factory=dict)
    changes: int = 0
    story: list[str] = field(default_factory=list)


class World(Scenario):
    """One seed, played once."""

    def __init__(self, seed: int, *, faults: Faults | None = None) -> None:
        operations = drawn(seed, faults=faults or Faults())
        super().__init__(seed, faults=faults, operations=operations)
        self._visit = START
        self.outside = Outside(self)
        for operation in operations:
            operation.start(self.outside)

    def run(self) -> ScheduleResult:
        """Play the schedule to its end; check the promises throughout."""
        violation = ""
        try:
            self._play(all_reported=self.guarded)
            if not self.guarded:
                self.outside.report_again()
                self._play()
            check_drift(self)
            self._refresh_drifted()
            check_end(self, self.outside)
        except (Violation, Livelock) as e:
            violation = str(e)
        return ScheduleResult(
            seed=self.seed,
            violation=violation,
            replay=replay(self.seed, self.faults),
            calls=self.sim.calls,
            switches=self.sim.switches,
            crashes=self.sim.crashes,
            rest_s=self.sim.now - self.last_change,
            fired=dict(self.checker.fired),
            builds={f"{p.table}/{p.partition}": n for p, n in self.checker.commits.items()},
            changes=sum(len(b) for b in self.outside.batches.values()),
            story=self.observer.story,
        )

    def _refresh_drifted(self) -> None:
        """Refresh what has drifted, as an operator; repeat for later dates.

        A refreshed date may make a later one drift.
        """
        for _ in self.days:
            drifted = [
                key for key, phase in self.checker.phases.items() if any(w.drifted for w in phase.windows.values())
            ]
            if not drifted:
                return
            self.outside.refresh(drifted)
            self.changed()
            self._play()

    def _play(self, *, all_reported: bool = True) -> None:
        """Run tasks, and start workers and sweepers where there is work.

        Time jumps when there is none. ``all_reported`` False: runs may wait for a report that was lost outside, so rest
        means that no task can end the waiting.
        """
        jumps = 0
        while True:
            self._start_work()
            going = self.sim.advance()
            self.checker.check()
            if going:
                continue
            to = self._next_event()
            if to is None or (not all_reported and to - self.last_change > REST_MAX_S):
                return
            jumps += 1
            self.sim.now = max(self.sim.now + 1.0, to)
            rest_s = self.sim.now - self.last_change
            if jumps > IDLE_JUMPS_MAX or rest_s > REST_MAX_S:
                raise Violation(f"not at rest {rest_s:.0f} s after the last change, {jumps} waits: "
                                f"{unsettled(self.checker.phases)}")  # fmt: skip

    def _next_event(self) -> float | None:
        """Return when a task can continue; None if none ever can."""
        if self._live() >= TASKS_MAX:
            return self.sim.next_wake()
        times = [self.sim.next_wake(), self.bus.next_due(), self._next_due(), self._next_visit()]
        return min((at for at in times if at is not None), default=None)

    def _live(self) -> int:
        return sum(self.sim.live[name] for name in WORKERS)

    def _next_due(self) -> float | None:
        """Return when a document is due, with room for the most backward clock."""
        pipeline = self.pipeline
        at = pipeline.next_due(ignoring="message")
        if at is not None and pipeline.plan.calendar is not None and at > self.last_change + CALENDAR_S:
            at = pipeline.next_due(ignoring="calendar")
        return None if at is None else at - min(self.sim.faults.skew_s)

    def _next_visit(self) -> float | None:
        """Return when the operator checks dead requests, while there are any."""
        return self._visit if self.checker.dead else None

    def _start_work(self) -> None:
        live = self._live()
        if live >= TASKS_MAX or (live and self.sim.rng.random() > 0.1):
            return
        if self.checker.dead and self._visit <= self.sim.now:
            self._visit = self.sim.now + OPERATOR_EVERY_S
            self._spawn("operator", self._redrive)
        elif self.sim.rng.random() < 0.5 and (due := self._next_due()) is not None and due <= self.sim.now:
            self._spawn("sweep", self.pipeline.sweep)
        elif self.bus.ready():
            self._spawn("work", self.pipeline.serve_one)

    def _spawn(self, name: str, work: Callable[[], object]) -> None:
        """Start a worker, whose loop survives any PhasegateError.

        The document asks again.
        """

        def run() -> None:
            try:
                work()
            except PhasegateError as e:
                self.observer.event("unit given up", error=str(e))

        self.sim.spawn(name, run)

    def _redrive(self) -> None:
        """Redrive dead requests, as an operator who reads ``phasegate dead``."""
        for key in sorted(self.checker.dead):
            _, _, phase, run = key.split(":")
            force = any(each.forces(key) for each in self.operations)
            self.pipeline.runs.redrive(phase, parse_run(run), step=None, force=force)


def replay(seed: int, faults: Faults) -> str:
    """Return the command that plays a seed again and prints its story."""
    changed = [shlex.quote(f"{name}={value}") for name, value in vars(faults).items() if value != vars(Faults())[name]]
    return " ".join(["python -m phasegate.testing.simulator", str(seed), *changed])


def simulate(seed: int, *, faults: Faults | None = None) -> ScheduleResult:
    """Play one seed of the small pipeline."""
    return World(seed, faults=faults).run()
