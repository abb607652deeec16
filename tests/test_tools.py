"""Check that tools/walk.py counts as it says, here and on invented files."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.real_data import ROOT
from tools.walk import walk

FRONT = """
import functools
from invented_house import back

def one_guest():
    return back.greet()

def two_guests():
    return back.greet(), back.greet()

def guest_who_asks():
    return back.ask(answer)

def answer():
    return "yes"

def through_the_library():
    return functools.reduce(lambda so_far, _: so_far + back.seat(), range(2), 0)

def in_parts():
    return list(back.courses(answer))
"""
BACK = """
def greet():
    return seat()

def seat():
    return 1

def ask(whom):
    return whom(), seat()

def courses(ask_first):
    yield ask_first()
    yield ask_first()
"""


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    folder = tmp_path / "invented_house"
    folder.mkdir()
    for name, text in (("__init__", ""), ("front", FRONT), ("back", BACK)):
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield import_module("invented_house.front")
    for name in [name for name in sys.modules if name.partition(".")[0] == "invented_house"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("path", "moves"),
    [
        ("answer", ["front"]),
        ("one_guest", ["front", "back"]),
        ("two_guests", ["front", "back"]),
        ("guest_who_asks", ["front", "back", "front", "back"]),
        ("through_the_library", ["front", "back", "front", "back"]),
        ("in_parts", ["front", "back", "front", "back", "front", "back"]),
    ],
)
def test_a_move_is_a_call_in_another_file_than_the_call_before(
    path: str, moves: list[str], front: ModuleType, tmp_path: Path
) -> None:
    walked = walk(tmp_path / "invented_house", vars(front)[path])
    assert [*walked.visits] == [f"{name}.py" for name in moves]
    assert walked.files == {f"{name}.py": moves.count(name) for name in dict.fromkeys(moves)}


def test_a_file_outside_the_folder_is_looked_through(front: ModuleType, tmp_path: Path) -> None:
    assert walk(tmp_path / "elsewhere", front.one_guest).visits == ()


def test_a_path_that_raises_ends_the_count(front: ModuleType, tmp_path: Path) -> None:
    before = sys.getprofile()
    with pytest.raises(TypeError):
        walk(tmp_path / "invented_house", lambda: front.back.ask(None))
    assert sys.getprofile() is before


def test_both_paths_are_walked_from_end_to_end() -> None:
    done = said_by_walk("--list")
    assert done.returncode == 0, done.stderr
    table: dict[str, tuple[int, int]] = {}
    visited: dict[str, dict[str, int]] = {}
    for line in done.stdout.splitlines()[1:]:
        name, *numbers = line.rsplit(maxsplit=1 if line.startswith(" ") else 2)
        if line.startswith(" "):
            visited[[*table][-1]][name.strip()] = int(numbers[0])
        else:
            table[name], visited[name] = (int(numbers[0]), int(numbers[1])), {}
    assert table == {name: (len(files), sum(files.values())) for name, files in visited.items()}
    assert {"pipeline.py", "gate/decisions.py", "buses/local.py"} <= visited["completion to trigger"].keys()
    assert not any(file.startswith("warehouses/") for file in visited["completion to trigger"])
    assert {"work/worker.py", "write/writer.py", "warehouses/sql/transaction.py", "gate/decisions.py"} <= visited[
        "request to committed row"
    ].keys()


def test_a_folder_without_phasegate_is_refused(tmp_path: Path) -> None:
    done = said_by_walk(str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "holds no phasegate; name the folder that phasegate lies in" in done.stderr


def said_by_walk(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "walk.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
