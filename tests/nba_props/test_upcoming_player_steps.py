"""upcoming_player_game_context on games small enough to be computed by hand."""

from datetime import date, timedelta

import pytest

from nba_props.raw import RawRow
from tests.support.step_warehouse import DAY, PROPS, SCHEDULE, Warehouse, line, upcoming

STEP = "upcoming_player_game_context"
STAR, MATE, RIVAL = "Blorabbix Fneeyvvik", "Mrul Glaxommuz", "Qued Zwetommuz"
LOOKUP = "blorabbixfneeyvvik"


def ago(days: int) -> date:
    return DAY - timedelta(days=days)


def played(days: int, *teams: str, name: str = STAR, **changes: object) -> list[RawRow]:
    """Give a player's game `days` ago, for Boston against New York if no teams are named."""
    mine, other = teams or ("BOS", "NYK")
    when = {key: changes[key] for key in ("season",) if key in changes}
    return [line(name, ago(days), mine, other, **changes), line(RIVAL, ago(days), other, mine, **when)]


def expected(rows: list[RawRow], *, lines: list[dict[str, object]] | None = None, **changes: object) -> Warehouse:
    """Give the context of a date on which Boston meets Miami and Utah meets Phoenix."""
    warehouse = Warehouse()
    warehouse.play(*rows)
    warehouse.add(SCHEDULE, [upcoming(DAY, "BOS", "MIA", **changes), upcoming(DAY, "UTA", "PHX")])
    warehouse.add(PROPS, lines or [])
    for step in ("upcoming_team_game_context", STEP):
        warehouse.build(step, DAY)
    return warehouse


def star(rows: list[RawRow], *, lines: list[dict[str, object]] | None = None) -> dict[str, object]:
    return expected(rows, lines=lines).one(STEP, f"player_lookup = '{LOOKUP}'")


def names(warehouse: Warehouse) -> list[tuple[object, object]]:
    return [(row["player_lookup"], row["team_abbr"]) for row in warehouse.rows(STEP)]


def prop(bookmaker: str, points: float | None, **changes: object) -> dict[str, object]:
    return {"game_date": DAY, "player_lookup": LOOKUP, "bookmaker": bookmaker, "points_line": points} | changes


def test_a_player_s_row_says_whom_he_meets_and_how_he_has_played() -> None:
    first = played(
        8, "BOS", "MIA",
        free_throws_made=20, free_throws_attempted=25, minutes=30, assists=4, offensive_rebounds=6,
    )  # fmt: skip
    rows = [*first, *played(3, minutes=20, turnovers=5)]
    assert star(rows, lines=[prop("a", 10.5)]) == {
        "game_date": DAY, "player_lookup": LOOKUP, "game_id": "0110-BOS-MIA",
        "player_id": rows[0]["player_id"], "player_name": STAR, "team_abbr": "BOS", "opponent_team_abbr": "MIA",
        "season": "2024-25", "home_flag": None, "days_rest": 3, "back_to_back_flag": False,
        "games_last_7_days": 1, "minutes_last_7_days": 20, "games_last_14_days": 2, "minutes_last_14_days": 50,
        "games_played_season": 2,
        # alone in his team he uses all: 100 / 5 each time
        "points_avg_last_5": 10.0, "minutes_avg_last_5": 25.0, "rebounds_avg_last_5": 3.0,
        "assists_avg_last_5": 2.0, "usage_rate_avg_last_5": 20.0,
        "points_avg_last_10": 10.0, "minutes_avg_last_10": 25.0, "rebounds_avg_last_10": 3.0,
        "assists_avg_last_10": 2.0, "usage_rate_avg_last_10": 20.0,
        "points_avg_season": 10.0, "minutes_avg_season": 25.0, "rebounds_avg_season": 3.0,
        "assists_avg_season": 2.0, "usage_rate_avg_season": 20.0,
        # Miami's one game, against Boston: no shot of its own, 20 allowed of 0.44 * 25 - 6 possessions
        "opponent_offensive_rating_last_game": None, "opponent_defensive_rating_last_game": 400.0,
        "opponent_pace_last_game": 0.0, "opponent_offensive_rating_last_10": None,
        "opponent_defensive_rating_last_10": 400.0, "opponent_pace_last_10": 0.0,
        "points_line": 10.5, "bookmakers": 1, "line_spread": 0.0,
    }  # fmt: skip


