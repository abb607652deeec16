import random
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_props.errors import DataError
from nba_props.raw import COLUMNS, KEY, VERSION, RawRow, check_rows
from nba_props.sources.synthetic import SyntheticSource, night_of_2026_02_03
from tests.support.step_warehouse import loser, raw_row

MADE = {"field_goals_made": 4, "field_goals_attempted": 9, "three_pointers_made": 1, "three_pointers_attempted": 3}


def winner(**changes: object) -> RawRow:
    return raw_row(**{"minutes": 20, **MADE, **changes})  # type: ignore[arg-type]


def refusal(*rows: RawRow) -> str:
    with pytest.raises(DataError) as caught:
        check_rows(rows, where="night.parquet")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_true_game_is_accepted_and_so_is_a_repeated_row() -> None:
    check_rows([winner(), loser()], where="x")
    check_rows([winner(), winner(source_updated_at=datetime(2025, 1, 12, tzinfo=UTC)), loser()], where="x")
    check_rows([], where="x")


def test_key_and_version_are_columns() -> None:
    assert {*KEY, VERSION} <= COLUMNS.keys()


@pytest.mark.parametrize(
    ("changes", "column", "problem"),
    [
        ({"points": 10}, "points", "is 10, but the shots made give 9"),
        ({"total_rebounds": 1}, "total_rebounds", "is 1, but offensive + defensive give 0"),
        ({"field_goals_made": 10}, "field_goals_made", "is 10 of only 9 attempted"),
        ({"three_pointers_made": 4}, "three_pointers_made", "is 4 of only 3 attempted"),
        ({"free_throws_made": 1}, "free_throws_made", "is 1 of only 0 attempted"),
        ({"field_goals_made": 0}, "field_goals_made", "leaves -1 two-pointers made of 6 attempted"),
        ({"field_goals_made": 8}, "field_goals_made", "leaves 7 two-pointers made of 6 attempted"),
        ({"minutes": 71}, "minutes", "is 71, and no player plays more than 70 minutes"),
        ({"minutes": -1}, "minutes", "is -1, and a count is never negative"),
        ({"turnovers": -2}, "turnovers", "is -2, and a count is never negative"),
        ({"game_id": None}, "game_id", "has no value"),
        ({"game_id": ""}, "game_id", "has no value"),
        ({"win_flag": None}, "win_flag", "has no value"),
        ({"assists": 2.5}, "assists", "is 2.5, not INTEGER"),
        ({"assists": float("nan")}, "assists", "is nan, not INTEGER"),
        ({"assists": True}, "assists", "is True, not INTEGER"),
        ({"player_id": "1"}, "player_id", "is '1', not BIGINT"),
        ({"game_date": datetime(2025, 1, 10, tzinfo=UTC)}, "game_date", "not DATE"),
        ({"source_updated_at": datetime(2025, 1, 11)}, "source_updated_at", "without a time zone"),  # noqa: DTZ001
        ({"player_lookup": "blor"}, "player_lookup", "is 'blor', but the name gives 'blorabbixfneeyvvik'"),
        ({"player_name": "Никола"}, "player_name", "has no Latin spelling"),
        ({"opponent_team_abbr": "BOS"}, "opponent_team_abbr", "is 'BOS', the player's own team"),
        ({"mood": 3}, "mood", "is no column of the raw table"),
    ],
)
def test_a_row_that_cannot_be_true_is_refused_by_row_column_and_mend(
    changes: dict[str, object], column: str, problem: str
) -> None:
    said = refusal(loser(), {**winner(), **changes})
    assert said.startswith("night.parquet: row 2 (game ")
    assert f"column {column}: " in said
    assert problem in said
    assert said.endswith("; correct the row at its source and load the batch again")


@pytest.mark.parametrize("column", COLUMNS)
def test_a_row_without_a_column_is_refused_by_its_name(column: str) -> None:
    row = winner()
    del row[column]
    assert f"column {column}: is missing" in refusal(row, loser())


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([winner()], "game g1 has 1 team(s) (BOS), not two"),
        ([winner(), loser(), loser(team_abbr="LAL", player_id=3)], "game g1 has 3 team(s) (BOS, LAL, NYK), not two"),
        ([winner(), loser(opponent_team_abbr="LAL")], "do not name each other"),
        ([winner(), loser(game_date=date(2025, 1, 9))], "differ in date or season"),
        ([winner(), loser(win_flag=True)], "BOS and NYK have both won"),
        ([winner(win_flag=False), loser()], "BOS and NYK have both lost"),
        ([winner(win_flag=False), loser(win_flag=True)], "BOS 9, NYK 0 does not fit who won"),
        ([winner(), winner(name="Glax Plozyvvik", player_id=3, win_flag=False), loser()], "disagree about"),
        (
            [winner(), loser(), winner(game_id="g2"), loser(game_id="g2")],
            "BOS plays two games on 2025-01-10: g1 and g2",
        ),
    ],
)
def test_a_batch_that_cannot_be_true_is_refused_by_name(rows: list[RawRow], problem: str) -> None:
    said = refusal(*rows)
    assert said.startswith("night.parquet: ")
    assert problem in said


def test_two_players_of_one_name_pass_on_one_date_and_in_one_game() -> None:
    check_rows([winner(), loser(), loser(player_id=3)], where="x")
    other = {"game_id": "g2", "player_id": 3, "team_abbr": "LAL", "opponent_team_abbr": "UTA"}
    rest = loser(game_id="g2", team_abbr="UTA", opponent_team_abbr="LAL", player_id=4)
    check_rows([winner(), loser(), winner(**other), rest], where="x")
    later = {"game_date": date(2025, 1, 11), "game_id": "g2"}
    check_rows([winner(), loser(), winner(player_id=3, **later), loser(**later)], where="x")


COUNTS = sorted(name for name, kind in COLUMNS.items() if kind == "INTEGER" and name not in ("plus_minus", "minutes"))
FREE = {"assists", "steals", "blocks", "turnovers", "personal_fouls", "field_goals_attempted", "free_throws_attempted"}


@given(place=st.integers(0, 347), column=st.sampled_from([name for name in COUNTS if name not in FREE]))
def test_one_changed_count_in_a_night_is_found(place: int, column: str) -> None:
    rows = night_of_2026_02_03()
    changed = rows[place][column]
    assert isinstance(changed, int)
    # 300: more than any box score holds, so that no other identity can absorb it
    rows[place] = {**rows[place], column: changed + 300}
    assert f"row {place + 1} " in refusal(*rows)


@given(seed=st.integers(0, 10**6), ahead=st.integers(0, 400))
def test_synthetic_nights_are_accepted_in_any_order(seed: int, ahead: int) -> None:
    rows = SyntheticSource(seed=seed).batch(date(2025, 1, 1) + timedelta(days=ahead))
    random.Random(seed).shuffle(rows)
    check_rows(rows, where="synthetic")
