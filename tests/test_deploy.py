"""The files of deploy/ are read and checked; no container is started."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from phasegate.cli import run
from phasegate.cli.commands import COMMANDS
from phasegate.postgresql.address import fault
from phasegate.settings import load_settings
from tests.support.real_data import ROOT
from tests.support.sql_engines import missing
from tools.smoke import missing_from

FOLDER = ROOT / "deploy" / "postgresql"
KEYS = {"build", "environment", "volumes", "working_dir", "command", "depends_on", "image", "healthcheck", "restart",
        "stop_grace_period"}  # fmt: skip


def composed() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    return read


def test_the_settings_of_the_compose_file_put_everything_into_its_database() -> None:
    services = composed()["services"]
    given = {
        name: re.sub(r"\$\{(\w+):\?[^}]+\}", r"\1", value) for name, value in services["worker"]["environment"].items()
    }
    assert given.pop("PGPASSWORD") == "PGPASSWORD"
    settings = load_settings(given)
    assert settings.store == settings.warehouse == "postgresql://phasegate@postgres/pipeline"
    database = services["postgres"]["environment"]
    assert fault(settings.store) == ""
    assert f"{database['POSTGRES_USER']}@postgres/{database['POSTGRES_DB']}" in settings.store
    assert services["store"]["environment"] == services["worker"]["environment"]


def test_the_compose_file_has_commands_conditions_and_files_that_exist() -> None:
    file = composed()
    assert {key for service in file["services"].values() for key in service} <= KEYS
    for service in ("store", "worker"):
        command = file["services"][service]["command"]
        assert command[0] in COMMANDS
        assert {name: one["condition"] for name, one in file["services"][service]["depends_on"].items()} in (
            {"postgres": "service_healthy"}, {"store": "service_completed_successfully"},
        )  # fmt: skip
        build = file["services"][service]["build"]
        assert (FOLDER / build["context"] / build["dockerfile"]).resolve() == ROOT / "deploy" / "Dockerfile"
        assert build["args"] == {"EXTRAS": "postgresql,sql"}
    assert "tables" in file["volumes"]


UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_takes_each_unit_and_phasegate_its_command(unit: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        missing("systemd-analyze: install the package systemd")
    for one in UNITS:  # a timer is verified with its service
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", one.read_text(), flags=re.MULTILINE)
        (tmp_path / one.name).write_text(text.replace("User=pipeline", "User=root"))
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / unit.name)],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip
    assert (done.returncode, [line for line in done.stderr.splitlines() if str(tmp_path) in line]) == (0, [])
    for started in re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE):
        program, *arguments = started.split()
        assert program == "/srv/pipeline/.venv/bin/phasegate"
        assert run([*arguments, "--help"]) == 0


def test_the_image_is_built_from_its_context_alone_and_runs_as_no_root(tmp_path: Path) -> None:
    """Docker itself is not there: what it would copy is copied, and must be enough to build the wheel."""
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    assert [line.split()[1] for line in lines if line.startswith("FROM ")] == ["python:3.13-slim"] * 2
    assert max(n for n, line in enumerate(lines) if line == "USER 10001") < lines.index('ENTRYPOINT ["phasegate"]')
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in kept:
        place = ROOT / name
        (shutil.copytree if place.is_dir() else shutil.copy)(place, tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert missing_from(wheel, ROOT / "src") == []
    (pip,) = (line for line in lines if "pip install" in line)
    assert "--constraint /source/requirements.lock" in pip
    (extras,) = (line.partition("=")[2].split(",") for line in lines if line.startswith("ARG EXTRAS"))
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras) <= set(known)
