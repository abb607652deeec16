"""Processes that share a DuckDB file with a test."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phasegate.base.receipt import Part
from phasegate.testing.warehouse_rows import DAY, GAMES
from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse

PART = Part(GAMES.name, DAY)
# What every process of these tests starts with: it takes the path, counts up, tells where it is and waits for a line.
PRELUDE = """
import sys
from phasegate.errors import Conflict, PhasegateError
from phasegate.testing.warehouse_rows import DAY, GAMES, STORE, game, rows_of, write
from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse
from phasegate.base.receipt import Part
path = sys.argv[1]
warehouse = DuckDBWarehouse(path, lock_timeout_s=60)
PART = Part(GAMES.name, DAY)

def tell(word):
    print(word, flush=True)
    sys.stdin.readline()

def count_up(prepare=True):
    if prepare:
        warehouse.prepare(GAMES, partition=DAY, store_id=STORE)
    while True:
        try:
            return count_once()
        except Conflict:
            pass

def count_once():
    with warehouse.transaction() as tx:
        tx.change_fence(PART, token=1, store_id=STORE, holders=("h",))
        points = sum(row["points"] for row in tx.query(f"SELECT points FROM {GAMES.name}", {}))
        rows_of(tx, GAMES, [game("a", points + 1)])
        tx.replace(GAMES, partition=DAY, token=1)
"""


@contextmanager
def process(path: Path, code: str, *, says: str = "") -> Iterator[subprocess.Popen[str]]:
    """Run code in a process of its own; wait until it says a word."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(code), str(path)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as started:
        try:
            if says:
                assert started.stdout is not None
                assert started.stdout.readline().strip() == says
            yield started
        finally:
            started.kill()


def points(warehouse: DuckDBWarehouse) -> list[object]:
    with warehouse.snapshot() as reader:
        return [row["points"] for row in reader.query(f"SELECT points FROM {GAMES.name} ORDER BY ALL", {})]
