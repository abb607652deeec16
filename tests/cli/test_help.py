"""What each command says of itself, and that the reference page says the same."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from phasegate import __version__
from phasegate.cli.entry import phasegate
from tests.support.cli_page import PAGE, keys, section
from tests.support.command_days import Days, day
from tests.support.commands import RUN, Night
from tests.support.docs_runner import split
from tests.support.real_data import ROOT


def commands(group: click.Group = phasegate, path: str = "phasegate") -> Iterator[tuple[str, click.Command]]:
    yield path, group
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands())


def options(command: click.Command) -> set[str]:
    found = {name for one in command.params if isinstance(one, click.Option) for name in one.opts}
    return {name for name in found if name.startswith("--") and name != "--help"}


@pytest.mark.parametrize("path", COMMANDS)
def test_each_help_page_has_an_example_of_its_own_command_and_the_exit_codes(path: str, night: Night) -> None:
    done = night(*path.split()[1:], "--help")
    assert (done.code, done.err) == (0, "")
    assert f"Example:\n\n    {path}" in done.out
    assert "Exit: 0 fine, 1 findings" in done.out


@pytest.mark.parametrize("path", [path for path, command in COMMANDS.items() if not isinstance(command, click.Group)])
def test_the_reference_page_documents_each_command_its_options_and_an_example(path: str) -> None:
    text = section(path)
    assert set(re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE)) == options(COMMANDS[path])
    examples = [block.text for block in split(text)[0] if block.language == "console"]
    assert any(f"$ {path}" in block for block in examples), "no example"
    assert "Exit" in text


def test_the_reference_page_documents_the_global_options() -> None:
    assert set(re.findall(r"^\| `(--[a-z-]+)", section("phasegate"), re.MULTILINE)) == options(phasegate)


def test_the_reference_page_documents_no_command_that_does_not_exist() -> None:
    documented = set(re.findall(r"^## `(phasegate [a-z ]+)`$", PAGE, re.MULTILINE))
    assert documented == {path for path, command in COMMANDS.items() if not isinstance(command, click.Group)}


def test_the_reference_page_documents_every_field_of_the_json_documents(night: Night) -> None:
    night.whole()
    night.publish({"kind": "completion", "step": "nope", "run": RUN})
    night("worker", "--until-idle")
    for arguments in (
        "status", f"why {RUN}", "leases --all", "sweep", "worker --until-idle", "dead", "redrive --all",
        "adopt --yes", "plan check", f"begin {RUN}", f"complete odds --run {RUN}", f"replan {RUN}",
        "backfill --from 2026-02-03 --to 2026-02-04 --steps player_game", f"pause {RUN}", f"pause {RUN} --resume",
    ):  # fmt: skip
        path = max((path for path in COMMANDS if f"phasegate {arguments} ".startswith(f"{path} ")), key=len)
        document = night(*arguments.split(), "--json").json
        missing = {key for key in keys(document) if f"`{key}`" not in section(path)}
        assert missing == set(), path


def test_the_reference_page_documents_what_is_there_only_with_modes_and_windows(days: Days) -> None:
    days.play(1, 2, 4)
    days.gamebook(1, 101)
    days.work()
    held = days("backfill", "--from", day(3), "--to", day(3), "--cascade", "--json").json
    both = days("why", day(3), "--json").json
    for path, document in (("phasegate backfill", held), ("phasegate why", both)):
        assert {key for key in keys(document) if f"`{key}`" not in section(path)} == set()
    assert held["held"]
    assert both["runs"]


def test_plain_phasegate_shows_the_help_and_version_names_itself(night: Night) -> None:
    assert night().out.startswith("Usage: phasegate ")
    assert night().code == 0
    assert night("--version").out == f"phasegate {__version__}\n"
    assert night("plan").out.startswith("Usage: phasegate plan ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_documented_shell_completes_commands(shell: str) -> None:
    assert f"_PHASEGATE_COMPLETE={shell}_source phasegate" in PAGE
    code = "import sys; from phasegate.cli import main; sys.argv[0] = 'phasegate'; main()"
    environ = {
        "_PHASEGATE_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "phasegate re",
        "COMP_CWORD": "re" if shell == "fish" else "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "reconcile" in done.stdout


def test_colours_are_for_terminals_without_no_color(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night("begin", RUN)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[33mwaiting\x1b[0m" in night("status").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in night("status").out


def test_a_reader_that_has_seen_enough_is_no_error(night: Night) -> None:
    night("begin", RUN)
    command = f"{sys.executable} -m phasegate status | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=night.folder, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("0\n", "")
