from pathlib import Path

import pytest

from tests.support.docs_runner import broken_links, not_pasted, run_console, run_page, split
from tests.support.real_data import ROOT

RUN = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINKED = [*sorted(ROOT.glob("*.md")), *RUN[1:]]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", RUN, ids=name)
def test_every_code_block_of_the_docs_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(page, tmp_path)


@pytest.mark.parametrize("page", RUN, ids=name)
def test_every_python_block_of_the_docs_can_be_pasted_into_an_interactive_python(page: Path) -> None:
    blocks = [
        block for block in split(page.read_text())[0] if block.language == "python" and block.runs and not block.file
    ]
    refused = {f"{page.name}:{block.line}": not_pasted(block.text) for block in blocks}
    assert {where: line for where, line in refused.items() if line is not None} == {}


@pytest.mark.parametrize("page", LINKED, ids=name)
def test_every_relative_link_of_the_docs_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def page_with(folder: Path, *blocks: str) -> Path:
    page = folder / "page.md"
    page.write_text("\n".join(f"```{block}\n```\n" for block in blocks))
    return page


def test_python_blocks_of_a_page_share_one_namespace(tmp_path: Path) -> None:
    run_page(page_with(tmp_path, "python\na = 1", "text\nno code", "python\nassert a == 1"), tmp_path)


def test_a_python_block_that_raises_fails_with_the_line_of_the_page(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        run_page(page_with(tmp_path, "python\na = 1\na / 0"), tmp_path)
    assert str(caught.traceback[-1].path).endswith("page.md")
    assert caught.traceback[-1].lineno == 2  # counted from 0


def test_a_block_marked_no_run_is_not_run_but_python_must_still_compile(tmp_path: Path) -> None:
    run_page(page_with(tmp_path, "python no-run\n1 / 0", "console no-run\n$ exit 1"), tmp_path)
    with pytest.raises(SyntaxError):
        run_page(page_with(tmp_path, "python no-run\n1 +"), tmp_path)


def test_a_block_with_a_file_is_written_to_it_and_not_run(tmp_path: Path) -> None:
    run_page(page_with(tmp_path, "python file=a.py\n1 / 0", "sh file=b.sh\nexit 1"), tmp_path)
    assert ((tmp_path / "a.py").read_text(), (tmp_path / "b.sh").read_text()) == ("1 / 0\n", "exit 1\n")


def test_a_command_must_exit_as_the_page_says(tmp_path: Path) -> None:
    run_console("$ true\n$ exit 3  # exit 3", tmp_path, "page")
    with pytest.raises(AssertionError, match="exit 1, not 0"):
        run_console("$ false", tmp_path, "page")
    with pytest.raises(AssertionError, match="exit 0, not 2"):
        run_console("$ true  # exit 2", tmp_path, "page")


def test_a_command_must_print_what_the_page_shows(tmp_path: Path) -> None:
    run_console("$ echo one; echo two >&2\none\n...\ntwo", tmp_path, "page")
    with pytest.raises(AssertionError, match="not in the output"):
        run_console("$ echo one\nthree", tmp_path, "page")


def test_a_block_without_language_or_end_is_refused() -> None:
    with pytest.raises(AssertionError, match="needs a language"):
        split("```\nsomething\n```")
    with pytest.raises(AssertionError, match="never closed"):
        split("```text\nsomething")


def test_broken_links_are_found_and_code_is_not_searched_for_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A heading\n[ok](page.md) [ok](#a-heading) [web](https://example.org) `[code](nowhere)`\n"
        "```text\n[block](nowhere)\n```\n[bad](nowhere.md) [bad](page.md#no-heading)\n"
    )
    assert broken_links(page) == ["nowhere.md", "page.md#no-heading"]
