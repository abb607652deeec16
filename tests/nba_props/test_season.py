"""The real season 2024-25, and the two before it, through the steps."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from nba_props.raw import TABLE
from nba_props.sources.parquet import ParquetSource
from tests.support.step_warehouse import SCHEDULE, SUMMARIES, TABLES, Warehouse, schedule_of

OFFENSE, DEFENSE, PLAYER = SUMMARIES.values()
CACHE = TABLES["player_daily_cache"]
# 489 summaries and the forecasts of a few dates are built: about ten seconds.
pytestmark = pytest.mark.slow

SEASON = (date(2024, 10, 1), date(2025, 6, 30))


@pytest.fixture(scope="module")
def source(nba_data: Path) -> ParquetSource:
    return ParquetSource(nba_data)


@pytest.fixture(scope="module")
def season(source: ParquetSource) -> Iterator[Warehouse]:
    """Give the season's summaries, and the forecasts of its first and last night."""
    warehouse = Warehouse()
    days = source.dates(*SEASON)
    for day in days:
        rows = source.batch(day)
        warehouse.load(rows)
        warehouse.add(SCHEDULE, schedule_of(rows))
        for step in SUMMARIES:
            warehouse.build(step, day)
    for day in (days[0], days[-1]):
        warehouse.forecast(day)
    yield warehouse
    warehouse.db.close()


@pytest.mark.parametrize(("first_year", "dates", "rows", "zeros"), [(2022, 164, 25_895, 77), (2023, 160, 26_401, 118)])
def test_earlier_seasons_pass_every_check(
    source: ParquetSource, *, first_year: int, dates: int, rows: int, zeros: int
) -> None:
    days = source.dates(date(first_year, 7, 1), date(first_year + 1, 6, 30))
    batches = [source.batch(day) for day in days]
    assert len(days) == dates
    assert len({row["game_id"] for batch in batches for row in batch}) == 1230
    assert sum(map(len, batches)) == rows
    assert sum(row["minutes"] == 0 for batch in batches for row in batch) == zeros


def test_the_season_has_its_known_counts(season: Warehouse, source: ParquetSource) -> None:
    assert len(source.dates(*SEASON)) == 163
    assert season.number(f"SELECT count(DISTINCT game_id) FROM {TABLE}") == 1230
    counts = {step: season.number(f"SELECT count(*) FROM {table}") for step, table in SUMMARIES.items()}
    assert counts == {
        "team_offense_game_summary": 2460,
        "team_defense_game_summary": 2460,
        "player_game_summary": 26_306,
    }
    assert season.number(f"SELECT count(DISTINCT player_id) FROM {PLAYER}") == 569
    assert season.number(f"SELECT count(*) FROM {TABLE} WHERE minutes = 0") == 100


def test_oklahoma_city_won_68_and_gilgeous_alexander_scored_2484(season: Warehouse) -> None:
    assert season.number(f"SELECT count(*) FROM {OFFENSE} WHERE team_abbr = 'OKC' AND win_flag") == 68
    assert season.number(f"SELECT count(*) FROM {DEFENSE} WHERE defending_team_abbr = 'OKC' AND win_flag") == 68
    shai = "player_lookup = 'shaigilgeousalexander'"
    assert season.number(f"SELECT sum(points) FROM {PLAYER} WHERE {shai}") == 2484


def test_points_of_players_teams_and_defenses_agree_in_every_game(season: Warehouse) -> None:
    agreeing = season.number(
        f"""
        SELECT count(*) FROM {OFFENSE} AS o
        JOIN {DEFENSE} AS d ON d.game_id = o.game_id AND d.opponent_team_abbr = o.team_abbr
        JOIN (SELECT game_id, team_abbr, sum(points) AS points FROM {PLAYER} GROUP BY ALL) AS p
            ON p.game_id = o.game_id AND p.team_abbr = o.team_abbr
        WHERE o.points = p.points AND d.points_allowed = p.points
            AND d.defending_team_abbr = o.opponent_team_abbr AND d.win_flag = NOT o.win_flag
            AND d.defensive_rating = o.offensive_rating AND d.opponent_pace = o.pace
        """
    )
    assert agreeing == 2460


