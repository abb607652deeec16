"""What happens outside of Phasegate.

Scrapers that correct themselves, a cron that opens runs, an operator.
"""

from collections.abc import Callable, Sequence
from functools import partial

from phasegate.base.keys import Run, parse_run
from phasegate.bus import Message
from phasegate.errors import PhasegateError
from phasegate.testing.simulator.scenario import Scenario
from phasegate.testing.simulator.scene import MODE, table
from phasegate.warehouse import Row

LATE_S = (5.0, 20.0, 60.0, 150.0, 300.0, 1000.0, 3000.0)
BATCHES = (("r1",), ("r1", "r2"), ("r1", "r2", "r1"), ("r1", "r1"), ("r1", "r2", "r2", "r3"), ("r1", "r2", "r3", "r4"))
# A date in a row: the first is corrected most often, while later ones are built and after they have been.
FIRST_BATCHES = (("r1", "r2"), ("r1", "r2", "r3"), ("r1", "r2", "r1"))
LATER_BATCHES = (("r1",), ("r1", "r2"), ("r1", "r2"))
NEXT_DAY_S = (0.0, 5.0, 60.0, 300.0)
OPENED_S = (0.0, 0.0, 10.0, 60.0, 400.0, 2000.0)
SUPERVISED_S = 40.0
AGAIN_S = 20.0


class Outside:
    """All actors outside of Phasegate, for one world.

    An actor that crashes is started again, and continues where it was.
    """

    def __init__(self, world: Scenario) -> None:
        self.world = world
        self._sim = world.sim
        self.final: dict[str, list[Row]] = {}
        self.refreshes = 0
        wide, rng = bool(world.scene.windows()), self._sim.rng
        self.batches = {
            day: self._batches((FIRST_BATCHES if day == world.days[0] else LATER_BATCHES) if wide else BATCHES)
            for day in world.days
        }
        begin = 0.0
        for day in world.days:
            self._scrape(day, list(self.batches[day]), begin=begin)
            if wide:
                begin += rng.choice(NEXT_DAY_S)
                self._open(day)

    def _batches(self, known: tuple[tuple[str, ...], ...]) -> list[tuple[float, str]]:
        """Draw when which version of the raw data appears.

        On time, late, corrected back, the same again.
        """
        late = self._sim.rng.choice(LATE_S)
        return [(late * number, version) for number, version in enumerate(self._sim.rng.choice(known))]

    def _scrape(self, day: str, batches: list[tuple[float, str]], *, begin: float) -> None:
        begun = self._sim.now + begin

        def scrape() -> None:
            while batches:
                after, version = batches[0]
                if self._sim.now < begun + after:
                    self._sim.sleep(begun + after - self._sim.now)
                rows: list[Row] = [
                    {"day": day, "k": k, "v": f"{day[8:]}{version}"} for k in range(self._rows_of(version))
                ]
                self.final[day] = rows
                self._deliver(day, rows)
                self.world.changed()
                batches.pop(0)

        self._insist(f"scraper {day}", scrape, until=lambda: not batches)

    def _rows_of(self, version: str) -> int:
        return min((each.rows_of(version) for each in self.world.operations), default=2)

    def _open(self, day: str) -> None:
        """Open the runs of a date in all modes, each by its own schedule.

        Perhaps one long after the other.
        """
        for mode in self.world.modes:
            left = ["raw", "analytics"]
            self._sim.rng.shuffle(left)
            wait = self._sim.rng.choice(OPENED_S)

            def open_(mode: str = mode, left: list[str] = left, at: float = self._sim.now + wait) -> None:
                self._sim.sleep(max(0.0, at - self._sim.now))
                while left:
                    self._try(lambda: self.world.pipeline.runs.open(left[0], Run(day, mode), by="operator"))
                    self.world.changed()
                    left.pop(0)

            self._insist(f"opener {day} {mode}", open_, until=lambda left=left: not left)  # type: ignore[misc]

    def refresh(self, drifted: list[str]) -> None:
        """Refresh windows of runs, as an operator who reads of their drift."""
        left = sorted(drifted, key=lambda key: (key.rpartition(":")[2], key))

        def refresh_all() -> None:
            while left:
                _, _, phase, run = left[0].split(":")
                self._try(partial(self.world.pipeline.runs.refresh, phase, parse_run(run)))
                self.world.changed()
                left.pop(0)

        self.refreshes += len(left)
        self._insist("refresher", refresh_all, until=lambda: not left)

    def report_again(self) -> None:
        """Report foreign tables once more, as an operator would.

        Their reporter may have lost every message.
        """
        self.world.bus.lossless = True
        for day in self.world.days:
            while not self._announce(day):
                self._sim.now += 1.0
        self.world.changed()

    def carry_out(self, name: str, commands: Sequence[tuple[float, Callable[[], object]]]) -> None:
        """Give commands at their times, each until it is answered.

        Times are seconds from now.
        """
        begun, todo = self._sim.now, list(commands)

        def work() -> None:
            while todo:
                after, command = todo[0]
                self._sim.sleep(max(0.0, begun + after - self._sim.now))
                self._try(command)
                self.world.changed()
                todo.pop(0)

        self._insist(name, work, until=lambda: not todo)

    def _insist(self, name: str, work: Callable[[], None], *, until: Callable[[], bool]) -> None:
        """Start an actor again after a crash, as its own platform does."""

        def supervised() -> None:
            self._sim.spawn(name, work)
            while not until():
                self._sim.sleep(SUPERVISED_S)
                if not until() and not self._sim.live[name]:
                    self._sim.spawn(name, work)

        self._sim.spawn(f"platform of {name}", supervised, mortal=False)

    def _try(self, work: Callable[[], object]) -> None:
        while True:
            try:
                work()
            except PhasegateError as e:
                self.world.observer.event("tries again", error=str(e))
                self._sim.sleep(AGAIN_S)
            else:
                return

    def _mode(self) -> str:
        return self._sim.rng.choice(self.world.modes) if len(self.world.modes) > 1 else MODE

    def _deliver(self, day: str, rows: list[Row]) -> None:
        """Write a batch and report it.

        Through Phasegate, or into a foreign table with a message after it.
        """
        if not self.world.guarded:
            self.world.warehouse.foreign_write(table("box"), rows, partition=day)
            self._announce(day)
            return
        while True:
            try:
                with self.world.pipeline.begin(f"{day}.{self._mode()}", step="box") as run:
                    receipt = run.write(rows)
                    run.complete(rows=receipt.rows)
            except PhasegateError as e:
                self.world.observer.event("scraper tries again", error=str(e))
                self._sim.sleep(AGAIN_S)
            else:
                return

    def _announce(self, day: str) -> bool:
        """Send a completion message; return whether the bus answered.

        Its run has any spelling that is allowed.
        """
        mode = self._mode()
        spellings = [{"date": day, "mode": mode}, {"run": f"{day}.{mode}"}]
        if len(self.world.modes) == 1:
            spellings.insert(0, {"game_date": day})
        number = f"run-{self._sim.new_id()}"
        body = {"kind": "completion", "step": "box", "completed_at": self._sim.now, "execution_id": number,
                **self._sim.rng.choice(spellings)}  # fmt: skip
        try:
            self.world.bus.publish(Message(f"completion.{day}.{number}", "sim.completions", body))
        except PhasegateError as e:
            self.world.observer.event("scraper got no answer", error=str(e))
            return False
        return True
