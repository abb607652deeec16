from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from nba_props.errors import DataError
from nba_props.raw import COLUMNS
from nba_props.sources import Source
from nba_props.sources.parquet import ParquetSource
from tests.support.player_lines import LINE, OTHER

DAY = date(2025, 1, 10)
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(*lines: dict[str, str], name: str = "player_game_2024-25.parquet") -> Path:
        selects = " UNION ALL ".join(
            "SELECT " + ", ".join(f"{value} AS {column}" for column, value in line.items()) for line in lines
        )
        (tmp_path / name).parent.mkdir(exist_ok=True)
        duckdb.sql(f"COPY ({selects}) TO '{tmp_path / name}' (FORMAT parquet)")
        return tmp_path

    return to_file


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        ParquetSource(folder).batch(DAY)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_becomes_raw_rows_with_the_other_team_as_opponent(write: Write) -> None:
    source: Source = ParquetSource(write(OTHER, LINE))
    first, second = source.batch(DAY)
    assert tuple(first) == tuple(COLUMNS)
    assert (first["team_abbr"], first["opponent_team_abbr"], first["win_flag"]) == ("BOS", "NYK", True)
    assert (second["team_abbr"], second["opponent_team_abbr"], second["win_flag"]) == ("NYK", "BOS", False)
    assert (first["player_lookup"], first["season"], first["minutes"]) == ("cvimblorabbixjr", "2024-25", 30)
    assert first["source_updated_at"] == source.updated_at(DAY) == datetime(2025, 1, 11, 6, tzinfo=UTC)
    assert source.dates(date(2024, 10, 1), date(2025, 6, 30)) == [DAY]
    assert source.dates(date(2025, 1, 11), date(2025, 6, 30)) == []
    assert source.batch(date(2025, 1, 11)) == []
    assert source.batch(date(1999, 1, 1)) == []


def test_files_may_lie_in_the_subfolder_nba(write: Write) -> None:
    folder = write(LINE, OTHER, name="nba/player_game_2024-25.parquet")
    assert len(ParquetSource(folder).batch(DAY)) == 2


def test_a_caller_may_change_its_rows(write: Write) -> None:
    source = ParquetSource(write(LINE, OTHER))
    source.batch(DAY)[0]["points"] = 99
    assert source.batch(DAY)[0]["points"] == 9


def test_whole_numbers_kept_as_floats_are_whole_numbers(write: Write) -> None:
    source = ParquetSource(write(LINE | {"MIN": "30::DOUBLE"}, OTHER))
    assert source.batch(DAY)[0]["minutes"] == 30


def test_dates_kept_as_dates_are_dates(write: Write) -> None:
    changed = {"GAME_DATE": "DATE '2025-01-10'"}
    assert len(ParquetSource(write(LINE | changed, OTHER | changed)).batch(DAY)) == 2


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"PTS": "10"}, "column points: is 10, but the shots made give 9"),
        ({"MIN": "30.5::DOUBLE"}, "column minutes: is 30.5, not INTEGER"),
        ({"WL": "NULL"}, "column win_flag: has no value"),
        ({"SEASON_ID": "2024"}, "column season: has no value"),
        ({"SEASON_ID": "NULL::INTEGER"}, "column season: has no value"),
        ({"PLAYER_NAME": "NULL"}, "column player_lookup: has no value"),
        ({"PLAYER_NAME": "'Никола'"}, "player name 'Никола': the letter"),
        ({"GAME_ID": "NULL"}, "row 1 (game None, player Čvim Blorabbix Jr.), column game_id: has no value"),
        ({"GAME_DATE": "NULL"}, "column game_date: has no value"),
        ({"TEAM_ABBREVIATION": "NULL"}, "column team_abbr: has no value"),
        ({"TEAM_ABBREVIATION": "'NYK'"}, "game 0022499999 has 1 team(s) (NYK), not two"),
        ({"GAME_DATE": "'10 January'"}, "column game_date: is '10 January', not DATE"),
    ],
)
def test_a_line_that_cannot_be_true_is_refused_with_its_file(
    write: Write, changes: dict[str, str], problem: str
) -> None:
    said = refusal(write(LINE | changes, OTHER))
    assert "player_game_2024-25.parquet: " in said
    assert problem in said


@pytest.mark.parametrize("column", sorted(LINE.keys() - {"MATCHUP"}))
def test_a_file_without_a_column_is_refused_by_its_name(write: Write, column: str) -> None:
    lines = [{name: value for name, value in line.items() if name != column} for line in (LINE, OTHER)]
    assert f"player_game_2024-25.parquet: column {column} is missing; export" in refusal(write(*lines))


def test_a_file_without_matchups_is_read(write: Write) -> None:
    lines = [{name: value for name, value in line.items() if name != "MATCHUP"} for line in (LINE, OTHER)]
    assert len(ParquetSource(write(*lines)).batch(DAY)) == 2


