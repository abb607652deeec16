"""Each finding that can be planted is on the page Findings, with its code and what to type."""

import sys
from pathlib import Path

import pytest

from phasegate.base.disk import Disk
from phasegate.base.findings import listed
from phasegate.selftest import scratch
from phasegate.selftest.plants import PLANTS, Plant
from phasegate.selftest.scene import DATE, DAYS_LATER, MORNING, PLAN, SQL, TREND, ScratchPipeline, at_time
from tests.support.commands import StillClock
from tests.support.pages import page
from tests.support.service import served


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.code)
def test_a_planted_fault_is_shown_with_its_code_and_command(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found, *_) = [one for one in listed(plant.plant(ScratchPipeline(scratch.ScratchFolder(tmp_path))))
                   if one.code == plant.code]  # fmt: skip
    for name, text in {"plan.toml": PLAN, "totals.sql": SQL, "trend.sql": TREND}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setitem(sys.modules, "scratch", scratch)  # the calendar that the plan names
    disk = Disk(path=str(tmp_path), free=0 if plant.code == "PG024" else 10**12, total=10**12)
    monkeypatch.setattr("phasegate.system.disks_of", lambda *_: [disk])
    clock = StillClock()
    clock.at = at_time(MORNING, days=DAYS_LATER)
    with served(tmp_path, clock=clock, state=tmp_path) as service:
        shown = page(service, f"/findings?from={DATE}&to={DATE}").words
    assert plant.code in shown
    assert found.command in shown
    assert found.text in shown
