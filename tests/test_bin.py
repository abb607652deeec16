"""The commands that the platform's crontabs know are thin faces of Phasegate's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.real_data import ROOT


@pytest.mark.parametrize(
    ("face", "command"),
    [
        ("bin/monitoring/phase3_health_check.sh --verbose", "health --verbose"),
        ("bin/maintenance/reconcile_phase3_completion.py --days 7 --fix", "reconcile --days 7 --fix"),
    ],
)
def test_a_face_says_what_its_command_says(face: str, command: str, tmp_path: Path) -> None:
    there = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
             "PHASEGATE_PLAN": str(ROOT / "src/nba_props/plan.toml")}  # fmt: skip

    def said(words: str) -> tuple[int, str, str]:
        done = subprocess.run(words.split(), cwd=tmp_path, env=there, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    assert said(f"{ROOT}/{face}") == said(f"phasegate {command}")
    assert "there is no state at" in said(f"{ROOT}/{face}")[2]