def test_a_missing_an_empty_and_a_wrong_folder_are_told_apart(tmp_path: Path) -> None:
    assert "there is no such folder; give the folder with --data" in refusal(tmp_path / "absent")
    assert "has a file player_game_*.parquet; give the folder with --data" in refusal(tmp_path)
    (tmp_path / "player_game_2024-25.csv").write_text("a,b\n")
    assert "has a file player_game_*.parquet" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not parquet at all", b"PAR1" + b"\0" * 64 + b"PAR1"])
def test_a_corrupt_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "player_game_2024-25.parquet").write_bytes(content)
    said = refusal(tmp_path)
    assert "player_game_2024-25.parquet: it cannot be read as LeagueGameLog parquet" in said
    assert said.endswith("; fetch the file again")


def test_a_truncated_file_is_refused_by_name(write: Write) -> None:
    [path] = write(LINE, OTHER).glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    assert "it cannot be read as LeagueGameLog parquet" in refusal(path.parent)


def test_a_file_without_a_game_is_refused(write: Write, tmp_path: Path) -> None:
    write(LINE, name="all.parquet")
    source, target = tmp_path / "all.parquet", tmp_path / "player_game_2024-25.parquet"
    duckdb.sql(f"COPY (FROM '{source}' LIMIT 0) TO '{target}' (FORMAT parquet)")
    assert "player_game_2024-25.parquet: it has no game; remove the file" in refusal(tmp_path)


def test_two_files_of_one_date_are_refused(write: Write) -> None:
    write(LINE, OTHER)
    folder = write(LINE, OTHER, name="player_game_copy.parquet")
    assert "player_game_copy.parquet: it has dates of player_game_2024-25.parquet too; keep one" in refusal(folder)


SEASON = [
    line | {"GAME_ID": f"'002240000{number}'", "GAME_DATE": f"'2025-01-{8 + number:02}'"}
    for number in (1, 2, 3)
    for line in (LINE, OTHER)
]


@pytest.mark.parametrize(
    "cell",
    [
        {"PTS": "10"},
        {"PTS": "NULL::INTEGER"},
        {"MIN": "99"},
        {"WL": "NULL"},
        {"WL": "'?'"},
        {"SEASON_ID": "2024"},
        {"SEASON_ID": "NULL::INTEGER"},
        {"SEASON_ID": "22019"},
        {"PLAYER_NAME": "NULL"},
        {"PLAYER_NAME": "'Никола'"},
        {"PLAYER_ID": "NULL::INTEGER"},
        {"GAME_ID": "NULL"},
        {"GAME_ID": "'0022499999'"},
        {"GAME_DATE": "NULL"},
        {"GAME_DATE": "'10 January'"},
        {"GAME_DATE": "'1025-01-10'"},
        {"TEAM_ABBREVIATION": "NULL"},
        {"TEAM_ABBREVIATION": "'NYK'"},
    ],
    ids=str,
)
def test_one_bad_cell_holds_its_own_date_back_and_no_other(write: Write, cell: dict[str, str]) -> None:
    lines = [dict(line) for line in SEASON]
    lines[2] |= cell
    source = ParquetSource(write(*lines))
    before, bad, after = (date(2025, 1, 8 + number) for number in (1, 2, 3))
    assert source.dates(date(2024, 7, 1), date(2025, 6, 30)) == [before, bad, after]
    assert [len(source.batch(day)) for day in (before, after)] == [2, 2]
    with pytest.raises(DataError, match=r"player_game_2024-25\.parquet: "):
        source.batch(bad)
    games = {row["game_date"] for row in source.schedule(date(2024, 7, 1), date(2025, 6, 30))}
    assert {before, after} <= games
    known = {
        day for begin, end in source.coverage(before, after) for day in (before, bad, after) if begin <= day <= end
    }
    assert known | {bad} == {before, bad, after}
    assert bad in games or bad not in known, "a date with a game is never a date without"


def test_a_line_on_the_wrong_date_holds_both_dates_back(write: Write) -> None:
    lines = [dict(line) for line in SEASON]
    lines[2] |= {"GAME_DATE": "'2025-01-11'"}
    source = ParquetSource(write(*lines))
    assert len(source.batch(date(2025, 1, 9))) == 2
    for day in (date(2025, 1, 10), date(2025, 1, 11)):
        with pytest.raises(DataError, match=r"do not name each other, or differ in date"):
            source.batch(day)


def test_a_game_without_any_date_leaves_no_date_whole(write: Write) -> None:
    lines = [dict(line) | ({"GAME_DATE": "NULL"} if place in {2, 3} else {}) for place, line in enumerate(SEASON)]
    with pytest.raises(DataError, match="column game_date: has no value"):
        ParquetSource(write(*lines)).batch(date(2025, 1, 9))
