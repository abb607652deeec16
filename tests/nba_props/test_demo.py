"""What the demo leaves behind."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from nba_props import PLAN
from nba_props.demo.night import run_demo
from phasegate import read_plan
from phasegate.cli import run


def test_health_has_no_complaint_in_the_state_that_the_demo_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    assert run_demo(tmp_path / "demo", write=lines.append)
    monkeypatch.chdir(tmp_path / "demo")
    for date in ((), ("--date", str(datetime.now(ZoneInfo(read_plan(PLAN).timezone)).date()))):
        assert run(["health", *date]) == 0, capsys.readouterr().out
