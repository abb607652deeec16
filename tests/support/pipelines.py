"""A small pipeline on ports in memory, with a clock that tests move."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from phasegate import Pipeline, load_plan
from phasegate.base.keys import Run
from phasegate.buses.local import LocalBus
from phasegate.buses.wake import NoWake
from phasegate.calendar.calendar import Dates
from phasegate.foreign import ForeignDocuments
from phasegate.gate.phase import Phase
from phasegate.ports import NoBuild, NoShell, OwnBuild, Ports, Shell, bound_fields
from phasegate.stores.memory import MemoryStore
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from phasegate.write.builder import PythonStep

RUN = "2026-02-03.daily"
DAY = "2026-02-03"
PLAN = """
pipeline = "shop"
timezone = "UTC"

[phase.load]
[phase.report]
after = "load"
sends = [{ topic = "mailer", ack = "completion" }]

[step.orders]
phase = "load"
external = true
table = "raw.orders"
key = ["day", "id"]
partition = "day"
write = "replace"
columns = { day = "VARCHAR", id = "INTEGER", amount = "INTEGER" }

[step.totals]
phase = "report"
needs = ["load.orders"]
python = "made:totals"
table = "out.totals"
key = ["day"]
partition = "day"
columns = { day = "VARCHAR", amount = "INTEGER" }
"""

# Two external steps without a table: one of the first phase, one that needs what the first phase has.
LETTERS = (
    PLAN.replace('sends = [{ topic = "mailer", ack = "completion" }]\n', "")
    + """
[step.letter]
phase = "report"
needs = ["load.orders"]
external = true

[step.rates]
phase = "load"
external = true
"""
)


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = 1_770_000_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float, /) -> None:
        self.at += seconds


class NoBackground:
    """Heartbeats never beat: a test plays them."""

    def every(self, seconds: float, tick: Callable[[], bool], /) -> Callable[[], None]:
        del seconds, tick
        return lambda: None


@dataclass
class Told:
    """Remembers events, and what was bound at each."""

    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    around: list[Mapping[str, object]] = field(default_factory=list)

    def event(self, name: str, /, **fields: object) -> None:
        self.events.append((name, fields))
        self.around.append(bound_fields())

    def clear(self) -> None:
        self.events.clear()
        self.around.clear()

    def of(self, name: str) -> list[dict[str, object]]:
        return [fields for told, fields in self.events if told == name]

    def in_context(self, name: str) -> list[dict[str, object]]:
        """Return the events of a name with what was bound at each, as an observer shows them."""
        return [
            {**bound, **given} for (told, given), bound in zip(self.events, self.around, strict=True) if told == name
        ]


@dataclass
class Shop:
    """The pipeline and the parts that tests look at."""

    pipeline: Pipeline
    store: MemoryStore
    warehouse: MemoryWarehouse
    clock: ManualClock
    told: Told


def shop(
    functions: Mapping[str, PythonStep] | None = None,
    *,
    plan: str = PLAN,
    store: MemoryStore | None = None,
    warehouse: MemoryWarehouse | None = None,
    dates: Dates | None = None,
    clock: ManualClock | None = None,
    shell: Shell | None = None,
    files: Mapping[str, str] | None = None,
    foreign: ForeignDocuments | None = None,
    build: OwnBuild | None = None,
) -> Shop:
    clock, told, numbers = clock or ManualClock(), Told(), itertools.count(1)
    store, warehouse = store or MemoryStore(), warehouse or MemoryWarehouse()
    warehouse.functions = warehouse.functions or {"orders": _orders}
    loaded = load_plan(plan, files=(files or {}).__getitem__)
    ports = Ports(
        store=store,
        bus=LocalBus(store, clock, pipeline=loaded.pipeline, wake=NoWake(clock), observer=told),
        warehouse=warehouse,
        clock=clock,
        observer=told,
        background=NoBackground(),
        ids=lambda: f"id{id(store)}-{next(numbers)}",
        shell=shell or NoShell(),
        foreign=foreign,
        build=build or NoBuild(),
    )
    made = Pipeline(loaded, ports, functions=functions or {"made:totals": totals}, dates=dates)
    return Shop(made, store, warehouse, clock, told)


def _orders(read: Callable[[str], list[dict[str, object]]], params: Mapping[str, object]) -> list[dict[str, object]]:
    return [row for row in read("raw.orders") if row["day"] == params["run_date"]]


def totals(run: object) -> list[dict[str, object]]:
    rows = run.read("orders", {"run_date": DAY})  # type: ignore[attr-defined]
    return [{"day": DAY, "amount": sum(row["amount"] for row in rows)}]


def orders(*amounts: int) -> list[dict[str, object]]:
    return [{"day": DAY, "id": number, "amount": amount} for number, amount in enumerate(amounts)]


def load(made: Shop, *amounts: int) -> None:
    """Write and report orders as a scraper that lives."""
    with made.pipeline.begin(RUN, step="orders") as run:
        run.write(orders(*amounts))
        run.complete()


def settle(made: Shop, *, until_s: float = 3600.0) -> None:
    """Work until idle, and move the clock to whatever is due within ``until_s``."""
    end = made.clock.at + until_s
    for _ in range(1_000):
        made.pipeline.work_until_idle()
        due = made.pipeline.next_due()
        if due is None or due > end:
            return
        made.clock.at = max(made.clock.at, due)
    raise AssertionError("does not settle")


def state(made: Shop, phase: str) -> str:
    """Return the one word for a phase of the run."""
    return {view.phase: view.state for view in made.pipeline.views.why(RUN)}[phase]


def generation(made: Shop, phase: str) -> int:
    views = {view.phase: view for view in made.pipeline.views.why(RUN)}
    return views[phase].generations[-1].number if views[phase].generations else 0


def total(made: Shop) -> int:
    rows = [row for part in made.warehouse.tables["out.totals"].values() for row in part.values()]
    assert len(rows) == 1
    return int(str(rows[0].cells["amount"]))


def phase(made: Shop, name: str) -> Phase:
    """Return the document of a phase of the run."""
    found = made.pipeline.runs.read(name, Run(DAY, "daily"))
    assert found is not None
    return found


def ready() -> Shop:
    """Return a shop whose second phase has begun, and waits for its letter."""
    made = shop(plan=LETTERS)
    load(made, 1, 2)
    made.pipeline.complete({"step": "rates", "run": RUN, "execution_id": "r1"})
    settle(made)
    return made
