"""What `docs/reference/nba-props.md` says of the commands is what there is."""

import json
import re
from dataclasses import fields

import click
import pytest

from nba_props import PLAN
from nba_props.calendar import Gaps
from nba_props.cli import _as_json, cli
from nba_props.replay.faults import Faults
from nba_props.replay.report import Remarks
from nba_props.replay.tally import Replay, Tally
from tests.support.docs_runner import split
from tests.support.real_data import ROOT

PAGE = (ROOT / "docs" / "reference" / "nba-props.md").read_text()
NOTHING = Replay(
    dates=0, games=0, tables={}, gates={}, tally=Tally(), dead_letters=0, crashes=0, unsettled=(), seconds=0.0
)


def section(command: str) -> str:
    heading = f"\n## `nba-props {command}`\n"
    assert heading in PAGE
    return PAGE.partition(heading)[2].partition("\n## ")[0]


def options(command: click.Command) -> set[str]:
    found = {name for one in command.params if isinstance(one, click.Option) for name in one.opts}
    return {name for name in found if name.startswith("--")}


@pytest.mark.parametrize("name", cli.commands)
def test_each_command_is_documented_with_its_options_an_example_and_its_exit_codes(name: str) -> None:
    text = section(name)
    assert set(re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE)) == options(cli.commands[name])
    examples = [block.text for block in split(text)[0] if block.language == "console" and block.runs]
    assert any(f"$ nba-props {name}" in block for block in examples), "no example that runs"
    assert "\nExit: 0 " in text


def test_no_command_is_documented_that_does_not_exist() -> None:
    assert set(re.findall(r"^## `nba-props ([a-z]+)`$", PAGE, re.MULTILINE)) == set(cli.commands)


def test_each_fault_is_documented_with_its_default() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| .* \| ([^|]+) \|$", section("run"), re.MULTILINE)
    assert dict(rows) == {one.name: "off" if one.default is False else f"{one.default:g}" for one in fields(Faults)}


def test_each_field_of_the_summary_is_documented() -> None:
    documented = {
        name for cell in re.findall(r"^\| (`.*`) \|", section("run"), re.MULTILINE) for name in cell.split("`")
    }
    assert json.loads(_as_json(NOTHING, Remarks((), (), ()), Gaps())).keys() <= documented


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_what_a_page_shows_of_the_plan_stands_in_it_in_that_order(page: str) -> None:
    plan = iter(PLAN.read_text().splitlines())
    (shown,) = [
        block.text for block in split((ROOT / page).read_text())[0]
        if block.language == "toml" and "nba_props.calendar:game_dates" in block.text
    ]  # fmt: skip
    for line in filter(None, shown.splitlines()):
        assert line in plan, f"not in the plan, or not there: {line}"
