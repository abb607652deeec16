"""TOML with line numbers: ``tomllib``, and where each key is.

It refuses nothing but broken syntax; the keys are checked by plan.load and settings. Pure.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import TypeAlias, cast

import msgspec

from phasegate.base.wording import listed
from phasegate.errors import BadInput

CHARS_MAX = 1_000_000
SHOWN_CHARS_MAX = 80
KNOWN_MAX = 20

Place: TypeAlias = tuple[str | int, ...]

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_START = re.compile(rf"[ \t]*(\[\[?)?[ \t]*({_KEY}(?:[ \t]*\.[ \t]*{_KEY})*)")
_TOKEN = re.compile(
    r"""\#[^\n]* | \"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' | [\[\]{}\n]""",
    re.DOTALL | re.VERBOSE,
)
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
# How tomllib's messages begin -> what is wrong, and the fix. Texts of other versions of Python fall through.
_FIXES = (
    (r"Cannot declare \((.*?),?\) twice", r"the table {0} is written twice; rename or remove one"),
    (r"Cannot (?:overwrite|mutate|redefine)", "this key or table is written twice; remove one"),
    (r"Duplicate inline table key (.*)", "the key {0} is written twice; remove one"),
    (r"Expected '=' after", 'no "=" after the key; write: key = value'),
    (r"Expected '\]\]?' at the end", "the table's name is not closed; write: [step.name]"),
    (r"Unclosed array", 'a list is not closed; add "]", and commas between its items'),
    (r"Unclosed inline table", 'a table is not closed; add "}}", and write it on one line'),
    (r"Unterminated string|Illegal character '\\n'|Expected '\"'", "a string is not closed; add the quote at its end"),
    (r"Unescaped '\\+' in a string", "a backslash stands alone in a string; put single quotes round the string"),
    (r"Illegal character", "a character that cannot be seen stands here; remove it"),
    (r"Invalid value", 'not a value; put quotes round text: key = "text"'),
    (
        r"Invalid initial character for a key part",
        "a key is missing, or needs quotes; write: key = value ({{ … }} stands on one line, no comma at its end)",
    ),
    (r"Expected newline or end of document", "more follows after the value; begin a new line for the next key"),
)


class Toml(msgspec.Struct, frozen=True):
    """A parsed text: its body, and the line of each key."""

    name: str
    body: dict[str, object]
    lines: dict[Place, int]

    def line(self, place: Place, /) -> int:
        """Return the line of a key.

        A key without a line of its own has that of the nearest thing round it.
        """
        for end in range(len(place), 0, -1):
            if place[:end] in self.lines:
                return self.lines[place[:end]]
        return 1

    def error(self, place: Place, /, text: str, *, at: Place | None = None) -> BadInput:
        """Return the one-line refusal ``file:line: place: text``.

        The line is that of ``at``, else of the place.
        """
        label = spell_place(place)
        line = self.line(place if at is None else at)
        return BadInput(f"{self.name}:{line}: {label + ': ' if label else ''}{text}")


def parse(text: str, *, name: str) -> Toml:
    r"""Read a TOML text and the lines of its keys.

    Raises BadInput in one line, with the fix.
    >>> parse("a = 1\n[b]\nc = [\n  2,\n]", name="x.toml").line(("b", "c"))
    3
    >>> parse("a = yes", name="x.toml")
    Traceback (most recent call last):
    ...
    phasegate.errors.BadInput: x.toml:1: not a value; put quotes round text: key = "text" (column 5)
    """
    text = text.removeprefix("\ufeff")
    if len(text) > CHARS_MAX:
        raise BadInput(f"{name}:1: {len(text)} characters, at most {CHARS_MAX} are read; is this the right file?")
    try:
        body = tomllib.loads(text)
    except ValueError as e:
        raise _syntax_error(e, text=text, name=name) from None
    except RecursionError:
        raise BadInput(f"{name}:1: lists or tables are nested too deeply; flatten them") from None
    return Toml(name, body, _find_lines(text))


def suggest(word: str, *, known: Iterable[str]) -> str:
    """Return how to fix an unknown name: the nearest known one, and all.

    >>> suggest("tabel", known=["table", "key"])
    '; did you mean "table"? known: key, table'
    """
    from difflib import get_close_matches  # an error pays for it, a plan that is right does not

    names = sorted(known)
    close = get_close_matches(word, names, n=1)
    hint = f" did you mean {spell(close[0])}?" if close else ""
    return f";{hint} known: {listed(names, most=KNOWN_MAX) or 'none'}"


