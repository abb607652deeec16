"""The contract of ports.Warehouse, over every embedded warehouse; and what the memory warehouse promises besides."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from phasegate.base.receipt import Part
from phasegate.base.table import Table
from phasegate.errors import BadInput, Conflict
from phasegate.testing.warehouse_contract import CONTRACT_TABLES, WarehouseContract
from phasegate.testing.warehouse_rows import DAY, GAMES, STORE, game, rows_of, write
from phasegate.warehouse import Params
from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse
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

    def test_inserts_never_conflict_so_a_missing_fence_shows(self, warehouse: MemoryWarehouse) -> None:
        warehouse.prepare(GAMES, partition=DAY, store_id=STORE)
        with warehouse.transaction() as outer, warehouse.transaction() as inner:
            for tx in (outer, inner):
                rows_of(tx, GAMES, [game("a")])
                tx.replace(GAMES, partition=DAY, token=1)
        assert self.read(warehouse, GAMES, "player") == [("a",), ("a",)]

    def test_a_row_deleted_twice_conflicts(self, warehouse: MemoryWarehouse) -> None:
        write(warehouse, GAMES, [game("a")])

        def replace_unfenced(player: str, *, during: Callable[[], None]) -> None:
            with warehouse.transaction() as tx:
                rows_of(tx, GAMES, [game(player)])
                tx.replace(GAMES, partition=DAY, token=1)
                during()

        with pytest.raises(Conflict, match=GAMES.name):
            replace_unfenced("b", during=lambda: replace_unfenced("c", during=lambda: None))
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
        warehouse.prepare(copy, partition=DAY, store_id=STORE, sql=f"all of {GAMES.name}")
        with warehouse.transaction() as tx:
            tx.change_fence(Part(copy.name, DAY), token=1, store_id=STORE, holders=("h",))
            tx.stage_query(copy, f"all of {GAMES.name}", {})
            tx.replace(copy, partition=DAY, token=1)
        with warehouse.transaction() as tx, pytest.raises(BadInput, match="game_date"):
            tx.stage_query(copy, "shorter", {})

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
        with owner.transaction():
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
    memory.prepare(TEXT_VERSION, partition=DAY, store_id=STORE, sql="rows")
    with (
        memory.transaction() as tx,
        pytest.raises(BadInput, match=r"^version v of table nba.versions is '9', and must"),
    ):
        tx.stage_query(TEXT_VERSION, "rows", {})
    duck = DuckDBWarehouse(tmp_path / "w.duckdb")
    sql = f"SELECT '{DAY}' AS day, 1 AS k, '9' AS v"
    with closing(duck), pytest.raises(BadInput, match=r"^version v of table nba.versions is VARCHAR, and must be"):
        duck.prepare(TEXT_VERSION, partition=DAY, store_id=STORE, sql=sql, params={})


def test_the_memory_warehouse_orders_times_of_a_zone_as_instants() -> None:
    zone = ZoneInfo("America/New_York")
    old, new = (datetime(2026, 11, 1, 1, minute, tzinfo=zone, fold=fold) for minute, fold in ((45, 0), (15, 1)))
    rows: list[Cells] = [{"day": DAY, "k": 1, "v": at} for at in (new, old)]
    memory = MemoryWarehouse(functions={"rows": lambda _read, _params: rows})
    memory.prepare(TEXT_VERSION, partition=DAY, store_id=STORE, sql="rows")
    with memory.transaction() as tx:
        tx.stage_query(TEXT_VERSION, "rows", {})
        assert tx.deduplicate(TEXT_VERSION) == 1
        tx.merge(TEXT_VERSION, partition=DAY, token=1)
        assert [row["v"] for row in tx.read(TEXT_VERSION.name)] == [new.astimezone(UTC)]
