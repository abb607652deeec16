"""The time of a season, from raw rows to features in both modes.

And which part takes how much. Run: python -m benchmarks season. With NBA_DATA (default ../shared/nba): the season
2024-25, 163 dates, 26,306 player rows; without it, or with --quick, synthetic nights. SQLite with synchronous=FULL,
DuckDB on disk. --workers: how many at once. --first and --last: other dates of the data. --where: also what each date's
time was spent on, which is clearest with one worker.

Exits with 1, and names each, if a number is not the known one, or something is not settled or dead.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks.known import COUNTED, SEASONS, Number, differences, numbers
from benchmarks.sources import chosen
from nba_props.replay.runner import Runner
from nba_props.replay.tally import Replay
from nba_props.sources import Source
from phasegate.stores.sqlite import SQLiteStore
from phasegate.warehouses.duckdb.session import DuckDBSession
from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse
from phasegate.warehouses.sql.staging import SqlStaging
from phasegate.warehouses.sql.transaction import SqlTransaction

SEASON = (SEASONS[-1].first, SEASONS[-1].last)
QUICK = (date(2026, 2, 1), date(2026, 2, 3))
# What a date's time is spent on: a label, and the verbs of the adapters that it counts.
VERBS: dict[str, tuple[type, tuple[str, ...]]] = {
    "SELECTs of the steps, staged": (SqlStaging, ("stage_query",)),
    "rows of the scrapes, staged": (SqlStaging, ("stage_rows",)),
    "staged rows, judged and deduplicated": (SqlStaging, ("inspect",)),
    "rows, written and fingerprinted": (SqlTransaction, ("replace", "merge", "fingerprint")),
    "fences, inputs, receipts": (SqlTransaction, ("change_fence", "stamps", "put_receipt")),
    "fence rows of a new date": (DuckDBWarehouse, ("prepare",)),
    "statements of DuckDB": (DuckDBSession, ("run",)),
    "commits of DuckDB": (DuckDBSession, ("commit",)),
    "reads of SQLite": (SQLiteStore, ("read", "due", "scan", "next_due")),
    "writes of SQLite": (SQLiteStore, ("write", "delete")),
}  # fmt: skip


def timed(spent: dict[str, list[float]]) -> None:
    """Patch every verb of VERBS to record how long each call took."""
    for label, (owner, names) in VERBS.items():
        took = spent.setdefault(label, [])
        for name in names:
            setattr(owner, name, _timed(getattr(owner, name), took))


def _timed(verb: Callable[..., object], took: list[float]) -> Callable[..., object]:
    def call(*args: object, **kwargs: object) -> object:
        begun = time.perf_counter()
        try:
            return verb(*args, **kwargs)
        finally:
            took.append(time.perf_counter() - begun)

    return call


def show_where(spent: dict[str, list[float]], *, dates: int, seconds: float) -> None:
    print(f"{'a date, all workers together':42}{'calls':>8}{'ms':>8}")
    for label, took in spent.items():
        print(f"{label:42}{len(took) / dates:>8.1f}{1000 * sum(took) / dates:>8.1f}")
    print(f"{'from begin to end':42}{'':>8}{1000 * seconds / dates:>8.1f}")


def numbers_of(source: Source, *, first: date, last: date, folder: Path | None) -> list[Number]:
    """Return the numbers that these dates must leave.

    Of synthetic nights (no folder) only the rows and the games.
    """
    if folder is not None:
        return numbers(folder, first=first, last=last)
    rows = [row for day in source.dates(first, last) for row in source.batch(day)]
    games = len({row["game_id"] for row in rows})
    counts = {"games": games, "player rows": len(rows)}
    return [Number(name, COUNTED[name][0].sql(first, last), n) for name, n in counts.items()]


def problems(runner: Runner, done: Replay, *, known: list[Number]) -> list[str]:
    """Return what the replay should not have left."""
    dead = [f"{done.dead_letters} dead letter(s)"] if done.dead_letters else []
    return [*differences(runner.pipeline.query, known), *done.unsettled, *dead]


def give_verdict(wrong: list[str], *, known: int) -> None:
    """Print what is wrong; exit with 1 if something is."""
    if wrong:
        print("\n".join(wrong))
        raise SystemExit(1)
    print(f"{'known numbers, all as known':32}{known:>8}")


def show(name: str, done: Replay, *, workers: int) -> None:
    tally = done.tally
    print(f"{name}: {done.dates} dates, {done.games} games in {done.seconds:.1f} s with {workers} worker(s)")
    print(f"{'step':32}{'builds':>8}{'seconds':>10}{'ms a build':>12}")
    for step, builds in sorted(tally.builds.items()):
        seconds = tally.seconds[step]
        print(f"{step:32}{builds:>8}{seconds:>10.1f}{1000 * seconds / builds:>12.1f}")
    writing = sum(tally.seconds.values())
    print(f"{'writing, all steps':32}{sum(tally.builds.values()):>8}{writing:>10.1f}")
    print(f"{'fired, not settled, dead':32}{sum(g for _, g in done.gates.values()):>8}, {len(done.unsettled)}, "
          f"{done.dead_letters}")  # fmt: skip


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks season")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--first", type=date.fromisoformat, default=SEASON[0])
    parser.add_argument("--last", type=date.fromisoformat, default=SEASON[1])
    parser.add_argument("--where", action="store_true", help="also what the time was spent on")
    given = parser.parse_args(argv)
    spent: dict[str, list[float]] = {}
    if given.where:
        timed(spent)
    source, folder = chosen(quick=given.quick)
    first, last = (given.first, given.last) if folder else QUICK
    name = f"{first} to {last}" if folder else "synthetic nights"
    known = numbers_of(source, first=first, last=last, folder=folder)
    with tempfile.TemporaryDirectory() as state:
        runner = Runner(source, state=Path(state), workers=given.workers)
        try:
            done = runner.run(first, last)
            wrong = problems(runner, done, known=known)
        finally:
            runner.close()
    show(name, done, workers=given.workers)
    if given.where:
        show_where(spent, dates=done.dates, seconds=done.seconds)
    give_verdict(wrong, known=len(known))
