"""One schedule: a small pipeline with scrapers, workers and an operator.

The scrapers correct themselves; sweepers run too.
"""

import random
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from phasegate.base.keys import parse_run
from phasegate.errors import PhasegateError
from phasegate.pipeline import Pipeline
from phasegate.ports import Ports
from phasegate.testing.simulator.end_state import check_drift, check_end, unsettled
from phasegate.testing.simulator.interleaver import Faults, Interleaver, Livelock
from phasegate.testing.simulator.invariants import InvariantChecker, Violation
from phasegate.testing.simulator.outside import Outside
from phasegate.testing.simulator.ports import SimBackground, SimBus, SimClock, SimObserver, SimStore, SimWarehouse
from phasegate.testing.simulator.scene import BOX, NARROW, TEAM, Scene, Steps, wide

START = 1_770_000_000.0
WORKERS = ("work", "sweep", "operator")
TASKS_MAX = 5
IDLE_JUMPS_MAX = 10_000
TTL_S = 60.0
HEARTBEAT_S = 15.0
OPERATOR_EVERY_S = 600.0
# Every open request is repeated within minutes, so rest comes long before the sweep that runs once a day.
REST_MAX_S = 6 * 3600.0
CATCH_UP_S = (0.0, 120.0)
DAYS = ("2026-02-03", "2026-02-04", "2026-02-05", "2026-02-06")
NARROW_DAYS, WIDE_DAYS = (1, 1, 2), (3, 3, 3, 4)
VARIANTS = ((True, False), (True, False), (False, True), (False, True), (True, True))


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


class World:
    """One seed, played once."""

    def __init__(self, seed: int, *, faults: Faults | None = None) -> None:
        self.seed, self.faults = seed, faults or Faults()
        self.sim = Interleaver(seed, faults=self.faults, start=START)
        rng = self.sim.rng
        wide_one = random.Random(f"scene of {seed}").random() < self.faults.wide  # a separate random source, see replay
        self.days = DAYS[: rng.choice(WIDE_DAYS if wide_one else NARROW_DAYS)]
        self.guarded = rng.random() < 0.5
        self.scene = self._wide() if wide_one else NARROW
        self.modes = tuple(self.scene.modes["raw"])
        python = [step for step, needs in self.scene.needs.items() if needs and rng.random() < 0.3]
        plan = self.scene.plan(python=python, catch_up_max_s=rng.choice(CATCH_UP_S))
        skew_s = max(self.faults.skew_s) - min(self.faults.skew_s)
        runs = {key for day in self.days for key in self.scene.documents(day)}
        self.checker = InvariantChecker(
            now=lambda: self.sim.now,
            skew_s=skew_s,
            runs=runs,
            windows=self.scene.windows(),
            cascade_days=self.scene.cascade_days,
        )
        steps = Steps(self.scene, self.sim, self.checker)
        self.store, self.bus = SimStore(self.sim, self.checker), SimBus(self.sim, topics=plan.topics())
        self.warehouse = SimWarehouse(self.sim, self.checker, functions=steps.sql())
        self.observer = SimObserver(self.sim)
        ports = Ports(
            store=self.store,
            bus=self.bus,
            warehouse=self.warehouse,
            clock=SimClock(self.sim),
            observer=self.observer,
            background=SimBackground(self.sim),
            ids=self.sim.new_id,
        )
        self.pipeline = Pipeline(plan, ports, warehouse_name="sim", ttl_s=TTL_S, heartbeat_s=HEARTBEAT_S,
                                 functions=steps.python())  # fmt: skip
        self._last_change, self._visit = START, START
        self.outside = Outside(self)

    def _wide(self) -> Scene:
        early, chain = self.sim.rng.choice(VARIANTS)
        return wide(over=self.sim.rng.choice((TEAM, TEAM, BOX)), early=early, chain=chain)

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
            check_end(self)
        except (Violation, Livelock) as e:
            violation = str(e)
        return ScheduleResult(
            seed=self.seed,
            violation=violation,
            replay=replay(self.seed, self.faults),
            calls=self.sim.calls,
            switches=self.sim.switches,
            crashes=self.sim.crashes,
            rest_s=self.sim.now - self._last_change,
            fired=dict(self.checker.fired),
            builds={f"{p.table}/{p.partition}": n for p, n in self.checker.commits.items()},
            changes=sum(len(b) for b in self.outside.batches.values()),
            story=self.observer.story,
        )

    def changed(self) -> None:
        """Record a change from outside: everything must come to rest again."""
        self._last_change = self.sim.now

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
            if to is None or (not all_reported and to - self._last_change > REST_MAX_S):
                return
            jumps += 1
            self.sim.now = max(self.sim.now + 1.0, to)
            rest_s = self.sim.now - self._last_change
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
        at = self.pipeline.next_due(ignoring="message")
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
            self.pipeline.runs.redrive(phase, parse_run(run), step=None)


def replay(seed: int, faults: Faults) -> str:
    """Return the command that plays a seed again and prints its story."""
    changed = [shlex.quote(f"{name}={value}") for name, value in vars(faults).items() if value != vars(Faults())[name]]
    return " ".join(["python -m phasegate.testing.simulator", str(seed), *changed])


def simulate(seed: int, *, faults: Faults | None = None) -> ScheduleResult:
    """Play one seed of the small pipeline."""
    return World(seed, faults=faults).run()
