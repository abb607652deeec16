"""player_daily_cache: averages before the date, of the players who are expected on it."""

from datetime import date, timedelta

from nba_props.raw import RawRow
from nba_props.sources.synthetic import SyntheticSource
from tests.support.step_warehouse import DAY, SCHEDULE, Warehouse, line, schedule_of, upcoming

STAR, RIVAL = "Blorabbix Fneeyvvik", "Qued Zwetommuz"


def day_of(number: int) -> date:
    return DAY + timedelta(days=number)


def career(points: list[int], *, first: int = 0, **changes: object) -> list[RawRow]:
    """Give a player's games on successive days: one free throw made and two tried for each point, 10 minutes."""
    rows: list[RawRow] = []
    for number, scored in enumerate(points, start=first):
        shots = {"free_throws_made": scored, "free_throws_attempted": 2 * scored, "minutes": 10, **changes}
        rows += [line(STAR, day_of(number), "BOS", "NYK", **shots), line(RIVAL, day_of(number), "NYK", "BOS")]
    return rows


def cached(rows: list[RawRow], number: int) -> dict[str, object]:
    """Give the star's row of a date on which his team plays again."""
    [row] = all_cached(rows, number)
    return row


def all_cached(rows: list[RawRow], number: int, *, season_start: date | None = None) -> list[dict[str, object]]:
    warehouse = Warehouse(season_start=season_start)
    warehouse.play(*rows)
    warehouse.db.execute(f"DELETE FROM {SCHEDULE} WHERE game_date >= $day", {"day": day_of(number)})
    warehouse.add(SCHEDULE, [upcoming(day_of(number), "BOS", "NYK")])
    warehouse.forecast(day_of(number))
    return warehouse.rows("player_daily_cache", "player_lookup = 'blorabbixfneeyvvik'")


def test_the_cache_averages_the_last_five_ten_and_all_games_before_the_date() -> None:
    row = cached(career([*range(1, 13), 50]), 12)
    assert [row[f"games_played_{window}"] for window in ("last_5", "last_10", "season")] == [5, 10, 12]
    assert row["points_avg_last_5"] == 10.0  # of 8 .. 12
    assert row["points_avg_last_10"] == 7.5  # of 3 .. 12
    assert row["points_avg_season"] == 6.5  # of 1 .. 12
    assert row["minutes_avg_season"] == 10.0
    assert row["ts_pct_season"] == row["ts_pct_last_5"] == 0.5682  # p / (2 * 0.44 * 2 p)
    assert (row["cache_date"], row["team_abbr"], row["season"]) == (day_of(12), "BOS", "2024-25")


def test_a_season_s_true_shooting_is_of_sums_not_a_mean_of_games() -> None:
    rows = career([2, 2])
    rows[0] |= {"free_throws_attempted": 2}
    # 4 / (2 * 0.44 * 6); the mean of the two games would be 0.8523
    assert cached(rows, 2)["ts_pct_season"] == 0.7576


def test_usage_is_averaged_over_the_games_that_have_one() -> None:
    rows = career([3, 3])
    rows[2] |= {"minutes": 2}
    row = cached(rows, 2)
    # Alone in his team he uses all of it: 100 * c * (10 / 5) / (10 * c) = 20.
    assert (row["usage_rate_avg_season"], row["games_played_season"]) == (20.0, 2)


def test_before_his_first_game_nobody_is_cached() -> None:
    assert all_cached(career([5]), 0) == []


def test_a_player_who_misses_the_game_is_cached_as_one_who_plays_it() -> None:
    rows = career([5, 7, 9])
    plays, misses = cached(rows, 2), cached([row for row in rows if row["points"] != 9], 2)
    assert plays == misses
    assert plays["points_avg_season"] == 6.0


def test_another_season_is_another_beginning() -> None:
    rows = [*career([30, 30], season="2023-24"), *career([4, 6], first=2)]
    assert all_cached(rows, 2) == []
    assert cached(rows, 3)["points_avg_season"] == 4.0


def test_a_namesake_is_somebody_else_and_of_both_at_once_neither_has_a_row() -> None:
    rows = [*career([40, 40], player_id=9), *career([4, 6], first=20)]
    assert cached(rows, 22)["points_avg_season"] == 5.0
    soon = [*career([40, 40], player_id=9), *career([4, 6], first=2)]
    assert all_cached(soon, 4) == []


def test_a_player_whose_name_changes_keeps_his_games() -> None:
    rows = career([4, 8])
    rows[2] |= {"player_name": "Blorabbix Fneeyvvik Zor", "player_lookup": "blorabbixfneeyvvikzor"}
    warehouse = Warehouse()
    warehouse.play(*rows)
    warehouse.add(SCHEDULE, [upcoming(day_of(2), "BOS", "NYK")])
    warehouse.forecast(day_of(2))
    row = warehouse.one("player_daily_cache", "team_abbr = 'BOS'")
    assert (row["player_lookup"], row["points_avg_season"]) == ("blorabbixfneeyvvikzor", 6.0)


def test_the_cache_has_a_row_for_each_expected_player_and_nobody_else() -> None:
    warehouse, days = Warehouse(), [day_of(number) for number in range(4)]
    for day in days:
        rows = SyntheticSource().batch(day)
        warehouse.add(SCHEDULE, schedule_of(rows))
        warehouse.load(rows)
        warehouse.build_all(day)
    expected = [row["player_lookup"] for row in warehouse.rows("upcoming_player_game_context")]
    assert expected
    assert [row["player_lookup"] for row in warehouse.rows("player_daily_cache")] == expected


def test_with_all_of_the_season_in_the_tables_an_early_date_is_computed_as_it_was_on_its_day() -> None:
    warehouse, days = Warehouse(), [day_of(number) for number in range(5)]
    for day in days:
        rows = SyntheticSource().batch(day)
        warehouse.add(SCHEDULE, schedule_of(rows))
        warehouse.load(rows)
        warehouse.build_all(day)
    at = f"cache_date = DATE '{days[2]}'"
    before = warehouse.rows("player_daily_cache", at)
    warehouse.forecast(days[2])
    assert before
    assert warehouse.rows("player_daily_cache", at) == before


def test_a_game_before_the_season_s_first_date_is_not_read_and_all_after_it_are() -> None:
    long_ago = line(STAR, date(2024, 7, 3), "BOS", "NYK", free_throws_made=90, free_throws_attempted=90)
    late = (date(2025, 6, 1) - DAY).days  # 333 days later: the season of 2019-20 took 297
    rows = [long_ago, *career([4], first=late - 1)]
    for start, games in ((date(2024, 7, 3), 2), (date(2024, 7, 4), 1)):
        [row] = all_cached(rows, late, season_start=start)
        assert (row["season"], row["games_played_season"]) == ("2024-25", games)
