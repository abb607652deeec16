"""The import contracts of pyproject.toml, each shown to refuse what it is for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real_data import ROOT

MODULES = ("cli", "core", "core.dedup", "errors", "observe", "ports", "service", "stores", "stores.sqlite", "wiring")
ALLOWED = {
    "phasegate.cli": "import click\nfrom phasegate import wiring\n",
    "phasegate.core.dedup": "def frames():\n    import polars\n",
    "phasegate.service": "from phasegate import core, errors, ports\n",
    "phasegate.stores.sqlite": "import sqlite3\n",
    "nba_props": "import duckdb\nimport phasegate\n",
}


def contracts_answer(
    folder: Path, sources: dict[str, str], extra: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the project's contracts over a made-up source tree."""
    for name in ("phasegate", "nba_props", *(f"phasegate.{module}" for module in MODULES)):
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
    assert "4 kept, 0 broken" in answer.stdout


@pytest.mark.parametrize(
    ("module", "source", "contract"),
    [
        ("phasegate.core", "import time\n", "The core is pure"),
        ("phasegate.core", "from phasegate import ports\n", "Layers"),
        ("phasegate.service", "from phasegate import stores\n", "Layers"),
        ("phasegate.stores", "from phasegate import wiring\n", "Layers"),
        ("phasegate.service", "def lazily():\n    import duckdb\n", "A vendor SDK"),
        ("phasegate.stores", "import sqlite3\n", "A vendor SDK"),
        ("nba_props", "from phasegate.core import dedup\n", "The reference pipeline"),
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
