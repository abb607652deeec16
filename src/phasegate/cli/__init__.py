"""The commands. Each reads or changes through the library's own services, and says it for people or as JSON.

It refuses to decide anything that the library does not: whatever a command does, your own code can do.
"""

import sys
from typing import NoReturn

from phasegate.cli.entry import run

__all__ = ["main", "run"]


def main() -> NoReturn:
    """Run the command that the process was started with, and exit as it says."""
    sys.exit(run(sys.argv[1:]))
