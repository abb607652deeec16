"""The English of source, docs, help pages and commit subjects: plain words, short first lines."""

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator

import click
import pytest

from phasegate.cli.entry import phasegate
from tests.support.real_data import ROOT

# Where the words are not yet checked: paths relative to the repository that a file's name begins with.
PAGES = ("src/", "docs/", "README.md", "CONTRIBUTING.md")
BANNED = (
    "whoever", "nobody", "somebody", "anew", "meanwhile", "sister", "sisters", "told", "hear", "hears", "heard",
    "how-manieth",
)  # fmt: skip
# A word of an identifier is a word: only letters beside it make it another one.
WORDS = re.compile(rf"(?<![a-z])({'|'.join(BANNED)})(?![a-z])", re.IGNORECASE)

LINE_MAX = 72
# Ends the first line of a module that imports only such modules: tests/test_layers.py.
MARK = " Pure."
# Two sentences in one line.
SECOND_SENTENCE = re.compile(r"[.!?] +[A-Z`]")
VERB = re.compile(r"[A-Z][a-z]+(?:-[a-z]+)?\b")
NO_VERBS = frozenset({
    "A", "An", "The", "What", "Whether", "Who", "Whose", "Which", "When", "Where", "Why", "How", "If", "It", "This",
    "That", "There", "One", "Every", "Each", "All", "None", "No", "Not",
})  # fmt: skip
# Imperatives that end as the third person does.
VERBS_IN_S = frozenset({
    "Access", "Address", "Bypass", "Compress", "Cross", "Discuss", "Dismiss", "Express", "Focus", "Guess", "Miss",
    "Pass", "Press", "Process", "Suppress",
})  # fmt: skip

SUBJECT_MAX = 72
# The first commit that is checked, and one that is older than this check.
FIRST = "The house has wings by subject, with contracts beside their adapters"


def banned_words(text: str) -> list[str]:
    """Return the banned words of a text, each with its line."""
    return [f"{number}: {found[0]}" for number, line in enumerate(text.splitlines(), start=1)
            for found in WORDS.finditer(line)]  # fmt: skip


def first_line_faults(source: str) -> list[str]:
    """Return the first lines of docstrings that break a rule, each with its line and the rule."""
    return [f"{number}: {line!r} {fault}" for number, line, acts in _first_lines(source)
            for fault in _faults(line, acts=acts)]  # fmt: skip


def _first_lines(source: str) -> Iterator[tuple[int, str, bool]]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        docstring = ast.get_docstring(node)
        if docstring is not None:
            acts = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            yield node.body[0].lineno, docstring.partition("\n")[0].removesuffix(MARK), acts


def _faults(line: str, *, acts: bool) -> Iterator[str]:
    if len(line) > LINE_MAX:
        yield f"has {len(line)} characters"
    if not line.endswith("."):
        yield "ends without a period"
    if SECOND_SENTENCE.search(line):
        yield "is more than one sentence"
    if not acts:
        return
    verb = VERB.match(line)
    if verb is None or verb[0] in NO_VERBS or (verb[0].endswith("s") and verb[0] not in VERBS_IN_S):
        yield "begins without an imperative"


FOREIGN = (".png", ".min.js")


def long_subjects(subjects: Iterable[str]) -> list[str]:
    """Return the commit subjects that are too long."""
    return [subject for subject in subjects if len(subject) > SUBJECT_MAX]


def texts(*beginnings: str) -> dict[str, str]:
    """Return the tracked text files below some paths, as git lists them; none that others wrote."""
    listed = _git("ls-files", "-z", "--", *beginnings)
    names = [name for name in listed.split("\0") if (ROOT / name).is_file() and not name.endswith(FOREIGN)]
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in names}


def help_pages(command: click.Command, path: str, above: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """Yield the help page of a command, then those of its subcommands."""
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=above)
    yield path, command.get_help(context)
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from help_pages(inner, f"{path} {name}", context)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"git {arguments[0]} cannot answer here: {done.stderr.strip()}")
    return done.stdout


def test_no_banned_word_is_in_source_and_docs() -> None:
    pages = texts(*PAGES)
    assert pages
    assert [f"{name}:{found}" for name, text in pages.items() for found in banned_words(f"{text}\n{name}")] == []


def test_no_banned_word_is_on_a_help_page() -> None:
    pages = dict(help_pages(phasegate, "phasegate"))
    assert "phasegate alerts list" in pages
    assert [f"{path}: {found}" for path, text in pages.items() for found in banned_words(text)] == []


def test_first_lines_of_docstrings_are_short_sentences_and_those_of_functions_imperatives() -> None:
    sources = {name: text for name, text in texts("src/").items() if name.endswith(".py")}
    assert sources
    assert [f"{name}:{fault}" for name, text in sources.items() for fault in first_line_faults(text)] == []


def test_commit_subjects_are_short() -> None:
    history = [line.partition(" ") for line in _git("log", "--format=%H %s").splitlines()]
    first = next((commit for commit, _, subject in history if subject == FIRST), None)
    if first is None:
        pytest.skip(f"the history does not reach back to {FIRST!r}")
    subjects = [FIRST, *_git("log", "--format=%s", f"{first}..HEAD").splitlines()]
    assert long_subjects(subjects) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Fine.\nNobody knows.", ["2: Nobody"]),
        ("note_heard = TOLD", ["1: heard", "1: TOLD"]),
        ("the how-manieth, a sister-run; hear, hear", ["1: how-manieth", "1: sister", "1: hear", "1: hear"]),
        ("heartbeat, rehearse, a new run, hearing, tolder", []),
    ],
)
def test_a_banned_word_is_found_with_its_line_in_names_too(text: str, found: list[str]) -> None:
    assert banned_words(text) == found


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("Returns the rows.", "begins without an imperative"),
        ("What is due.", "begins without an imperative"),
        ("A fence.", "begins without an imperative"),
        ("``rows`` of a date.", "begins without an imperative"),
        ("return the rows.", "begins without an imperative"),
        ("Return the rows", "ends without a period"),
        ("Return the rows. It never fails.", "is more than one sentence"),
        (f"Return {'x' * LINE_MAX}.", f"has {LINE_MAX + 8} characters"),
    ],
)
def test_a_first_line_that_breaks_a_rule_is_found(line: str, fault: str) -> None:
    for function in (
        f'def f():\n    """{line}"""\n',
        f'class C:\n    @property\n    def _f(self):\n        """{line}"""\n',
    ):
        (found,) = first_line_faults(f'"""A module."""\n{function}')
        assert found.endswith(f"{line!r} {fault}")


def test_first_lines_of_modules_and_classes_need_no_verb_but_are_as_short() -> None:
    body = '"""{0}"""\nclass C:\n    """{0}"""\n    def __len__(self): ...\n    def f(self):\n        """Pass on."""\n'
    assert first_line_faults(body.format("The store.")) == []
    assert first_line_faults(body.format("The store. Pure.")) == []
    assert len(first_line_faults(body.format("The store of documents"))) == 2


def test_a_long_commit_subject_is_found() -> None:
    assert long_subjects(["x" * SUBJECT_MAX, "y" * (SUBJECT_MAX + 1)]) == ["y" * (SUBJECT_MAX + 1)]


def test_help_pages_of_subcommands_are_read() -> None:
    inner = click.Command("close", short_help="Close it.", help="Close what nobody needs.")
    pages = dict(help_pages(click.Group("all", commands=[inner]), "all"))
    assert [banned_words(pages[path]) != [] for path in ("all", "all close")] == [False, True]
