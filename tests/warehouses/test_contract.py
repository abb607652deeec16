"""The contract of ports.Warehouse, over every embedded warehouse; and what the memory warehouse promises besides."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from phasegate.base.receipt import Fence
from phasegate.base.table import Table
from phasegate.errors import BadInput, Conflict
from phasegate.testing.warehouse_contract import CONTRACT_TABLES, WarehouseContract
from phasegate.testing.warehouse_fences import PART
from phasegate.testing.warehouse_rows import DAY, GAMES, STORE, commit, game, prepare, staging, write, write_of
from phasegate.warehouse import Params, Written
from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse
from phasegate.warehouses.memory.reader import MemoryReader
from phasegate.warehouses.memory.warehouse import MemoryWarehouse

Cells = dict[str, object]


def all_rows(table_name: str, read: Callable[[str], list[Cells]], params: Params) -> list[Cells]:
    del params
    return read(table_name)


def with_points(read: Callable[[str], list[Cells]], params: Params) -> list[Cells]:
    del params
    return [row for row in read(GAMES.name) if row["points"] is not None]


class TestMemoryWarehouse(WarehouseContract):
    @pytest.fixture
    def warehouse(self) -> MemoryWarehouse:
        functions = {f"all of {name}": partial(all_rows, name) for name in CONTRACT_TABLES}
        return MemoryWarehouse(functions={**functions, "with points": with_points})

    def select_all(self, table_name: str, /) -> str:
        return f"all of {table_name}"

    def with_points(self) -> str:
        return "with points"

    @pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 2), (2, 1)])
    def test_of_two_transactions_that_change_a_fence_one_conflicts(
        self, warehouse: MemoryWarehouse, first: int, second: int
    ) -> None:
        """For equal tokens too: the change of the row conflicts."""
        prepare(warehouse, GAMES)
        outer, inner = warehouse.begin(), warehouse.begin()
        assert outer.change_fence(PART, token=first, store_id=STORE, holders=("h",))
        assert inner.change_fence(PART, token=second, store_id=STORE, holders=("h",))
        inner.commit()
        with pytest.raises(Conflict):
            outer.commit()

    def test_a_fence_changed_since_the_snapshot_conflicts(self, warehouse: MemoryWarehouse) -> None:
        prepare(warehouse, GAMES)
        slow = warehouse.begin()
        write(warehouse, GAMES, [game("a")], token=1)
        assert slow.fence(PART) == Fence(0, STORE)
        slow.change_fence(PART, token=1, store_id=STORE, holders=("h",))
        with pytest.raises(Conflict):
            slow.commit()

    def test_inserts_never_conflict_so_a_missing_fence_shows(self, warehouse: MemoryWarehouse) -> None:
        prepare(warehouse, GAMES)
        with staging(warehouse, GAMES, [game("a")]) as outer, staging(warehouse, GAMES, [game("a")]) as inner:
            begun = [(warehouse.begin(), staged) for staged in (outer, inner)]
            for tx, staged in begun:
                tx.take(staged)  # type: ignore[arg-type]
                tx.replace(GAMES, partition=DAY, token=1)
            for tx, _ in begun:
                tx.commit()
        assert self.read(warehouse, GAMES, "player") == [("a",), ("a",)]

    def test_a_row_deleted_twice_conflicts(self, warehouse: MemoryWarehouse) -> None:
        write(warehouse, GAMES, [game("a")])
        with staging(warehouse, GAMES, [game("b")]) as staged:
            tx = warehouse.begin()
            tx.take(staged)  # type: ignore[arg-type]
            tx.replace(GAMES, partition=DAY, token=1)
            warehouse.put_rows(GAMES, [game("c")], partition=DAY)
            with pytest.raises(Conflict, match=GAMES.name):
                tx.commit()
        assert self.read(warehouse, GAMES, "player") == [("c",)]

    def test_committed_receipts_are_logged_in_order(self, warehouse: MemoryWarehouse) -> None:
        written = [write(warehouse, GAMES, [game("a")], token=n, write_id=f"w{n}") for n in (1, 2)]
        assert warehouse.commits == written

    def test_a_table_without_declared_columns_takes_the_shape_of_its_first_rows(
        self, warehouse: MemoryWarehouse
    ) -> None:
        write(warehouse, GAMES, [game("a")])
        copy = Table(name=CONTRACT_TABLES[1], key=GAMES.key, partition=GAMES.partition)
        warehouse.functions["shorter"] = lambda read, _: [{"player": row["player"]} for row in read(GAMES.name)]
        prepare(warehouse, copy, sql=f"all of {GAMES.name}")
        assert isinstance(commit(warehouse, copy, sql=f"all of {GAMES.name}"), Written)
        with pytest.raises(BadInput, match="game_date"):
            commit(warehouse, copy, sql="shorter")

    def test_an_unknown_function_is_refused_by_name(self, warehouse: MemoryWarehouse) -> None:
        with warehouse.snapshot() as reader, pytest.raises(BadInput, match="nobody"):
            reader.query("nobody", {})


class TestDuckDBWarehouse(WarehouseContract):
    @pytest.fixture
    def warehouse(self, tmp_path: Path) -> Iterator[DuckDBWarehouse]:
        warehouse = DuckDBWarehouse(tmp_path / "night.duckdb", lock_timeout_s=5)
        yield warehouse
        warehouse.close()

    def select_all(self, table_name: str, /) -> str:
        return f"SELECT * FROM {table_name}"


class TestDuckDBWarehouseThroughAnotherProcess(TestDuckDBWarehouse):
    """The same promises where another one has the file open: all goes through its socket."""

    @pytest.fixture
    def warehouse(self, tmp_path: Path) -> Iterator[DuckDBWarehouse]:
        path = tmp_path / "night.duckdb"
        owner = DuckDBWarehouse(path, lock_timeout_s=5, hold_ms=3_600_000)
        with owner._file.snapshot():
            pass
        served = DuckDBWarehouse(path, lock_timeout_s=5)
        yield served
        assert served.openings == 0, "it opened the file itself, so nothing was shown"
        served.close()
        owner.close()


TEXT_VERSION = Table(name="nba.versions", key=("day", "k"), partition="day", write="merge", version="v")


def test_a_version_of_text_is_refused_by_every_warehouse(tmp_path: Path) -> None:
    rows: list[Cells] = [{"day": DAY, "k": 1, "v": "9"}, {"day": DAY, "k": 1, "v": "10"}]
    memory = MemoryWarehouse(functions={"rows": lambda _read, _params: rows})
    prepare(memory, TEXT_VERSION, sql="rows")
    with pytest.raises(BadInput, match=r"^version v of table nba.versions is '9', and must"):
        commit(memory, TEXT_VERSION, sql="rows")
    duck = DuckDBWarehouse(tmp_path / "w.duckdb")
    sql = f"SELECT '{DAY}' AS day, 1 AS k, '9' AS v"
    with closing(duck), pytest.raises(BadInput, match=r"^version v of table nba.versions is VARCHAR, and must be"):
        prepare(duck, TEXT_VERSION, sql=sql)


def test_the_memory_warehouse_orders_times_of_a_zone_as_instants() -> None:
    zone = ZoneInfo("America/New_York")
    old, new = (datetime(2026, 11, 1, 1, minute, tzinfo=zone, fold=fold) for minute, fold in ((45, 0), (15, 1)))
    rows: list[Cells] = [{"day": DAY, "k": 1, "v": at} for at in (new, old)]
    memory = MemoryWarehouse(functions={"rows": lambda _read, _params: rows})
    prepare(memory, TEXT_VERSION, sql="rows")
    with staging(memory, TEXT_VERSION, sql="rows") as staged:
        assert staged.counts.duplicates == 1
        memory.commit(write_of(TEXT_VERSION, staged), staged)
    assert [row["v"] for row in MemoryReader(memory).read(TEXT_VERSION.name)] == [new.astimezone(UTC)]
