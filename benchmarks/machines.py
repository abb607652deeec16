"""How much sooner two machines build a span of a season than one.

Run: python -m benchmarks machines. A machine here is a worker process with a folder of its own: its state, its
phasegate.toml, no file that another one opens; one PostgreSQL has the documents, the messages and the tables. The raw
rows of the dates are brought in once. Each arrangement has a copy of that database, and is timed from the moment at
which its machines are up and see the first date, until nothing of the last one is due; as in a season, a date comes
when the one before has been built. They follow each other, round after round. With NBA_DATA (default ../shared/nba): a
week of January 2025; without it, or with --quick, a synthetic night. --first and --last: other dates. --rounds N:
default 3.

Exits with 1 if a table of an arrangement has another digest than that of the first.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import psycopg

import phasegate
from benchmarks.disturbed import settled_in
from benchmarks.servers import SERVERS, durable_server
from benchmarks.sources import NIGHT, chosen
from benchmarks.startup import SCRIPT, processor_s
from nba_props import PLAN
from nba_props.replay.runner import Runner
from nba_props.sources import Source
from phasegate.settings import load_settings
from tests.support.postgres import PostgresServer

SPAN = (date(2025, 1, 1), date(2025, 1, 7))
# name -> machines, threads of each
ARRANGEMENTS: Mapping[str, tuple[int, int]] = {
    "one machine": (1, 1),
    "one machine, two threads": (1, 2),
    "two machines": (2, 1),
}
LOOK_S, END_S_MAX = 0.1, 1800.0
# What waits for nothing but its daily look, or for its calendar, is not due.
DUE = "SELECT count(*) FROM phasegate.documents WHERE due < extract(epoch FROM now()) + 3600 AND key NOT LIKE 'cal%'"
# The work is hidden until every machine is up and listens.
HIDE = """CREATE TABLE hidden AS SELECT key, due FROM phasegate.documents WHERE due IS NOT NULL;
    UPDATE phasegate.documents SET due = NULL"""
SHOW = """UPDATE phasegate.documents AS d SET due = hidden.due FROM hidden
    WHERE hidden.key = d.key AND hidden.key LIKE %s"""
POKE = "SELECT pg_notify('phasegate', 'poke')"
LISTENING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
WRITES = "SELECT count(*) FROM phasegate.receipts"
SETTINGS = """[phasegate]
store = "{url}"
warehouse = "{url}"
plan = "{plan}"
state = "{state}"
log_level = "notable"
"""

Digests = dict[str, tuple[int, str]]


@dataclass
class Taken:
    """What the rounds of one arrangement took, in seconds, and how many results each machine has built."""

    elapsed: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks machines")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--first", type=date.fromisoformat, default=SPAN[0])
    parser.add_argument("--last", type=date.fromisoformat, default=SPAN[1])
    parser.add_argument("--server", choices=sorted(SERVERS), default="system")
    given = parser.parse_args(argv)
    source, real = chosen(quick=given.quick)
    first, last = (given.first, given.last) if real else NIGHT
    taken = {name: Taken() for name in ARRANGEMENTS}
    with durable_server(given.server) as server:
        brought = bring(server, source, span=(first, last))
        wanted: Digests = {}
        for _ in range(1 if given.quick else given.rounds):
            for name, arrangement in ARRANGEMENTS.items():
                found = build(server, brought, arrangement=arrangement, taken=taken[name])
                wanted = wanted or found
                if found != wanted:
                    taken[name].wrong.append(f"{name}: the tables are not those of {next(iter(ARRANGEMENTS))}")
        show(taken, dates=len(brought.days))
    if wrong := [text for one in taken.values() for text in one.wrong]:
        sys.exit("\n".join(wrong))


def show(taken: Mapping[str, Taken], *, dates: int) -> None:
    base = taken["one machine"]
    print(f"{f'{dates} dates, medians':<28}{'seconds':>10}{'of one':>8}{'dates a minute':>16}{'CPU s':>8}{'writes':>8}")
    for name, one in taken.items():
        seconds = statistics.median(one.elapsed)
        ratio = statistics.median(a / b for a, b in zip(one.elapsed, base.elapsed, strict=True))
        print(f"{name:<28}{seconds:>10.1f}{ratio:>8.2f}{60 * dates / seconds:>16.1f}"
              f"{statistics.median(one.worked):>8.1f}{statistics.median(one.writes):>8.0f}")  # fmt: skip


@dataclass(frozen=True)
class Brought:
    """A database with the raw rows of these dates, and the work that follows from them."""

    database: str
    days: tuple[date, ...]


def bring(server: PostgresServer, source: Source, *, span: tuple[date, date]) -> Brought:
    """Bring the raw rows of the dates into a database."""
    url = server.url()
    with tempfile.TemporaryDirectory() as state, settled_in(store=url, warehouse=url):
        runner = Runner(source, state=Path(state))
        try:
            days = runner.bring(*span)
        finally:
            runner.close()
    return Brought(url.rpartition("/")[2], tuple(days))


def build(server: PostgresServer, brought: Brought, *, arrangement: tuple[int, int], taken: Taken) -> Digests:
    """Build the dates in a copy of the database; add what it took, return the digests of the tables."""
    machines, threads = arrangement
    name = f"{brought.database}_{time.monotonic_ns()}"
    server.sql(f"CREATE DATABASE {name} TEMPLATE {brought.database}")
    url = server.address(name)
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PHASEGATE_")}
    with tempfile.TemporaryDirectory() as folder, psycopg.connect(url, autocommit=True) as looking:
        before, spent = count(looking, WRITES), processor_s()
        looking.execute(HIDE.encode())
        running = [
            started(Path(folder) / f"machine-{number}", url, threads=threads, environ=environ)
            for number in range(machines)
        ]
        wait(lambda: count(looking, LISTENING) == machines, running, taken)
        begun = time.perf_counter()
        for day in brought.days:
            looking.execute(SHOW.encode(), (f"%{day}%",))
            looking.execute(POKE)
            wait(lambda: not count(looking, DUE), running, taken)
        taken.elapsed.append(time.perf_counter() - begun)
        for process in running:
            process.terminate()
            text = process.communicate()[1]
            taken.wrong += [text] if process.returncode not in (0, 1) else []
        taken.worked.append(processor_s() - spent)
        taken.writes.append(count(looking, WRITES) - before)
        overrides = {"store": url, "warehouse": url, "state": Path(folder), "log_level": "none"}
        settings = load_settings(environ, file=Path(folder) / "no.toml", overrides=overrides)
        with closing(phasegate.connect(PLAN, settings=settings)) as pipeline:
            return {table: (one.rows, one.digest) for table, one in pipeline.tables().items()}


def wait(over: Callable[[], bool], running: Sequence["subprocess.Popen[str]"], taken: Taken) -> None:
    """Wait until it is over, or a machine has ended, or for END_S_MAX."""
    begun = time.perf_counter()
    while not over():
        if time.perf_counter() - begun > END_S_MAX or any(process.poll() is not None for process in running):
            taken.wrong.append(f"{len(running)} machines did not build everything")
            return
        time.sleep(LOOK_S)


def count(connection: "psycopg.Connection", sql: str) -> int:
    ((number,),) = connection.execute(sql.encode()).fetchall()
    return int(number)


def started(folder: Path, url: str, *, threads: int, environ: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Start a machine: a worker with a configuration and a state of its own."""
    folder.mkdir()
    (folder / "phasegate.toml").write_text(SETTINGS.format(url=url, plan=PLAN, state=folder / "state"))
    command = (str(SCRIPT), "worker", "--threads", str(threads))
    return subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            text=True)  # fmt: skip
