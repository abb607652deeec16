"""The PostgreSQL servers of benchmarks: those of the tests, with each commit on the disk."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.postgres import PostgresServer, packaged_server, system_server

SERVERS = {"system": system_server, "packaged": packaged_server}


class NoServer(Exception):
    """There is no such server here, and it need not be: the text says why."""


@contextmanager
def durable_server(name: str = "system") -> Iterator[PostgresServer]:
    """Run a server of a benchmark's own, with fsync on and its files on the disk.

    Raises NoServer where there is none; in CI, where there must be one, the process ends with 1.
    """
    with ExitStack() as stack:
        try:
            server = stack.enter_context(SERVERS[name](durable=True))
        except pytest.skip.Exception as missing:
            raise NoServer(str(missing)) from None
        except pytest.fail.Exception as missing:
            sys.exit(str(missing))
        yield server
