"""What takes hours is run each night by one command, which goes on where one part fails, and then fails."""

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks.__main__ import ALL
from benchmarks.simulator import main as simulate
from tests.support.real_data import ROOT

PYTHON = """#!/bin/sh
echo "$BIGQUERY_CONTRACT $*" >> "$(dirname "$0")/../calls"
case "$*" in *FAILS*) exit 1;; esac
"""


def nightly(folder: Path, *, fails: str) -> tuple["subprocess.CompletedProcess[str]", list[str]]:
    """Run the target with a Python that only notes what it is to run."""
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(PYTHON.replace("FAILS", fails))
    python.chmod(0o755)
    for name in (".installed-runtime", ".installed-dev"):
        (folder / "venv" / name).touch()
    (folder / "venv" / "calls").unlink(missing_ok=True)
    command = ["make", "--no-print-directory", "nightly", f"VENV={folder / 'venv'}", "SEEDS=40"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    return done, (folder / "venv" / "calls").read_text().splitlines()


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_every_part_runs_and_one_that_fails_is_named_and_fails_the_whole(tmp_path: Path) -> None:
    today = int(time.time()) // 86_400
    done, calls = nightly(tmp_path, fails="nothing")
    start = next((day * 40 for day in (today, today + 1) if calls[1].endswith(f" {day * 40}")), "that of the day")
    assert done.returncode == 0, done.stderr
    assert "FAILED" not in done.stdout
    assert calls == [
        "all -m pytest -q tests/warehouses/test_bigquery.py",
        f"all -m benchmarks.simulator --seeds 40 --start {start}",
        "all -m benchmarks google",
        "all -m benchmarks google --push",
        "all -m benchmarks night",
    ]
    done, again = nightly(tmp_path, fails="simulator")
    assert done.returncode != 0
    assert [line for line in done.stdout.splitlines() if line.startswith("FAILED")] == [
        f"FAILED: python {calls[1][4:]}"
    ]
    assert again == calls


def test_what_it_runs_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "Makefile").read_text()
    assert (ROOT / "tests" / "warehouses" / "test_bigquery.py").exists()
    for name, option in re.findall(r"-m benchmarks (\w+)(?: (--\w+))?'", text):
        with pytest.raises(SystemExit) as ended:
            ALL[name](["--help"])
        assert ended.value.code == 0
        assert option in capsys.readouterr().out
    with pytest.raises(SystemExit):
        simulate(["--help"])
    assert "--start" in capsys.readouterr().out
