"""Windows over earlier dates, and modes that share tables: what later runs and sister runs hear, and when."""

from collections.abc import Callable, Mapping

import pytest

from phasegate.base.keys import Run
from phasegate.base.receipt import Stamp
from phasegate.calendar.month import Day
from phasegate.gate.phase import Phase
from phasegate.gate.propagation import News
from phasegate.stores.memory import MemoryStore
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from phasegate.write.reading import Reading
from tests.service.given import Shop, settle, shop

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
    rows = run.read("box", {"run_date": run.game_date})
    return [{"day": run.game_date, "amount": sum(int(str(r["amount"])) for r in rows)}]


def _trend(run: Reading) -> Rows:
    first = f"{run.game_date[:8]}{max(1, int(run.game_date[8:]) - 5):02d}"
    rows = run.read("before", {"run_date": run.game_date, "first": first})
    return [{"day": run.game_date, "amount": sum(int(str(r["amount"])) for r in rows)}]


def many_days(plan: str = PLAN, *, store: MemoryStore | None = None, warehouse: MemoryWarehouse | None = None) -> Shop:
    warehouse = warehouse or MemoryWarehouse(functions={"box": _box, "before": _before})
    return shop({"made:sum": _sum, "made:trend": _trend}, plan=plan, store=store or MemoryStore(), warehouse=warehouse)


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
    found = made.pipeline.gatekeeper.read(name, Run(f"2026-02-{day:02d}", mode))
    assert found is not None
    return found


def test_a_step_is_built_of_the_days_before_its_date() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4, 4: 8})
    assert [cell(made, "out.trend", day) for day in (1, 2, 3, 4)] == [0, 1, 3, 7]
    assert [builds(made, "trend", day) for day in (1, 2, 3, 4)] == [1, 1, 1, 1]


def test_a_changed_day_is_built_into_the_next_two_and_drifts_from_the_others() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4, 4: 8, 5: 16})
    load(made, 1, 101)
    settle(made)
    assert [cell(made, "out.trend", day) for day in (2, 3, 4, 5)] == [101, 103, 7, 15]
    assert phase(made, 4).windows["out.sum@5d"].drifted == ("2026-02-01",)
    assert phase(made, 3).windows["out.sum@5d"].drifted == ()
    assert made.pipeline.next_due() is None


def test_a_refresh_builds_what_has_drifted_once() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4, 4: 8, 5: 16})
    load(made, 1, 101)
    settle(made)
    assert made.pipeline.gatekeeper.refresh("out", Run("2026-02-05", "night"))
    settle(made)
    assert cell(made, "out.trend", 5) == 115
    assert builds(made, "trend", 5) == 2
    assert phase(made, 5).windows["out.sum@5d"].drifted == ()


def test_what_is_built_anew_for_another_reason_takes_a_drifted_window_along() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4, 4: 8})
    load(made, 1, 101)
    settle(made)
    load(made, 4, 9)
    settle(made)
    assert cell(made, "out.trend", 4) == 107
    assert made.pipeline.next_due() is None


def test_the_same_data_again_builds_nothing_later() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4})
    load(made, 1, 1)
    settle(made)
    assert [builds(made, "trend", day) for day in (2, 3)] == [1, 1]


def test_both_modes_hear_of_a_table_that_one_of_them_wrote() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2})
    made.pipeline.gatekeeper.open("raw", Run("2026-02-02", "day"))
    settle(made)
    assert phase(made, 2, mode="day").generation == 1
    assert builds(made, "trend", 2) == 1
    load(made, 2, 3)
    settle(made)
    for mode in ("day", "night"):
        one = phase(made, 2, mode=mode).members["trend"].result
        assert one is not None
        assert one.stamp.token == 2
    assert builds(made, "trend", 2) == 2
    assert made.pipeline.next_due() is None


