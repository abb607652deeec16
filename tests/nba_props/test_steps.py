"""Each formula on a game small enough to be computed by hand."""

import math
from datetime import date, timedelta
from typing import cast

import pytest

from nba_props import PLAN
from nba_props.raw import RawRow
from nba_props.sources.batches import split_games
from nba_props.sources.synthetic import SyntheticSource, night_of_2026_02_03
from phasegate import read_plan
from tests.support.step_warehouse import (
    DAY,
    FORECASTS,
    KEYS,
    SCALED,
    SCHEDULE,
    TABLES,
    Warehouse,
    loser,
    raw_row,
    schedule_of,
    step_sql,
)

# Boston: FGA 20, FTA 10, TOV 4, OREB 3, 50 minutes, 26 points.
STAR = raw_row(
    minutes=30, field_goals_made=7, field_goals_attempted=14, three_pointers_made=2, three_pointers_attempted=5,
    free_throws_made=4, free_throws_attempted=6, offensive_rebounds=1, defensive_rebounds=5, assists=3, steals=1,
    blocks=2, turnovers=3, personal_fouls=4, plus_minus=8,
)  # fmt: skip
SECOND = raw_row(
    "Mrul Glaxommuz", player_id=3, minutes=20, field_goals_made=2, field_goals_attempted=6, free_throws_made=2,
    free_throws_attempted=4, offensive_rebounds=2, turnovers=1, plus_minus=2,
)  # fmt: skip
OTHER = loser(
    minutes=48, field_goals_made=5, field_goals_attempted=10, three_pointers_made=1, three_pointers_attempted=2,
    free_throws_made=1, free_throws_attempted=5, offensive_rebounds=2, defensive_rebounds=7, assists=1, turnovers=6,
)  # fmt: skip


@pytest.fixture
def built() -> Warehouse:
    return built_from(STAR, SECOND, OTHER)


def built_from(*rows: RawRow) -> Warehouse:
    warehouse = Warehouse()
    warehouse.load(rows)
    warehouse.add(SCHEDULE, schedule_of(rows))
    for day in sorted({cast("date", row["game_date"]) for row in rows}):
        warehouse.build_all(day)
    return warehouse


def test_team_offense_is_the_sum_of_its_players_and_oliver_s_formulas(built: Warehouse) -> None:
    row = built.one("team_offense_game_summary", "team_abbr = 'BOS'")
    assert row == {
        "game_date": DAY, "team_abbr": "BOS", "game_id": "g1", "opponent_team_abbr": "NYK", "season": "2024-25",
        "win_flag": True, "minutes_played": 50, "points": 26, "assists": 3, "offensive_rebounds": 3,
        "defensive_rebounds": 5, "steals": 1, "blocks": 2, "turnovers": 4, "personal_fouls": 4, "fg_makes": 9,
        "fg_attempts": 20, "three_pt_makes": 2, "three_pt_attempts": 5, "ft_makes": 6, "ft_attempts": 10,
        "possessions": 25.4,  # 20 + 0.44 * 10 + 4 - 3
        "offensive_rating": 102.362,  # 100 * 26 / 25.4
        "pace": 121.92,  # 48 * 25.4 / (50 / 5)
        "ts_pct": 0.5328,  # 26 / (2 * 24.4)
        "efg_pct": 0.5,  # (9 + 0.5 * 2) / 20
    }  # fmt: skip


def test_team_defense_is_what_the_opponent_did(built: Warehouse) -> None:
    row = built.one("team_defense_game_summary", "defending_team_abbr = 'BOS'")
    assert row == {
        "game_date": DAY, "defending_team_abbr": "BOS", "game_id": "g1", "opponent_team_abbr": "NYK",
        "season": "2024-25", "win_flag": True, "opp_minutes_played": 48, "points_allowed": 12, "opp_assists": 1,
        "opp_offensive_rebounds": 2, "opp_defensive_rebounds": 7, "opp_rebounds": 9, "opp_turnovers": 6,
        "opp_fg_makes": 5, "opp_fg_attempts": 10, "opp_three_pt_makes": 1, "opp_three_pt_attempts": 2,
        "opp_ft_makes": 1, "opp_ft_attempts": 5,
        "opponent_possessions": 16.2,  # 10 + 0.44 * 5 + 6 - 2
        "defensive_rating": 74.074,  # 100 * 12 / 16.2
        "opponent_pace": 81.0,  # 48 * 16.2 / (48 / 5)
        "opp_ts_pct": 0.4918,  # 12 / (2 * 12.2)
        "opp_efg_pct": 0.55,  # (5 + 0.5) / 10
    }  # fmt: skip
    assert built.one("team_defense_game_summary", "defending_team_abbr = 'NYK'")["win_flag"] is False


