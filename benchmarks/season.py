"""How long a season takes from raw rows to features, in both modes, and where the time goes.

Run: python -m benchmarks season. With NBA_DATA (default ../shared/nba): the season 2024-25, 163 dates, 26,306 player
rows, whose known numbers are checked; without it, or with --quick, synthetic nights. SQLite with synchronous=FULL,
DuckDB on disk. --workers: how many at once. --first and --last: other dates of the data.
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
KNOWN = {
    "SELECT count(*) AS n FROM nba_analytics.player_game_summary": 26_306,
    "SELECT count(*) AS n FROM nba_analytics.team_offense_game_summary": 2_460,
    "SELECT count(*) AS n FROM nba_analytics.team_offense_game_summary WHERE team_abbr = 'OKC' AND win_flag": 68,
    "SELECT sum(points) AS n FROM nba_raw.nbac_gamebook_player_stats WHERE player_id = 1628983": 2_484,
    "SELECT count(*) AS n FROM nba_precompute.ml_feature_store_v2": 35_282,
}


def replay(source: Source, *, first: date, last: date, workers: int, known: dict[str, int]) -> Replay:
    with tempfile.TemporaryDirectory() as state:
        runner = Runner(source, state=Path(state), workers=workers)
        try:
            done = runner.run(first, last)
            for question, answer in known.items():
                found = runner.pipeline.query(question)[0]["n"]
                if found != answer:
                    raise SystemExit(f"{question}: {found}, and it is known to be {answer}")
            return done
        finally:
            runner.close()


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
    given = parser.parse_args(argv)
    folder = Path(os.environ.get("NBA_DATA", "../shared/nba"))
    if given.quick or not folder.is_dir():
        done = replay(SyntheticSource(), first=QUICK[0], last=QUICK[1], workers=given.workers, known={})
        show("synthetic nights", done, workers=given.workers)
        return
    known = KNOWN if (given.first, given.last) == SEASON else {}
    done = replay(ParquetSource(folder), first=given.first, last=given.last, workers=given.workers, known=known)
    show(f"{given.first} to {given.last}", done, workers=given.workers)
