"""The files of deploy/ are read and checked; no container is started."""

import re
from typing import Any

import yaml

from phasegate.cli.commands import COMMANDS
from phasegate.postgresql.address import fault
from phasegate.settings import load_settings
from tests.support.real_data import ROOT

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
        assert (FOLDER / build["context"] / build["dockerfile"]).resolve() == FOLDER / "Dockerfile"
    assert "tables" in file["volumes"]
    assert "[postgresql,sql]" in (FOLDER / "Dockerfile").read_text()
