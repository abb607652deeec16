"""Every file in examples runs, in an empty folder, and says what it is for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.real_data import ROOT

EXAMPLES = {
    "gate_a_flask_service.py": (
        [],
        ["2026-02-03.daily 200 {'rows': 348}", "yesterday 400", "raw is complete", "analytics is complete"],
    ),
    "gate_in_ten_lines.py": (
        [],
        ["rows 1, new 1: generation 1", "rows 1, new 0: generation 1", "rows 2, new 1: generation 2",
         "analytics works on generation 2: waiting for summary"],
    ),
    "simulate_a_hundred_nights.py": (["3"], ["0 promises broken"]),
}  # fmt: skip


def test_every_example_is_run_here() -> None:
    assert sorted(file.name for file in (ROOT / "examples").glob("*.py")) == sorted(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_and_prints_what_it_promises(name: str, tmp_path: Path) -> None:
    file = ROOT / "examples" / name
    arguments, shown = EXAMPLES[name]
    assert ast.get_docstring(ast.parse(file.read_text()))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(file), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for line in shown:
        assert line in done.stdout
    assert list(tmp_path.iterdir()) == []
