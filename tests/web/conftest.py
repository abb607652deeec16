from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import HOUR, MORNING, RUN, Night
from tests.support.january import Scene, january
from tests.support.service import Served, served


@pytest.fixture(scope="session")
def january_scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Give a month with faults, played once; who changes it works on a copy."""
    return january(tmp_path_factory.mktemp("january"))


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Night:
    """Give an empty pipeline in its own folder, which is the working directory."""
    return Night.empty(tmp_path, monkeypatch, capsys)


@pytest.fixture
def service(night: Night) -> Iterator[Served]:
    """Give a service of that pipeline, on its clock."""
    with served(night.folder, clock=night.clock) as one:
        yield one


@pytest.fixture
def played(night: Night) -> Night:
    """Give a run whose last phase waits for a report."""
    night.clock.at = MORNING - 3 * HOUR
    night.scrape(10)
    assert night("complete", "odds", "--run", RUN, "--rows", "10").code == 0
    assert night("worker", "--until-idle").code in (0, 1)
    night.clock.at = MORNING
    return night
