"""Each promise on the first page names a test that breaks when it does not hold; here: that these tests exist."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.docs_runner import split
from tests.support.real_data import ROOT

PAGE = (ROOT / "README.md").read_text()
GUARANTEES = (ROOT / "docs" / "explanation" / "guarantees.md").read_text()
NAMED = re.compile(r"\[(?P<file>\w+\.py)::(?P<test>\w+)\]\((?P<path>[^)]+)\)")
# Nobody promises this, and the pages that speak of it say whose word it is, or that it is not promised.
BUZZWORD = re.compile(r"exactly[- ]once", re.IGNORECASE)
LINK = re.compile(r"\]\([^)]*\)")


def promises(page: str) -> list[tuple[str, str]]:
    """Return (promise, the cell that names its tests) of the table of what is promised."""
    table = page.partition("| promised |")[2].partition("\n\n")[0]
    return re.findall(r"^\| (.+?) \| (\[.+\]\(.+\)) \|$", table, re.MULTILINE)


def names_in(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}


def missing(cell: str) -> list[str]:
    """Return the tests that a cell names and that do not exist."""
    named = list(NAMED.finditer(cell))
    assert named, f"no test is named: {cell}"
    return [
        one[0]
        for one in named
        if not (ROOT / one["path"]).is_file()
        or Path(one["path"]).name != one["file"]
        or one["test"] not in names_in(ROOT / one["path"])
    ]


def test_every_promise_of_the_first_page_names_tests_that_exist() -> None:
    assert len(promises(PAGE)) == 6
    assert [missing(cell) for _, cell in promises(PAGE)] == [[]] * 6


@pytest.mark.parametrize("promise", [text for text, _ in promises(PAGE)])
def test_the_guarantees_page_promises_the_same_word_for_word(promise: str) -> None:
    assert promise in " ".join(GUARANTEES.split())


def test_a_test_that_does_not_exist_is_found() -> None:
    assert missing("[test_docs_promises.py::test_nothing](tests/test_docs_promises.py)")
    assert missing("[test_nowhere.py::test_nothing](tests/test_nowhere.py)")
    assert missing("[test_docs.py::test_a_test_that_does_not_exist_is_found](tests/test_docs_promises.py)")
    here = test_a_test_that_does_not_exist_is_found.__name__
    assert missing(f"[test_docs_promises.py::{here}](tests/test_docs_promises.py)") == []


def test_no_page_promises_what_no_system_can() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    found = {p.name: len(BUZZWORD.findall(LINK.sub("]", split(p.read_text())[1]))) for p in pages}
    # The comparison tells what another system offers, and where not.
    assert {name: count for name, count in found.items() if count} == {"comparison.md": 1}
