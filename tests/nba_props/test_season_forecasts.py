"""Forecasts of real dates of 2024-25, against plain Python over the same box scores; and no look-ahead."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import cast

import pytest

from nba_props.raw import RawRow
from nba_props.sources.parquet import ParquetSource
from tests.support.forecast_oracle import Season
from tests.support.step_warehouse import FORECASTS, KEYS, PROPS, TABLES, Warehouse, schedule_of

pytestmark = pytest.mark.slow

FIRST, LAST = date(2024, 10, 1), date(2025, 4, 13)
SECOND_NIGHT = date(2024, 10, 23)
AFTER_THE_BREAK = date(2025, 2, 20)  # the first full night after the all-star break
AFTER_A_TRADE = date(2025, 2, 10)  # Dončić's first game for the Lakers; Davis is hurt in his first for Dallas
NIGHTS = (SECOND_NIGHT, date(2024, 12, 27), AFTER_A_TRADE, AFTER_THE_BREAK, LAST)


@pytest.fixture(scope="module")
def rows(nba_data: Path) -> list[RawRow]:
    source = ParquetSource(nba_data)
    return [row for day in source.dates(FIRST, LAST) for row in source.batch(day)]


@pytest.fixture(scope="module")
def season(rows: list[RawRow]) -> Iterator[Warehouse]:
    """Give the season's summaries, and the forecasts of some nights with a line for every other player."""
    warehouse = Warehouse()
    warehouse.play(*rows)
    warehouse.add(PROPS, [line for day in NIGHTS for line in lines_of(rows, day)])
    for day in NIGHTS:
        warehouse.forecast(day)
    yield warehouse
    warehouse.db.close()


def lines_of(rows: list[RawRow], day: date) -> list[dict[str, object]]:
    """Give an invented line for each player with an even id who has played by then: half points, by his id."""
    players = {cast("int", row["player_id"]): row for row in rows if cast("date", row["game_date"]) <= day}
    return [
        {
            "game_date": day,
            "player_lookup": row["player_lookup"],
            "bookmaker": "a",
            "points_line": number % 30 + 0.5,
        }
        for number, row in players.items()
        if number % 2 == 0
    ]


def sides_of(rows: list[RawRow], day: date) -> dict[str, str]:
    return {str(row["team_abbr"]): str(row["opponent_team_abbr"]) for row in rows if row["game_date"] == day}


def on(step: str, day: date) -> str:
    return f"{KEYS[step][0]} = DATE '{day}'"


def near(value: object) -> object:
    """Allow for rounding: to 3 decimals, and again for a difference of two that were rounded."""
    return value if value is None or isinstance(value, bool) else pytest.approx(value, abs=0.0011)


@pytest.mark.parametrize("day", NIGHTS)
def test_every_team_s_context_is_what_its_box_scores_say(season: Warehouse, rows: list[RawRow], day: date) -> None:
    truth = Season(rows, day, sides_of(rows, day))
    found = season.rows("upcoming_team_game_context", on("upcoming_team_game_context", day))
    assert {row["team_abbr"]: row["opponent_team_abbr"] for row in found} == truth.sides
    for row in found:
        expected = truth.team(str(row["team_abbr"]))
        assert {name: row[name] for name in expected} == {name: near(value) for name, value in expected.items()}


@pytest.mark.parametrize("day", NIGHTS)
def test_every_feature_of_every_expected_player_is_what_his_box_scores_say(
    season: Warehouse, rows: list[RawRow], day: date
) -> None:
    truth = Season(rows, day, sides_of(rows, day))
    players = truth.expected()
    lines = {str(line["player_lookup"]): cast("float", line["points_line"]) for line in lines_of(rows, day)}
    found = season.rows("ml_feature_store_v2", on("ml_feature_store_v2", day))
    assert [row["player_lookup"] for row in found] == sorted(players)
    for row in found:
        lookup = str(row["player_lookup"])
        expected = truth.features(players[lookup], lines.get(lookup))
        features = [name for name in row if f";{name}:" in str(row["feature_sources"])]
        assert len(features) == 32
        assert {name: row[name] for name in features} == {name: near(expected[name]) for name in features}, lookup


