"""The page of events names every event of the source with its fields, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from phasegate.observe.log import QUIET
from tests.support.real_data import ROOT

PAGE = ROOT / "docs" / "reference" / "events.md"
SOURCE = ROOT / "src" / "phasegate"


def told(source: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give name and fields of each call of an observer in a module's source."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "event"):
            continue
        if node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value), tuple(sorted(k.arg for k in node.keywords if k.arg is not None))


def events(folder: Path) -> set[tuple[str, tuple[str, ...]]]:
    files = [file for file in folder.rglob("*.py") if "testing" not in file.parts]
    return {event for file in files for event in told(file.read_text())}


def listed(page: str) -> dict[str, tuple[tuple[str, ...], bool]]:
    """Return what the page says: name -> (fields, ordinary)."""
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]*) \|[^|]*\|([^|]*)\|$", page, re.MULTILINE)
    return {name: (tuple(sorted(re.findall(r"`(\w+)`", fields))), mark.strip() == "ordinary")
            for name, fields, mark in rows}  # fmt: skip


def test_the_page_lists_every_event_with_its_fields_and_no_other() -> None:
    assert {(name, fields) for name, (fields, _) in listed(PAGE.read_text()).items()} == events(SOURCE)


def test_the_page_says_which_events_are_ordinary() -> None:
    assert {name for name, (_, ordinary) in listed(PAGE.read_text()).items() if ordinary} == QUIET


def test_an_event_in_the_source_is_found_with_its_fields() -> None:
    assert list(told('self.x.observer.event("done", key=1, error="e")')) == [("done", ("error", "key"))]
