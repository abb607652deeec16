"""The generated pages of docs/reference are what the code says now."""

import inspect
import json
import re

import pytest

import phasegate
from tests.support.pipelines import shop
from tests.support.real_data import ROOT
from tools import reference

PAGES = reference.pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_what_the_code_says_now(name: str) -> None:
    assert (reference.REFERENCE / name).read_text() == PAGES[name], "run: make reference"


def test_no_schema_is_left_of_a_command_that_is_gone() -> None:
    there = {path.relative_to(reference.REFERENCE).as_posix() for path in (reference.REFERENCE / "schemas").iterdir()}
    assert there == {name for name in PAGES if name.startswith("schemas/")}


def test_every_public_name_is_on_the_page_with_its_docstring() -> None:
    page = PAGES["python.md"]
    assert {*re.findall(r"^### `(\w+)`$", page, re.MULTILINE)} == {*phasegate.__all__} - {"__version__"}
    for name in re.findall(r"^### `(\w+)`$", page, re.MULTILINE):
        first = (inspect.getdoc(getattr(phasegate, name)) or "").partition("\n")[0].replace("``", "`")
        assert first, name
        text = page.partition(f"### `{name}`\n")[2].partition("\n### ")[0]
        assert first in text or "Another name of" in text


def test_nothing_on_the_page_is_without_a_docstring() -> None:
    assert re.findall(r"```text\n(.+)\n```\n\n\n", PAGES["python.md"]) == []


def test_the_page_shows_what_a_pipeline_holds() -> None:
    pipeline = shop().pipeline
    for path, place in reference.HELD.items():
        held: object = pipeline
        for name in path.split("."):
            held = getattr(held, name)
        module, _, kind = place.partition(":")
        assert (type(held).__module__, type(held).__name__) == (f"phasegate.{module}", kind)


def test_a_signature_is_shown_as_it_is_written() -> None:
    def one(self: object, first: "str | None", /, *, second: int = 3) -> "list[str]":
        raise NotImplementedError

    assert reference.signature(one, name="One.one") == "One.one(first: str | None, /, *, second: int = 3) -> list[str]"


def test_the_list_of_schemas_links_each_file() -> None:
    linked = {*re.findall(r"\]\((.+?\.json)\)", PAGES["schemas/README.md"])}
    assert {f"schemas/{file}" for file in linked} == {name for name in PAGES if name.endswith(".json")}
    assert all(json.loads(PAGES[f"schemas/{file}"])["title"].endswith(" --json") for file in linked)
    assert (ROOT / "docs" / "reference" / "cli.md").read_text().count("schemas/README.md")
