"""The machine that a pipeline runs on."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from phasegate.base.disk import Disk
from phasegate.system import disks_of


@pytest.mark.parametrize(("devices", "found"), [((1, 1), ["state"]), ((1, 2), ["warehouse", "state"])])
def test_state_and_warehouse_are_two_disks_on_two_file_systems_and_one_on_one(
    devices: tuple[int, int], found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, warehouse = tmp_path / "state", tmp_path / "warehouse"
    free, device, stat = {state: 10, warehouse: 5}, dict(zip((state, warehouse), devices, strict=True)), Path.stat

    def on_its_device(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        mode, node, there, *rest = stat(self, follow_symlinks=follow_symlinks)
        return os.stat_result((mode, node, device.get(self, there), *rest))

    monkeypatch.setattr(Path, "stat", on_its_device)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=free[folder], total=100))
    state.mkdir()
    assert [disk.path for disk in disks_of(state, warehouse)] == [str(state)], "there is no warehouse yet"
    assert [disk.path for disk in disks_of(state, None)] == [str(state)], "the warehouse is on a server"
    warehouse.mkdir()
    disks = disks_of(state, warehouse)
    assert disks == tuple(Disk(path=str(tmp_path / name), free=free[tmp_path / name], total=100) for name in found)
