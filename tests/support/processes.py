"""Processes that share a DuckDB file with a test."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from msgspec.structs import replace

from phasegate.base.receipt import Part
from phasegate.errors import Ambiguous, Conflict
from phasegate.testing.warehouse_rows import DAY, GAMES, fence, staging, write_of
from phasegate.warehouse import FenceRefused, InputRead, SeenInput, Written
from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse
from tests.support.real_data import ROOT

PART = Part(GAMES.name, DAY)
# What every process of these tests starts with: it takes the path, counts up, tells where it is and waits for a line.
PRELUDE = """
import sys
from phasegate.errors import Conflict, PhasegateError
from phasegate.testing.warehouse_rows import DAY, GAMES, STORE, game, prepare, staging, write, write_of
from tests.support.processes import count_up_once
from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse
from phasegate.base.receipt import Part
path = sys.argv[1]
warehouse = DuckDBWarehouse(path, lock_timeout_s=60)
PART = Part(GAMES.name, DAY)

def tell(word):
    print(word, flush=True)
    sys.stdin.readline()

def count_up(make=True):
    if make:
        prepare(warehouse, GAMES)
    while True:
        try:
            return count_once()
        except Conflict:
            pass

def count_once():
    count_up_once(warehouse)
"""


@contextmanager
def process(path: Path, code: str, *, says: str = "") -> Iterator[subprocess.Popen[str]]:
    """Run code in a process of its own; wait until it says a word."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(code), str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as started:
        try:
            if says:
                assert started.stdout is not None
                assert started.stdout.readline().strip() == says
            yield started
        finally:
            started.kill()


def count_up_once(warehouse: DuckDBWarehouse) -> None:
    """Write one more than is there, by what was read at the staging; raise Conflict if it changed."""
    read = InputRead(table=GAMES, first=DAY, last=DAY)
    sql = (
        f"SELECT game_date, player, points + 1 AS points, ratio, note FROM {GAMES.name} UNION ALL "
        f"SELECT DATE '{DAY}', 'a', 1, 0.5, '' WHERE NOT EXISTS (SELECT 1 FROM {GAMES.name})"
    )
    with staging(warehouse, GAMES, sql=sql, reads=[read]) as staged:
        seen = SeenInput(name="points", read=read, stamps=staged.stamps[0])
        held = fence(warehouse, PART)
        job = write_of(GAMES, staged, write_id=uuid4().hex, token=max(1, held.token if held else 0))
        job = replace(job, inputs=(seen,))
        try:
            answer = warehouse.commit(job, staged)
        except Ambiguous as error:
            if warehouse.find_write(job.receipt.write_id) is None:
                raise Conflict(str(error)) from error
            return
    assert not isinstance(answer, FenceRefused), answer
    if not isinstance(answer, Written):
        raise Conflict(str(answer))


def points(warehouse: DuckDBWarehouse) -> list[object]:
    with warehouse.snapshot() as reader:
        return [row["points"] for row in reader.query(f"SELECT points FROM {GAMES.name} ORDER BY ALL", {})]
