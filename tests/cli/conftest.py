from pathlib import Path

import pytest

from tests.support.command_days import Days
from tests.support.commands import Night


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Night:
    """Give an empty pipeline in its own folder, which is the working directory."""
    return Night.empty(tmp_path, monkeypatch, capsys)


@pytest.fixture
def days(night: Night) -> Days:
    """Give an empty pipeline of two modes and a window."""
    return Days(night)
