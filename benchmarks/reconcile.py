"""The time and the queries of `phasegate reconcile` on ten years.

Run: python -m benchmarks reconcile. SQLite and DuckDB on disk; six phases of one step, 30 rows a date. One date is
played through the pipeline and copied to all others, with the fingerprints of their rows: so every date is correct,
except for the faults that are planted. Warehouse queries must not grow with the dates; store reads do, by one page for
500 documents. --quick: 30 dates.
"""

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from phasegate import Pipeline, Plan, connect, load_plan
from phasegate.base.dates import shift
from phasegate.base.findings import listed
from phasegate.ports import Ports
from phasegate.warehouse import Reader

FIRST = "2015-01-01"
DATES = (365, 3650)
PHASES = 6
ROWS = 30
FAULTS = ("PG002", "PG006", "PG010")


def plan() -> Plan:
    text = ['pipeline = "years"', 'timezone = "UTC"', "[phase.p0]", "[step.s0]", 'phase = "p0"', "external = true",
            'columns = { day = "DATE", id = "INTEGER", n = "INTEGER" }', 'write = "replace"', *table(0)]  # fmt: skip
    files = {}
    for number in range(1, PHASES):
        files[f"s{number}.sql"] = f"SELECT day, id, n + 1 AS n FROM t.s{number - 1} WHERE day = $run_date"
        text += [f"[phase.p{number}]", f'after = "p{number - 1}"', f"[step.s{number}]", f'phase = "p{number}"',
                 f'needs = ["p{number - 1}.s{number - 1}"]', f'sql = "s{number}.sql"', *table(number)]  # fmt: skip
    return load_plan("\n".join(text), files=files.__getitem__)


def table(number: int) -> list[str]:
    return [f'table = "t.s{number}"', 'key = ["day", "id"]', 'partition = "day"']


class Counted:
    """A warehouse or a store that counts its calls."""

    def __init__(self, inner: Any, counts: dict[str, int], verbs: Mapping[str, str]) -> None:
        self._inner, self._counts, self._verbs = inner, counts, verbs

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._verbs:
            return found
        what = self._verbs[name]

        def counted(*given: object, **named: object) -> object:
            self._counts[what] = self._counts.get(what, 0) + 1
            return found(*given, **named)

        return counted


READS = dict.fromkeys(
    ("receipts_between", "fingerprints", "repeats", "fences", "query", "count", "receipts"), "warehouse"
)


