"""The first weeks of the season 2024-25 through the real thing, in both modes. `benchmarks season` plays all of it."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from nba_props.runner import LOG, Runner
from nba_props.sources.parquet import ParquetSource
from nba_props.tally import Replay

FIRST, LAST = date(2024, 10, 22), date(2024, 11, 10)


@pytest.fixture(scope="module")
def runner(nba_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    made = Runner(ParquetSource(nba_data), state=tmp_path_factory.mktemp("season"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def season(runner: Runner) -> Replay:
    return runner.run(FIRST, LAST)


def test_the_first_weeks_have_their_known_numbers(season: Replay) -> None:
    assert (season.dates, season.games) == (19, 151)
    rows = {name.partition(".")[2]: rows for name, (rows, _) in season.tables.items()}
    assert rows["nbac_schedule"] == 151
    assert rows["team_offense_game_summary"] == rows["team_defense_game_summary"] == 302
    assert rows["upcoming_team_game_context"] == rows["team_defense_zone_analysis"] == 302
    assert rows["player_game_summary"] == rows["nbac_gamebook_player_stats"]
    forecasts = ("player_daily_cache", "player_shot_zone_analysis", "player_composite_factors", "ml_feature_store_v2")
    assert {rows[name] for name in forecasts} == {rows["upcoming_player_game_context"]}


def test_players_points_are_their_teams_points_in_every_game(season: Replay, runner: Runner) -> None:
    games = runner.pipeline.query(
        """
        SELECT count(*) AS n, count(*) FILTER (p.points <> t.points) AS wrong
        FROM (SELECT game_date, team_abbr, sum(points) AS points
              FROM nba_analytics.player_game_summary GROUP BY ALL) p
        JOIN nba_analytics.team_offense_game_summary t USING (game_date, team_abbr)
        """
    )[0]
    assert season.dates == 19
    assert games == {"n": 302, "wrong": 0}


def test_each_gate_fires_one_generation_a_run_and_nothing_is_left_due(season: Replay, runner: Runner) -> None:
    assert season.gates.pop("scrapes") == (19, 19)
    assert season.gates == dict.fromkeys(("raw", "analytics", "precompute"), (38, 38))
    assert season.unsettled == ()
    assert season.dead_letters == 0
    builds = dict(season.tally.builds)
    assert builds.pop(LOG) == 19
    assert set(builds.values()) == {19}, "what same_day has built overnight finds done"
    assert runner.pipeline.next_due() is None