def test_a_crash_before_anybody_was_told_is_made_good_by_whoever_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4})
    herald = made.pipeline.gatekeeper._herald

    def dies(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(herald, "deliver", dies)
        with pytest.raises(RuntimeError):
            load(made, 1, 101)
    settle(made, until_s=7200.0)
    assert cell(made, "out.trend", 2) == 101


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


def test_a_day_that_the_calendar_expects_is_waited_for_until_its_deadline() -> None:
    made = expecting()
    days = [Day(date=f"2026-02-{n:02d}", state="games" if n in (1, 2) else "none") for n in range(1, 29)]
    made.pipeline.timekeeper.put(days)
    load(made, 2, 2)
    settle(made)
    assert "trend" not in phase(made, 2).requests
    assert phase(made, 2).windows["out.sum@5d"].awaited.keys() == {"2026-02-01"}
    load(made, 1, 1)
    settle(made)
    assert cell(made, "out.trend", 2) == 1
    assert builds(made, "trend", 2) == 1


def test_a_mode_that_awaits_no_windows_is_built_at_once_and_again_when_the_day_comes() -> None:
    made = expecting(await_windows=False)
    days = [Day(date=f"2026-02-{n:02d}", state="games" if n in (1, 2) else "none") for n in range(1, 29)]
    made.pipeline.timekeeper.put(days)
    load(made, 2, 2)
    settle(made)
    assert cell(made, "out.trend", 2) == 0
    assert phase(made, 2).generation == 1
    load(made, 1, 1)
    settle(made)
    assert cell(made, "out.trend", 2) == 1
    assert phase(made, 2).generation == 2


def test_a_day_that_never_comes_is_waited_for_no_longer_than_its_deadline() -> None:
    made = expecting()
    made.pipeline.timekeeper.put([Day(date=f"2026-02-{n:02d}", state="games" if n < 3 else "none") for n in (1, 2)])
    load(made, 2, 2)
    settle(made, until_s=13 * 3600.0)
    assert cell(made, "out.trend", 2) == 0


def test_a_day_that_is_cancelled_is_waited_for_no_longer() -> None:
    made = expecting()
    made.pipeline.timekeeper.put([Day(date=f"2026-02-{n:02d}", state="games" if n < 3 else "none") for n in (1, 2)])
    load(made, 2, 2)
    settle(made, until_s=60.0)
    assert phase(made, 2).windows["out.sum@5d"].awaited.keys() == {"2026-02-01"}
    made.pipeline.timekeeper.put([Day(date="2026-02-01", state="void", reason="snow storm")])
    settle(made, until_s=60.0)
    assert cell(made, "out.trend", 2) == 0


def test_a_window_that_the_plan_gains_later_knows_the_days_before_it() -> None:
    old = PLAN.replace('{ step = "sum", back = "5d" }, ', "").replace("cascade_days = 2\n", "")
    made = many_days(old)
    play(made, {1: 1, 2: 2})
    grown = shop({"made:sum": _sum, "made:trend": _trend}, plan=PLAN, store=made.store, warehouse=made.warehouse)
    grown.pipeline.gatekeeper.replan("out", Run("2026-02-02", "night"))
    load(grown, 3, 4)
    settle(grown)
    assert [cell(grown, "out.trend", day) for day in (2, 3)] == [1, 3]
    assert grown.pipeline.next_due() is None


def test_old_news_that_are_told_late_change_nothing_for_a_run_that_holds_them() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4})
    herald = made.pipeline.gatekeeper._herald
    held = made.store.read("ledger:shop:sum:2026-02")
    assert held is not None
    number = held.body["numbers"]["2026-02-02"]  # type: ignore[index]
    assert number, "the ledger counts its changes"
    # somebody has noted a newer write, and is still to tell of it
    newer = herald.record("sum", "2026-02-02", stamp=Stamp("1-9", 99))
    before = phase(made, 3)
    assert herald.tell_later("sum", News("2026-02-02", int(str(number)), origin="2026-02-02")) == []
    assert phase(made, 3) == before
    assert herald.tell_later("sum", News("2026-02-02", newer, origin="2026-02-02"))
    assert set(phase(made, 3).requests) == {"trend"}