class CountedWarehouse(Counted):
    """A warehouse whose snapshots count their calls."""

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Open a snapshot that counts."""
        with self._inner.snapshot() as reader:
            yield Counted(reader, self._counts, READS)


def counting(counts: dict[str, int]) -> Callable[[Ports], Ports]:
    def wrap(ports: Ports) -> Ports:
        store = Counted(ports.store, counts, dict.fromkeys(("scan", "read", "due"), "store"))
        return replace(ports, store=store, warehouse=CountedWarehouse(ports.warehouse, counts, {}))

    return wrap


def one_date(state: Path) -> None:
    with closing(connect(plan(), state=state, log_level="none")) as pipeline:
        with pipeline.begin(f"{FIRST}.daily", step="s0") as run:
            run.write([{"day": FIRST, "id": n, "n": n * n} for n in range(ROWS)])
            run.complete()
        pipeline.work_until_idle()


def copy(state: Path, dates: Sequence[str]) -> None:
    """Copy the first date to all others: rows, receipts, fences, documents."""
    tables = [f"t.s{n}" for n in range(PHASES)]
    with closing(duckdb.connect(str(state / "warehouse.duckdb"))) as db:
        db.execute("CREATE TEMP TABLE dates AS SELECT unnest($1::VARCHAR[]) AS d", [list(dates[1:])])
        for name in tables:
            db.execute(f"INSERT INTO {name} SELECT t.* REPLACE (CAST(d AS DATE) AS day) FROM {name} t, dates")
    prints: dict[tuple[str, str], str] = {}
    with (
        closing(connect(plan(), state=state, log_level="none")) as pipeline,
        pipeline.ports.warehouse.snapshot() as reader,
    ):
        for step in pipeline.plan.steps.values():
            assert step.table is not None
            found = reader.fingerprints(step.table, first=dates[0], last=dates[-1])
            prints |= {(step.table.name, day): text for day, text in found.items()}
    first = {prints[name, FIRST]: name for name in tables}
    with closing(duckdb.connect(str(state / "warehouse.duckdb"))) as db:
        rows = [(name, day, text) for (name, day), text in prints.items() if day != FIRST]
        columns = [[row[n] for row in rows] for n in range(3)]
        db.execute("CREATE TEMP TABLE prints AS SELECT unnest($1::VARCHAR[]) AS t, unnest($2::VARCHAR[]) AS d, "
                   "unnest($3::VARCHAR[]) AS f", columns)  # fmt: skip
        db.execute("INSERT INTO phasegate.fence SELECT f.* REPLACE (d AS partition) FROM phasegate.fence f "
                   "JOIN prints ON table_name = t")  # fmt: skip
        db.execute("INSERT INTO phasegate.receipts SELECT r.* REPLACE (d AS partition, f AS fingerprint, "
                   "replace(run, $1, d) AS run, write_id || d AS write_id) FROM phasegate.receipts r "
                   "JOIN prints ON table_name = t", [FIRST])  # fmt: skip
    with closing(sqlite3.connect(state / "phasegate.db")) as store, store:
        wanted = ("phase:", "lease:")
        known = [
            row for row in store.execute("SELECT key, version, body, due FROM documents") if row[0].startswith(wanted)
        ]
        for day in dates[1:]:
            for key, version, body, due in known:
                text = body.decode() if isinstance(body, bytes) else body
                for print_, name in first.items():
                    text = text.replace(print_, prints[name, day])
                for receipt in write_ids(text):
                    text = text.replace(receipt, receipt + day)
                given = text.replace(FIRST, day)
                store.execute("INSERT INTO documents (key, version, body, due) VALUES (?, ?, ?, ?)",
                              (key.replace(FIRST, day), version, type(body)(given, "utf-8") if isinstance(body, bytes)
                               else given, due))  # fmt: skip


def write_ids(text: str) -> set[str]:
    members = json.loads(text).get("members", {})
    return {member["result"]["write_id"] for member in members.values() if member["result"]["write_id"]}


def plant(state: Path, day: str) -> None:
    """Plant the faults that must be found on the last date: FAULTS."""
    with closing(sqlite3.connect(state / "phasegate.db")) as store, store:
        key = f"phase:years:p{PHASES - 2}:{day}.daily"
        body = json.loads(store.execute("SELECT body FROM documents WHERE key = ?", (key,)).fetchone()[0])
        body |= {"firings": [], "outbox": []}
        store.execute("UPDATE documents SET body = ? WHERE key = ?", (json.dumps(body), key))
    with closing(duckdb.connect(str(state / "warehouse.duckdb"))) as db:
        db.execute(f"INSERT INTO t.s1 SELECT * FROM t.s1 WHERE day = '{day}' LIMIT 3")


class Ahead:
    """A clock an hour ahead, so that new documents are old enough to judge."""

    def now(self) -> float:
        """Return epoch seconds."""
        return time.time() + 3600.0

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float, /) -> None:
        """Wait."""
        time.sleep(seconds)


def inspect(state: Path, dates: Sequence[str]) -> tuple[float, dict[str, int], set[str]]:
    counts: dict[str, int] = {}
    pipeline: Pipeline = connect(plan(), state=state, log_level="none", clock=Ahead(), wrap=counting(counts))
    with closing(pipeline):
        counts.clear()
        begun = time.perf_counter()
        outcomes = pipeline.checks.inspector.inspect(dates[0], dates[-1])
        seconds = time.perf_counter() - begun
    errors = [outcome.error for outcome in outcomes if outcome.error]
    if errors:
        raise SystemExit(f"could not be evaluated: {errors}")
    return seconds, counts, {finding.code for finding in listed(outcomes)}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks reconcile")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(argv)
    print(f"{'dates':>6}{'documents':>11}{'seconds':>9}{'store reads':>13}{'warehouse queries':>19}  found")
    for number in (7, 30) if given.quick else DATES:
        dates = [shift(FIRST, n) for n in range(number)]
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder)
            one_date(state)
            copy(state, dates)
            for planted in (False, True):
                if planted:
                    plant(state, dates[-1])
                seconds, counts, codes = inspect(state, dates)
                if codes != set(FAULTS if planted else ()):
                    raise SystemExit(f"found {sorted(codes)} where {FAULTS if planted else 'nothing'} was planted")
                print(f"{number:>6,}{number * PHASES:>11,}{seconds:>9.2f}{counts['store']:>13}"
                      f"{counts['warehouse']:>19}  {', '.join(sorted(codes)) or 'nothing'}")  # fmt: skip


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
