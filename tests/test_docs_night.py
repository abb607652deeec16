"""The page of the night, part by part: each name of ours on it exists."""

import pkgutil
import re

import click
import pytest

from phasegate.base.findings import CODES
from phasegate.cli.entry import phasegate
from tests.support.real_data import ROOT

PAGE = (ROOT / "docs" / "explanation" / "the-night-part-by-part.md").read_text()
MUTANTS = (ROOT / "docs" / "explanation" / "mutants.md").read_text()
ROWS = re.findall(r"^\| (?!on the platform |---)(.+?) \| (.+?) \|(?: ([\d, ]+))? \|$", PAGE, re.MULTILINE)
# No names of code: keys of the plan, options and packages, which have pages of their own.
WORDS = {"covers", "needs", "--fix", "nba_props"}
OURS = [name for _, ours, _ in ROWS for name in re.findall(r"`([^`]+)`", ours) if name not in WORDS]


def is_there(name: str) -> bool:
    """Tell whether a name of ours exists: a path, a command, or what a module holds."""
    if "/" in name:
        return (ROOT / name).is_file()
    if name.startswith("phasegate "):
        return phasegate.get_command(click.Context(phasegate), name.split()[1]) is not None
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


@pytest.mark.parametrize("name", OURS)
def test_every_name_of_ours_on_the_page_exists(name: str) -> None:
    assert is_there(name)


def test_every_line_of_the_table_is_read_and_names_something_of_ours() -> None:
    assert len(ROWS) == len(re.findall(r"^\| ", PAGE, re.MULTILINE)) - 1
    assert [was for was, ours, _ in ROWS if not re.search(r"`|PG\d", ours)] == []
    assert len(OURS) > len(ROWS)


def test_every_finding_and_every_mutant_that_the_page_names_exists() -> None:
    assert set(re.findall(r"PG\d+", PAGE)) <= CODES.keys()
    named = {int(number) for *_, numbers in ROWS for number in re.findall(r"\d+", numbers)}
    assert named <= {int(number) for number in re.findall(r"^\| (\d+) \|", MUTANTS, re.MULTILINE)}


def test_a_name_that_does_not_exist_is_found() -> None:
    assert is_there("phasegate.transact.transact")
    for name in ("phasegate.transact.nothing", "phasegate.nowhere", "phasegate nowhere", "bin/nowhere.py"):
        assert not is_there(name)
