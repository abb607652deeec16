"""A calendar whose source is late, fails, and changes its mind."""

import random
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial

from msgspec.structs import replace

from phasegate.base.keys import phase_of
from phasegate.base.receipt import Part
from phasegate.calendar.calendar import Dates
from phasegate.calendar.month import Day
from phasegate.errors import Unavailable
from phasegate.gate.phase import Phase
from phasegate.plan.model import Plan
from phasegate.testing.simulator.operations.of_operators import Halt
from phasegate.testing.simulator.outside import Outside
from phasegate.testing.simulator.scene import MODE

FAILS = 0.15
CHANGED_S = (5.0, 60.0, 300.0, 1000.0, 3000.0)
LIVES = (("work",), ("", "work"), ("none", "work"), ("work", "void", "work"), ("work", "none", "work"))


class CalendarChanges(Halt):
    """Dates are unknown at first, or gain and lose their work.

    In the end all have work; an operator then brings back what was refused, and reports the raw data again.
    """

    name = "calendar"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._states: dict[str, str] = {}
        self._worked: set[str] = set()

    def planned(self, plan: Plan) -> Plan:
        """Let the calendar decide which dates have work."""
        return replace(plan, calendar="sim:dates")

    def dates(self) -> Dates:
        """Return the source."""
        return self._dates

    def halted(self, phase: Phase) -> bool:
        """Return whether the run does not take place."""
        return phase.void is not None

    def start(self, outside: Outside) -> None:
        """Change the states of each date, and ask the source after each change."""
        super().start(outside)
        self._world = outside.world
        for day in self._world.days:
            states = self.rng.choice(LIVES)
            self._states[day], at_s = states[0], 0.0
            todo: list[tuple[float, Callable[[], object]]] = []
            for state in states[1:]:
                at_s += self.rng.choice(CHANGED_S)
                todo.append((at_s, partial(self._states.__setitem__, day, state)))
                todo.append((at_s, partial(self._ask, day)))
            todo.append((at_s, partial(self._bring_back, day)))
            outside.carry_out(f"league of {day}", todo)

    def _dates(self, first: date, last: date) -> list[Day]:
        if self._world.sim.rng.random() < FAILS:
            raise RuntimeError("the league does not answer")
        known = {
            day: state for day, state in self._states.items() if state and first.isoformat() <= day <= last.isoformat()
        }
        self._worked |= {day for day, state in known.items() if state == "work"}
        return [Day(date=day, state=state) for day, state in known.items()]  # type: ignore[arg-type]

    def _ask(self, day: str) -> None:
        pipeline = self._world.pipeline
        pipeline.ask_calendar(day[:7])
        known = pipeline.calendar.day(day, ask=False)
        if known is None or known.state != self._states[day]:
            raise Unavailable(f"the source has not answered about {day}")

    def _bring_back(self, day: str) -> None:
        world = self._world
        self._ask(day)
        for doc in world.store.scan("quarantine:", limit=1_000):
            world.pipeline.runs.quarantine.redrive(doc.key)
        if world.warehouse.rows(Part("sim.box", day)):
            world.pipeline.complete({"step": "box", "run": f"{day}.{MODE}"})

    def wrote(self, key: str, *, old: Phase | None, new: Phase) -> Iterator[str]:
        """Check that only dates with work are opened, and void ones rest."""
        yield from super().wrote(key, old=old, new=new)
        if old is None and phase_of(key)[2].date not in self._worked:
            yield f"{key} was opened, though no calendar says that its date has work"
        if new.void is not None and new.requests:
            yield f"{key} requests {list(new.requests)}, though it is void"

    def refuses(self, text: str) -> bool:
        """Return whether it is a report: a slow worker may refuse it late."""
        return "'step': 'box'" in text

    def ended(self) -> Iterator[str]:
        """Check that every run takes place."""
        for key, phase in self._world.checker.phases.items():
            if phase.void is not None:
                yield f"{key} is void in the end: {phase.void}"