@pytest.mark.parametrize("day", NIGHTS)
def test_every_average_of_every_expected_player_is_what_his_box_scores_say(
    season: Warehouse, rows: list[RawRow], day: date
) -> None:
    truth = Season(rows, day, sides_of(rows, day))
    players = truth.expected()
    for step in ("upcoming_player_game_context", "player_daily_cache"):
        for row in season.rows(step, on(step, day)):
            his = players[str(row["player_lookup"])]
            assert row["team_abbr"] == his[0]["team_abbr"]
            for name in (name for name in row if "_avg_" in name):
                what, _, ending = name.partition("_avg_")
                last = {"last_5": 5, "last_10": 10, "season": None}[ending]
                assert row[name] == near(truth.average(his[:last], what)), (row["player_lookup"], name)


def test_a_traded_player_is_expected_with_his_new_team_once_he_has_played_for_it(season: Warehouse) -> None:
    step = "upcoming_player_game_context"
    dallas = season.rows(step, f"{on(step, AFTER_A_TRADE)} AND player_lookup = 'anthonydavis'")
    assert [(row["team_abbr"], row["games_played_season"], row["days_rest"]) for row in dallas] == [("DAL", 43, 2)]
    # Dončić last played on Christmas Day: more than 15 days ago, for Dallas.
    assert season.rows(step, f"{on(step, AFTER_A_TRADE)} AND player_lookup = 'lukadoncic'") == []
    # Ten days later he has.
    found = season.rows(step, f"{on(step, AFTER_THE_BREAK)} AND player_lookup = 'lukadoncic'")
    assert {row["team_abbr"] for row in found} <= {"LAL"}


def test_after_the_all_star_break_nobody_plays_back_to_back_and_everybody_is_expected_still(season: Warehouse) -> None:
    step = "upcoming_team_game_context"
    found = season.rows(step, f"{on(step, AFTER_THE_BREAK)} AND games_last_7_days = 0")
    assert found
    assert all(cast("int", row["days_rest"]) >= 7 for row in found)
    player = "upcoming_player_game_context"
    teams = {row["team_abbr"] for row in season.rows(player, on(player, AFTER_THE_BREAK))}
    assert teams == {row["team_abbr"] for row in season.rows(step, on(step, AFTER_THE_BREAK))}


def test_on_the_first_night_nobody_is_expected_and_on_the_second_who_played_the_first(season: Warehouse) -> None:
    season.forecast(date(2024, 10, 22))
    step = "upcoming_player_game_context"
    assert season.rows(step, on(step, date(2024, 10, 22))) == []
    assert season.rows(step, on(step, SECOND_NIGHT)) == []  # none of the four teams of the first plays again


@pytest.mark.parametrize("step", FORECASTS)
def test_no_number_of_a_forecast_is_nan_or_infinite_and_each_key_is_there_once(season: Warehouse, step: str) -> None:
    kinds = season.db.execute(f"DESCRIBE {TABLES[step]}").fetchall()
    bad = " OR ".join(f"isnan({name}) OR isinf({name})" for name, kind, *_ in kinds if kind == "DOUBLE")
    assert season.number(f"SELECT count(*) FROM {TABLES[step]} WHERE {bad}") == 0
    keys = f"SELECT DISTINCT {', '.join(KEYS[step])} FROM {TABLES[step]}"
    counts = [season.number(f"SELECT count(*) FROM ({sql})") for sql in (keys, f"FROM {TABLES[step]}")]
    assert counts[0] == counts[1] != 0


def test_the_schedule_of_a_test_is_that_of_the_box_scores(rows: list[RawRow]) -> None:
    assert len(schedule_of(rows)) == 1230