def test_a_player_s_game_carries_his_share_of_the_team(built: Warehouse) -> None:
    row = built.one("player_game_summary", "player_id = 1")
    assert row == {
        "game_date": DAY, "player_lookup": "blorabbixfneeyvvik", "game_id": "g1", "player_id": 1,
        "player_name": "Blorabbix Fneeyvvik", "team_abbr": "BOS", "opponent_team_abbr": "NYK", "season": "2024-25",
        "win_flag": True, "minutes_played": 30, "points": 20, "assists": 3, "offensive_rebounds": 1,
        "defensive_rebounds": 5, "steals": 1, "blocks": 2, "turnovers": 3, "personal_fouls": 4, "plus_minus": 8,
        "fg_makes": 7, "fg_attempts": 14, "three_pt_makes": 2, "three_pt_attempts": 5, "ft_makes": 4,
        "ft_attempts": 6,
        "usage_rate": 23.052,  # 100 * (14 + 0.44 * 6 + 3) * (50 / 5) / (30 * (20 + 4.4 + 4))
        "usage_quality": "ok",
        "ts_pct": 0.601,  # 20 / (2 * 16.64)
        "efg_pct": 0.5714,  # (7 + 0.5 * 2) / 14
    }  # fmt: skip


def test_usage_of_a_team_weighed_by_minutes_is_100(built: Warehouse) -> None:
    total = built.number(
        "SELECT sum(usage_rate * minutes_played) / (50 / 5) FROM nba_analytics.player_game_summary"
        " WHERE team_abbr = 'BOS'"
    )
    assert total == pytest.approx(100, abs=0.01)


def test_a_denominator_of_zero_gives_null() -> None:
    warehouse = built_from(raw_row(minutes=10, win_flag=False, player_id=3), loser(minutes=0, win_flag=True))
    offense = warehouse.one("team_offense_game_summary", "team_abbr = 'NYK'")
    derived = ("offensive_rating", "pace", "ts_pct", "efg_pct")
    assert (offense["possessions"], [offense[name] for name in derived]) == (0.0, [None] * 4)
    defense = warehouse.one("team_defense_game_summary", "defending_team_abbr = 'BOS'")
    derived = ("defensive_rating", "opponent_pace", "opp_ts_pct", "opp_efg_pct")
    assert [defense[name] for name in derived] == [None] * 4
    player = warehouse.one("player_game_summary", "player_id = 3")
    assert [player[name] for name in ("usage_rate", "ts_pct", "efg_pct")] == [None] * 3
    assert player["usage_quality"] == "no_team_totals"


@pytest.mark.parametrize(
    ("minutes", "attempts", "usage", "quality"),
    [
        (0, 0, None, "short_stint"),
        (2, 4, None, "short_stint"),
        (3, 1, 32.222, "ok"),  # 100 * 1 * (58 / 5) / (3 * (1 + 11))
        (3, 9, 174.0, "over_100"),  # 100 * 9 * (58 / 5) / (3 * (9 + 11))
    ],
)
def test_usage_says_how_far_it_can_be_trusted(minutes: int, attempts: int, usage: float | None, quality: str) -> None:
    mate = raw_row("Mrul Glaxommuz", player_id=3, minutes=55, field_goals_made=1, field_goals_attempted=11)
    warehouse = built_from(raw_row(minutes=minutes, field_goals_attempted=attempts), mate, loser())
    row = warehouse.one("player_game_summary", "player_id = 1")
    assert (row["usage_rate"], row["usage_quality"]) == (usage, quality)


