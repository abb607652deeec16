"""What every test may use: the real box scores, SIGINT, and Hypothesis profiles for CI and for home."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import google, postgres
from tests.support.long_files import LONG_FILES
from tests.support.real_data import real_data_folder

# CI repeats the same examples, so that a red run is red again; home looks for new ones.
# How fast examples are drawn depends on what else the machine does: that is no finding.
BUSY = [HealthCheck.too_slow]
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True, suppress_health_check=BUSY)
settings.register_profile("home", deadline=None, suppress_health_check=BUSY)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "home")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that none is left to one process while the others have nothing to do."""
    places = {name: number for number, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


@pytest.fixture(scope="session")
def nba_data() -> Path:
    """Give the folder of real box scores; where it is missing, skip at home and fail in CI."""
    return real_data_folder(os.environ)


@pytest.fixture(scope="session")
def postgres_15() -> Iterator[postgres.PostgresServer]:
    """Give the system's PostgreSQL; where it is missing, skip at home and fail in CI."""
    with postgres.system_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_18() -> Iterator[postgres.PostgresServer]:
    with postgres.packaged_server() as server:
        yield server


@pytest.fixture(scope="session")
def bouncer(postgres_18: postgres.PostgresServer) -> Iterator[postgres.Bouncer]:
    with postgres.bouncer(postgres_18) as started:
        yield started


@pytest.fixture(scope="session")
def firestore() -> Iterator[str]:
    """Give the address of Google's emulator of Firestore; where it is missing, skip at home and fail in CI."""
    with google.emulator(google.FIRESTORE) as address:
        yield address


@pytest.fixture(scope="session")
def pubsub() -> Iterator[str]:
    with google.emulator(google.PUBSUB) as address:
        yield address


@pytest.fixture
def stoppable() -> Iterator[None]:
    """Let SIGINT interrupt this process, also where a script runs the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
