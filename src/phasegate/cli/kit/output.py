"""Output of the commands.

Data goes to standard output, messages to standard error. Tables are aligned for people; JSON is one document.
"""

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from itertools import zip_longest
from typing import TYPE_CHECKING, TextIO

import click

from phasegate.errors import Unavailable

if TYPE_CHECKING:
    from phasegate.printed.parts import PrintedJson

UNWRITTEN = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EPIPE, errno.EFBIG, errno.EDQUOT)

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


class _Aside:
    """Standard output while only data belongs there.

    It writes to standard error. ``data``: where ``emit`` writes.
    """

    def __init__(self, errors: TextIO, *, data: TextIO) -> None:
        self._errors, self.data = errors, data

    def __getattr__(self, name: str) -> object:
        return getattr(self._errors, name)


@contextmanager
def data_only() -> Iterator[None]:
    """Send what anything else prints during the block to standard error.

    Steps, calendars and the programs that they start write to standard output as they like; only ``emit`` writes the
    data of the command there.
    """
    out, err = sys.stdout, sys.stderr
    if out is None or err is None or isinstance(out, _Aside):
        yield
        return
    out.flush()
    with ExitStack() as stack:
        if _descriptor(out) == 1:
            own = os.dup(1)
            stack.callback(os.close, own)
            os.dup2(2, 1)
            stack.callback(os.dup2, own, 1)
            data: TextIO = open(own, "w", encoding=out.encoding, errors=out.errors, closefd=False)  # noqa: SIM115
            stack.callback(data.flush)
        else:
            data = out
        stack.enter_context(redirect_stdout(_Aside(err, data=data)))  # type: ignore[type-var]
        yield


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):  # a stream of a test, or of a notebook
        return None


def data_stream() -> TextIO:
    """Return where the data of a command is printed.

    Raises Unavailable if standard output is closed.
    """
    stream = sys.stdout.data if isinstance(sys.stdout, _Aside) else sys.stdout
    if stream is None:
        raise Unavailable("standard output is closed; the command has run, and what it shows could not be written")
    return stream


def coloured() -> bool:
    """Return whether to print colours.

    Only on a terminal whose user did not ask for plain text.
    """
    return data_stream().isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def emit(lines: Iterable[str], /) -> None:
    """Print data.

    A reader that closes the pipe early, such as ``head``, is no error.
    """
    text = "\n".join(lines)
    if not coloured():
        text = click.unstyle(text)
    stream = data_stream()
    encoding = stream.encoding or "utf-8"
    text = text.encode(encoding, errors="backslashreplace").decode(encoding)
    try:
        stream.write(f"{text}\n" if text else "")
        stream.flush()
    except BrokenPipeError:
        _silence(stream)
    except OSError as e:
        _silence(stream)
        raise Unavailable(unwritten(e)) from None


def _silence(stream: TextIO) -> None:
    """Point a stream to nowhere, since Python flushes it again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def unwritten(error: OSError, /) -> str:
    """Return, in words, why the data of a command was not written."""
    if sys.stdout is not None and not isinstance(sys.stdout, _Aside) and _descriptor(sys.stdout) is not None:
        _silence(sys.stdout)
    return f"standard output cannot be written: {error.strerror}; the command has run, and its data is lost"


def emit_json(value: "PrintedJson", /) -> None:
    """Print one JSON document."""
    import json

    from msgspec import to_builtins

    emit([json.dumps(to_builtins(value), indent=2, ensure_ascii=False)])


def talk(text: str, /) -> None:
    """Print one line to standard error, after the name of the program."""
    try:
        sys.stderr.write(f"phasegate: {one_line(text)}\n")
        sys.stderr.flush()
    except (OSError, AttributeError):  # there is no standard error: the exit code is all that is left
        return


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
