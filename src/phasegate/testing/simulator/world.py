"""One schedule: a scraper that corrects itself, workers, sweepers and an operator on the small pipeline."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from phasegate.core.keys import parse_run
from phasegate.errors import PhasegateError
from phasegate.ports import Message, Ports, Row
from phasegate.service.pipeline import Pipeline
from phasegate.testing.simulator.invariants import Violation, Witness
from phasegate.testing.simulator.ports import SimBackground, SimBus, SimClock, SimObserver, SimStore, SimWarehouse
from phasegate.testing.simulator.reckoning import document, reckon, unsettled
from phasegate.testing.simulator.scene import MODE, NEEDS, PHASES, Steps, small_plan, table
from phasegate.testing.simulator.scheduler import Faults, Livelock, Scheduler

START = 1_770_000_000.0
WORKERS = ("work", "sweep", "operator")
TASKS_MAX = 5
IDLE_JUMPS_MAX = 4_000
TTL_S = 60.0
HEARTBEAT_S = 15.0
OPERATOR_EVERY_S = 600.0
# Everything that is asked for is asked again within minutes, so rest is far off the look that comes once a day.
REST_MAX_S = 6 * 3600.0
CATCH_UP_S = (0.0, 120.0)
LATE_S = (5.0, 20.0, 60.0, 150.0, 300.0, 1000.0, 3000.0)
BATCHES = (("r1",), ("r1", "r2"), ("r1", "r2", "r1"), ("r1", "r1"), ("r1", "r2", "r2", "r3"), ("r1", "r2", "r3", "r4"))


@dataclass
class Outcome:
    """What one schedule came to. ``violation`` is empty when every promise held; ``replay`` plays it again."""

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
        self.sim = Scheduler(seed, faults=self.faults, start=START)
        rng = self.sim.rng
        self.days = ["2026-02-03", "2026-02-04"][: rng.choice([1, 1, 2])]
        self.guarded = rng.random() < 0.5
        python = [step for step, needs in NEEDS.items() if needs and rng.random() < 0.3]
        plan = small_plan(python=python, catch_up_max_s=rng.choice(CATCH_UP_S))
        skew_s = max(self.faults.skew_s) - min(self.faults.skew_s)
        runs = {document(phase, day) for phase in PHASES for day in self.days}
        self.witness = Witness(now=lambda: self.sim.now, skew_s=skew_s, runs=runs)
        steps = Steps(self.sim, self.witness)
        self.store, self.bus = SimStore(self.sim, self.witness), SimBus(self.sim, topics=plan.topics())
        self.warehouse = SimWarehouse(self.sim, self.witness, functions=steps.sql())
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
        self.batches = {day: self._draw_batches() for day in self.days}
        self.final: dict[str, list[Row]] = {}
        self._last_change, self._visit = START, START

    def _draw_batches(self) -> list[tuple[float, str]]:
        """Draw when which version of the raw data appears: on time, late, corrected back, the same again."""
        late = self.sim.rng.choice(LATE_S)
        return [(late * number, version) for number, version in enumerate(self.sim.rng.choice(BATCHES))]

    def run(self) -> Outcome:
        """Play the schedule to its end; check the promises on the way and at the end."""
        violation = ""
        try:
            for day in self.days:
                self._start_scraper(day, list(self.batches[day]))
            self._play()
            self._last_word()
            self._play()
            reckon(self)
        except (Violation, Livelock) as e:
            violation = str(e)
        return Outcome(
            seed=self.seed,
            violation=violation,
            replay=replay(self.seed, self.faults),
            calls=self.sim.calls,
            switches=self.sim.switches,
            crashes=self.sim.crashes,
            rest_s=self.sim.now - self._last_change,
            fired=dict(self.witness.fired),
            builds={f"{p.table}/{p.partition}": n for p, n in self.witness.commits.items()},
            changes=sum(len(b) for b in self.batches.values()),
            story=self.observer.story,
        )

    def _start_scraper(self, day: str, batches: list[tuple[float, str]]) -> None:
        begun = self.sim.now

        def scrape() -> None:
            while batches:
                after, version = batches[0]
                if self.sim.now < begun + after:
                    self.sim.sleep(begun + after - self.sim.now)
                rows: list[Row] = [{"day": day, "k": k, "v": version} for k in range(2)]
                self.final[day] = rows
                self._deliver(day, rows)
                self._last_change = self.sim.now
                batches.pop(0)

        def supervised() -> None:
            """Start a scraper that died again, as its own platform does; it goes on where it was."""
            self.sim.spawn(f"scraper {day}", scrape)
            while batches:
                self.sim.sleep(40.0)
                if batches and not self.sim.live[f"scraper {day}"]:
                    self.sim.spawn(f"scraper {day}", scrape)

        self.sim.spawn(f"platform {day}", supervised, mortal=False)

    def _deliver(self, day: str, rows: list[Row]) -> None:
        """Write a batch and report it: through Phasegate, or into a foreign table with a message behind it."""
        if not self.guarded:
            self.warehouse.foreign_write(table("box"), rows, partition=day)
            self._announce(day)
            return
        while True:
            try:
                with self.pipeline.begin(f"{day}.{MODE}", step="box") as run:
                    receipt = run.write(rows)
                    run.complete(rows=receipt.rows)
            except PhasegateError as e:
                self.observer.event("scraper tries again", error=str(e))
                self.sim.sleep(20.0)
            else:
                return

    def _announce(self, day: str) -> bool:
        """Send a completion message, its run in any spelling that is allowed; return whether the bus answered."""
        spellings = ({"game_date": day}, {"game_date": day, "mode": MODE}, {"run": f"{day}.{MODE}"})
        number = f"run-{self.sim.new_id()}"
        body = {"kind": "completion", "step": "box", "completed_at": self.sim.now, "execution_id": number,
                **self.sim.rng.choice(spellings)}  # fmt: skip
        try:
            self.bus.publish(Message(f"completion.{day}.{number}", "sim.completions", body))
        except PhasegateError as e:
            self.observer.event("scraper got no answer", error=str(e))
            return False
        return True

    def _play(self) -> None:
        """Run tasks, start workers and sweepers where there is work, and let time jump when there is none."""
        jumps = 0
        while True:
            self._start_work()
            going = self.sim.advance()
            self.witness.check()
            if going:
                continue
            to = self._next_event()
            if to is None:
                return
            jumps += 1
            self.sim.now = max(self.sim.now + 1.0, to)
            rest_s = self.sim.now - self._last_change
            if jumps > IDLE_JUMPS_MAX or rest_s > REST_MAX_S:
                raise Violation(f"not at rest {rest_s:.0f} s after the last change, {jumps} waits: "
                                f"{unsettled(self.witness.phases)}")  # fmt: skip

    def _next_event(self) -> float | None:
        """Return when somebody can go on; None when nobody ever will."""
        if self._live() >= TASKS_MAX:
            return self.sim.next_wake()
        times = [self.sim.next_wake(), self.bus.next_due(), self._next_due(), self._next_visit()]
        return min((at for at in times if at is not None), default=None)

    def _live(self) -> int:
        return sum(self.sim.live[name] for name in WORKERS)

    def _next_due(self) -> float | None:
        """Return when a document is due, with room for the most backward clock."""
        at = self.pipeline.sweeper.next_due()
        return None if at is None else at - min(self.sim.faults.skew_s)

    def _next_visit(self) -> float | None:
        """Return when the operator looks after dead letters, while there are any."""
        return self._visit if self.witness.dead else None

    def _start_work(self) -> None:
        live = self._live()
        if live >= TASKS_MAX or (live and self.sim.rng.random() > 0.1):
            return
        if self.witness.dead and self._visit <= self.sim.now:
            self._visit = self.sim.now + OPERATOR_EVERY_S
            self._spawn("operator", self._redrive)
        elif self.sim.rng.random() < 0.5 and (due := self._next_due()) is not None and due <= self.sim.now:
            self._spawn("sweep", self.pipeline.sweeper.sweep)
        elif self.bus.ready():
            self._spawn("work", self.pipeline.worker.work)

    def _spawn(self, name: str, work: Callable[[], object]) -> None:
        """Start a worker, whose loop survives what it cannot do now: the document asks again."""

        def run() -> None:
            try:
                work()
            except PhasegateError as e:
                self.observer.event("unit given up", error=str(e))

        self.sim.spawn(name, run)

    def _redrive(self) -> None:
        """Bring back what is dead, as an operator who reads ``phasegate dead`` does."""
        for key in sorted(self.witness.dead):
            _, _, phase, run = key.split(":")
            self.pipeline.gatekeeper.redrive(phase, parse_run(run), step=None)

    def _last_word(self) -> None:
        """Report a foreign table once more, as an operator would: its reporter may have lost every message."""
        if self.guarded:
            return
        self.bus.lossless = True
        for day in self.days:
            while not self._announce(day):
                self.sim.now += 1.0
        self._last_change = self.sim.now


def replay(seed: int, faults: Faults) -> str:
    """Return the command that plays a seed again and tells its story."""
    changed = [shlex.quote(f"{name}={value}") for name, value in vars(faults).items() if value != vars(Faults())[name]]
    return " ".join(["python -m phasegate.testing.simulator", str(seed), *changed])


def simulate(seed: int, *, faults: Faults | None = None) -> Outcome:
    """Play one seed of the small pipeline."""
    return World(seed, faults=faults).run()
