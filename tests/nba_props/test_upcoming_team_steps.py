"""upcoming_team_game_context on games small enough to be computed by hand."""

from datetime import date, datetime, timedelta

import pytest

from nba_props.raw import RawRow
from tests.support.step_warehouse import DAY, SCHEDULE, Warehouse, line, upcoming

STEP = "upcoming_team_game_context"
HOME, AWAY = "Blorabbix Fneeyvvik", "Qued Zwetommuz"
RATINGS = ("offensive_rating", "defensive_rating", "pace")


def ago(days: int) -> date:
    return DAY - timedelta(days=days)


def game(
    days: int, *teams: str, scored: int = 0, allowed: int = 0, won: bool = True, **changes: object
) -> list[RawRow]:
    """Give a game `days` ago: each team one player, 48 minutes, 20 shots (a point is a free throw, all made)."""
    one, two = teams
    rows = []
    for name, sides, points, win in ((HOME, (one, two), scored, won), (AWAY, (two, one), allowed, not won)):
        shots = {"field_goals_attempted": 20, "free_throws_made": points, "free_throws_attempted": points}
        row = {"minutes": 48, "win_flag": win, **shots, **changes}
        rows.append(line(f"{name} {sides[0]}", ago(days), *sides, **row))
    return rows


def contexts(rows: list[RawRow], *games: dict[str, object]) -> Warehouse:
    """Give the date's context with these games on it, by default Boston against New York."""
    warehouse = Warehouse()
    warehouse.play(*rows)
    warehouse.add(SCHEDULE, games or [upcoming(DAY, "BOS", "NYK")])
    warehouse.build(STEP, DAY)
    return warehouse


def boston(rows: list[RawRow], *games: dict[str, object]) -> dict[str, object]:
    return contexts(rows, *games).one(STEP, f"team_abbr = 'BOS' AND game_date = DATE '{DAY}'")


def test_a_team_s_row_says_whom_it_meets_and_how_both_have_played() -> None:
    rows = [
        *game(5, "BOS", "MIA", scored=50, allowed=25),
        *game(2, "BOS", "ORL", scored=0, allowed=25, won=False),
        *game(1, "NYK", "MIA", scored=100, allowed=50),
    ]
    assert boston(rows) == {
        "game_date": DAY, "team_abbr": "BOS", "game_id": "0110-BOS-NYK", "opponent_team_abbr": "NYK",
        "season": "2024-25", "home_flag": None, "neutral_site": None, "tipoff_at": None,
        "days_rest": 2, "back_to_back_flag": False, "games_last_7_days": 2, "games_last_14_days": 2,
        "games_played": 2, "wins": 1, "losses": 1,
        # possessions 20 + 0.44 * 50 = 42 and 20, of 48 / 5 minutes: ratings of sums, not means of ratings
        "offensive_rating_last_10": 80.645,  # 100 * 50 / 62
        "defensive_rating_last_10": 80.645,  # 100 * 50 / (31 + 31)
        "pace_last_10": 155.0,  # 48 * 62 / (96 / 5)
        "offensive_rating_season": 80.645, "defensive_rating_season": 80.645, "pace_season": 155.0,
        # New York: 100 points of 20 + 44 possessions; allowed 50 of 42
        "opponent_offensive_rating_last_game": 156.25, "opponent_defensive_rating_last_game": 119.048,
        "opponent_pace_last_game": 320.0, "opponent_offensive_rating_last_10": 156.25,
        "opponent_defensive_rating_last_10": 119.048, "opponent_pace_last_10": 320.0,
        # what the paces are made of
        "possessions_last_10": 62.0, "team_minutes_last_10": 96, "possessions_season": 62.0, "team_minutes_season": 96,
        "opponent_possessions_last_10": 64.0, "opponent_team_minutes_last_10": 48,
    }  # fmt: skip


def test_before_the_first_game_of_a_season_nothing_is_known() -> None:
    row = boston([])
    assert (row["days_rest"], row["back_to_back_flag"], row["games_played"], row["wins"]) == (None, False, 0, 0)
    assert [row[f"{name}_{window}"] for name in RATINGS for window in ("last_10", "season")] == [None] * 6
    assert [row[f"opponent_{name}_{window}"] for name in RATINGS for window in ("last_game", "last_10")] == [None] * 6


def test_last_season_s_games_are_none_of_this_season() -> None:
    row = boston(game(3, "BOS", "MIA", scored=10, season="2023-24"))
    assert (row["days_rest"], row["games_played"], row["offensive_rating_season"]) == (None, 0, None)


