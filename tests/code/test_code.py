"""What counts as the code of a Python step: each change of a file, and whether the step's code changes with it."""

import functools
import importlib
import itertools
import json
import linecache
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from phasegate.code.callables import NoSource, lines_of

FILES = {
    "__init__.py": "",
    "steps.py": '''
"""Steps."""
from functools import partial, lru_cache
from datetime import timedelta as span
from . import rates, registry, lazily
from .tidy import clean as tidied
from .shared import *
import {top}.deep.inner

LIMIT: int = 3
UNUSED = 4
if LIMIT > 2:
    FACTOR = 2
else:
    FACTOR = 3

def unused(reading):
    return []

def decorated(function):
    return function

@decorated
def build(reading, *, top=LIMIT):
    """Build the rows."""
    rows = [row for row in rates.all_of(reading) if tidied(row) * FACTOR > top]  # the rows
    return rows + [span, {top}.deep.inner.go(), starred(), lazily.late(), *registry.run()]

later = lru_cache(partial(build, top=5))
called = registry.Called(2)

if __name__ == "__main__":
    print(build(None))
''',
    "rates.py": """
TABLE = {"a": 1}
TABLE["b"] = 2

def all_of(reading):
    return [*TABLE]

def other():
    return 1
""",
    "tidy/__init__.py": "from .impl import clean\n",
    "tidy/impl.py": """
class Base:
    def run(self, row):
        return helper(row)

class Cleaner(Base):
    scale = 1

def helper(row):
    return 1

def clean(row):
    def inner():
        from ..deep.inner import local
        return local()
    return Cleaner().run(row) + inner()
""",
    "deep/inner.py": "def go():\n    return 7\n\ndef local():\n    return 8\n",
    "shared.py": "def starred():\n    return 9\n\ndef unasked():\n    return 9\n",
    "registry.py": """
found = []

class Registered:
    def register(self, function):
        found.append(function)
        return function

class Called:
    def __init__(self, n):
        self.n = n

    def __call__(self, reading):
        return answer(self.n)

steps = Registered()

@steps.register
def first():
    return 10

def second():
    return 11

found.append(second)

def answer(n):
    return n

def run():
    return [step() for step in found] + [steps]
""",
    "lazily.py": "def __getattr__(name):\n    return lambda: made(name)\n\ndef made(name):\n    return 12\n",
}
SEEN = {
    "its own body": ("steps.py", "rows + [", "rows * 2 + ["),
    "a default": ("steps.py", "top=LIMIT", "top=4"),
    "a constant": ("steps.py", "LIMIT: int = 3", "LIMIT: int = 30"),
    "a constant in a branch": ("steps.py", "FACTOR = 2", "FACTOR = 20"),
    "a decorator": ("steps.py", "    return function\n", "    return lambda reading: []\n"),
    "a function of another module": ("rates.py", "return [*TABLE]", "return list(TABLE)"),
    "a constant of another module": ("rates.py", '{"a": 1}', '{"a": 2}'),
    "a constant that a statement changes": ("rates.py", '["b"] = 2', '["b"] = 3'),
    "a function behind two imports": ("tidy/impl.py", "return Cleaner()", "return 5 * Cleaner()"),
    "the base of a class": ("tidy/impl.py", "return helper(row)", "return -helper(row)"),
    "a field of a class": ("tidy/impl.py", "scale = 1", "scale = 2"),
    "a helper of a helper": ("tidy/impl.py", "return 1", "return 2"),
    "a function of a module named in full": ("deep/inner.py", "return 7", "return 70"),
    "a function that a nested function imports": ("deep/inner.py", "return 8", "return 80"),
    "a function behind a star": ("shared.py", "return 9\n\ndef un", "return 90\n\ndef un"),
    "a function that registers itself": ("registry.py", "return 10", "return 100"),
    "a function that is appended to a list": ("registry.py", "return 11", "return 110"),
    "a function behind a module's __getattr__": ("lazily.py", "return 12", "return 120"),
    "which other package a name is of": ("steps.py", "import timedelta as", "import date as"),
}
UNSEEN = {
    "a comment": ("steps.py", "# the rows", "# these rows"),
    "a docstring": ("steps.py", '"""Build the rows."""', '"""Build all rows."""'),
    "formatting": ("steps.py", "if tidied(row) * FACTOR > top]", "\n        if (tidied( row )*FACTOR)>top]"),
    "a function of its module that it does not name": ("steps.py", "return []", "return [1]"),
    "a constant that it does not name": ("steps.py", "UNUSED = 4", "UNUSED = 5"),
    "what a module does as a script": ("steps.py", "print(build(None))", "print(build(1))"),
    "a function of another module that it does not name": ("rates.py", "return 1", "return 2"),
    "a function beside a starred one": ("shared.py", "unasked():\n    return 9", "unasked():\n    return 8"),
    "another callable's class": ("registry.py", "return answer(self.n)", "return answer(self.n + 1)"),
}
numbers = itertools.count()


