"""Each finding that can be planted is on the page Findings with what to type, and its button removes it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from phasegate.base.disk import Disk
from phasegate.base.findings import Finding, listed
from phasegate.selftest import scratch
from phasegate.selftest.plants import PLANTS, Plant
from phasegate.selftest.scene import DATE, DAYS_LATER, MORNING, PLAN, SQL, TREND, ScratchPipeline, at_time
from phasegate.web.page.frame import button
from tests.support.commands import StillClock
from tests.support.pages import done, page
from tests.support.service import Served, served

PLACE = f"/findings?from={DATE}&to={DATE}"
# What a person mends before any button helps, or instead of one: tests/check/test_next_steps.py has their words.
BY_HAND = {
    "PG006", "PG008", "PG011", "PG016", "PG018", "PG020", "PG021", "PG022", "PG023", "PG024", "PG027",
}  # fmt: skip


class Planting:
    """Plants faults, and serves the pipelines that have them."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder, self._patch = folder, patch

    @contextmanager
    def served(self, plant: Plant) -> Iterator[tuple[Served, Finding]]:
        """Serve a pipeline with a fault; give what is found of it too."""
        (found, *_) = [one for one in listed(plant.plant(ScratchPipeline(scratch.ScratchFolder(self._folder))))
                       if one.code == plant.code]  # fmt: skip
        for name, text in {"plan.toml": PLAN, "totals.sql": SQL, "trend.sql": TREND}.items():
            (self._folder / name).write_text(text)
        self._patch.setitem(sys.modules, "scratch", scratch)  # the calendar that the plan names
        disk = Disk(path=str(self._folder), free=0 if plant.code == "PG024" else 10**12, total=10**12)
        self._patch.setattr("phasegate.system.disks_of", lambda *_: [disk])
        clock = StillClock()
        clock.at = at_time(MORNING, days=DAYS_LATER)
        with served(self._folder, clock=clock, state=self._folder) as service:
            yield service, found


@pytest.fixture
def planting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planting:
    return Planting(tmp_path, monkeypatch)


def assert_shown(service: Served, found: Finding) -> None:
    shown = page(service, PLACE).words
    assert found.code in shown
    assert found.command in shown
    text = found.text.partition(" s ahead ")[0].rstrip("0123456789")  # to plant it took some of these seconds
    assert f"{found.subject}: {text}" in shown


@pytest.mark.parametrize("plant", [one for one in PLANTS if one.code in BY_HAND], ids=lambda plant: plant.code)
def test_what_a_person_mends_is_shown_with_its_code_and_what_to_do(plant: Plant, planting: Planting) -> None:
    with planting.served(plant) as (service, found):
        assert_shown(service, found)
    assert not found.command.startswith("phasegate "), "a command alone is for the button"


@pytest.mark.parametrize("plant", [one for one in PLANTS if one.code not in BY_HAND], ids=lambda plant: plant.code)
def test_a_finding_is_shown_and_its_button_removes_it(plant: Plant, planting: Planting) -> None:
    with planting.served(plant) as (service, found):
        assert_shown(service, found)
        there = button(found.command)
        assert there is not None
        assert ("a", there.place) in [(tag, of.get("href")) for tag, of in page(service, PLACE, by="operator").found]
        done(service, found.command)
        done(service, "phasegate worker --until-idle")
        left = listed(service.pipeline.checks.health.evaluate(DATE))
        assert (found.code, found.subject) not in [(one.code, one.subject) for one in left]
        assert f"{found.subject}: {found.text}" not in page(service, PLACE).words
