"""A clock that moves when told, an observer that remembers, and a bus on a store in memory."""

import pytest

from phasegate.buses.local import LocalBus
from phasegate.buses.wake import NoWake
from phasegate.stores.memory import MemoryStore
from tests.support.bus_ports import ManualClock, Recorder


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def bus(store: MemoryStore, clock: ManualClock, recorder: Recorder) -> LocalBus:
    return LocalBus(store, clock, pipeline="nba", wake=NoWake(clock), observer=recorder, visibility_s=60.0)
