"""What every test may use: the real box scores, and Hypothesis profiles for CI and for home."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.real_data import real_data_folder

# CI repeats the same examples, so that a red run is red again; home looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("home", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "home")


@pytest.fixture(scope="session")
def nba_data() -> Path:
    """Give the folder of real box scores; where it is missing, skip at home and fail in CI."""
    return real_data_folder(os.environ)
