"""A DuckDB file for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "night.duckdb"


@pytest.fixture
def warehouse(path: Path) -> Iterator[DuckDBWarehouse]:
    warehouse = DuckDBWarehouse(path, lock_timeout_s=60)
    yield warehouse
    warehouse.close()
