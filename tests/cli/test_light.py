"""A command imports what it uses and no more.

Judged is which modules are loaded; how long that takes is printed by ``python -m benchmarks startup``.
"""

import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import click
import pytest

from phasegate.cli import commands
from phasegate.cli.commands import COMMANDS
from phasegate.cli.entry import phasegate
from tests.support.commands import RUN, Night
from tests.support.real_data import ROOT

# All that the help page of any program of click loads: what a version of click needs is its own affair.
BARE = "import click; click.Group('bare', params=[click.Option(['--plan'], help='x')]).main(['--help'])"
FRONT = {
    "phasegate", "phasegate.errors", "phasegate.cli", "phasegate.cli.commands", "phasegate.cli.entry",
    "phasegate.cli.kit", "phasegate.cli.kit.app", "phasegate.cli.kit.options", "phasegate.cli.kit.output", "signal",
}  # fmt: skip
NOT_TO_READ = (
    "duckdb", "polars", "psycopg", "pyarrow", "structlog", "apprise",
    "asyncio", "difflib", "fractions", "logging", "secrets", "shutil", "socket", "subprocess", "urllib.request",
    "phasegate.alerts", "phasegate.buses", "phasegate.calendar.calendar", "phasegate.channels", "phasegate.check",
    "phasegate.dedup", "phasegate.interop", "phasegate.observe", "phasegate.pipeline",
    "phasegate.postgresql.pool", "phasegate.selftest",
    "phasegate.testing", "phasegate.warehouses", "phasegate.work", "phasegate.write.builder", "phasegate.write.writer",
)  # fmt: skip
# What a service that is pushed to does with each message; its documents are in any store.
HANDLING = f"""
from phasegate import connect
pipeline = connect()
pipeline.complete({{"step": "odds", "run": "{RUN}", "status": "success", "execution_id": "again"}})
"""
NOT_TO_HANDLE = (
    "google.cloud.bigquery", "phasegate.alerts", "phasegate.check", "phasegate.dedup", "phasegate.explain",
    "phasegate.interop", "phasegate.selftest", "phasegate.testing", "phasegate.work.backfill",
    "phasegate.write.deduplicator",
)  # fmt: skip
OF_REPLAYS = ("duckdb", "msgspec", "phasegate.pipeline", "phasegate.wiring", "nba_props.replay.runner",
              "nba_props.replay.scrapers", "nba_props.sources.parquet")  # fmt: skip


def loaded(code: str, *arguments: str, folder: Path | None = None) -> set[str]:
    """Return the modules that are loaded when a process of its own has run some code."""
    ending = "import atexit, sys; atexit.register(lambda: print('LOADED', *sys.modules, file=sys.stderr))"
    done = subprocess.run(
        [sys.executable, "-c", f"{ending}\n{code}", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout
    assert done.stderr.startswith("LOADED "), done.stderr
    return set(done.stderr.split()[1:])


def front(*arguments: str, folder: Path | None = None, first: str = "") -> set[str]:
    return loaded(f"{first}\nfrom phasegate.cli import main\nmain()", *arguments, folder=folder)


def needless(modules: Iterable[str], unwanted: Collection[str]) -> list[str]:
    """List the loaded modules that are unwanted, or lie below one that is."""
    return sorted(name for name in modules if any(name == one or name.startswith(f"{one}.") for one in unwanted))


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_click_and_the_front_of_the_house_only(option: str) -> None:
    assert front(option) - loaded(BARE) == FRONT


def test_a_needless_import_before_the_help_page_is_found() -> None:
    more = front("--help", first="import phasegate.settings") - loaded(BARE)
    assert {"phasegate.settings", "msgspec", "tomllib"} <= more - FRONT


@pytest.mark.parametrize("arguments", [("status",), ("why", RUN), ("leases", "--all"), ("dead",)], ids=" ".join)
def test_a_command_that_reads_documents_loads_neither_a_warehouse_nor_what_builds(
    arguments: tuple[str, ...], night: Night
) -> None:
    night.whole()
    modules = front(*arguments, folder=night.folder)
    assert {"phasegate.explain.overview", "phasegate.stores.sqlite"} <= modules
    assert needless(modules, NOT_TO_READ) == []


def test_a_command_that_builds_loads_what_the_others_leave_out(night: Night) -> None:
    night.whole()
    found = needless(front("worker", "--until-idle", folder=night.folder), NOT_TO_READ)
    assert {"phasegate.pipeline", "phasegate.warehouses.duckdb.warehouse", "phasegate.work.worker"} <= {*found}


def test_a_process_that_handles_triggers_loads_neither_checks_nor_views_nor_alerts(night: Night) -> None:
    night.whole()
    assert needless(loaded(f"{HANDLING}print(pipeline.serve_one())", folder=night.folder), NOT_TO_HANDLE) == []
    used = loaded(f"{HANDLING}print(pipeline.checks, pipeline.alerts)", folder=night.folder)
    assert {"phasegate.check.reconciler", "phasegate.explain.views", "phasegate.alerts.incidents"} <= {
        *needless(used, NOT_TO_HANDLE)
    }


def test_status_loads_only_its_own_command(night: Night) -> None:
    night("begin", RUN)
    modules = front("status", folder=night.folder)
    assert [name for name in modules if name.startswith("phasegate.cli.commands.")] == ["phasegate.cli.commands.status"]


def test_the_help_page_of_the_reference_pipeline_loads_no_replay() -> None:
    code = "import sys; sys.argv[0] = 'nba-props'\nfrom nba_props.cli import main\nmain()"
    assert needless(loaded(code, "--help"), OF_REPLAYS) == []
    more = loaded(f"import nba_props.replay.runner\n{code}", "--help")
    assert {"nba_props.replay.runner", "phasegate.pipeline"} <= {*needless(more, OF_REPLAYS)}


def drifted(listed: Mapping[str, tuple[str, str]]) -> list[str]:
    """List the names whose command is called otherwise, or says another line of itself."""
    context = click.Context(phasegate)
    found = []
    for name, (_, line) in listed.items():
        command = phasegate.get_command(context, name)
        assert command is not None
        if (command.name, command.short_help) != (name, line):
            found.append(name)
    return found


def modules_of(listed: Mapping[str, tuple[str, str]]) -> set[str]:
    return {place.partition(":")[0] for place, _ in listed.values()}


def test_each_line_of_the_list_is_what_the_command_says_of_itself() -> None:
    assert drifted(COMMANDS) == []


def test_a_line_that_is_not_its_commands_own_is_found() -> None:
    assert drifted({**COMMANDS, "late": ("late:late", "Show what was slow.")}) == ["late"]


def test_every_module_of_commands_stands_in_the_list() -> None:
    there = {path.stem for path in Path(*commands.__path__).glob("*.py")} - {"__init__"}
    assert modules_of(COMMANDS) == there
    assert modules_of({name: one for name, one in COMMANDS.items() if name != "late"}) == there - {"late"}


def test_the_help_page_lists_each_command_with_its_line_in_the_order_of_the_list(night: Night) -> None:
    listed = night("--help").out.partition("\nCommands:\n")[2].partition("\n\n")[0]
    assert listed.split() == [word for name, (_, line) in COMMANDS.items() for word in (name, *line.split())]


def test_a_name_that_is_no_command_is_answered_with_the_nearest_that_is(night: Night) -> None:
    done = night("staus")
    assert done.code == 2
    assert "no such command 'staus'" in done.err
    assert "status" in done.err
