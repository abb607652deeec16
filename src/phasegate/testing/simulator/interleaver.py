"""Tasks on greenlets, time that jumps, faults from one random source."""

import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from greenlet import greenlet  # noqa: TID253  this module is only imported by those who simulate

STEPS_MAX = 30_000
SWITCH_PROBABILITIES = (0.02, 0.1, 0.3, 1.0)
TIME_STEPS_S = (0.0, 0.0, 0.0, 0.01, 0.05, 0.5, 3.0)
PAUSES_S = (10.0, 30.0, 50.0, 70.0, 90.0, 200.0, 900.0)


class Crash(BaseException):
    """The process of the running task crashes here.

    None of its further instructions runs.
    """


class Livelock(AssertionError):
    """A schedule that did not end."""


@dataclass(frozen=True)
class Faults:
    """How often things go wrong.

    Per port call (probabilities) or per run (bounds). ``stall`` is a pause just before a transaction, or around its
    commit; ``broken`` a failure of a step's own code; ``wide`` the share of seeds that play dates in a row, with
    windows over them and a second mode. ``operated``: the share of the others in which somewhat more than reports
    happens, such as a pause or a restored store; ``operation`` names it, "" leaves it to the seed.
    """

    crash: float = 0.01
    crashes_max: int = 6
    unanswered: float = 0.02
    pause: float = 0.003
    stall: float = 0.02
    lose: float = 0.05
    duplicate: float = 0.25
    broken: float = 0.03
    skew_s: tuple[float, ...] = (0.0, 0.0, -20.0, 20.0)
    wide: float = 0.3
    operated: float = 0.3
    operation: str = ""


@dataclass(eq=False)
class Task:
    """One task of a process.

    ``group`` is the process: a crash ends all of its tasks.
    """

    name: str
    body: Callable[[], None]
    group: int
    skew_s: float
    wake: float = 0.0
    begun: int = 0
    waits_for: object = None
    dead: bool = False
    mortal: bool = True
    greenlet: greenlet = field(init=False)