class Package:
    """A package in a temporary folder, imported again after each change."""

    def __init__(self, folder: Path) -> None:
        self.top, self.folder = f"made_code_{next(numbers)}", folder
        for name, text in FILES.items():
            path = folder / self.top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("{top}", self.top))

    def change(self, name: str, old: str, new: str) -> None:
        path = self.folder / self.top / name
        text = path.read_text()
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new))

    def code(self, name: str = "build") -> list[str]:
        for known in [known for known in sys.modules if known.partition(".")[0] == self.top]:
            del sys.modules[known]
        importlib.invalidate_caches()
        reference = f"{self.top}.steps:{name}"
        return lines_of(getattr(importlib.import_module(f"{self.top}.steps"), name), reference=reference)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Package(tmp_path)


@pytest.mark.parametrize("change", SEEN.values(), ids=SEEN)
def test_a_change_of_what_the_function_runs_is_seen(package: Package, change: tuple[str, str, str]) -> None:
    before = package.code()
    package.change(*change)
    assert package.code() != before


@pytest.mark.parametrize("change", UNSEEN.values(), ids=UNSEEN)
def test_a_change_of_anything_else_is_not(package: Package, change: tuple[str, str, str]) -> None:
    before = package.code()
    package.change(*change)
    assert package.code() == before


def test_a_partial_and_an_object_of_a_module_count_with_what_they_are_made_of(package: Package) -> None:
    later, called = package.code("later"), package.code("called")
    package.change("steps.py", "top=5", "top=6")
    assert package.code("later") != later
    assert package.code("called") == called
    package.change("registry.py", "return answer(self.n)", "return answer(self.n + 1)")
    assert package.code("called") != called


def test_code_names_no_path_and_no_address_and_is_the_same_elsewhere(package: Package, tmp_path: Path) -> None:
    lines = package.code()
    assert not [line for line in lines if str(tmp_path) in line or " at 0x" in line]
    program = (
        "import importlib, json, sys\n"
        "from phasegate.code.callables import lines_of\n"
        f"steps = importlib.import_module('{package.top}.steps')\n"
        f"print(json.dumps(lines_of(steps.build, reference='{package.top}.steps:build')))\n"
    )
    other = tmp_path / "elsewhere"
    other.mkdir()
    (tmp_path / package.top).rename(other / package.top)
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": str(other), "PYTHONHASHSEED": seed}
        answer = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
        assert answer.stdout.decode().strip() == json.dumps(lines)


def test_a_module_beside_a_single_file_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "made_flat_steps.py").write_text(
        "import made_flat_help\ndef build(r):\n    return made_flat_help.f()\n"
    )
    help_file = tmp_path / "made_flat_help.py"
    codes = []
    for value in (1, 2):
        help_file.write_text(f"def f():\n    return {value}\n")
        module = importlib.import_module("made_flat_steps")
        codes.append(lines_of(module.build, reference="made_flat_steps:build"))
    assert codes[0] != codes[1]


def made(n: int, more: object = None) -> Callable[..., object]:
    def inner(reading: object, scale: object = more) -> object:
        return [reading, n, helper(), scale]

    return inner


def helper() -> int:
    return 1


def of_local_class(n: int) -> Callable[..., object]:
    @dataclass
    class Local:
        n: int = 0

        def __call__(self, reading: object) -> object:
            return [reading, self.n, helper()]

    return Local(n)