def test_averages_are_of_the_last_five_ten_and_all_games() -> None:
    rows = [row for days in range(1, 13) for row in played(days, free_throws_made=days)]
    row = star(rows)
    assert [row[f"points_avg_{window}"] for window in ("last_5", "last_10", "season")] == [3.0, 5.5, 6.5]
    assert (row["games_last_7_days"], row["games_last_14_days"], row["games_played_season"]) == (7, 12, 12)


@pytest.mark.parametrize(("days", "there"), [(1, True), (15, True), (16, False)])
def test_expected_is_who_appeared_in_the_last_fifteen_days(days: int, there: bool) -> None:
    assert (LOOKUP, "BOS") in names(expected(played(days))) or not there
    assert names(expected(played(days))) == ([(LOOKUP, "BOS")] if there else [])


def test_a_game_of_no_minutes_is_an_appearance() -> None:
    row = star([*played(9, minutes=20), *played(2, minutes=0)])
    assert (row["days_rest"], row["games_played_season"], row["minutes_avg_season"]) == (2, 2, 10.0)
    assert (row["games_last_7_days"], row["minutes_last_7_days"]) == (1, 0)


def test_who_only_had_short_stints_has_no_usage() -> None:
    assert star(played(2, minutes=2, field_goals_attempted=1))["usage_rate_avg_season"] is None


def test_a_traded_player_is_expected_with_his_newest_team_only_and_keeps_his_season() -> None:
    rows = [*played(6, "BOS", "NYK", free_throws_made=10), *played(3, "UTA", "NYK", free_throws_made=20)]
    warehouse = expected(rows)
    assert names(warehouse) == [(LOOKUP, "UTA")]
    row = warehouse.one(STEP)
    assert (row["points_avg_season"], row["opponent_team_abbr"], row["games_last_7_days"]) == (15.0, "PHX", 2)


def test_a_traded_player_whose_new_team_rests_is_not_expected_with_the_old_one() -> None:
    assert names(expected([*played(6, "BOS", "NYK"), *played(3, "ORL", "NYK")])) == []


def test_the_player_s_rest_is_his_own_not_his_team_s() -> None:
    rows = [*played(6), *played(1, name=MATE), *played(1, "MIA", "NYK", name="Vrax Thommuz")]
    warehouse = expected(rows)
    rests = {row["player_lookup"]: (row["days_rest"], row["back_to_back_flag"]) for row in warehouse.rows(STEP)}
    assert rests == {LOOKUP: (6, False), "mrulglaxommuz": (1, True), "vraxthommuz": (1, True)}


def test_a_new_season_expects_nobody_of_the_last_one() -> None:
    assert names(expected(played(3, season="2023-24"))) == []


def test_after_the_all_star_break_the_rest_is_long_and_the_players_are_expected_still() -> None:
    row = star([*played(9), *played(8)])  # 13 February to 21 February 2025
    assert (row["days_rest"], row["back_to_back_flag"], row["games_last_7_days"]) == (8, False, 0)
    assert (row["games_last_14_days"], row["minutes_last_7_days"]) == (2, 0)


def test_nobody_is_expected_of_a_postponed_game() -> None:
    assert names(expected(played(1), postponed=True)) == []


def test_home_is_the_team_s() -> None:
    row = expected(played(1), home_team_abbr="MIA", away_team_abbr="BOS").one(STEP)
    assert row["home_flag"] is False


@pytest.mark.parametrize(
    ("points", "median", "count", "spread"),
    [
        ([], None, 0, None),
        ([20.5], 20.5, 1, 0.0),
        ([20.5, 21.5], 21.0, 2, 1.0),
        ([25.5, 20.5, 21.5], 21.5, 3, 5.0),
        ([20.5, 20.5, 20.5, 24.5], 20.5, 4, 4.0),
        ([24.5, 21.5, 19.5, 22.5], 22.0, 4, 5.0),
        ([None, 21.5], 21.5, 1, 0.0),
        ([None], None, 0, None),
    ],
)
def test_the_line_is_the_median_of_the_bookmakers(
    points: list[float | None], median: float | None, count: int, spread: float | None
) -> None:
    row = star(played(1), lines=[prop(f"book {number}", one) for number, one in enumerate(points)])
    assert (row["points_line"], row["bookmakers"], row["line_spread"]) == (median, count, spread)


def test_lines_of_other_dates_and_of_players_who_are_not_expected_add_nothing() -> None:
    others = [prop("a", 9.5, game_date=ago(1)), prop("a", 8.5, game_date=ago(-1)), prop("a", 7.5, player_lookup="no")]
    warehouse = expected(played(1), lines=others)
    assert [(row["player_lookup"], row["points_line"]) for row in warehouse.rows(STEP)] == [(LOOKUP, None)]
