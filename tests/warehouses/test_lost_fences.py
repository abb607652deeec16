"""Fence rows that are deleted behind Phasegate: who held a token before is refused, and an adoption makes them again.

BigQuery's, which has a fence table for each guarded table, is in test_bigquery.
"""

from collections.abc import Callable
from pathlib import Path

import duckdb
import psycopg
import pytest

from phasegate.base.receipt import Fence
from phasegate.testing.warehouse_fences import NEXT_PART, PART
from phasegate.testing.warehouse_rows import DAY, GAMES, NEXT_DAY, STORE, commit, fence, game, prepare, write
from phasegate.warehouse import FenceRefused, Warehouse
from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from phasegate.warehouses.postgres.warehouse import PostgresWarehouse
from tests.support.postgres import PostgresServer

DELETED = "DELETE FROM phasegate.fence"
Lost = Callable[[], Warehouse]


def in_memory() -> tuple[Warehouse, Lost]:
    warehouse = MemoryWarehouse()

    def lose() -> Warehouse:
        warehouse.fences = {}
        return warehouse

    return warehouse, lose


def in_duckdb(folder: Path) -> tuple[Warehouse, Lost]:
    path = folder / "night.duckdb"
    warehouse = DuckDBWarehouse(path, lock_timeout_s=60)

    def lose() -> Warehouse:
        warehouse.close()
        with duckdb.connect(str(path)) as db:
            db.execute(DELETED)
        return DuckDBWarehouse(path, lock_timeout_s=60)

    return warehouse, lose


def in_postgresql(url: str) -> tuple[Warehouse, Lost]:
    warehouse = PostgresWarehouse(url)

    def lose() -> Warehouse:
        warehouse.close()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(DELETED)
        return PostgresWarehouse(url)

    return warehouse, lose


@pytest.fixture(params=["memory", "duckdb", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Warehouse, Lost]:
    if request.param == "memory":
        return in_memory()
    if request.param == "duckdb":
        return in_duckdb(tmp_path)
    server: PostgresServer = request.getfixturevalue("postgres_15")
    return in_postgresql(server.address(server.database()))


def test_a_new_fence_row_refuses_who_held_an_older_token(opened: tuple[Warehouse, Lost]) -> None:
    warehouse, lose = opened
    write(warehouse, GAMES, [game("a")], token=3, write_id="w3")
    warehouse = lose()
    prepare(warehouse, GAMES)
    assert fence(warehouse, PART) == Fence(3, STORE)
    assert commit(warehouse, GAMES, [game("b")], token=2, write_id="w2") == FenceRefused(Fence(3, STORE))
    # The newest receipt of one token is the one with more changes.
    last = write(warehouse, GAMES, [game("c")], token=3, write_id="w3-again")
    with warehouse.snapshot() as reader:
        assert reader.receipts_between(GAMES.name, first=DAY, last=DAY)[DAY].write_id == last.write_id
    warehouse.close()


def test_an_adoption_makes_lost_fence_rows_again(opened: tuple[Warehouse, Lost]) -> None:
    warehouse, lose = opened
    write(warehouse, GAMES, [game("a")], token=3)
    write(warehouse, GAMES, [game("a", day=NEXT_DAY)], token=5, write_id="w-2", day=NEXT_DAY)
    warehouse = lose()
    assert warehouse.adopt([PART], store_id="new", holder="h") == {}
    assert warehouse.adopt(None, store_id="new", holder="h") == {PART: 3, NEXT_PART: 5}
    assert (fence(warehouse, PART), fence(warehouse, NEXT_PART)) == (Fence(3, "new", "h"), Fence(5, "new", "h"))
    warehouse.close()