class Step:
    """Builds by being called."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __call__(self, reading: object) -> object:
        return [reading, self.n, helper()]

    def build(self, reading: object) -> object:
        return self(reading)


def wrapped(function: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(function)
    def call(*args: object) -> object:
        return function(*args)

    return call


ONE, OTHER = (lambda reading: [reading, 1]), (lambda reading: [reading, 2])
DIFFERENT = {
    "closures over other values": (made(1), made(2)),
    "closures with other defaults": (made(1, 1), made(1, 2)),
    "closures over other functions": (wrapped(made(1)), wrapped(helper)),
    "partials with other arguments": (functools.partial(made, 1), functools.partial(made, 2)),
    "partials with other keywords": (functools.partial(made, n=1), functools.partial(made, n=2)),
    "objects with other fields": (Step(1), Step(2)),
    "methods of objects with other fields": (Step(1).build, Step(2).build),
    "objects of classes inside a function": (of_local_class(1), of_local_class(2)),
    "lambdas on one line": (ONE, OTHER),
    "values in a list": (made(1, [1, (2, {3})]), made(1, [1, (2, {4})])),
    "functions in a dict": (made(1, {"a": helper}), made(1, {"a": made})),
}


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_callables_made_in_python_differ_by_what_they_are_made_of(
    one: Callable[..., object], other: Callable[..., object]
) -> None:
    assert lines_of(one) != lines_of(other)


MAKERS: list[Callable[[], Callable[..., object]]] = [
    lambda: made(1, [2.5, {"a": b"x"}]),
    lambda: Step(1),
    lambda: of_local_class(1),
    lambda: wrapped(made(1)),
    lambda: functools.partial(Step(2).build, 3),
]


@pytest.mark.parametrize("make", MAKERS)
def test_a_callable_made_again_has_the_same_code(make: Callable[[], Callable[..., object]]) -> None:
    assert lines_of(make()) == lines_of(make())
    assert any(":helper" in line or " helper 0:" in line for line in lines_of(make())), "with what it calls"


def test_a_value_that_holds_itself_and_an_object_of_another_package_have_code(tmp_path: Path) -> None:
    ring: list[object] = []
    ring.append(ring)
    assert lines_of(made(1, ring)) == lines_of(made(1, ring))
    assert lines_of(made(1, tmp_path)) == lines_of(made(1, tmp_path / "other")), "a path is a place, and no code"


def test_a_cell_of_a_notebook_counts_with_what_its_functions_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*cells: str) -> list[str]:
        notebook = ModuleType("made_notebook")
        monkeypatch.setitem(sys.modules, "made_notebook", notebook)
        for cell in cells:
            name = f"cells/{next(numbers)}.py"
            linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
            exec(compile(cell, name, "exec"), vars(notebook))  # noqa: S102  as a notebook does
        return lines_of(notebook.build)

    cells = ["SCALE = 2\n", "def helper():\n    return SCALE\n", "def build(reading):\n    return [helper()]\n"]
    assert run(*cells) == run("# a comment\n" + cells[0], *cells[1:])
    assert run(*cells) != run("SCALE = 3\n", *cells[1:])
    assert run(*cells) != run(cells[0], "def helper():\n    return -SCALE\n", cells[2])


@pytest.mark.parametrize("options", [("script.py",), ("-m", "made_main.script")])
def test_a_function_of_the_script_that_runs_counts_with_its_helpers(tmp_path: Path, options: tuple[str, ...]) -> None:
    folder = tmp_path / "made_main"
    folder.mkdir()
    found = "from made_main.helpers import f" if options[0] == "-m" else "from helpers import f"
    program = f"from phasegate.code.callables import lines_of\n{found}\ndef build(r):\n    return f()\n"
    (folder / "script.py").write_text(f"{program}import os\nos.chdir('/')\nprint(lines_of(build))\n")
    answers = []
    for value in (1, 1, 2):
        (folder / "helpers.py").write_text(f"def f():\n    return {value}\n")
        answers.append(subprocess.run([sys.executable, "-B", *options], capture_output=True, text=True, check=True,
                                      cwd=folder if options[0] != "-m" else tmp_path).stdout)  # fmt: skip
    assert answers[0] == answers[1] != answers[2]


def test_what_has_no_source_is_refused() -> None:
    space: dict[str, object] = {"__name__": __name__}
    exec("def build(reading):\n    return []\n", space)  # noqa: S102  this is what has no source
    with pytest.raises(NoSource, match=r"the source of tests\.code\.test_code\.build cannot be read|test_code\.build"):
        lines_of(space["build"])  # type: ignore[arg-type]
