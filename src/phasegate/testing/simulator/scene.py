"""The small pipeline that a schedule plays: raw -> team, defense, player (which needs team) -> cache."""

from collections.abc import Callable, Mapping, Sequence

from phasegate.core.phase import Need
from phasegate.core.plan import ModeGate, PhasePlan, Plan, Send, Step
from phasegate.core.table import Table
from phasegate.errors import Partial
from phasegate.ports import Row
from phasegate.service.builder import PythonStep
from phasegate.service.reading import Reading
from phasegate.testing.simulator.invariants import Witness, versions
from phasegate.testing.simulator.scheduler import Scheduler
from phasegate.warehouses.memory import Function

MODE = "daily"
PHASES = ("raw", "analytics", "precompute")
NEXT = {"raw": "analytics", "analytics": "precompute"}
COLUMNS = {"day": "VARCHAR", "k": "INTEGER", "v": "VARCHAR"}
ATTEMPTS_MAX = 3
NEEDS: dict[str, tuple[tuple[str, str], ...]] = {
    "box": (),
    "team": (("raw", "box"),),
    "defense": (("raw", "box"),),
    "player": (("raw", "box"), ("analytics", "team")),
    "cache": (("analytics", "team"), ("analytics", "defense"), ("analytics", "player")),
}
PHASE_OF = {"box": "raw", "team": "analytics", "defense": "analytics", "player": "analytics", "cache": "precompute"}

Cells = dict[str, object]
Read = Callable[[str], list[Cells]]


def table(step: str) -> Table:
    """Return the table that a step of the small pipeline writes."""
    return Table(name=f"sim.{step}", key=("day", "k"), partition="day", columns=COLUMNS)


def small_plan(*, python: Sequence[str] = (), catch_up_max_s: float = 120.0) -> Plan:
    """Return the plan, in the reference pipeline's shape; the steps named in ``python`` are functions, not SQL."""
    steps = {name: _step(name, python=name in python) for name in NEEDS}
    phases = {
        phase: PhasePlan(
            name=phase,
            after=() if number == 0 else (PHASES[number - 1],),
            modes={MODE: ModeGate(expect=tuple(s.name for s in steps.values() if s.phase == phase))},
            sends=(Send(topic="consumer", ack="publish"),) if phase == "precompute" else (),
            catch_up_max_s=catch_up_max_s,
        )
        for number, phase in enumerate(PHASES)
    }
    return Plan(pipeline="sim", timezone="UTC", phases=phases, steps=steps)


def _step(name: str, *, python: bool) -> Step:
    needs = NEEDS[name]
    return Step(
        name=name,
        phase=PHASE_OF[name],
        kind="external" if not needs else "python" if python else "sql",
        needs=tuple(Need(*need) for need in needs),
        sql=name if needs and not python else "",
        python=f"sim:{name}" if python else "",
        table=table(name),
        code="1",
        attempts_max=ATTEMPTS_MAX,
        shrink_max=1.0,
    )


def made(step: str, day: str, sources: Mapping[str, list[Cells]]) -> list[Cells]:
    """Return the rows of a step: each names the versions of the raw data that it was made of.

    ``defense`` looks at the number of rows only: the same for every version, so that it is cut off early.
    """
    if step == "defense":
        return [{"day": day, "k": 0, "v": f"{len(sources['box'])} rows"}]
    told = "; ".join(f"{name} {sorted(versions(rows))}" for name, rows in sorted(sources.items()))
    return [{"day": day, "k": k, "v": f"{step} of {told}"} for k in range(2)]


def undisturbed(day: str, box: Sequence[Row]) -> dict[str, list[Cells]]:
    """Return the tables that a run without any fault leaves of this raw data."""
    tables: dict[str, list[Cells]] = {"box": [dict(row) for row in box]}
    for step, needs in NEEDS.items():
        if needs:
            tables[step] = made(step, day, {name: tables[name] for _, name in needs})
    return tables


class Steps:
    """What the steps run, as SQL (a function of the warehouse) and as Python; sometimes their own code fails."""

    def __init__(self, sim: Scheduler, witness: Witness) -> None:
        self._sim, self._witness = sim, witness

    def sql(self) -> dict[str, Function]:
        """Return the functions that the memory warehouse takes for SQL: one per step, one per table to read."""
        steps = {name: self._sql(name) for name, needs in NEEDS.items() if needs}
        return {**steps, **{f"rows of {name}": _all_rows(name) for name in NEEDS}}

    def python(self) -> dict[str, PythonStep]:
        """Return the functions that a Python step calls: each source is a read, hence a snapshot, of its own."""
        return {f"sim:{name}": self._python(name) for name, needs in NEEDS.items() if needs}

    def _sql(self, step: str) -> Function:
        def function(read: Read, params: Mapping[str, object]) -> list[Cells]:
            day = str(params["run_date"])
            self._fail(step, day)
            return made(step, day, {name: _rows_of(name, day, read) for _, name in NEEDS[step]})

        return function

    def _python(self, step: str) -> PythonStep:
        def function(reading: Reading) -> list[Cells]:
            day = reading.game_date
            self._fail(step, day)
            bound = {"run_date": day}
            return made(step, day, {name: list(reading.read(f"rows of {name}", bound)) for _, name in NEEDS[step]})

        return function

    def _fail(self, step: str, day: str) -> None:
        if not self._sim.broken():
            return
        final = self._sim.rng.random() < 0.3
        self._witness.broke(step, day, final=final)
        if final:
            raise Partial("half of the games are missing")
        raise RuntimeError("the step's own code failed")


def _rows_of(step: str, day: str, read: Read) -> list[Cells]:
    return [row for row in read(f"sim.{step}") if row["day"] == day]


def _all_rows(step: str) -> Function:
    def function(read: Read, params: Mapping[str, object]) -> list[Cells]:
        return _rows_of(step, str(params["run_date"]), read)

    return function
