"""The commands.

Each reads or changes state through the library's own services, and prints the result for people or as JSON. A command
decides nothing that the library does not: whatever a command does, your own code can do.
"""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from phasegate.ports import Clock

__all__ = ["main", "run"]

STOPPED = 130


def main() -> NoReturn:
    """Run the command of this process, and exit with its code.

    Ctrl-C ends it with 130 from here on, also while its modules are imported; a second one ends it at once.
    """
    signal.signal(signal.SIGINT, _stop)
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        os.write(2, b"phasegate: stopped\n")
        code = STOPPED
    signal.signal(signal.SIGINT, _stop_at_once)  # what Python does at its end is no place for a traceback
    sys.exit(code)


def run(arguments: Sequence[str], *, clock: "Clock | None" = None) -> int:
    """Run one command and return its exit code.

    ``clock`` is for tests.
    """
    from phasegate.cli import entry  # with click: Ctrl-C during its import must find the handler of ``main``

    return entry.run(arguments, clock=clock)


def _stop(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _stop_at_once)
    raise KeyboardInterrupt


def _stop_at_once(_number: int, _frame: FrameType | None) -> None:
    os._exit(STOPPED)
