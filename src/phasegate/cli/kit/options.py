"""Options and help texts that commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

VALUED = ("--plan", "--state")
GLOBAL = (*VALUED, "--version")
EXIT_CODES = "Exit: 0 fine, 1 findings (something needs a person), 2 could not check, or bad input."


def example(*lines: str) -> str:
    """Return the end of a help page: the lines to type, then the exit codes."""
    shown = "\n".join(f"  {line}" for line in lines)
    return f"Example:\n\n\b\n{shown}\n\n{EXIT_CODES}"


def json_option(command: F, /) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")(command)