def spell(value: object, /) -> str:
    r"""Spell a value as TOML does, in one short line.

    Lists and tables are named by their kind.

    >>> spell("a\n"), spell(True), spell([1])
    ('"a\\n"', 'true', 'a list')
    """
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return text if len(text) <= SHOWN_CHARS_MAX else text[: SHOWN_CHARS_MAX - 2] + "…" + text[-1]


def spell_place(place: Place, /) -> str:
    """Return the spelling of a place in a plan.

    >>> spell_place(("phase", "raw", "sends", 0, "ack")), spell_place(("pipeline",))
    ('[phase.raw] sends[0].ack', 'pipeline')
    >>> spell_place(("alerts", "quiet")), spell_place(("alerts", "channel", "ops", "kind"))
    ('[alerts] quiet', '[alerts.channel.ops] kind')
    """
    bare = [f"[{p}]" if isinstance(p, int) else p if re.fullmatch(r"[\w-]+", p) else spell(p) for p in place]
    if len(bare) < 2:
        return "".join(bare)
    table = 2 if place[0] != "alerts" else 3 if place[1] == "channel" and len(place) > 2 else 1
    rest = ".".join(bare[table:]).replace(".[", "[")
    return f"[{'.'.join(bare[:table])}]{' ' + rest if rest else ''}"


def _syntax_error(error: ValueError, *, text: str, name: str) -> BadInput:
    """Return tomllib's error in our words: line, what is wrong, the fix."""
    message = str(error)
    position = _POSITION.search(message)
    last = text.count("\n") + 1
    line = int(position[1]) if position and position[1] else last
    column = f" (column {position[2]})" if position and position[2] else ""
    message = message[: position.start()] if position else message
    begun = max((start for start, _ in _statements(text) if start <= line), default=line)
    if begun < line and message.startswith("Invalid value"):
        wrong = f'not a value; close the list of line {begun} with "]", or put quotes round text'
        return BadInput(f"{name}:{line}: {wrong}{column}")
    if not column or message.startswith("Unclosed"):
        # The line where the unclosed thing begins helps more than the one where parsing stopped.
        line, column = begun, ""
    for pattern, fix in _FIXES:
        found = re.match(pattern, message)
        if found:
            groups = (group.replace("', '", ".").replace("'", '"') for group in found.groups())
            return BadInput(f"{name}:{line}: {fix.format(*groups)}{column}")
    text = message[:1].lower() + message[1:]
    return BadInput(f"{name}:{line}: TOML: {text}{column}; see https://toml.io/en/v1.0.0")


def _statements(text: str, /) -> Iterator[tuple[int, int]]:
    """Yield line and offset of each line that begins a statement.

    Lines within a string, list or table do not.
    """
    depth, line = 0, 1
    yield 1, 0
    for token in _TOKEN.finditer(text):
        found = token[0]
        if found in ("[", "{"):
            depth += 1
        elif found in ("]", "}"):
            depth = max(0, depth - 1)
        line += found.count("\n")
        if found == "\n" and depth == 0:
            yield line, token.end()


def _find_lines(text: str, /) -> dict[Place, int]:
    """Return the line of each table and key of a valid text."""
    lines: dict[Place, int] = {}
    seen: dict[Place, int] = {}
    table: Place = ()
    for line, offset in _statements(text):
        found = _START.match(text, offset)
        if found is None:
            continue
        place = _parts(found[2])
        if found[1] == "[[":
            seen[place] = seen.get(place, -1) + 1
            lines.setdefault(place, line)
            table = place = (*place, seen[place])
        elif found[1] == "[":
            table = place
        else:
            place = (*table, *place)
        for end in range(1, len(place) + 1):
            lines.setdefault(place[:end], line)
    return lines


def _parts(key: str, /) -> Place:
    """Return the parts of a dotted, perhaps quoted, key."""
    parts: list[str] = []
    inner: object = tomllib.loads(f"{key} = 0")
    while isinstance(inner, dict):
        ((part, inner),) = cast("dict[str, object]", inner).items()
        parts.append(part)
    return tuple(parts)
