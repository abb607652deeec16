"""How many statements a date costs in each house: in files, on PostgreSQL with a file of tables, on PostgreSQL alone.

Run: python -m benchmarks statements. The same dates are played in each by one worker, both modes, raw rows and all ten
steps; what is sent to the store and to the warehouse is counted where it is sent, and divided by the dates. The lines
"one kind at a time" count what `due` and `next_due` would be if each kind of document and each topic were asked for by
itself, as they were before one query answered for all of them. With NBA_DATA (default ../shared/nba): a week of January
2025; without it, or with --quick, a synthetic night. --first and --last: other dates.

Exits with 1 if the tables of a house have other digests than those of the first.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg

from benchmarks.disturbed import House, settled_in
from benchmarks.servers import SERVERS, durable_server
from benchmarks.sources import NIGHT, chosen
from nba_props.replay.runner import Runner
from nba_props.replay.tally import Replay
from nba_props.sources import Source
from phasegate.stores.postgres import PostgresStore
from phasegate.stores.sqlite import SQLiteStore
from phasegate.warehouses.duckdb.session import DuckDBSession
from tests.support.postgres import PostgresServer

SPAN = (date(2025, 1, 1), date(2025, 1, 7))
VERBS = ("read", "write", "delete", "scan", "due", "next_due")
ASKED = ("due", "next_due")
APART = "one kind at a time"
WAKE, TABLES = "wake-ups", "statements of the warehouse"
ALL, BEFORE = "all", "all, one kind at a time"


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks statements")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--first", type=date.fromisoformat, default=SPAN[0])
    parser.add_argument("--last", type=date.fromisoformat, default=SPAN[1])
    parser.add_argument("--server", choices=sorted(SERVERS), default="system")
    given = parser.parse_args(argv)
    source, real = chosen(quick=given.quick)
    first, last = (given.first, given.last) if real else NIGHT
    with durable_server(given.server) as server:
        played = {
            name: play(source, span=(first, last), house=house) for name, house in houses(server).items()
        }  # fmt: skip
        show({name: (sent, done.dates) for name, (sent, done) in played.items()})
        digests = {name: done.tables for name, (_, done) in played.items()}
    differing = [name for name, tables in digests.items() if tables != next(iter(digests.values()))]
    if differing:
        sys.exit(f"the tables differ: {', '.join(differing)}")


def houses(server: PostgresServer) -> Mapping[str, House]:
    store, alone = server.url(), server.url()
    return {
        "files": nullcontext,
        "store": partial(settled_in, store=store),
        "PostgreSQL": partial(settled_in, store=alone, warehouse=alone),
    }


def play(source: Source, *, span: tuple[date, date], house: House) -> tuple[Counter[str], Replay]:
    """Play the dates in a house; return what was sent, and what it left."""
    sent = Counter[str]()
    with tempfile.TemporaryDirectory() as state, house(), counted(sent):
        runner = Runner(source, state=Path(state))
        try:
            return sent, runner.run(*span)
        finally:
            runner.close()


@contextmanager
def counted(sent: Counter[str]) -> Iterator[None]:
    """Count verbs of the stores, and statements of the warehouses, during the block."""
    with ExitStack() as stack:
        for store in (SQLiteStore, PostgresStore):
            for name in VERBS:
                stack.enter_context(patch.object(store, name, _verb(name, getattr(store, name), sent=sent)))
        for name in ("run", "commit"):
            stack.enter_context(
                patch.object(DuckDBSession, name, _verb(TABLES, getattr(DuckDBSession, name), sent=sent))
            )
        for name in ("execute", "copy"):
            stack.enter_context(
                patch.object(psycopg.Cursor, name, _statement(getattr(psycopg.Cursor, name), sent=sent))
            )
        yield


def _verb(name: str, call: Callable[..., Any], *, sent: Counter[str]) -> Callable[..., Any]:
    def counting(*given: Any, **named: Any) -> Any:
        sent[name] += 1
        if name in ASKED:
            sent[f"{name}, {APART}"] += max(1, len(named.get("prefixes", ())))
        return call(*given, **named)

    return counting


def _statement(call: Callable[..., Any], *, sent: Counter[str]) -> Callable[..., Any]:
    def counting(cursor: Any, sql: Any, *given: Any, **named: Any) -> Any:
        text = sql.decode() if isinstance(sql, bytes) else str(sql)
        if "pg_notify" in text:
            sent[WAKE] += 1
        elif "phasegate.documents" not in text:  # those are counted as verbs
            sent[TABLES] += 1
        return call(cursor, sql, *given, **named)

    return counting


def show(played: Mapping[str, tuple[Counter[str], int]]) -> None:
    print(f"{'a date':<34}{''.join(f'{name:>12}' for name in played)}")
    apart = [f"{name}, {APART}" for name in ASKED]
    for head in (*VERBS, WAKE, TABLES, ALL, *apart, BEFORE):
        cells = [(_all(sent, head) if head in (ALL, BEFORE) else sent[head]) / dates for sent, dates in played.values()]
        print(f"{head:<34}{''.join(f'{cell:>12.1f}' for cell in cells)}")


def _all(sent: Counter[str], head: str) -> int:
    """Return all that was sent; before: with what is asked one kind at a time."""
    other = sum(sent[name] for name in (*VERBS, WAKE, TABLES) if name not in ASKED)
    return other + sum(sent[name if head == ALL else f"{name}, {APART}"] for name in ASKED)