class Interleaver:
    """Runs tasks one at a time and switches at port calls, by one seed."""

    def __init__(self, seed: int, *, faults: Faults, start: float) -> None:
        self.rng = random.Random(seed)
        self.now, self.faults = start, faults
        self.tasks: list[Task] = []
        self.live: Counter[str] = Counter()
        self.calls, self.switches, self.crashes, self.pauses = 0, 0, 0, 0
        self.failures: list[str] = []
        self._groups, self._ids = 0, 0
        self._p_switch = self.rng.choice(SWITCH_PROBABILITIES)
        self._current: Task | None = None
        self._main = greenlet.getcurrent()

    def new_id(self) -> str:
        """Return an id; ids are numbered in order."""
        self._ids += 1
        return f"id{self._ids:05d}"

    def spawn(self, name: str, body: Callable[[], None], *, mortal: bool = True) -> Task:
        """Start a task in its own process."""
        self._groups += 1
        return self._add(Task(name, body, self._groups, self.rng.choice(self.faults.skew_s), mortal=mortal))

    def spawn_beside(self, name: str, body: Callable[[], None]) -> Task:
        """Start a task in the process of the running one."""
        owner = self._running()
        assert owner is not None, "only a task has a process"
        return self._add(Task(name, body, owner.group, owner.skew_s, wake=self.now))

    def step(self, what: str) -> None:
        """Run others, and perhaps crash or pause, before a port call."""
        task = self._running()
        self.calls += 1
        if task is None:
            return
        draw = self.rng.random()
        if draw < self.faults.crash and self.crashes < self.faults.crashes_max and task.mortal:
            self._crash(task, what)
        if draw > 1 - self.faults.pause:
            self._pause(task)
        self._switch(task)

    def stall(self, on: object = None) -> None:
        """Pause here by chance, where it does most harm.

        Perhaps until another task has finished with ``on``.
        """
        task = self._running()
        if task is None or self.rng.random() >= self.faults.stall:
            return
        self._pause(task)
        task.waits_for = on if self.rng.random() < 0.5 else None
        self._switch(task)
        task.waits_for = None

    def wake_waiters(self, on: object) -> None:
        """Wake the tasks that stall until ``on`` happens."""
        for task in self.tasks:
            if task.waits_for == on:
                task.wake = min(task.wake, self.now)

    def crash_after(self, what: str) -> None:
        """Crash by chance right after a port call has taken effect."""
        task, faults = self._running(), self.faults
        if task is None:
            return
        if self.rng.random() < faults.crash and self.crashes < faults.crashes_max and task.mortal:
            self._crash(task, what)

    def unanswered(self) -> bool:
        """Draw whether the answer of a port call is lost."""
        return self._running() is not None and self.rng.random() < self.faults.unanswered

    def broken(self) -> bool:
        """Draw whether a step's own code fails this time."""
        return self._running() is not None and self.rng.random() < self.faults.broken

    def sleep(self, seconds: float) -> None:
        """Put the running task to sleep."""
        task = self._running()
        if task is None:
            self.now += seconds
            return
        task.wake = self.now + seconds
        self._switch(task)

    def clock(self) -> float:
        """Return the time as the running task's process sees it."""
        task = self._running()
        return self.now if task is None else self.now + task.skew_s

    def begun(self) -> int:
        """Return the number of port calls when the running task started."""
        task = self._running()
        return 0 if task is None else task.begun

    def advance(self) -> bool:
        """Run one task up to its next port call; return whether one could run."""
        ready = [task for task in self.tasks if task.wake <= self.now]
        if not ready:
            return False
        self.switches += 1
        if self.switches > STEPS_MAX:
            raise Livelock(f"no end after {STEPS_MAX} switches")
        if self._current not in ready or self.rng.random() < self._p_switch:
            self._current = self.rng.choice(ready)
        assert self._current is not None
        self.now += self.rng.choice(TIME_STEPS_S)
        self._current.greenlet.switch()
        return True

    def end(self, *, named: str = "") -> None:
        """End all processes but the running one, or those of a name.

        What starts them again is no process.
        """
        ours = self._running()
        groups = {t.group for t in self.tasks if t.mortal and named in ("", t.name)}
        self._end(groups - ({ours.group} if ours is not None else set()))

    def next_wake(self) -> float | None:
        """Return when the next sleeping task wakes."""
        return min((task.wake for task in self.tasks), default=None)

    def _add(self, task: Task) -> Task:
        def run() -> None:
            try:
                task.body()
            except Crash:
                pass
            except Exception as e:  # noqa: BLE001  stored, and shown as a violation at the end
                self.failures.append(f"{task.name}: {type(e).__name__}: {e}")
            self._drop(task)

        task.greenlet, task.begun = greenlet(run, self._main), self.calls
        self.tasks.append(task)
        self.live[task.name] += 1
        return task

    def _drop(self, task: Task) -> None:
        if task in self.tasks:
            self.tasks.remove(task)
            self.live[task.name] -= 1

    def _crash(self, task: Task, what: str) -> None:
        self.crashes += 1
        self._end({task.group})
        raise Crash(what)

    def _end(self, groups: Collection[int]) -> None:
        for task in [t for t in self.tasks if t.group in groups]:
            task.dead = True
            self._drop(task)

    def _pause(self, task: Task) -> None:
        """Stop a whole process for a while: its heartbeats too."""
        self.pauses += 1
        until = self.now + self.rng.choice(PAUSES_S)
        for other in self.tasks:
            if other.group == task.group:
                other.wake = max(other.wake, until)

    def _switch(self, task: Task) -> None:
        self._main.switch()
        if task.dead:
            raise Crash("crashed while asleep")

    def _running(self) -> Task | None:
        """Return the running task, None outside of all.

        A greenlet that is never switched to again is ended by the garbage collector, in the middle of the task that
        runs then; its ``finally`` blocks must not act either.
        """
        current = greenlet.getcurrent()
        if current is self._main:
            return None
        task = self._current
        if task is None or task.greenlet is not current or task.dead:
            raise Crash("this process has crashed")
        return task
