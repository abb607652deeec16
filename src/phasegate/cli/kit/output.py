"""Output of the commands.

Data goes to standard output, messages to standard error. Tables are aligned for people; JSON is one document.
"""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

import click

COLOURS = {
    "complete": "green", "fresh": "green",
    "dead": "red", "degraded": "red", "overdue": "red",
    "building": "yellow", "sending": "yellow", "settling": "yellow", "waiting": "yellow",
    "asked": "yellow", "parked": "yellow", "blocked": "yellow", "unreported": "yellow",
    "partial": "yellow",
    "paused": "cyan", "void": "cyan",
}  # fmt: skip
GAP = "  "
LIST_MAX = 44


def coloured() -> bool:
    """Return whether to print colours.

    Only on a terminal whose user did not ask for plain text.
    """
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def emit(lines: Iterable[str], /) -> None:
    """Print data.

    A reader that closes the pipe early, such as ``head``, is no error.
    """
    text = "\n".join(lines)
    if not coloured():
        text = click.unstyle(text)
    try:
        sys.stdout.write(f"{text}\n" if text else "")
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes again when the process ends: that must not hit the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def emit_json(value: Mapping[str, object], /) -> None:
    """Print one JSON document."""
    import json

    emit([json.dumps(value, indent=2, ensure_ascii=False)])


def talk(text: str, /) -> None:
    """Print one line to standard error, after the name of the program."""
    sys.stderr.write(f"phasegate: {one_line(text)}\n")
    sys.stderr.flush()


def one_line(text: str, /) -> str:
    r"""Return a text as one line.

    >>> one_line("a\n  b")
    'a b'
    """
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def paint(word: str, /) -> str:
    """Return a state in its colour."""
    return click.style(word, fg=COLOURS[word]) if word in COLOURS else word


def table(header: Sequence[str], rows: Sequence[Sequence[str]], /) -> list[str]:
    r"""Return aligned lines; the last column is not padded.

    A cell may have several lines.

    >>> table(["a", "b"], [["1", "x"], ["100", "y\nz"]])
    ['a    b', '1    x', '100  y', '     z']
    """
    lines = [list(header)]
    for row in rows:
        lines += [list(line) for line in zip_longest(*(cell.split("\n") for cell in row), fillvalue="")]
    widths = [max(len(click.unstyle(line[column])) for line in lines) for column in range(len(header))]
    return [
        GAP.join(
            cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]


def count(number: int, noun: str, /, plural: str = "") -> str:
    """Return a number with its noun.

    >>> count(1, "run"), count(2, "run")
    ('1 run', '2 runs')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def stacked(found: Sequence[str], /) -> str:
    """Return a whole list for a column.

    In one line if it is short, else a line each.

    >>> stacked(["a", "b"])
    'a, b'
    """
    line = ", ".join(found)
    return line if len(line) <= LIST_MAX else ",\n".join(found)


def names(found: Sequence[str], /, *, shown: int = 2) -> str:
    """Return a list that fits a column.

    >>> names(["a", "b", "c", "d"])
    'a, b +2'
    """
    rest = len(found) - shown
    return ", ".join(found[:shown]) + (f" +{rest}" if rest > 0 else "")
