"""The contract of ports.Bus, over every embedded bus, and over a bus that is made to misbehave."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from phasegate.buses.local import LocalBus
from phasegate.buses.wake import NoWake, WakeSocket
from phasegate.stores.memory import MemoryStore
from phasegate.stores.sqlite import SQLiteStore
from phasegate.testing import BusContract
from phasegate.testing.faults import FaultyBus
from tests.support.bus_ports import ManualClock, Recorder


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
