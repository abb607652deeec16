"""The commands.

Each reads or changes state through the library's own services, and prints the result for people or as JSON. A command
decides nothing that the library does not: whatever a command does, your own code can do.
"""

import sys
from typing import NoReturn

from phasegate.cli.entry import run

__all__ = ["main", "run"]


def main() -> NoReturn:
    """Run the command of this process, and exit with its code."""
    sys.exit(run(sys.argv[1:]))
