"""`--source csv:MAPPING`: box scores of any CSV file, and what is wrong with one is named by file, line and column."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from nba_props.errors import DataError
from nba_props.own.checked import CheckedSource
from nba_props.own.csv_file import csv_source
from nba_props.own.mapping import FIELDS, OPTIONAL, TABLE_KEYS
from nba_props.raw_tables import SCHEDULE
from nba_props.sources.gamelog import SAME_VALUE
from nba_props.sources.parquet import ParquetSource
from tests.support.own_sources import (
    COLUMNS,
    DAY,
    NEXT,
    NIGHTS,
    box_rows,
    write_csv_source,
    write_games,
    write_mapping,
    write_schedule,
)
from tests.support.real_data import ROOT

PAGE = (ROOT / "docs" / "how-to" / "your-own-source.md").read_text()
FIRST = box_rows(DAY)[0]
POINTS, MINUTES, TEAM = f";{FIRST['points']};", f";{FIRST['minutes']}:00;", f";{FIRST['team_abbr']};"
NAME = str(FIRST["player_name"])
PLAYER = f"(game {FIRST['game_id']}, player {NAME})"
Edit = Callable[[str], str]


def edited(folder: Path, edit: Edit, *, name: str = "games.csv") -> None:
    path = folder / name
    path.write_text(edit(path.read_text()))


def line(number: int, old: str, new: str) -> Edit:
    """Return an edit of one line, counted from 1."""

    def edit(text: str) -> str:
        lines = text.splitlines()
        assert old in lines[number - 1]
        lines[number - 1] = lines[number - 1].replace(old, new, 1)
        return "\n".join(lines)

    return edit


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        csv_source(folder / "map.toml").batch(DAY)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{folder}/", "")


def test_renamed_columns_of_the_same_rows_are_the_same_rows(tmp_path: Path) -> None:
    source = csv_source(write_csv_source(tmp_path))
    assert source.batch(DAY) + source.batch(NEXT) == box_rows()
    assert source.schedule(DAY, NEXT) == NIGHTS.schedule(DAY, NEXT)
    assert source.dates(date(2026, 1, 1), date(2026, 3, 1)) == [DAY, NEXT]
    assert source.coverage(date(2026, 1, 1), date(2026, 3, 1)) == [(DAY, NEXT)]
    assert source.notices(DAY, NEXT) == []
    assert source.name == "csv"


def test_without_a_schedule_the_games_are_those_of_the_box_scores(tmp_path: Path) -> None:
    write_games(tmp_path, box_rows())
    source = csv_source(write_mapping(tmp_path))
    unknown = {"home_team_abbr": None, "away_team_abbr": None, "neutral_site": None, "tipoff_at": None, "source": "csv"}
    assert source.schedule(DAY, NEXT) == [row | unknown for row in NIGHTS.schedule(DAY, NEXT)]
    assert source.coverage(DAY, NEXT) == [(DAY, NEXT)]


@pytest.mark.parametrize("field", ["home_team_abbr", "matchup"])
def test_a_column_may_say_who_is_at_home(tmp_path: Path, field: str) -> None:
    home, away = FIRST["team_abbr"], FIRST["opponent_team_abbr"]

    def with_home(text: str) -> str:
        lines = text.splitlines()
        for n, one in enumerate(lines[1:], start=1):
            own = f"{home} vs. {away}" if f";{home};" in one else f"{away} @ {home}"
            of_game = f";{FIRST['game_id']};" in one
            lines[n] += f";{(home if field == 'home_team_abbr' else own) if of_game else ''}"
        return "\n".join([f"{lines[0]};Where", *lines[1:]])

    write_games(tmp_path, box_rows())
    edited(tmp_path, with_home)
    rows = csv_source(write_mapping(tmp_path, columns=COLUMNS | {field: "Where"})).schedule(DAY, DAY)
    homes = {row["game_id"]: (row["home_team_abbr"], row["away_team_abbr"]) for row in rows}
    assert homes.pop(FIRST["game_id"]) == (home, away)
    assert set(homes.values()) == {(None, None)}


def test_cells_are_read_as_other_programs_write_them(tmp_path: Path) -> None:
    extra = {"season": "Season", "win_flag": "Result", "source_updated_at": "At"}
    spelled = "22025,{won},2026-02-04 01:00"

    def as_exported(text: str) -> str:
        rows = text.splitlines()
        lines = [f"{rows[0]},Season,Result,At"]
        for one, row in zip(rows[1:], box_rows(DAY), strict=True):
            points = f",{row['points']},"
            assert points in one
            lines.append(
                one.replace(points, f",{row['points']}.0,", 1) + "," + spelled.format(won="WL"[not row["win_flag"]])
            )
        return "\n\n".join(["\ufeff" + lines[0], *lines[1:], " ,,,\n"])

    write_games(tmp_path, box_rows(DAY), delimiter=",")
    edited(tmp_path, as_exported)
    columns = {**COLUMNS, **extra}
    source = csv_source(write_mapping(tmp_path, {"delimiter": "", "timezone": '"America/New_York"'}, columns=columns))
    version = datetime(2026, 2, 4, 6, tzinfo=UTC)
    assert source.batch(DAY) == [row | {"source_updated_at": version} for row in box_rows(DAY)]


@pytest.mark.parametrize(
    ("form", "cell"),
    [("whole", "{m}"), ("whole", "{m}.0"), ("clock", "{less}:30"), ("clock", "PT{m}M29.00S"), ("decimal", "{less}.5"),
     ("decimal", "{m}.49")],
)  # fmt: skip
def test_minutes_have_three_formats_and_are_rounded(tmp_path: Path, form: str, cell: str) -> None:
    minutes = int(str(FIRST["minutes"]))
    write_games(tmp_path, box_rows(DAY))
    edited(tmp_path, line(2, MINUTES, f";{cell.format(m=minutes, less=minutes - 1)};"))
    if form != "clock":
        edited(tmp_path, lambda text: text.replace(":00;", ";"))
    source = csv_source(write_mapping(tmp_path, {"minutes_format": f'"{form}"'}))
    assert [row["minutes"] for row in source.batch(DAY)] == [row["minutes"] for row in box_rows(DAY)]


def test_unused_columns_are_named_once_unless_the_mapping_ignores_them(tmp_path: Path) -> None:
    write_games(tmp_path, box_rows(DAY))
    edited(tmp_path, lambda text: text.replace("\n", ";\n").replace(";\n", ";Notes\n", 1))
    (notice,) = csv_source(write_mapping(tmp_path)).notices(DAY, DAY)
    assert notice.text == (
        f"{tmp_path}/games.csv: no field is mapped to column Notes; map it, or name it in ignored of [box_scores]"
    )
    assert not notice.held_back
    assert csv_source(write_mapping(tmp_path, {"ignored": '["Notes"]'})).notices(DAY, DAY) == []


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (line(2, POINTS, ";x;"), f"games.csv: line 2 {PLAYER}, column Points (points): is 'x', not INT"),
        (line(2, POINTS, ";;"), "column Points (points): has no value; correct the line, or the mapping"),
        (line(2, MINUTES, ";90:00;"), "column Minutes (minutes): is 90, and no player plays more"),
        (line(2, MINUTES, ";half;"), "column Minutes (minutes): is 'half', not INTEGER"),
        (line(2, "02/03/2026", "3 February"), "column Game Date (game_date): is '3 February', not DATE"),
        (line(2, "02/03/2026;", ""), "games.csv: line 2 (game "),
        (line(2, TEAM, ";XYZ;"), "column Team Abbr (team_abbr): 'XYZ' is the code of no NBA team; if"),
        (line(2, NAME, "Никола"), "column Player Name (player_name): player name 'Никола': the"),
        (line(1, "Points", "PTS"), "games.csv: line 1 has no column 'Points', which the mapping names for points; it"),
        (line(1, "Points", "Assists"), "games.csv: line 1 has column 'Assists' twice; rename one of them"),
        (lambda _: "", "games.csv: line 1 has no column 'Game Date', which the mapping names for game_date; it"),
        (lambda text: text.splitlines()[0], "games.csv: it has no line below its header; export it again"),
        (line(3, "02/03/2026", '"02/03/2026'), "is no CSV (unexpected end of data); correct the quotation marks"),
    ],
)  # fmt: skip
def test_a_file_or_line_that_cannot_be_true_is_named(tmp_path: Path, edit: Edit, problem: str) -> None:
    write_games(tmp_path, box_rows())
    write_mapping(tmp_path)
    edited(tmp_path, edit)
    assert problem in refusal(tmp_path)


def test_a_bad_line_holds_its_date_back_and_no_other(tmp_path: Path) -> None:
    write_csv_source(tmp_path)
    edited(tmp_path, line(2, POINTS, ";x;"))
    source = csv_source(tmp_path / "map.toml")
    assert source.dates(DAY, NEXT) == [DAY, NEXT]
    assert source.batch(NEXT) == box_rows(NEXT)
    assert source.schedule(DAY, DAY) == NIGHTS.schedule(DAY, DAY)


def test_a_game_that_is_not_known_whole_makes_its_date_undecided(tmp_path: Path) -> None:
    write_games(tmp_path, box_rows())
    edited(tmp_path, line(2, TEAM, ";XYZ;"))
    source = csv_source(write_mapping(tmp_path))
    assert source.coverage(DAY, NEXT) == [(NEXT, NEXT)]


def test_a_missing_file_and_one_in_another_encoding_are_named(tmp_path: Path) -> None:
    write_mapping(tmp_path)
    assert "games.csv: it cannot be read ([Errno 2]" in refusal(tmp_path)
    (tmp_path / "games.csv").write_text("Game Date;Česko", encoding="utf-16")
    assert "games.csv: it is no UTF-8 (" in refusal(tmp_path)
    (tmp_path / "map.toml").unlink()
    assert "map.toml: it cannot be read ([Errno 2]" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (line(3, "2026-02-03", "soon"), None),
        (line(2, ",2025-26,", ",,"), "line 2 (game synthetic-20260203-01), column season: has no value; correct"),
        (line(2, ",False,2026", ",False,tonight 2026"), "column tipoff_at: is 'tonight 2026-02-0"),
    ],
)  # fmt: skip
def test_a_bad_line_of_a_schedule_is_left_out_alone_and_without_a_date_all_is_refused(
    tmp_path: Path, edit: Edit, problem: str | None
) -> None:
    write_csv_source(tmp_path)
    edited(tmp_path, edit, name="schedule.csv")
    if problem is None:
        assert "schedule.csv: line 3, column game_date: is 'soon', not DATE; correct the line" in refusal(tmp_path)
        return
    source = csv_source(tmp_path / "map.toml")
    assert source.schedule(DAY, NEXT) == NIGHTS.schedule(DAY, NEXT)[1:]
    (notice,) = source.notices(DAY, NEXT)
    assert notice.held_back
    assert problem in notice.text
    assert source.coverage(DAY, NEXT) == [(NEXT, NEXT)]


def mapping_refusal(folder: Path, text: str) -> str:
    (folder / "map.toml").write_text(text)
    return refusal(folder)


HEAD = '[box_scores]\nfile = "games.csv"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = ", "map.toml: it is no TOML (Invalid value (at end of document)); correct that line"),
        ("", "map.toml: it has no table [box_scores]; add one with file and columns"),
        ("[boxes]", "map.toml: unknown key 'boxes'; use box_scores, schedule, teams"),
        ("box_scores = 1", "map.toml, [box_scores]: it is no table"),
        ("[box_scores]", 'map.toml, [box_scores]: file is missing; write file = "games.csv"'),
        (f"{HEAD}files = 1", "map.toml, [box_scores]: unknown key 'files'; use file, delimiter, date_format"),
        ("[box_scores]\nfile = 1", "map.toml, [box_scores]: file is 1, and no text"),
        (f"{HEAD}columns = 1", "columns is 1, and no table"),
        (f'{HEAD}columns.dunks = "D"', "map.toml, [box_scores]: columns.dunks is no field; use game_date, game_id"),
        (f"{HEAD}columns.points = 1", "columns.points is 1, and no text; write it in quotation marks"),
        (f"{HEAD}[teams]\nPHO = \"PHO\"", "map.toml: teams.PHO: 'PHO' is the code of no NBA team; use one of ATL, BKN"),
        ("teams = 1", "map.toml: teams is 1, and no table"),
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_be_used_is_refused_by_file_and_key(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in mapping_refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"delimiter": '";;"'}, "delimiter is ';;'; write one character"),
        ({"date_format": '"%m/%d"'}, "date_format '%m/%d' gives no whole date; write one such as"),
        ({"date_format": '"%"'}, "date_format '%' gives no whole date"),
        ({"minutes_format": '"hours"'}, "minutes_format is 'hours'; use whole, clock, decimal"),
        ({"minutes_format": "[]"}, "minutes_format is []; use whole, clock, decimal"),
        ({"timezone": '"Mars/Base"'}, "timezone 'Mars/Base' is unknown"),
        ({"ignored": '"Notes"'}, "ignored is 'Notes', and no list"),
        ({"ignored": "[1]"}, "ignored is 1, and no text"),
    ],
)
def test_a_value_of_the_mapping_that_cannot_be_is_refused(tmp_path: Path, keys: dict[str, str], problem: str) -> None:
    write_mapping(tmp_path, keys)
    assert f"map.toml, [box_scores]: {problem}" in refusal(tmp_path)


@pytest.mark.parametrize("field", COLUMNS)
def test_a_needed_field_without_a_column_is_named(tmp_path: Path, field: str) -> None:
    write_mapping(tmp_path, columns={one: column for one, column in COLUMNS.items() if one != field})
    assert f"map.toml, [box_scores]: columns lacks {field}; write {field} = " in refusal(tmp_path)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (["game_id", "team_a_abbr", "team_b_abbr"], "[schedule]: columns lacks game_date; write game_date"),
        (
            ["game_date", "game_id", "home_team_abbr"],
            "[schedule]: columns does not say which two teams play; give home_",
        ),
    ],
)
def test_a_schedule_needs_dates_games_and_teams(tmp_path: Path, fields: Sequence[str], problem: str) -> None:
    write_mapping(tmp_path, schedule=fields)
    assert problem in refusal(tmp_path)


def test_a_schedule_may_have_no_more_than_that(tmp_path: Path) -> None:
    write_games(tmp_path, box_rows(DAY))
    write_schedule(tmp_path, NIGHTS.schedule(DAY, DAY))
    fields = ["game_date", "game_id", "home_team_abbr", "away_team_abbr"]
    source: CheckedSource = csv_source(write_mapping(tmp_path, schedule=fields))
    unknown = {"neutral_site": None, "tipoff_at": None, "source": "csv"}
    assert source.schedule(DAY, DAY) == [row | unknown for row in NIGHTS.schedule(DAY, DAY)]
    unused = [column for column in SCHEDULE.columns if column not in fields]
    assert f"to column {', '.join(unused)}; map it" in source.notices(DAY, DAY)[0].text


def listed(text: str, *, where: str = "") -> set[str]:
    """Return the names in the first column of a section's table."""
    rows = [
        row.split("|") for row in text.partition("\n### ")[0].splitlines() if row.startswith("| `") and where in row
    ]
    return {name.strip("` ") for row in rows for name in row[1].split(",")}