def test_without_the_team_s_row_the_player_s_row_stays_and_says_so() -> None:
    warehouse = Warehouse()
    warehouse.load([STAR, SECOND, OTHER])
    warehouse.build("team_offense_game_summary", DAY + timedelta(days=1))
    warehouse.build("player_game_summary", DAY)
    rows = warehouse.rows("player_game_summary")
    assert [(row["usage_rate"], row["usage_quality"]) for row in rows] == [(None, "no_team_totals")] * 3


@pytest.fixture(scope="module")
def both_ways() -> tuple[Warehouse, Warehouse]:
    """Give two nights, their rows loaded forwards and backwards."""
    rows = night_of_2026_02_03()
    rows += SyntheticSource().batch(date(2026, 2, 2))
    return built_from(*rows), built_from(*reversed(rows))


@pytest.mark.parametrize("step", TABLES)
def test_a_step_yields_its_date_alone_once_per_key_in_whatever_order_the_rows_lie(
    step: str, both_ways: tuple[Warehouse, Warehouse]
) -> None:
    forward, backward = both_ways
    assert forward.rows(step) == backward.rows(step)
    dates = {row[KEYS[step][0]] for row in forward.rows(step)}
    of_players_to_come = step in FORECASTS and KEYS[step][1] == "player_lookup"
    first = [] if of_players_to_come else [date(2026, 2, 2)]  # nobody is expected before the first game
    assert dates == {*first, date(2026, 2, 3)}
    keys = [tuple(row[column] for column in KEYS[step]) for row in forward.rows(step)]
    assert len(keys) == len(set(keys))


def test_the_night_has_348_player_rows_and_20_team_rows_and_expects_nobody_without_a_game_before() -> None:
    warehouse = built_from(*night_of_2026_02_03())
    assert {step: len(warehouse.rows(step)) for step in TABLES} == {
        "team_offense_game_summary": 20,
        "team_defense_game_summary": 20,
        "player_game_summary": 348,
        "upcoming_team_game_context": 20,
        "upcoming_player_game_context": 0,
        "player_daily_cache": 0,
        "team_defense_zone_analysis": 20,
        "player_shot_zone_analysis": 0,
        "player_composite_factors": 0,
        "ml_feature_store_v2": 0,
    }


def test_a_late_batch_rebuilt_equals_a_night_that_was_never_late() -> None:
    early, late = split_games(night_of_2026_02_03(), early=2)
    night = date(2026, 2, 3)
    split, whole = Warehouse(), built_from(*early, *late)
    split.add(SCHEDULE, schedule_of([*early, *late]))
    for rows in (early, late):
        split.load(rows)
        split.build_all(night)
    assert {step: split.rows(step) for step in TABLES} == {step: whole.rows(step) for step in TABLES}


@pytest.mark.parametrize("step", TABLES)
def test_columns_have_types_that_hold_exactly_what_they_say(step: str, both_ways: tuple[Warehouse, Warehouse]) -> None:
    warehouse, _ = both_ways
    kinds = {name: kind for name, kind, *_ in warehouse.db.execute(f"DESCRIBE {TABLES[step]}").fetchall()}
    assert set(kinds.values()) <= {"DATE", "VARCHAR", "BIGINT", "INTEGER", "BOOLEAN", "DOUBLE", "TIMESTAMP"}
    assert set(KEYS[step]) <= set(kinds)
    for row in warehouse.rows(step):
        for value in row.values():
            assert not isinstance(value, float) or (math.isfinite(value) and round(value, 4) == value)


@pytest.mark.parametrize("step", TABLES)
def test_a_step_rounds_nothing_by_itself_for_its_table_has_scales(step: str) -> None:
    assert "round(" not in step_sql(step)
    table = SCALED[step]
    assert table is not None
    assert set(table.scales.values()) <= {3, 4}


@pytest.mark.parametrize("step", TABLES)
def test_a_step_is_one_statement_with_the_date_and_where_its_windows_begin(step: str) -> None:
    [statement] = Warehouse().db.extract_statements(step_sql(step))
    has_window = any(need.back for need in read_plan(PLAN).steps[step].needs)
    assert statement.named_parameters == {"run_date"} | ({"season_start"} if has_window else set())