def test_the_last_ten_are_ten_and_the_season_is_all() -> None:
    rows = [row for days in range(2, 13) for row in game(days, "BOS", "MIA", scored=100 if days == 12 else 0)]
    row = boston(rows)
    assert (row["offensive_rating_last_10"], row["games_played"]) == (0.0, 11)
    assert row["offensive_rating_season"] == 37.879  # 100 * 100 / (11 * 20 + 44)


@pytest.mark.parametrize(
    ("days", "back_to_back", "in_7", "in_14"),
    [(1, True, 1, 1), (2, False, 1, 1), (7, False, 1, 1), (8, False, 0, 1), (14, False, 0, 1), (15, False, 0, 0)],
)
def test_rest_is_the_days_since_the_last_game(days: int, back_to_back: bool, in_7: int, in_14: int) -> None:
    row = boston(game(days, "BOS", "MIA"))
    assert (row["days_rest"], row["back_to_back_flag"]) == (days, back_to_back)
    assert (row["games_last_7_days"], row["games_last_14_days"]) == (in_7, in_14)


@pytest.mark.parametrize(
    ("known", "flag"),
    [
        ({}, None),
        ({"home_team_abbr": "BOS", "away_team_abbr": "NYK"}, True),
        ({"home_team_abbr": "NYK", "away_team_abbr": "BOS", "neutral_site": False}, False),
        ({"home_team_abbr": "BOS"}, True),
        ({"away_team_abbr": "BOS"}, False),
        ({"home_team_abbr": "BOS", "away_team_abbr": "NYK", "neutral_site": True}, None),
    ],
)
def test_home_is_what_the_schedule_says_and_nothing_where_it_is_silent(known: dict[str, object], flag: object) -> None:
    warehouse = contexts(game(1, "BOS", "NYK"), upcoming(DAY, "BOS", "NYK", **known))
    at = f"game_date = DATE '{DAY}'"
    assert [row["home_flag"] for row in warehouse.rows(STEP, at)] == [flag, None if flag is None else not flag]


def test_the_tip_off_is_the_schedule_s() -> None:
    tipoff = datetime(2025, 1, 11, 0, 30)  # noqa: DTZ001  the table's times are UTC without a zone
    assert boston(game(1, "BOS", "NYK"), upcoming(DAY, "BOS", "NYK", tipoff_at=tipoff))["tipoff_at"] == tipoff


def test_a_postponed_game_is_no_game() -> None:
    games = (upcoming(DAY, "BOS", "NYK", postponed=True), upcoming(DAY, "MIA", "ORL"))
    assert [row["team_abbr"] for row in contexts(game(1, "BOS", "NYK"), *games).rows(STEP)] == ["MIA", "ORL"]


def test_a_postponed_game_played_later_counts_on_the_day_it_was_played() -> None:
    postponed = upcoming(ago(3), "BOS", "MIA", postponed=True, game_id="late")
    warehouse = contexts(game(1, "BOS", "MIA", game_id="late"), postponed, upcoming(DAY, "BOS", "NYK"))
    row = warehouse.one(STEP, "team_abbr = 'BOS'")
    assert (row["days_rest"], row["games_played"]) == (1, 1)


def test_a_team_with_two_games_on_a_date_is_two_rows_which_the_key_refuses() -> None:
    games = (upcoming(DAY, "BOS", "NYK"), upcoming(DAY, "BOS", "MIA"))
    warehouse = contexts(game(1, "BOS", "NYK"), *games)
    twice = warehouse.rows(STEP, "team_abbr = 'BOS'")
    assert sorted(str(row["opponent_team_abbr"]) for row in twice) == ["MIA", "NYK"]


def test_no_game_on_the_date_is_no_row() -> None:
    assert contexts(game(1, "BOS", "NYK"), upcoming(ago(1), "BOS", "NYK")).rows(STEP) == []


def test_what_was_allowed_is_unknown_without_the_defense_s_row() -> None:
    warehouse = contexts(game(1, "BOS", "NYK", scored=10))
    warehouse.db.execute("DELETE FROM nba_analytics.team_defense_game_summary")
    warehouse.build(STEP, DAY)
    row = warehouse.one(STEP, "team_abbr = 'BOS'")
    assert (row["defensive_rating_season"], row["games_played"]) == (None, 1)
    assert row["offensive_rating_season"] == 40.984  # 100 * 10 / 24.4


def test_a_team_without_a_minute_or_a_possession_has_no_rate() -> None:
    row = boston(game(1, "BOS", "NYK", minutes=0, field_goals_attempted=0))
    assert [row[f"{name}_last_10"] for name in RATINGS] == [None] * 3
