"""The machine that a pipeline runs on."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from phasegate.base.disk import Disk
from phasegate.system import disk_of


def test_the_fuller_disk_of_state_and_warehouse_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, warehouse = tmp_path / "state", tmp_path / "warehouse"
    free = {state: 10, warehouse: 5}
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=free[folder], total=100))
    assert disk_of(state, warehouse) == Disk(path=str(state), free=10, total=100), "there is no warehouse yet"
    warehouse.mkdir()
    assert disk_of(state, warehouse) == Disk(path=str(warehouse), free=5, total=100)
