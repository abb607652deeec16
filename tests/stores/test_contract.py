"""The contract of ports.Store, over every store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from phasegate.stores.firestore import FirestoreStore
from phasegate.stores.memory import MemoryStore
from phasegate.stores.postgres import PostgresStore
from phasegate.stores.sqlite import SQLiteStore
from phasegate.testing import StoreContract
from tests.support.google import new_project
from tests.support.postgres import Bouncer, PostgresServer


def opened(server: PostgresServer | Bouncer) -> Iterator[PostgresStore]:
    store = PostgresStore(server.url())
    yield store
    store.close()


@pytest.fixture(scope="module")
def store_15(postgres_15: PostgresServer) -> Iterator[PostgresStore]:
    yield from opened(postgres_15)


@pytest.fixture(scope="module")
def store_18(postgres_18: PostgresServer) -> Iterator[PostgresStore]:
    yield from opened(postgres_18)


@pytest.fixture(scope="module")
def store_behind_bouncer(bouncer: Bouncer) -> Iterator[PostgresStore]:
    yield from opened(bouncer)


@pytest.fixture(scope="module")
def store_in_firestore(firestore: str) -> Iterator[FirestoreStore]:
    assert firestore
    store = FirestoreStore(f"firestore://{new_project()}")
    yield store
    store.close()


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


class TestPostgresStore15(StoreContract):
    @pytest.fixture
    def store(self, store_15: PostgresStore) -> PostgresStore:
        return store_15


class TestPostgresStore18(StoreContract):
    @pytest.fixture
    def store(self, store_18: PostgresStore) -> PostgresStore:
        return store_18


class TestPostgresStoreBehindPgBouncer(StoreContract):
    @pytest.fixture
    def store(self, store_behind_bouncer: PostgresStore) -> PostgresStore:
        return store_behind_bouncer


class TestFirestoreStore(StoreContract):
    @pytest.fixture
    def store(self, store_in_firestore: FirestoreStore) -> FirestoreStore:
        return store_in_firestore
