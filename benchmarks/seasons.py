"""Three seasons in a row through one state, checked by known numbers.

The time of each is printed. Run: python -m benchmarks seasons. With NBA_DATA (default ../shared/nba): 2022-23, 2023-24
and 2024-25, both modes, two workers; --dates N: only the first N dates of each. Without it, or with --quick, the first
of three Februaries of synthetic nights.

Exits with 1, and names each, if a number is not the known one, if a gate fired more often than its inputs changed, if a
season's first forecasts use games of the one before, or if something is not settled or dead.
"""

import argparse
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from benchmarks.known import SEASONS, Number, Season
from benchmarks.season import give_verdict, numbers_of, problems
from benchmarks.sources import chosen
from nba_props import PLAN
from nba_props.replay.options import USUAL
from nba_props.replay.runner import Runner
from nba_props.replay.scrapers import begins
from nba_props.replay.tally import Replay
from nba_props.sources import Source
from phasegate import read_plan

QUICK = tuple(Season(f"{year - 1}-{year % 100}", date(year, 2, 1), date(year, 2, 1)) for year in (2024, 2025, 2026))
GAMES_BEFORE = "SELECT max(games_played) AS n FROM nba_analytics.upcoming_team_game_context WHERE game_date = DATE '{}'"


def cut(source: Source, season: Season, *, dates_max: int | None) -> Season:
    """Return the season up to ``dates_max`` of its dates."""
    days = source.dates(season.first, season.last)
    return season._replace(last=days[:dates_max][-1])


def changed_lines(source: Source, season: Season) -> int:
    """Count the dates whose lines changed before the games.

    Between the morning, when same_day begins, and the games.
    """
    plan = read_plan(PLAN)
    return sum(
        source.props(day) != source.props(day, at=begins(plan, day, "same_day"))
        for day in source.dates(season.first, season.last)
    )


def firings(done: Replay, *, lines_changed: int) -> Iterator[str]:
    """Yield the gates that fired more or less often than expected.

    Expected is once for each run of all dates so far. Where lines changed, the morning's raw gate fires again; what
    follows it does if a worker processed it in between.
    """
    for name, (fired, generations) in done.gates.items():
        runs = done.dates * (1 if name == "scrapes" else len(USUAL))
        again = 0 if name == "scrapes" else lines_changed
        least, most = runs + (again if name == "raw" else 0), runs + again
        if fired != runs or not least <= generations <= most:
            yield f"{name}: {fired} of {runs} runs fired, {generations} generations"


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks seasons")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dates", type=int, metavar="N", help="only the first N dates of each season")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(argv)
    source, folder = chosen(quick=given.quick)
    seasons = [cut(source, season, dates_max=given.dates) for season in (SEASONS if folder else QUICK)]
    wrong: list[str] = []
    known: list[Number] = []
    dates, games, seconds, lines_changed = 0, 0, 0.0, 0
    print(f"{'season':12}{'dates':>8}{'games':>8}{'seconds':>10}{'ms a date':>12}")
    with tempfile.TemporaryDirectory() as state:
        runner = Runner(source, state=Path(state), workers=given.workers)
        try:
            for name, first, last in seasons:
                done = runner.run(first, last)
                dates, games, seconds = dates + done.dates, games + done.games, seconds + done.seconds
                lines_changed += changed_lines(source, Season(name, first, last))
                show(name, done.dates, games=done.games, seconds=done.seconds)
                known += numbers_of(source, first=first, last=last, folder=folder)
                before = runner.pipeline.query(GAMES_BEFORE.format(first))[0]["n"]
                wrong += [f"{name}: its first forecasts use {before} games before it"] if before else []
            whole = runner.summary(dates=dates, games=games, seconds=seconds)
            wrong += [*problems(runner, whole, known=known), *firings(whole, lines_changed=lines_changed)]
        finally:
            runner.close()
    show("in all", dates, games=games, seconds=seconds)
    for table, (rows, _) in whole.tables.items():
        print(f"{table:44}{rows:>8}")
    give_verdict(wrong, known=len(known))


def show(name: str, dates: int, *, games: int, seconds: float) -> None:
    print(f"{name:12}{dates:>8}{games:>8}{seconds:>10.1f}{1000 * seconds / dates:>12.1f}", flush=True)
