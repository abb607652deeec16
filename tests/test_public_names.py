"""Each public name is imported when it is first asked for.

A type checker reads the same names of the same modules.
"""

import ast
import importlib
import subprocess
import sys
from functools import cached_property
from pathlib import Path

import pytest

import phasegate
from tests.support.pipelines import shop

SOURCE = Path(phasegate.__file__).read_text()
NAMES = [name for name in phasegate.__all__ if name != "__version__"]


def for_type_checkers(source: str) -> dict[str, str]:
    """Return what a package imports for type checkers: name -> its module, with its name there if that is another."""
    found = {}
    for block in ast.parse(source).body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for line in block.body:
                assert isinstance(line, ast.ImportFrom)
                module = (line.module or "").removeprefix("phasegate.")
                for alias in line.names:
                    found[alias.asname or alias.name] = f"{module}:{alias.name}" if alias.asname else module
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_there(name: str) -> None:
    module, _, other = phasegate._HOMES[name].partition(":")
    there = importlib.import_module(f"phasegate.{module}")
    assert getattr(phasegate, name) is getattr(there, other or name)


def test_a_type_checker_reads_the_same_names_of_the_same_modules() -> None:
    assert for_type_checkers(SOURCE) == phasegate._HOMES
    assert sorted(phasegate._HOMES) == sorted(NAMES)


def test_a_name_that_type_checkers_read_elsewhere_is_found() -> None:
    moved = SOURCE.replace("from phasegate.pipeline import Pipeline", "from phasegate.plan.load import Pipeline")
    assert for_type_checkers(moved) != phasegate._HOMES


def test_importing_the_package_imports_none_of_its_modules() -> None:
    code = "import sys, phasegate; phasegate.__version__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [name for name in done.stdout.split() if name.startswith("phasegate")] == ["phasegate"]


def test_the_package_lists_its_names_before_they_are_imported() -> None:
    code = "import phasegate; print(*dir(phasegate))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {*phasegate.__all__} <= {*done.stdout.split()}


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'phasegate' has no attribute 'conect'"):
        getattr(phasegate, "conect")  # noqa: B009  a type checker refuses it spelled out
    with pytest.raises(ImportError, match="cannot import name 'conect' from 'phasegate'"):
        exec("from phasegate import conect")  # noqa: S102  likewise


def test_a_pipeline_shows_seven_collaborators_and_its_verbs() -> None:
    pipeline = shop().pipeline
    made_when_asked_for = {name for name, one in vars(type(pipeline)).items() if isinstance(one, cached_property)}
    shown = {name for name in {*vars(pipeline), *made_when_asked_for} if not name.startswith("_")}
    assert shown == {"plan", "ports", "store_id"} | {
        "runs", "views", "checks", "alerts", "calendar", "remote", "rescuer",
    }  # fmt: skip
