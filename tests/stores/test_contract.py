"""The contract of ports.Store, over every embedded store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from phasegate.stores.memory import MemoryStore
from phasegate.stores.sqlite import SQLiteStore
from phasegate.testing import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestSQLiteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SQLiteStore]:
        store = SQLiteStore(tmp_path / "state.db")
        yield store
        store.close()
