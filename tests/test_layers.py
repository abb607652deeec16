"""The import contracts of pyproject.toml, each shown to refuse what it is for, and the modules that are pure."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.real_data import ROOT

WING_MAX = 12
LARGE = ["cli/commands"]  # one module for each command
SOURCE = ROOT / "src" / "phasegate"
ALIAS = re.compile(r"[A-Z][a-z]\w*$")
BORROWED = re.compile(r"^\s*from tests[\w.]*(\.test_\w+ import| import .*\btest_)", re.MULTILINE)
PURE = re.compile(r"\bPure\b")
TOP = sorted({path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()})
MODULES = (*(name for name in TOP if not name.startswith("_")), "dedup.deduplicate", "stores.sqlite", "work.pool")
WAREHOUSES = ("warehouses.sql", "warehouses.duckdb", "warehouses.memory")
ALLOWED = {
    "phasegate.cli": "import click\nfrom phasegate import wiring\n",
    "phasegate.dedup.deduplicate": "def frames():\n    import polars\n",
    "phasegate.write": "from phasegate import base, errors, gate, ports\n",
    "phasegate.work.pool": "import threading\n",
    "phasegate.stores.sqlite": "import sqlite3\n",
    "nba_props": "import duckdb\nimport phasegate\n",
}


def contracts_answer(
    folder: Path, sources: dict[str, str], extra: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the project's contracts over a made-up source tree."""
    for name in ("phasegate", "nba_props", *(f"phasegate.{module}" for module in (*MODULES, *WAREHOUSES))):
        package = folder.joinpath(*name.split("."))
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(sources.get(name, ""))
    if extra:
        extra.touch()
    command = [
        str(Path(sys.executable).parent / "lint-imports"),
        "--no-cache",
        "--config",
        str(ROOT / "pyproject.toml"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_what_the_design_allows_is_allowed(tmp_path: Path) -> None:
    answer = contracts_answer(tmp_path, ALLOWED)
    assert answer.returncode == 0, answer.stdout
    assert "6 kept, 0 broken" in answer.stdout


@pytest.mark.parametrize(
    ("module", "source", "contract"),
    [
        ("phasegate.base", "import time\n", "No wing does I/O"),
        ("phasegate.write", "import threading\n", "No wing does I/O"),
        ("phasegate.base", "from phasegate import plan\n", "Layers"),
        ("phasegate.gate", "from phasegate import write\n", "Layers"),
        ("phasegate.check", "def lazily():\n    from phasegate import pipeline\n", "Layers"),
        ("phasegate.stores", "from phasegate import wiring\n", "Layers"),
        ("phasegate.settings", "from phasegate import gate\n", "An adapter serves no wing"),
        ("phasegate.write", "def lazily():\n    import duckdb\n", "A vendor SDK"),
        ("phasegate.stores", "import sqlite3\n", "A vendor SDK"),
        ("phasegate.stores", "def lazily():\n    import psycopg\n", "A vendor SDK"),
        ("phasegate.warehouses.sql", "from phasegate.warehouses import duckdb\n", "The SQL that warehouses share"),
        ("nba_props", "from phasegate.dedup import deduplicate\n", "The reference pipeline"),
    ],
)
def test_each_contract_refuses_what_it_is_for(module: str, source: str, contract: str, tmp_path: Path) -> None:
    answer = contracts_answer(tmp_path, {**ALLOWED, module: source})
    assert answer.returncode == 1, answer.stdout
    broken = [line for line in answer.stdout.splitlines() if "BROKEN" in line]
    assert any(line.startswith(contract) for line in broken), answer.stdout


def test_a_new_module_must_be_given_its_layer(tmp_path: Path) -> None:
    stranger = tmp_path / "phasegate" / "elsewhere.py"
    answer = contracts_answer(tmp_path, ALLOWED, extra=stranger)
    assert answer.returncode == 1, answer.stdout
    assert "elsewhere" in answer.stdout


def impure_imports(source: Path) -> list[str]:
    """List what modules that call themselves pure import of modules that do not."""
    trees = {path: ast.parse(path.read_text()) for path in source.rglob("*.py")}
    names = {path: ".".join((source.name, *path.relative_to(source).with_suffix("").parts)) for path in trees}
    modules = {name.removesuffix(".__init__"): path for path, name in names.items()}
    pure = {name for name, path in modules.items() if PURE.search(ast.get_docstring(trees[path]) or "")}
    pure |= {f"{source.name}.errors"}
    return sorted(
        f"{name} imports {other}"
        for name in pure & modules.keys()
        for other in imported(trees[modules[name]], known=modules.keys())
        if other not in pure
    )


def imported(tree: ast.Module, *, known: Collection[str]) -> Iterator[str]:
    """Give the modules that a module imports, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in inner if name in known)
            if node.module in known and not all(name in known for name in inner):
                yield node.module


def test_a_pure_module_imports_only_pure_modules() -> None:
    assert impure_imports(SOURCE) == []


def test_a_pure_module_that_reaches_a_port_is_found(tmp_path: Path) -> None:
    house = tmp_path / "house"
    house.mkdir()
    (house / "__init__.py").touch()
    (house / "ports.py").write_text('"""The world."""\n')
    (house / "told.py").write_text('"""A decision. Pure."""\nfrom house import ports\nfrom house.ports import Clock\n')
    assert set(impure_imports(house)) == {"house.told imports house.ports"}


def test_the_modules_that_reach_the_world_do_not_call_themselves_pure() -> None:
    reaching = [SOURCE / f"{name}.py" for name in ("ports", "transact", "scan", "pipeline", "wiring", "system")]
    assert [path.name for path in reaching if PURE.search(path.read_text())] == []


def crowded(source: Path) -> list[str]:
    """List the folders that hold fewer than 2 or more than 12 modules."""
    folders = {path.parent for path in source.rglob("*.py")} - {source}
    counts = {folder: sum(path.name != "__init__.py" for path in folder.glob("*.py")) for folder in folders}
    leaves = {folder for folder in folders if not any(child != folder and child.parent == folder for child in folders)}
    return sorted(
        str(folder.relative_to(source))
        for folder, count in counts.items()
        if count > WING_MAX or (folder in leaves and count < 2)
    )


def test_a_wing_has_two_to_twelve_modules() -> None:
    assert crowded(SOURCE) == LARGE


def test_a_crowded_wing_is_found(tmp_path: Path) -> None:
    for name, count in (("alone", 1), ("fine", 2), ("crowded", WING_MAX + 1)):
        (tmp_path / name).mkdir()
        for number in range(count):
            (tmp_path / name / f"m{number}.py").touch()
    assert crowded(tmp_path) == ["alone", "crowded"]


def borrowing(tests: Path) -> list[str]:
    """List the tests that import from another test's file; what several share belongs into tests/support.

    The mutants' checks are left out: what must catch a mutant *is* a test.
    """
    return sorted(
        str(path.relative_to(tests))
        for path in tests.rglob("*.py")
        if path.parent.name != "mutants" and BORROWED.search(path.read_text())
    )


def test_no_test_imports_from_another_tests_file(tmp_path: Path) -> None:
    assert borrowing(ROOT / "tests") == []
    (tmp_path / "test_one.py").write_text("from tests.gate.test_voids import shop\n")
    (tmp_path / "test_two.py").write_text("from tests.gate import test_voids\n")
    (tmp_path / "test_three.py").write_text("from tests.support.windows import phase\n")
    assert borrowing(tmp_path) == ["test_one.py", "test_two.py"]


def test_the_tests_have_the_wings_of_the_source() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if (path.is_dir() and any(path.glob("*.py")))}
    assert folders - {"mutants", "nba_props", "support"} <= set(TOP)


def defined_twice(source: Path) -> list[str]:
    """List classes and type aliases of one name in several modules: one word means one thing."""
    places: dict[str, list[str]] = {}
    for path in sorted(source.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            names = [node.name] if isinstance(node, ast.ClassDef) else []
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp):
                names = [
                    target.id for target in node.targets if isinstance(target, ast.Name) and ALIAS.match(target.id)
                ]
            for name in names:
                places.setdefault(name, []).append(str(path.relative_to(source)))
    return [f"{name}: {', '.join(paths)}" for name, paths in sorted(places.items()) if len(paths) > 1]


def test_a_class_or_a_type_has_one_meaning(tmp_path: Path) -> None:
    assert defined_twice(SOURCE) == []
    (tmp_path / "one.py").write_text("class Day: ...\nKind = Literal['a']\n")
    (tmp_path / "two.py").write_text("class Day: ...\nKind = int | str\nLINES = 3\n")
    assert defined_twice(tmp_path) == ["Day: one.py, two.py", "Kind: one.py, two.py"]


def circle(source: Path) -> list[str]:
    """List modules that import each other, inside functions and for type checkers too; none is the aim."""
    paths = {
        ".".join((source.name, *path.relative_to(source).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in source.rglob("*.py")
    }
    graph = {name: set(imported(ast.parse(path.read_text()), known=paths.keys())) for name, path in paths.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return sorted(set(error.args[1]))
    return []


def test_no_modules_import_each_other(tmp_path: Path) -> None:
    assert circle(SOURCE) == []
    house = tmp_path / "house"
    house.mkdir()
    (house / "__init__.py").touch()
    (house / "one.py").write_text("from house.two import b\n")
    (house / "two.py").write_text("def late():\n    from house import one\n")
    assert circle(house) == ["house.one", "house.two"]