def test_neutral_sites_have_two_opponents_too(season: Warehouse) -> None:
    games = "('0022400147', '0022400621', '0022400633', '0022401229', '0022401230')"
    assert season.number(f"SELECT count(*) FROM {OFFENSE} WHERE game_id IN {games}") == 10
    assert season.number(f"SELECT count(*) FROM {DEFENSE} WHERE game_id IN {games}") == 10


def test_usage_is_at_most_100_and_null_only_for_short_stints(season: Warehouse) -> None:
    found = season.db.execute(f"SELECT DISTINCT usage_quality FROM {PLAYER} ORDER BY 1").fetchall()
    assert found == [("ok",), ("short_stint",)]
    assert season.number(f"SELECT count(*) FROM {PLAYER} WHERE (usage_quality = 'ok') != (usage_rate <= 100)") == 0
    assert season.number(f"SELECT count(*) FROM {PLAYER} WHERE (minutes_played < 3) != (usage_rate IS NULL)") == 0


def test_three_short_stints_would_have_used_more_than_all(season: Warehouse) -> None:
    assert (
        season.number(
            f"""
            SELECT count(*) FROM {PLAYER} AS p
            JOIN {OFFENSE} AS o ON o.game_id = p.game_id AND o.team_abbr = p.team_abbr
            WHERE p.minutes_played BETWEEN 1 AND 2
                AND 100 * (p.fg_attempts + 0.44 * p.ft_attempts + p.turnovers) * o.minutes_played / 5
                    > 100 * p.minutes_played * (o.fg_attempts + 0.44 * o.ft_attempts + o.turnovers)
            """
        )
        == 3
    )


@pytest.mark.parametrize("table", SUMMARIES.values())
def test_no_float_is_nan_or_infinite(season: Warehouse, table: str) -> None:
    kinds = season.db.execute(f"DESCRIBE {table}").fetchall()
    doubles = [name for name, kind, *_ in kinds if kind == "DOUBLE"]
    assert doubles
    bad = " OR ".join(f"isnan({name}) OR isinf({name})" for name in doubles)
    assert season.number(f"SELECT count(*) FROM {table} WHERE {bad}") == 0


def test_team_rates_are_those_of_basketball(season: Warehouse) -> None:
    outside = "offensive_rating NOT BETWEEN 60 AND 170 OR pace NOT BETWEEN 80 AND 125 OR ts_pct NOT BETWEEN 0.3 AND 0.9"
    assert season.number(f"SELECT count(*) FROM {OFFENSE} WHERE {outside}") == 0


def test_the_cache_of_the_last_day_knows_the_season_before_it(season: Warehouse) -> None:
    expected = season.number(
        f"""
        SELECT count(*) FROM {CACHE} AS c
        JOIN (
            SELECT player_id, count(*) AS games, CAST(format('{{:.3f}}', avg(points)) AS DOUBLE) AS points FROM {PLAYER}
            WHERE game_date < DATE '2025-04-13' GROUP BY player_id
        ) AS p ON p.player_id = c.player_id AND p.games = c.games_played_season AND p.points = c.points_avg_season
        WHERE c.cache_date = DATE '2025-04-13'
        """
    )
    known = season.number(f"SELECT count(*) FROM {CACHE} WHERE cache_date = DATE '2025-04-13'")
    assert expected == known == 452


def test_on_the_first_night_nobody_is_cached_and_nobody_ever_without_a_game(season: Warehouse) -> None:
    assert season.number(f"SELECT count(*) FROM {CACHE} WHERE cache_date < DATE '2025-04-13'") == 0
    assert season.number(f"SELECT count(*) FROM {CACHE} WHERE games_played_season = 0") == 0
