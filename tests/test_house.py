import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.long_files import LONG_FILES
from tests.support.real_data import ROOT

LINES_MAX = 400
# Put together here, so that this file does not find itself.
NOTES = re.compile(rf"\b({'TO' + 'DO'}|{'FIX' + 'ME'}|{'XX' + 'X'})\b")
DATA = {".parquet", ".duckdb", ".sqlite", ".db"}
HEAVY = ("click", "duckdb", "greenlet", "hypothesis", "polars", "pyarrow", "structlog")


def files() -> list[Path]:
    """List the files that git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def too_long(paths: Iterable[Path]) -> list[str]:
    return [path.name for path in paths if len(path.read_text().splitlines()) > LINES_MAX]


def with_notes(paths: Iterable[Path]) -> list[str]:
    return [path.name for path in paths if NOTES.search(path.read_text(errors="replace"))]


def data_files(paths: Iterable[Path]) -> list[str]:
    return [path.name for path in paths if path.suffix in DATA]


def unlocked(required: Iterable[str], lock: str) -> list[str]:
    """List the requirements that no pin of the lock file meets."""
    pins = dict(line.split("==", 1) for line in lock.splitlines() if "==" in line and not line.startswith("#"))
    wanted = [Requirement(text) for text in required]
    return [
        str(one)
        for one in wanted
        if not (pin := pins.get(canonicalize_name(one.name))) or not one.specifier.contains(Version(pin.strip()))
    ]


def test_no_module_is_longer_than_a_sitting() -> None:
    assert too_long(path for path in files() if path.suffix == ".py" and path.is_relative_to(ROOT / "src")) == []


def test_no_note_stands_in_for_work() -> None:
    assert with_notes(files()) == []


def test_no_data_file_is_in_the_repository() -> None:
    assert data_files(files()) == []


def test_the_lock_file_pins_every_declared_dependency_and_names_no_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lock = (ROOT / "requirements.lock").read_text()
    assert unlocked([*project["dependencies"], *extras["dev"]], lock) == []
    assert {name for extra in extras.values() for name in extra} == {*extras["dev"]}
    assert re.findall(r"://|^-|@", lock, re.MULTILINE) == []


def test_importing_phasegate_loads_no_vendor() -> None:
    code = f"import sys, phasegate; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_house_checks_find_what_they_are_for(tmp_path: Path) -> None:
    long = tmp_path / "long.py"
    long.write_text("pass\n" * (LINES_MAX + 1))
    note = tmp_path / "note.py"
    note.write_text(f"# {'TO' + 'DO'}: later\n")
    data = tmp_path / "box.parquet"
    assert too_long([long, note]) == ["long.py"]
    assert with_notes([long, note]) == ["note.py"]
    assert data_files([long, data]) == ["box.parquet"]
    assert unlocked(["a>=2", "b", "c>=1", "d_e>=1"], "a==1.0\nc==1.0\nd-e==1.0\n") == ["a>=2", "b"]


def test_every_file_that_begins_is_there_once() -> None:
    assert [name for name in LONG_FILES if not (ROOT / name).is_file()] == []
    assert len(set(LONG_FILES)) == len(LONG_FILES)
