"""The page of limits: each number is that of the constant that it names."""

import re
from importlib import import_module

import pytest

from tests.support.real_data import ROOT

PAGE = (ROOT / "docs" / "explanation" / "limits.md").read_text()
UNITS = {"": 1, "s": 1, "min": 60, "h": 3600, "d": 86_400}
QUANTITY = re.compile(r"(\d[\d,]*)(?: (s|min|h|d)\b)?")
ROWS = re.findall(r"^\| (?!what |---)(.+?) \| (.+?) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)


def numbers(cell: str) -> list[float]:
    """Return the quantities of a cell, times in seconds."""
    return [float(number.replace(",", "")) * UNITS[unit] for number, unit in QUANTITY.findall(cell)]


def constants(cell: str) -> list[float]:
    """Return the values of the constants that a cell names."""
    places = [name.rpartition(".") for name in re.findall(r"`([\w.]+)`", cell)]
    return [getattr(import_module(f"phasegate.{module}"), name) for module, _, name in places]


@pytest.mark.parametrize(("what", "limit", "names"), [row[:3] for row in ROWS], ids=[row[2] for row in ROWS])
def test_a_limit_of_the_page_is_the_constant_that_it_names(what: str, limit: str, names: str) -> None:
    assert numbers(limit) == constants(names), what


def test_every_line_of_the_table_is_compared_and_no_constant_is_named_twice() -> None:
    assert len(ROWS) == len(re.findall(r"^\| ", PAGE, re.MULTILINE)) - 1
    named = [name for row in ROWS for name in re.findall(r"`([\w.]+)`", row[2])]
    assert len(named) == len(set(named)) >= len(ROWS) > 40


def test_a_number_is_read_with_its_unit() -> None:
    assert numbers("15 s, up to 5 min") == [15, 300]
    assert numbers("1,000,000") == [1_000_000]
    assert numbers("36 h") == [129_600] != constants("`transact.TRIES_MAX`")
