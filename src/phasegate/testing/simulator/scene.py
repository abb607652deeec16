"""The two small pipelines that schedules play.

Narrow: raw -> team, defense, player (which needs team) -> cache, each date independently. Wide: three or four dates in
a row, whose trend looks back at the dates before, and a second mode that shares two of the tables.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from phasegate.base.dates import bounds
from phasegate.base.keys import Run, phase_key
from phasegate.base.table import Table
from phasegate.errors import Partial
from phasegate.plan.gate import Need
from phasegate.plan.model import ModeGate, PhasePlan, Plan, Send, Step
from phasegate.testing.simulator.facts import facts
from phasegate.testing.simulator.interleaver import Interleaver
from phasegate.testing.simulator.invariants import InvariantChecker
from phasegate.testing.simulator.promises import Promises
from phasegate.warehouse import Row
from phasegate.warehouses.memory.reader import Function
from phasegate.warehouses.memory.rows import Cells
from phasegate.write.builder import PythonStep
from phasegate.write.reading import Reading

MODE, EARLY = "daily", "early"
PHASES = ("raw", "analytics", "precompute")
COLUMNS = {"day": "VARCHAR", "k": "INTEGER", "v": "VARCHAR"}
ATTEMPTS_MAX = 3
CODES = ("1", "2")
BACK = 2

Read = Callable[[str], list[Cells]]
BOX, TEAM, TREND = Need("raw", "box"), Need("analytics", "team"), Need("analytics", "trend")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Steps with their needs (needs first), and the steps of each mode."""

    needs: Mapping[str, tuple[Need, ...]]
    homes: Mapping[str, str]
    modes: Mapping[str, Mapping[str, tuple[str, ...]]]
    cascade_days: int = 1

    def documents(self, day: str) -> dict[str, tuple[str, str]]:
        """Return a date's document keys, with phase and mode of each."""
        return {document(p, day, mode=m): (p, m) for p, modes in self.modes.items() for m in modes}

    def windows(self) -> list[tuple[Need, Need]]:
        """Return each window, with the step that reads it."""
        return [
            (Need(self.homes[step], step), need) for step, needs in self.needs.items() for need in needs if need.back
        ]

    def plan(self, *, python: Sequence[str] = (), catch_up_max_s: float = 120.0) -> Plan:
        """Return the plan, in the reference pipeline's shape.

        The steps named in ``python`` are functions, not SQL.
        """
        steps = {name: self._step(name, python=name in python) for name in self.needs}
        last = PHASES[len(self.modes) - 1]
        phases = {
            phase: PhasePlan(
                name=phase,
                after=() if number == 0 else (PHASES[number - 1],),
                modes={mode: ModeGate(expect=expect) for mode, expect in self.modes[phase].items()},
                sends=(Send(topic="consumer", ack="publish"),) if phase == last else (),
                catch_up_max_s=catch_up_max_s,
            )
            for number, phase in enumerate(self.modes)
        }
        return Plan(pipeline="sim", timezone="UTC", phases=phases, steps=steps, cascade_days=self.cascade_days)

    def _step(self, name: str, *, python: bool) -> Step:
        needs = self.needs[name]
        return Step(
            name=name,
            phase=self.homes[name],
            kind="external" if not needs else "python" if python else "sql",
            needs=needs,
            sql=name if needs and not python else "",
            python=f"sim:{name}" if python else "",
            table=table(name),
            code="1",
            attempts_max=ATTEMPTS_MAX,
            shrink_max=1.0,
        )

    def undisturbed(
        self, raw: Mapping[str, Sequence[Row]], *, codes: Mapping[str, str]
    ) -> dict[tuple[str, str], list[Cells]]:
        """Return the tables that a run without faults makes of this raw data.

        By step and date. ``codes``: the code of steps, where it is not the first one.
        """
        tables: dict[tuple[str, str], list[Cells]] = {("box", day): [dict(row) for row in raw[day]] for day in raw}
        for day in sorted(raw):
            for step, needs in self.needs.items():
                if needs:
                    sources = {n: _held(tables, n, day) for n in needs}
                    tables[step, day] = made(step, day, sources, code=codes.get(step, "1"))
        return tables


NARROW = Scene(
    needs={
        "box": (),
        "team": (BOX,),
        "defense": (BOX,),
        "player": (BOX, TEAM),
        "cache": (TEAM, Need("analytics", "defense"), Need("analytics", "player")),
    },
    homes={"box": "raw", "team": "analytics", "defense": "analytics", "player": "analytics", "cache": "precompute"},
    modes={
        "raw": {MODE: ("box",)},
        "analytics": {MODE: ("team", "defense", "player")},
        "precompute": {MODE: ("cache",)},
    },
)


