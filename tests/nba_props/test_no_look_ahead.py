"""A forecast of a date knows nothing of that date's games, nor of later ones: the future is shuffled and compared."""

import random
from datetime import date, timedelta
from pathlib import Path
from typing import cast

import pytest

from nba_props.raw import TABLE, RawRow
from nba_props.sources.parquet import ParquetSource
from nba_props.sources.synthetic import SyntheticSource
from tests.support.step_warehouse import (
    FORECASTS,
    KEYS,
    OTHER_RAW,
    PROPS,
    SCHEDULE,
    SHOTS,
    SUMMARIES,
    Warehouse,
    schedule_of,
    step_sql,
)

pytestmark = pytest.mark.slow

NIGHT = date(2026, 2, 8)
READERS_OF_THE_PAST = [step for step in FORECASTS if "$season_start" in step_sql(step)]
STRICT, LAX = "< CAST($run_date AS DATE)", "<= CAST($run_date AS DATE)"


def nights(first: date, last: date) -> list[RawRow]:
    source = SyntheticSource()
    return [row for day in source.dates(first, last) for row in source.batch(day)]


def filled(past: list[RawRow], future: list[RawRow]) -> Warehouse:
    """Give a warehouse with box scores, a line for every player of the past, and two shots in each of his games."""
    warehouse = Warehouse()
    warehouse.play(*past, *future)
    players = {row["player_lookup"]: row for row in past}
    days = sorted({cast("date", row["game_date"]) for row in future})
    lines = [{"player_lookup": name, "bookmaker": "a", "points_line": 9.5, "game_date": days[0]} for name in players]
    warehouse.add(PROPS, lines)
    warehouse.add(SHOTS, [shot for row in [*past, *future] for shot in shots_of(row)])
    return warehouse


def shots_of(row: RawRow) -> list[dict[str, object]]:
    kept = {name: row[name] for name in OTHER_RAW[SHOTS] if name in row}
    return [kept | {"zone": "Mid-Range", "made": row["win_flag"]}, kept | {"zone": "Left Corner 3", "made": True}]


def turn_over(warehouse: Warehouse, future: list[RawRow]) -> None:
    """Put another future in the place of this one, in the raw tables and the summaries."""
    days = sorted({cast("date", row["game_date"]) for row in future})
    other = shuffled(future)
    for table in (TABLE, SHOTS):
        warehouse.db.execute(f"DELETE FROM {table} WHERE game_date >= $day", {"day": days[0]})
    warehouse.load(other)
    warehouse.add(SHOTS, [{**shot, "zone": "Above the Break 3"} for row in other for shot in shots_of(row)])
    warehouse.add(PROPS, [{"player_lookup": row["player_lookup"], "game_date": days[1]} for row in other])
    # what the schedule says of other dates is no business of this one
    warehouse.db.execute(f"DELETE FROM {SCHEDULE} WHERE game_date < $day", {"day": days[0]})
    for day in days:
        for step in SUMMARIES:
            warehouse.build(step, day)


def shuffled(rows: list[RawRow]) -> list[RawRow]:
    """Deal twice the counts of all rows to others, on each date the players to other teams; turn the results round."""
    rng = random.Random(7)
    counts = [
        {name: value for name, value in row.items() if type(value) is int and name != "player_id"} for row in rows
    ]
    people = [{name: row[name] for name in ("player_id", "player_name", "player_lookup")} for row in rows]
    rng.shuffle(counts)
    dates: dict[object, list[int]] = {}
    for number, row in enumerate(rows):
        dates.setdefault(row["game_date"], []).append(number)
    dealt: list[RawRow] = []
    for numbers in dates.values():
        for number, other in zip(numbers, rng.sample(numbers, len(numbers)), strict=True):
            doubled = {name: 2 * value for name, value in counts[number].items()}
            dealt.append(rows[number] | doubled | people[other] | {"win_flag": not rows[number]["win_flag"]})
    return dealt


def forecast_of(warehouse: Warehouse, day: date) -> dict[str, str]:
    """Give every forecast of a date, built anew, to the letter."""
    warehouse.forecast(day)
    return {step: text_of(warehouse, step, day) for step in FORECASTS}


def text_of(warehouse: Warehouse, step: str, day: date) -> str:
    rows = warehouse.rows(step, f"{KEYS[step][0]} = DATE '{day}'")
    assert rows
    return repr(rows)


def test_nothing_of_the_date_or_later_reaches_a_forecast() -> None:
    past, future = nights(date(2026, 1, 28), NIGHT - timedelta(days=1)), nights(NIGHT, NIGHT + timedelta(days=2))
    warehouse = filled(past, future)
    known, known_later = forecast_of(warehouse, NIGHT), forecast_of(warehouse, NIGHT + timedelta(days=2))
    turn_over(warehouse, future)
    assert changed(known, forecast_of(warehouse, NIGHT)) == set()
    # The same change is seen by each step on a date after it.
    assert changed(known_later, forecast_of(warehouse, NIGHT + timedelta(days=2))) == set(FORECASTS)


def changed(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {step for step in FORECASTS if one[step] != other[step]}


@pytest.mark.parametrize("step", READERS_OF_THE_PAST)
def test_a_step_that_did_look_ahead_would_be_found(step: str) -> None:
    past, future = nights(NIGHT - timedelta(days=3), NIGHT - timedelta(days=1)), nights(NIGHT, NIGHT)
    future += nights(NIGHT + timedelta(days=1), NIGHT + timedelta(days=1))
    warehouse = filled(past, future)
    warehouse.forecast(NIGHT)
    sql = step_sql(step)
    assert STRICT in sql
    warehouse.build(step, NIGHT, sql=sql.replace(STRICT, LAX))
    cheating = text_of(warehouse, step, NIGHT)
    turn_over(warehouse, future)
    warehouse.build(step, NIGHT, sql=sql.replace(STRICT, LAX))
    assert text_of(warehouse, step, NIGHT) != cheating


def test_the_other_steps_read_rows_of_the_date_alone_of_tables_that_know_the_past_only() -> None:
    assert set(FORECASTS) - set(READERS_OF_THE_PAST) == {"player_composite_factors", "ml_feature_store_v2"}
    for step in ("player_composite_factors", "ml_feature_store_v2"):
        sql = step_sql(step)
        for table in (TABLE, SHOTS, PROPS, SCHEDULE, "game_summary"):
            assert f"FROM {table}" not in sql
            assert f"JOIN {table}" not in sql


@pytest.mark.parametrize("night", [date(2024, 12, 27), date(2025, 2, 10)])
def test_nothing_of_a_real_date_or_later_reaches_a_forecast(nba_data: Path, night: date) -> None:
    source = ParquetSource(nba_data)
    days = source.dates(date(2024, 10, 1), night + timedelta(days=3))
    rows = [row for day in days for row in source.batch(day)]
    future = [row for row in rows if cast("date", row["game_date"]) >= night]
    warehouse = filled([row for row in rows if cast("date", row["game_date"]) < night], future)
    known, known_later = forecast_of(warehouse, night), forecast_of(warehouse, days[-1])
    turn_over(warehouse, future)
    assert schedule_of(future)
    assert changed(known, forecast_of(warehouse, night)) == set()
    assert changed(known_later, forecast_of(warehouse, days[-1])) == set(FORECASTS)