def test_every_key_and_field_of_a_mapping_is_documented() -> None:
    keys = PAGE.partition("\n### Keys of the mapping\n")[2]
    assert listed(keys) == {*TABLE_KEYS, "box_scores", "schedule", "teams"}
    for table, fields in FIELDS.items():
        text = PAGE.partition(f"\n### Fields of `[{table}]`\n")[2]
        assert listed(text) == {*fields}
        assert listed(text, where="| yes |") == {field for field in fields if field not in OPTIONAL[table]}


def test_a_log_of_the_league_exported_as_csv_is_the_rows_of_its_parquet_file(tmp_path: Path, nba_data: Path) -> None:
    (log,) = nba_data.glob("**/player_game_2024-25.parquet")
    duckdb.sql(f"COPY (FROM '{log}' WHERE GAME_DATE < '2024-11-02') TO '{tmp_path / 'games.csv'}' (HEADER)")
    columns = {field: column for column, field in SAME_VALUE.items()} | {
        "game_date": "GAME_DATE", "season": "SEASON_ID", "win_flag": "WL", "matchup": "MATCHUP",
    }  # fmt: skip
    plain = dict.fromkeys(("delimiter", "date_format", "minutes_format"), "")
    source, parquet = csv_source(write_mapping(tmp_path, plain, columns=columns)), ParquetSource(nba_data)
    days = parquet.dates(date(2024, 10, 1), date(2024, 11, 1))
    assert source.dates(date(2024, 10, 1), date(2024, 11, 30)) == days
    for day in days:
        assert source.batch(day) == parquet.batch(day)
        assert [row["game_id"] for row in source.schedule(day, day)] == [
            row["game_id"] for row in parquet.schedule(day, day)
        ]
