"""A pipeline of two modes with a window over earlier dates, on ports in memory."""

from collections.abc import Callable, Mapping

from phasegate.base.keys import Run
from phasegate.gate.phase import Phase
from phasegate.stores.memory import MemoryStore
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from phasegate.write.reading import Reading
from tests.support.pipelines import Shop, settle, shop

PLAN = """
pipeline = "shop"
timezone = "UTC"
cascade_days = 2

[phase.raw]
modes.day = { expect = "*" }
modes.night = { expect = "*" }
[phase.out]
after = "raw"
modes.day = { expect = ["trend"] }
modes.night = { expect = "*" }

[step.box]
phase = "raw"
external = true
table = "raw.box"
key = ["day", "id"]
partition = "day"
write = "replace"
columns = { day = "VARCHAR", id = "INTEGER", amount = "INTEGER" }

[step.sum]
phase = "out"
needs = ["raw.box"]
python = "made:sum"
table = "out.sum"
key = ["day"]
partition = "day"
columns = { day = "VARCHAR", amount = "INTEGER" }

[step.trend]
phase = "out"
needs = [{ step = "sum", back = "5d" }, "raw.box"]
python = "made:trend"
table = "out.trend"
key = ["day"]
partition = "day"
columns = { day = "VARCHAR", amount = "INTEGER" }
"""


Rows = list[dict[str, object]]


def _box(read: Callable[[str], Rows], params: Mapping[str, object]) -> Rows:
    return [row for row in read("raw.box") if row["day"] == params["run_date"]]


def _before(read: Callable[[str], Rows], params: Mapping[str, object]) -> Rows:
    return [row for row in read("out.sum") if params["first"] <= row["day"] < params["run_date"]]  # type: ignore[operator]


def _sum(run: Reading) -> Rows:
    rows = run.read("box", {"run_date": run.date})
    return [{"day": run.date, "amount": sum(int(str(r["amount"])) for r in rows)}]


def _trend(run: Reading) -> Rows:
    first = f"{run.date[:8]}{max(1, int(run.date[8:]) - 5):02d}"
    rows = run.read("before", {"run_date": run.date, "first": first})
    return [{"day": run.date, "amount": sum(int(str(r["amount"])) for r in rows)}]


STEPS = {"made:sum": _sum, "made:trend": _trend}


def many_days(plan: str = PLAN, *, store: MemoryStore | None = None, warehouse: MemoryWarehouse | None = None) -> Shop:
    warehouse = warehouse or MemoryWarehouse(functions={"box": _box, "before": _before})
    return shop(STEPS, plan=plan, store=store or MemoryStore(), warehouse=warehouse)


def load(made: Shop, day: int, *amounts: int, mode: str = "night") -> None:
    date = f"2026-02-{day:02d}"
    with made.pipeline.begin(f"{date}.{mode}", step="box") as run:
        run.write([{"day": date, "id": n, "amount": amount} for n, amount in enumerate(amounts)])
        run.complete()


def play(made: Shop, days: Mapping[int, int]) -> None:
    for day, amount in days.items():
        load(made, day, amount)
        settle(made)


def cell(made: Shop, table: str, day: int) -> int:
    rows = [row for part in made.warehouse.tables[table].values() for row in part.values()]
    return next(int(str(r.cells["amount"])) for r in rows if r.cells["day"] == f"2026-02-{day:02d}")


def builds(made: Shop, step: str, day: int) -> int:
    run = f"2026-02-{day:02d}."
    return sum(f["step"] == step and str(f["run"]).startswith(run) for f in made.told.of("written"))


def phase(made: Shop, day: int, *, name: str = "out", mode: str = "night") -> Phase:
    found = made.pipeline.runs.read(name, Run(f"2026-02-{day:02d}", mode))
    assert found is not None
    return found


def expecting(
    *, await_windows: bool = True, store: MemoryStore | None = None, warehouse: MemoryWarehouse | None = None
) -> Shop:
    """Many days with a calendar and a deadline; it is midnight of the second of them."""
    night = (
        f'modes.night = {{ expect = "*", deadline = "12:00 +1d", await_windows = {str(await_windows).lower()} }}\n\n'
    )
    plan = PLAN.replace("cascade_days = 2", 'cascade_days = 2\ncalendar = "made:dates"').replace(
        'modes.night = { expect = "*" }\n\n', night
    )
    made = many_days(plan, store=store, warehouse=warehouse)
    made.clock.at = 1_769_990_400.0  # 2026-02-02 00:00
    return made
