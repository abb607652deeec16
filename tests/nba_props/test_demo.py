"""What the demo leaves behind."""

import os
import re
import signal
import subprocess
import sys
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from nba_props import PLAN
from nba_props.demo.night import run_demo
from nba_props.demo.page import serve_demo
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


def test_the_demo_serves_the_page_on_its_night_until_it_is_interrupted(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "nba_props", "demo", "--state", str(tmp_path / "demo"), "--serve", "--port", "0"]
    env = {name: value for name, value in os.environ.items() if name != "NBA_DATA"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=env, start_new_session=True) as demo:
        assert demo.stdout is not None
        said = "".join(takewhile(lambda line: not line.startswith("Ctrl-C"), demo.stdout))
        (address,) = re.findall(r"The page: (\S+)", said)
        (token,) = re.findall(r"pg_[0-9a-f_]+", said)
        page = httpx.get(address, headers={"Cookie": f"phasegate={token}"}, timeout=60)
        assert page.status_code == 200
        assert "2026-02-03.overnight" in page.text
        assert 'class="good"><b>' in page.text
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(60) == 0


def test_a_page_that_cannot_be_served_says_why(tmp_path: Path) -> None:
    lines: list[str] = []
    tmp_path.joinpath("phasegate.toml").write_text("[phasegate]\nplan = 'nothing.toml'\n")
    assert serve_demo(tmp_path, port=0, write=lines.append) == 2
    assert "nothing.toml" in lines[0]
