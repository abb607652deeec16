"""The next step of each finding, run as it is printed, removes the finding, or says what a person does."""

import shlex

import pytest

from phasegate.base.findings import Finding, listed
from phasegate.cli import run as run_command
from phasegate.selftest.plants import PLANTS, Plant
from phasegate.selftest.scene import DATE, DAYS_LATER, MORNING, PLAN, RUN, SQL, TREND, ScratchPipeline, at_time
from phasegate.selftest.scratch import ScratchFolder, scratch
from phasegate.system import SkippingClock

# What only a person can do, and the words that say so.
BY_HAND = {
    "PG006": f"start the program that writes rows again, for {RUN}",
    "PG008": "correct its sender or the plan, then: ",
    "PG011": "correct the source of the second key, then: ",
    "PG016": "if store another is gone for good: ",
    "PG018": "fix what the error names",
    "PG020": "nothing; what was built without it: ",
    "PG021": f"deliver rows of {DATE}, then: ",
    "PG022": f"deliver rows of {DATE}, then: ",
    "PG023": "set the clocks of all machines right; ",
    "PG024": "make room; ",
    "PG027": "correct what totals or load.rows is built from: ",
}


def found(place: ScratchFolder, plant: Plant) -> Finding:
    return next(finding for finding in listed(plant.plant(ScratchPipeline(place))) if finding.code == plant.code)


@pytest.mark.parametrize("plant", [p for p in PLANTS if p.code in BY_HAND], ids=lambda plant: plant.code)
def test_what_only_a_person_can_do_is_said_in_words(plant: Plant) -> None:
    with scratch() as place:
        assert found(place, plant).command.startswith(BY_HAND[plant.code])


@pytest.mark.parametrize("plant", [p for p in PLANTS if p.code not in BY_HAND], ids=lambda plant: plant.code)
def test_a_command_removes_its_finding_as_it_is_printed(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    with scratch() as place:
        finding = found(place, plant)
        program, *arguments = shlex.split(finding.command)
        assert program == "phasegate"
        (place.folder / "plan.toml").write_text(PLAN.replace("scratch:dates", "tests.support.scratch_dates:dates"))
        (place.folder / "totals.sql").write_text(SQL)
        (place.folder / "trend.sql").write_text(TREND)
        monkeypatch.chdir(place.folder)
        monkeypatch.setenv("PHASEGATE_STATE", str(place.folder))
        clock = SkippingClock(at_time(MORNING, days=DAYS_LATER))
        assert run_command(arguments, clock=clock) in (0, 1)
        run_command(["worker", "--until-idle"], clock=clock)
        left = listed(ScratchPipeline(place).check())
        assert [one for one in left if (one.code, one.subject) == (finding.code, finding.subject)] == []
