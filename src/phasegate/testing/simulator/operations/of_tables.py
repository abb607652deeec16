"""Tables that lose rows, and tables that are merged by version."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from msgspec.structs import replace

from phasegate.base.keys import phase_of
from phasegate.base.receipt import Part, Receipt
from phasegate.base.table import Table
from phasegate.errors import Unavailable
from phasegate.plan.model import Plan, Step
from phasegate.testing.simulator.operations.of_operators import AT_S
from phasegate.testing.simulator.operations.operation import Operation
from phasegate.testing.simulator.outside import Outside
from phasegate.testing.simulator.scene import MODE
from phasegate.warehouse import Row

SHRINK_MAX = 0.1
SHORT = ("r2", "r4")
NOTES = Table(
    name="sim.notes", key=("day", "k"), partition="day", write="merge", version="ver", tombstone="gone",
    columns={"day": "VARCHAR", "k": "INTEGER", "v": "VARCHAR", "ver": "INTEGER"},
)  # fmt: skip
NOTE_KEYS, NOTE_VERSIONS, DELIVERERS, LAST_S = 3, 4, 2, 3500.0


class Shrink(Operation):
    """Some versions of the raw data have fewer rows.

    A step refuses to lose its own. An operator redrives it, and after a while with force.
    """

    name = "shrink"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._force_s, self._forced = rng.choice((0.0, 700.0, 1500.0)), set[str]()
        self._rows: dict[Part, int] = {}

    def planned(self, plan: Plan) -> Plan:
        """Let the step lose a tenth of its rows at most."""
        return replace(plan, steps={**plan.steps, "team": replace(plan.steps["team"], shrink_max=SHRINK_MAX)})

    def start(self, outside: Outside) -> None:
        """Start nothing: the usual operator redrives."""
        self._sim = outside.world.sim
        self._force_at = self._sim.now + self._force_s

    def rows_of(self, version: str) -> int:
        """Return fewer rows for some versions."""
        return 1 if version in SHORT else 2

    def forces(self, key: str) -> bool:
        """Return whether the operator lets it lose rows by now."""
        if self._sim.now < self._force_at:
            return False
        self._forced.add(phase_of(key)[2].date)
        return True

    def may_fail(self, step: str, day: str) -> bool:
        """Return whether it is the step."""
        del day
        return step == "team"

    def committed(self, receipt: Receipt, rows: Sequence[Row]) -> Iterator[str]:
        """Check that no rows are lost before it was forced."""
        before = self._rows.get(receipt.part, 0)
        self._rows[receipt.part] = len(rows)
        if receipt.step != "team" or len(rows) >= before * (1 - SHRINK_MAX):
            return
        if not receipt.allow_shrink or receipt.partition not in self._forced:
            yield f"{receipt.part} went from {before} rows to {len(rows)}, forced: {receipt.allow_shrink}"


class Merge(Operation):
    """Versions and deletions of rows are delivered in any order.

    Two programs do it at once. The table has the newest version of each key. Deletions are not stored, so the last ones
    are delivered once more.
    """

    name = "merge"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._stored: dict[str, dict[object, int]] = {}
        self._commits: dict[str, int] = {}
        self._newest: dict[str, list[Row]] = {}
        self._left = Counter[str]()

    def planned(self, plan: Plan) -> Plan:
        """Add the step to the first phase."""
        raw = plan.phases["raw"]
        gate = replace(raw.modes[MODE], expect=(*raw.modes[MODE].expect, "notes"))
        notes = Step(name="notes", phase="raw", kind="external", table=NOTES)
        phases = {**plan.phases, "raw": replace(raw, modes={MODE: gate})}
        return replace(plan, phases=phases, steps={"notes": notes, **plan.steps})

    def start(self, outside: Outside) -> None:
        """Deliver batches of each date."""
        self._world = outside.world
        for day in self._world.days:
            versions = [self._versions(day, k) for k in range(NOTE_KEYS)]
            self._newest[day] = [each[-1] for each in versions]
            rows = [row for each in versions for row in each]
            self.rng.shuffle(rows)
            for number in range(DELIVERERS):
                mine = rows[number::DELIVERERS]
                todo: list[tuple[float, Callable[[], object]]] = []
                while mine:
                    size = self.rng.choice((1, 2, 4))
                    todo.append((self.rng.choice(AT_S), partial(self._deliver, day, mine[:size])))
                    self._left[day] += 1
                    mine = mine[size:]
                todo.sort(key=lambda one: one[0])
                outside.carry_out(f"deliverer {number} of {day}", todo)
            gone = [row for row in self._newest[day] if row["gone"]] or self._newest[day]
            outside.carry_out(f"last deliverer of {day}", [(LAST_S, partial(self._deliver_last, day, gone))])

    def _versions(self, day: str, k: int) -> list[Row]:
        gone = self.rng.choice((0, 0, 2, NOTE_VERSIONS))
        return [
            {"day": day, "k": k, "v": f"note {number}", "ver": number, "gone": number == gone}
            for number in range(1, NOTE_VERSIONS + 1)
        ]

    def _deliver(self, day: str, rows: Sequence[Row]) -> None:
        with self._world.pipeline.begin(f"{day}.{MODE}", step="notes") as run:
            receipt = run.write(rows)
            run.complete(rows=receipt.rows)
        self._left[day] -= 1

    def _deliver_last(self, day: str, rows: Sequence[Row]) -> None:
        if self._left[day]:
            raise Unavailable("older versions are still delivered")
        self._deliver(day, rows)

    def committed(self, receipt: Receipt, rows: Sequence[Row]) -> Iterator[str]:
        """Check that no version goes back."""
        if receipt.step != "notes":
            return
        before = self._stored.get(receipt.partition, {})
        now = {row["k"]: int(str(row["ver"])) for row in rows}
        self._stored[receipt.partition] = now
        self._commits[receipt.partition] = self._commits.get(receipt.partition, 0) + 1
        if any(now[k] < version for k, version in before.items() if k in now):
            yield f"{receipt.part} went from versions {before} to {now}"

    def more_firings(self, key: str) -> int:
        """Return how many deliveries there were."""
        return self._commits.get(phase_of(key)[2].date, 0) if phase_of(key)[1] == "raw" else 0

    def ended(self) -> Iterator[str]:
        """Check that the newest version of each key is there."""
        for day in self._world.days:
            held = {row["k"]: row["ver"] for row in self._world.warehouse.rows(Part(NOTES.name, day))}
            newest = {row["k"]: row["ver"] for row in self._newest[day] if not row["gone"]}
            if held != newest:
                yield f"{NOTES.name}/{day} ends with versions {held}, the newest are {newest}"
