"""The contract of ports.Bus, over every bus, and over a bus that is made to misbehave."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from phasegate.buses.local import LocalBus
from phasegate.buses.postgres import PostgresWake
from phasegate.buses.wake import NoWake, WakeSocket
from phasegate.stores.memory import MemoryStore
from phasegate.stores.postgres import PostgresStore
from phasegate.stores.sqlite import SQLiteStore
from phasegate.testing import BusContract
from phasegate.testing.faults import FaultyBus
from tests.support.bus_ports import ManualClock, Recorder
from tests.support.postgres import Bouncer, PostgresServer


class TestLocalBusInMemory(BusContract):
    @pytest.fixture
    def bus(self, clock: ManualClock) -> LocalBus:
        return LocalBus(MemoryStore(), clock, pipeline="nba", wake=NoWake(clock), observer=Recorder())


class TestLocalBusInSQLite(BusContract):
    @pytest.fixture
    def bus(self, clock: ManualClock, tmp_path: Path) -> Iterator[LocalBus]:
        store = SQLiteStore(tmp_path / "state.db")
        wake = WakeSocket(tmp_path / "wake", clock=clock)
        bus = LocalBus(store, clock, pipeline="nba", wake=wake, observer=Recorder())
        yield bus
        bus.close()
        store.close()


class TestFaultyBusWithoutFaults(BusContract):
    @pytest.fixture
    def bus(self, clock: ManualClock) -> FaultyBus:
        inner = LocalBus(MemoryStore(), clock, pipeline="nba", wake=NoWake(clock), observer=Recorder())
        return FaultyBus(inner, rng=random.Random(7))


@contextmanager
def bus_on(server: PostgresServer | Bouncer, clock: ManualClock) -> Iterator[LocalBus]:
    url = server.url()
    store, wake = PostgresStore(url), PostgresWake(url, clock=clock)
    bus = LocalBus(store, clock, pipeline="nba", wake=wake, observer=Recorder())
    yield bus
    bus.close()
    store.close()


@pytest.fixture(scope="module")
def module_clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="module")
def bus_15(postgres_15: PostgresServer, module_clock: ManualClock) -> Iterator[LocalBus]:
    with bus_on(postgres_15, module_clock) as bus:
        yield bus


@pytest.fixture(scope="module")
def bus_18(postgres_18: PostgresServer, module_clock: ManualClock) -> Iterator[LocalBus]:
    with bus_on(postgres_18, module_clock) as bus:
        yield bus


@pytest.fixture(scope="module")
def bus_behind_bouncer(bouncer: Bouncer, module_clock: ManualClock) -> Iterator[LocalBus]:
    with bus_on(bouncer, module_clock) as bus:
        yield bus


class OnPostgres(BusContract):
    @pytest.fixture
    def clock(self, module_clock: ManualClock) -> ManualClock:
        return module_clock


class TestLocalBusOnPostgres15(OnPostgres):
    @pytest.fixture
    def bus(self, bus_15: LocalBus) -> LocalBus:
        return bus_15


class TestLocalBusOnPostgres18(OnPostgres):
    @pytest.fixture
    def bus(self, bus_18: LocalBus) -> LocalBus:
        return bus_18


class TestLocalBusOnPostgresBehindPgBouncer(OnPostgres):
    @pytest.fixture
    def bus(self, bus_behind_bouncer: LocalBus) -> LocalBus:
        return bus_behind_bouncer
