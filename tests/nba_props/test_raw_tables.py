from datetime import UTC, date, datetime

import pytest

from nba_props.errors import DataError
from nba_props.raw import RawRow
from nba_props.raw_tables import PROPS, SCHEDULE, SHOTS, TABLES, RawTable, check_table, in_order
from nba_props.sources.synthetic import SyntheticSource

DAY = date(2025, 1, 10)


def prop(**changes: object) -> RawRow:
    return {**SyntheticSource().props(DAY)[0], **changes}


@pytest.mark.parametrize("table", TABLES)
def test_keys_and_versions_are_columns_that_always_have_a_value(table: RawTable) -> None:
    named = {*table.key, "game_date"} | ({table.version} if table.version else set())
    assert named <= table.columns.keys()
    assert not named & table.nullable
    assert table.nullable <= table.columns.keys()
    assert (table.version is not None) == (table.write == "merge")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"points_line": None}, "column points_line: has no value"),
        ({"points_line": 20}, "column points_line: is 20, not DOUBLE"),
        ({"points_line": float("nan")}, "column points_line: is nan, no number"),
        ({"line_first": float("inf")}, "column line_first: is inf, no number"),
        ({"player_name": ""}, "column player_name: has no value"),
        ({"line_moves": True}, "column line_moves: is True, not INTEGER"),
        ({"game_date": datetime(2025, 1, 10, tzinfo=UTC)}, "column game_date: is datetime"),
        ({"captured_at": datetime(2025, 1, 10)}, "captured_at: is 2025-01-10T00:00:00 without a time zone"),  # noqa: DTZ001
        ({"mood": 1}, "column mood: is no column of the table"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_row_and_column(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(DataError) as caught:
        check_table(PROPS, [prop(player_lookup="other"), prop(**changes)], where="odds")
    assert str(caught.value).startswith("odds: nba_raw.odds_api_player_points_props, row 2")
    assert problem in str(caught.value)


def test_a_missing_column_and_a_key_that_comes_twice_are_refused() -> None:
    short = prop()
    del short["over_price"]
    with pytest.raises(DataError, match="column over_price: is missing"):
        check_table(PROPS, [short], where="odds")
    with pytest.raises(DataError, match=r"row 2: the key 2025-01-10, .* occurs twice"):
        check_table(PROPS, [prop(), prop()], where="odds")


def test_null_passes_where_it_is_allowed() -> None:
    check_table(PROPS, [prop(over_price=None, under_price=None)], where="odds")
    check_table(SCHEDULE, [], where="x")


def test_rows_are_ordered_by_key_and_numbers_by_size() -> None:
    shots = [{**dict.fromkeys(SHOTS.columns), "game_date": DAY, "game_id": "g", "event_number": n} for n in (10, 9)]
    ordered = in_order(SHOTS, [dict(reversed(shot.items())) for shot in shots])
    assert [row["event_number"] for row in ordered] == [9, 10]
    assert tuple(ordered[0]) == tuple(SHOTS.columns)
