"""``phasegate init`` as a user types it; its three commands are run as they are printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import Night
from tests.support.real_data import ROOT


@pytest.fixture
def empty(night: Night) -> Night:
    """Give an empty folder."""
    for path in night.folder.iterdir():
        path.unlink()
    return night


def typed(commands: list[str], *, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Type commands into one shell."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "phasegate"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m phasegate "$@"\n')
    program.chmod(0o755)
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PATH": f"{program.parent}:{os.environ['PATH']}"}
    return subprocess.run(
        ["sh", "-ec", "\n".join(commands)], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", [(), ("my shop",)], ids=["here", "in a new folder"])
def test_the_three_commands_that_init_prints_run_the_pipeline(empty: Night, arguments: tuple[str, ...]) -> None:
    done = empty("init", *arguments)
    assert (done.code, done.err) == (0, "")
    commands = [line.removeprefix("next: ") for line in done.out.splitlines() if line.startswith("next: ")]
    assert len(commands) == 3
    shown = typed(commands, folder=empty.folder)
    assert (shown.returncode, shown.stdout.split()[-2:]) == (0, ["1", "row"]), shown.stderr
    assert "49.75" in shown.stdout
    assert sum(path.name == ".phasegate" for path in empty.folder.rglob("*")) == 1


def test_the_starter_plan_has_the_folders_name_and_passes_the_check(empty: Night) -> None:
    assert empty("init", "web-shop", "--json").json["files"][-1] == "web-shop/.gitignore"
    done = empty("plan", "check", "web-shop/plan.toml")
    assert (done.code, done.out.partition(":")[0]) == (0, "web_shop")
    assert empty("init", "4 seasons").code == 0
    assert empty("plan", "check", "4 seasons/plan.toml").out.startswith("sales:")


def test_a_file_that_exists_is_never_overwritten(empty: Night) -> None:
    (empty.folder / "sql").mkdir()
    (empty.folder / "sql" / "orders.sql").write_text("SELECT 1")
    done = empty("init")
    assert (done.code, done.err.partition(";")[0]) == (
        2,
        "phasegate: init: sql/orders.sql exists, so nothing was written",
    )
    assert [path.name for path in empty.folder.rglob("*")] == ["sql", "orders.sql"]
    (empty.folder / "file").write_text("")
    assert empty("init", "file/shop").code == 2


def test_an_existing_gitignore_gets_one_line_once(empty: Night) -> None:
    ignore = empty.folder / ".gitignore"
    ignore.write_text("*.pyc")
    empty("init")
    assert ignore.read_text() == "*.pyc\n.phasegate/\n"
    (empty.folder / "plan.toml").unlink()
    for path in (empty.folder / "sql").iterdir():
        path.unlink()
    assert empty("init", "--json").json["files"][-1] == "sql/daily_sales.sql"
    assert ignore.read_text() == "*.pyc\n.phasegate/\n"
