"""The glossary, and every word that documents, messages, checks and commands use."""

import ast
import importlib
import pkgutil
import re
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import msgspec

import phasegate
from phasegate.base.codec import State

Row = tuple[str, str, str]
"""Subject, words, meaning."""

# Packages whose structs are stored or sent, or shown by a command.
PACKAGES = (
    "alerts",
    "base",
    "buses",
    "calendar",
    "channel",
    "check",
    "credentials",
    "explain",
    "gate",
    "messages",
    "plan",
    "steplog",
    "work",
    "write",
)


def table_of(docstring: str) -> list[Row]:
    """Read the table of a module's docstring."""
    bar = re.search(r"^(=+) =+$", docstring, re.MULTILINE)
    assert bar is not None, "no table"
    width, rows, subject = len(bar[1]), list[Row](), ""
    for line in docstring.split(bar[0])[1].strip("\n").split("\n"):
        words, meaning = line[:width].strip(), line[width:].strip().replace("``", "`")
        if words.startswith("*"):
            subject = line.strip("*")
        elif words:
            rows.append((subject, words, meaning))
        else:
            rows[-1] = (*rows[-1][:2], f"{rows[-1][2]} {meaning}")
    return rows


def table_of_page(page: str) -> list[Row]:
    """Read the tables of the page, one for each subject."""
    rows, subject = list[Row](), ""
    for line in page.split("\n"):
        if line.startswith("## "):
            subject = line[3:]
        elif (found := re.fullmatch(r"\| (.+?) \| (.+) \|", line)) and found[1] != "word":
            rows.append((subject, found[1], found[2]))
    return rows


def words_of(rows: Sequence[Row]) -> set[str]:
    """Return the single words of a glossary."""
    return {word for _, words, _ in rows for word in words.split(", ")}


def modules() -> Iterator[ModuleType]:
    """Import the modules whose words are checked."""
    for found in pkgutil.walk_packages(phasegate.__path__, "phasegate."):
        if found.name.split(".")[1] in PACKAGES:
            yield importlib.import_module(found.name)


def structs(of: Sequence[ModuleType]) -> set[type[msgspec.Struct]]:
    """Return the documents, the messages and all structs inside them."""
    known = [one for module in of for one in vars(module).values() if isinstance(one, type)]
    found = {one for one in known if issubclass(one, State) or one.__module__ == "phasegate.messages"}
    left = [one for one in found if issubclass(one, msgspec.Struct)]
    every: set[type[msgspec.Struct]] = set()
    while left:
        one = left.pop()
        every.add(one)
        left += [inner for inner in _structs_in(typing.get_type_hints(one).values()) if inner not in every]
    return every


def _structs_in(types: typing.Iterable[object]) -> Iterator[type[msgspec.Struct]]:
    for one in types:
        if isinstance(one, type) and issubclass(one, msgspec.Struct):
            yield one
        yield from _structs_in(typing.get_args(one))


def literals(kind: object) -> set[str]:
    """Return the words of every Literal within a type."""
    if typing.get_origin(kind) is typing.Literal:
        return {word for word in typing.get_args(kind) if isinstance(word, str) and word}
    return set().union(*map(literals, typing.get_args(kind)))


def values_of(struct: type[msgspec.Struct]) -> set[str]:
    """Return the words that the fields of a struct may hold, and its kind."""
    tag = struct.__struct_config__.tag
    hints = typing.get_type_hints(struct)
    return set().union(*map(literals, hints.values()), {tag} if isinstance(tag, str) else set())


def outcomes(source: Path) -> set[str]:
    """Return the outcomes that the decisions in a file answer, and the commands that they decide."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text())):
        answer: ast.expr | None = None
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            answer = node.value.elts[-1]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "command":
            answer = node.args[0]
        branches = [answer.body, answer.orelse] if isinstance(answer, ast.IfExp) else [answer]
        found |= {one.value for one in branches if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return found


def lacking(used: typing.Iterable[str], *, known: set[str]) -> set[str]:
    """Return the words that a glossary lacks; "no_work" and "NO WORK" are "no work"."""
    return {word for word in used if word.lower().replace("_", " ") not in known}


def lacking_fields(names: typing.Iterable[str], *, known: set[str], plain: set[str]) -> set[str]:
    """Return the field names with a word that is neither known nor plain; "requests" is known with "request"."""
    left = {name for name in names if not {name.replace("_", " "), _whole(name)} & known}
    return {name for name in left if not all(_is_known(word, known | plain) for word in name.split("_"))}


def _whole(name: str) -> str:
    return re.sub(r"_(at|by|from|id|max|s|since)$", "", name.removesuffix("_max_s")).replace("_", " ")


def _is_known(word: str, known: set[str]) -> bool:
    return bool({word, word.removesuffix("s"), word.removesuffix("es")} & known)
