"""How long one write into DuckDB takes, from staging to commit.

Run: python -m benchmarks writes. 350 rows of 40 columns, half of them floats, as a step's partition has them: written
into an empty partition, written again unchanged, written with each row changed, and merged. Then 1e6 rows of 6 columns
from a SELECT into a table of 1e7, in a partition of their own, and written over. Medians, with the statements of one
write. --rounds N: default 15. --quick: three rounds, and a hundredth of the rows.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec.structs import replace

from phasegate.base.receipt import Receipt
from phasegate.base.table import Draft, Table
from phasegate.warehouse import Params, Row, Warehouse, Write, Written
from phasegate.warehouses.duckdb.session import DuckDBSession
from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse
from phasegate.warehouses.postgres.session import PostgresSession
from phasegate.warehouses.postgres.warehouse import PostgresWarehouse

DAY, STORE, ROWS = "2026-02-03", "bench", 350
FLOATS = tuple(f"f{number}" for number in range(20))
INTEGERS = tuple(f"i{number}" for number in range(12))
TEXTS = tuple(f"t{number}" for number in range(6))
WIDE = Table(
    name="bench.wide",
    key=("day", "player"),
    partition="day",
    columns={"day": "DATE", "player": "VARCHAR", **dict.fromkeys(FLOATS, "DOUBLE"),
             **dict.fromkeys(INTEGERS, "INTEGER"), **dict.fromkeys(TEXTS, "VARCHAR")},
)  # fmt: skip
MERGED = replace(WIDE, name="bench.merged", write="merge", version="i0")
LONG = Table(
    name="bench.long",
    key=("day", "id"),
    partition="day",
    columns={"day": "DATE", "id": "BIGINT", "points": "INTEGER", "ratio": "DOUBLE", "share": "DOUBLE",
             "name": "VARCHAR"},
)  # fmt: skip
SQL = """SELECT $day::DATE AS day, range AS id, (range % 50 + $more)::INTEGER AS points, range / 7.0 AS ratio,
    range / 13.0 AS share, 'player ' || range % 1000 AS name FROM range($first::BIGINT, $last::BIGINT)"""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks writes")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=15, metavar="N")
    parser.add_argument("--at", metavar="URL", help="write the small ones into this empty database of PostgreSQL")
    given = parser.parse_args(argv)
    rounds = 3 if given.quick else given.rounds
    print(f"{'one write, medians':<44}{'stage ms':>10}{'commit ms':>11}{'all ms':>9}{'CPU ms':>9}{'statements':>12}")
    if given.at:
        with closing(PostgresWarehouse(given.at)) as server:
            small(Writes(server), rounds=rounds)
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(DuckDBWarehouse(Path(folder) / "writes.duckdb", hold_ms=3_600_000)) as warehouse,
    ):
        small(Writes(warehouse), rounds=rounds)
        large(Writes(warehouse), rows=10_000 if given.quick else 1_000_000, rounds=3)


Taken = tuple[float, float, float, int]


class Writes:
    """Writes of one warehouse, timed and counted."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse, self._token = warehouse, 0

    def write(self, table: Table, day: str, *, rows: list[Row] | None = None, params: Params | None = None) -> Taken:
        """Write a partition; return the seconds of staging, commit and processor, and the statements."""
        self._token += 1
        sql = None if rows is not None else SQL
        bound = {"day": day, **(params or {})}
        self._warehouse.prepare(Draft(table=table, sql=""), partition=day, store_id=STORE, params=bound)
        with counted() as statements:
            begun, worked = time.perf_counter(), time.process_time()
            with self._warehouse.stage(
                table, partition=day, version_max=4e9, sql=sql, params=bound, rows=rows or ()
            ) as staging:
                staged = time.perf_counter()
                receipt = Receipt(write_id=f"w{self._token}", table=table.name, partition=day, run="r", step="s",
                                  token=self._token, fingerprint="", built_from={}, rows_in=staging.counts.rows,
                                  duplicates=staging.counts.duplicates)  # fmt: skip
                job = Write(table=table, receipt=receipt, store_id=STORE, holders=("h",))
                answer = self._warehouse.commit(job, staging)
                assert isinstance(answer, Written), answer
        done, spent = time.perf_counter(), time.process_time() - worked
        return staged - begun, done - staged, spent, len(statements)


@contextmanager
def counted() -> Iterator[list[str]]:
    """Count the statements of DuckDB or PostgreSQL during a block.

    Those that begin and end its transactions are left out.
    """
    said: list[str] = []
    places: list[tuple[type, str]] = [(DuckDBSession, "run"), (PostgresSession, "_do")]
    before = [getattr(*place) for place in places]

    def counting(right: Callable[..., object]) -> Callable[..., object]:
        def run(self: object, sql: str, *args: object, **kwargs: object) -> object:
            said.append(sql)
            return right(self, sql, *args, **kwargs)

        return run

    for (session, name), right in zip(places, before, strict=True):
        setattr(session, name, counting(right))
    try:
        yield said
    finally:
        for (session, name), right in zip(places, before, strict=True):
            setattr(session, name, right)


def wide_rows(day: str, *, more: int) -> list[Row]:
    """Return 350 rows whose cells differ with ``more``."""
    return [
        {
            "day": day, "player": f"player {n}", **{name: (n + more) / (i + 3) for i, name in enumerate(FLOATS)},
            **{name: n + more + i for i, name in enumerate(INTEGERS)}, **{name: f"text {n} {name}" for name in TEXTS},
        }
        for n in range(ROWS)
    ]  # fmt: skip


def small(writes: Writes, *, rounds: int) -> None:
    """Write 350 rows of 40 columns, ``rounds`` dates."""
    days = [f"2026-03-{number + 1:02}" for number in range(rounds)]
    shapes: dict[str, Callable[[str], Taken]] = {
        "350 rows into an empty partition": lambda day: writes.write(WIDE, day, rows=wide_rows(day, more=0)),
        "350 rows, all as they are": lambda day: writes.write(WIDE, day, rows=wide_rows(day, more=0)),
        "350 rows, all changed": lambda day: writes.write(WIDE, day, rows=wide_rows(day, more=1)),
        "350 rows merged into an empty partition": lambda day: writes.write(MERGED, day, rows=wide_rows(day, more=0)),
        "350 rows merged, all changed": lambda day: writes.write(MERGED, day, rows=wide_rows(day, more=1)),
    }
    for name, write in shapes.items():
        show(name, [write(day) for day in days])


def large(writes: Writes, *, rows: int, rounds: int) -> None:
    """Write partitions of ``rows`` rows into a table of ten of them."""
    for number in range(10):
        writes.write(LONG, f"2026-01-{number + 1:02}", params={"first": 0, "last": rows, "more": 0})
    days = [f"2026-02-{number + 1:02}" for number in range(rounds)]
    label = f"{rows:,} rows into {10 * rows:,}"
    show(label, [writes.write(LONG, day, params={"first": 0, "last": rows, "more": 0}) for day in days])
    show(f"{label}, all changed", [writes.write(LONG, day, params={"first": 0, "last": rows, "more": 1})
                                   for day in days])  # fmt: skip


def show(name: str, taken: list[Taken]) -> None:
    stage, commit, worked = (statistics.median(one[part] for one in taken) * 1000 for part in range(3))
    both = statistics.median(one[0] + one[1] for one in taken) * 1000
    print(f"{name:<44}{stage:>10.1f}{commit:>11.1f}{both:>9.1f}{worked:>9.1f}{taken[-1][3]:>12}")
