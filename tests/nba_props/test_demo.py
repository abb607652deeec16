"""What the demo leaves behind."""

import re
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
    for name in ("STORE", "WAREHOUSE"):  # a real database, which an invented night leaves alone
        monkeypatch.setenv(f"PHASEGATE_{name}", "postgresql://nobody@127.0.0.1:9/none")
    assert run_demo(tmp_path / "demo", write=lines.append)
    monkeypatch.delenv("PHASEGATE_STORE")
    monkeypatch.delenv("PHASEGATE_WAREHOUSE")
    monkeypatch.chdir(tmp_path / "demo")
    assert run(["status", "--json"]) == 0
    times = re.findall(r'"(since|now)": "([^"]+)"', capsys.readouterr().out)
    now = max(time for name, time in times if name == "now")
    assert all(time <= now for _, time in times), "the demo has ended, so nothing of it is yet to come"
    for date in ((), ("--date", str(datetime.now(ZoneInfo(read_plan(PLAN).timezone)).date()))):
        assert run(["health", *date]) == 0, capsys.readouterr().out
