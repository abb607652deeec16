"""How long a season takes from raw rows to precompute, and where the time goes.

Run: python -m benchmarks season. With NBA_DATA (default ../shared/nba): the season 2024-25, 163 dates, 26,306 player
rows; without it, or with --quick, synthetic nights. One worker, SQLite with synchronous=FULL, DuckDB on disk.
"""

import argparse
import os
import tempfile
from datetime import date
from pathlib import Path

from nba_props.runner import Replay, Runner
from nba_props.sources import Source
from nba_props.sources.parquet import ParquetSource
from nba_props.sources.synthetic import SyntheticSource

SEASON = (date(2024, 10, 22), date(2025, 4, 13))
QUICK = (date(2026, 2, 1), date(2026, 2, 3))


def replay(source: Source, *, first: date, last: date) -> Replay:
    with tempfile.TemporaryDirectory() as state:
        runner = Runner(source, state=Path(state))
        try:
            return runner.run(first, last)
        finally:
            runner.close()


def show(name: str, done: Replay) -> None:
    tally = done.tally
    print(f"{name}: {done.dates} dates, {done.games} games in {done.seconds:.1f} s")
    print(f"{'step':32}{'builds':>8}{'seconds':>10}{'ms a build':>12}")
    for step, builds in tally.builds.items():
        seconds = tally.seconds[step]
        print(f"{step:32}{builds:>8}{seconds:>10.1f}{1000 * seconds / builds:>12.1f}")
    writing = sum(tally.seconds.values())
    print(f"{'hand-off, messages, documents':32}{'':>8}{done.seconds - writing:>10.1f}")


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks season")
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args(argv).quick
    folder = Path(os.environ.get("NBA_DATA", "../shared/nba"))
    if quick or not folder.is_dir():
        show("synthetic nights", replay(SyntheticSource(), first=QUICK[0], last=QUICK[1]))
    else:
        show("season 2024-25", replay(ParquetSource(folder), first=SEASON[0], last=SEASON[1]))
