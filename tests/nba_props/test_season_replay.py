"""The season 2024-25 through the real thing: raw, three analytics steps, the gate, precompute."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from nba_props.runner import Replay, Runner
from nba_props.sources.parquet import ParquetSource

FIRST, LAST = date(2024, 10, 22), date(2025, 4, 13)


@pytest.fixture(scope="module")
def runner(nba_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    made = Runner(ParquetSource(nba_data), state=tmp_path_factory.mktemp("season"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def season(runner: Runner) -> Replay:
    return runner.run(FIRST, LAST)


@pytest.mark.slow
def test_the_season_has_its_known_numbers(season: Replay, runner: Runner) -> None:
    assert (season.dates, season.games) == (163, 1230)
    assert {name.partition(".")[2]: rows for name, (rows, _) in season.tables.items()} == {
        "nbac_gamebook_player_stats": 26_306,
        "team_offense_game_summary": 2_460,
        "team_defense_game_summary": 2_460,
        "player_game_summary": 26_306,
        "player_daily_cache": 26_306,
    }
    wins = "SELECT count(*) AS n FROM nba_analytics.team_offense_game_summary WHERE team_abbr = 'OKC' AND win_flag"
    assert runner.pipeline.query(wins)[0]["n"] == 68
    points = "SELECT sum(points) AS n FROM nba_analytics.player_game_summary WHERE player_lookup = $who"
    assert int(str(runner.pipeline.query(points, {"who": "shaigilgeousalexander"})[0]["n"])) == 2484


@pytest.mark.slow
def test_players_points_are_their_teams_points_in_every_game(season: Replay, runner: Runner) -> None:
    games = runner.pipeline.query(
        """
        SELECT count(*) AS n, count(*) FILTER (p.points <> t.points) AS wrong
        FROM (SELECT game_date, team_abbr, sum(points) AS points
              FROM nba_analytics.player_game_summary GROUP BY ALL) p
        JOIN nba_analytics.team_offense_game_summary t USING (game_date, team_abbr)
        """
    )[0]
    assert season.dates == 163
    assert games == {"n": 2460, "wrong": 0}


@pytest.mark.slow
def test_each_gate_fires_one_generation_a_date_and_nothing_is_left_due(season: Replay, runner: Runner) -> None:
    assert season.gates == dict.fromkeys(("raw", "analytics", "precompute"), (163, 163))
    assert season.unsettled == ()
    assert season.dead_letters == 0
    assert set(season.tally.builds.values()) == {163}
    assert runner.pipeline.next_due() is None
