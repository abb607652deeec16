"""The PostgreSQL servers of benchmarks: those of the tests, with each commit on the disk."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.postgres import PostgresServer, packaged_server, system_server

SERVERS = {"system": system_server, "packaged": packaged_server}


@contextmanager
def durable_server(name: str = "system") -> Iterator[PostgresServer]:
    """Run a server of a benchmark's own, with fsync on and its files on the disk.

    Ends the process with the reason where there is no server: with 0 at home, with 1 in CI.
    """
    try:
        with SERVERS[name](durable=True) as server:
            yield server
    except pytest.skip.Exception as missing:
        print(missing)
    except pytest.fail.Exception as missing:
        sys.exit(str(missing))
