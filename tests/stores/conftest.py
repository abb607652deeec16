"""A SQLite store in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from phasegate.stores.sqlite import SQLiteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore(path, busy_s=0.2)
    yield store
    store.close()