def wide(*, over: Need, early: bool, chain: Need | None) -> Scene:
    """Return a scene whose trend looks back over ``over``.

    ``early``: a second mode shares the tables of box and trend. ``chain``: what cache, which reads trend, looks back
    over; None: there is no cache.
    """
    second = {EARLY: ("box",)} if early else {}
    needs: dict[str, tuple[Need, ...]] = {"box": (), "team": (BOX,), "trend": (BOX, Need(over.phase, over.step, BACK))}
    modes: dict[str, dict[str, tuple[str, ...]]] = {
        "raw": {MODE: ("box",), **second},
        "analytics": {MODE: ("team", "trend"), **dict.fromkeys(second, ("trend",))},
    }
    if chain is not None:
        needs["cache"] = (TREND, Need(chain.phase, chain.step, BACK))
        modes["precompute"] = {MODE: ("cache",)}
    homes = {"box": "raw", "team": "analytics", "trend": "analytics", "cache": "precompute"}
    return Scene(needs=needs, homes=homes, modes=modes)


def document(phase: str, day: str, *, mode: str = MODE) -> str:
    """Return the key of a phase's one document of a date and mode."""
    return phase_key("sim", phase, run=Run(day, mode))


def coded(step: str, code: str) -> str:
    """Return the name of a step's function of a code."""
    return step if code == "1" else f"{step}_v{code}"


def lineage(needs: Mapping[str, tuple[Need, ...]], step: str) -> list[str]:
    """Return a step and all that it needs on its own date."""
    return [step, *(name for need in needs[step] if not need.back for name in lineage(needs, need.step))]


def table(step: str) -> Table:
    """Return the table that a step of the small pipelines writes."""
    return Table(name=f"sim.{step}", key=("day", "k"), partition="day", columns=COLUMNS)


def made(step: str, day: str, sources: Mapping[Need, Sequence[Row]], *, code: str = "1") -> list[Cells]:
    """Return the rows of a step, each naming what it was made of.

    Down to the versions of the raw data. ``defense`` depends on the number of rows only: the same for every version, so
    that it is cut off early.
    """
    label = step if code == "1" else f"{step} v{code}"
    if step == "defense":
        return [{"day": day, "k": 0, "v": f"{label.removeprefix(step)} {len(sources[BOX])} rows".strip()}]
    named = "; ".join(f"{need.step} {sorted(facts(need, rows))}" for need, rows in sorted(sources.items()))
    rows = len(sources[BOX]) if step == "team" else 2
    return [{"day": day, "k": k, "v": f"{label} of {named}"} for k in range(rows)]


class Steps:
    """The steps as SQL (functions of the warehouse) and as Python.

    Sometimes their own code fails.
    """

    def __init__(
        self, scene: Scene, sim: Interleaver, checker: InvariantChecker, *, operations: Sequence[Promises] = ()
    ) -> None:
        self._needs, self._sim, self._checker = scene.needs, sim, checker
        self._operations = operations

    def sql(self) -> dict[str, Function]:
        """Return the functions that the memory warehouse uses for SQL.

        One per step, one per table to read.
        """
        built = [name for name, needs in self._needs.items() if needs]
        steps = {coded(name, code): self._sql(name, code=code) for name in built for code in CODES}
        return {**steps, **{f"rows of {name}": _all_rows(name) for name in self._needs}}

    def python(self) -> dict[str, PythonStep]:
        """Return the functions that a Python step calls.

        Each source is a separate read, hence a separate snapshot.
        """
        built = [name for name, needs in self._needs.items() if needs]
        return {f"sim:{coded(name, code)}": self._python(name, code=code) for name in built for code in CODES}

    def _sql(self, step: str, *, code: str) -> Function:
        def function(read: Read, params: Mapping[str, object]) -> list[Cells]:
            day = str(params["run_date"])
            self._fail(step, day)
            sources = {n: _between(read(f"sim.{n.step}"), *_span(n, day)) for n in self._needs[step]}
            return made(step, day, sources, code=code)

        return function

    def _python(self, step: str, *, code: str) -> PythonStep:
        def function(reading: Reading) -> list[Cells]:
            day = reading.date
            self._fail(step, day)
            sources = {}
            for need in self._needs[step]:
                first, last = _span(need, day)
                sources[need] = reading.read(f"rows of {need.step}", {"first": first, "last": last})
            return made(step, day, sources, code=code)

        return function

    def _fail(self, step: str, day: str) -> None:
        forced = any(each.breaks(step, day) for each in self._operations)
        if not (forced or self._sim.broken()):
            return
        final = self._sim.rng.random() < 0.3
        self._checker.broke(step, day, final=final)
        if final:
            raise Partial("half of the rows are missing")
        raise RuntimeError("the step's own code failed")


def _span(need: Need, day: str) -> tuple[str, str]:
    """Return the first and the last date of a need."""
    return bounds(day, need.back) if need.back else (day, day)


def _between(rows: Sequence[Cells], first: str, last: str) -> list[Cells]:
    return [row for row in rows if first <= str(row["day"]) <= last]


def _held(tables: Mapping[tuple[str, str], list[Cells]], need: Need, day: str) -> list[Cells]:
    rows = [row for (step, _), held in tables.items() if step == need.step for row in held]
    return _between(rows, *_span(need, day))


def _all_rows(step: str) -> Function:
    def function(read: Read, params: Mapping[str, object]) -> list[Cells]:
        return _between(read(f"sim.{step}"), str(params["first"]), str(params["last"]))

    return function
