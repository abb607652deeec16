import os
from pathlib import Path

import pytest

from tests.cli.given import Night


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Night:
    """Give an empty pipeline in its own folder, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("PHASEGATE_"):
            monkeypatch.delenv(name)
    return Night(tmp_path, capsys)
