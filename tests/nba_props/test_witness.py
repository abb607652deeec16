from datetime import date
from pathlib import Path

import duckdb
import pytest

from nba_props.errors import DataError
from nba_props.raw import RawRow
from nba_props.sources.parquet import ParquetSource
from nba_props.witness import COLUMNS, TOTAL_TURNOVERS, Disagreement, Report, compare
from tests.nba_props.warehouse import loser, raw_row

DAY = date(2025, 1, 10)
ESPN_OF = {**COLUMNS, TOTAL_TURNOVERS: TOTAL_TURNOVERS}


def box(team: str, number: int = 1, **changes: object) -> dict[str, object]:
    line: dict[str, object] = dict.fromkeys((*COLUMNS.values(), TOTAL_TURNOVERS, "team_turnovers"), 0)
    return line | {"game_id": number, "game_date": "2025-01-10", "team_abbreviation": team} | changes


def folder_of(tmp_path: Path, *boxes: dict[str, object], tied: dict[int, str]) -> Path:
    for name, lines in (
        ("espn/team_box_2024-25.parquet", boxes),
        (
            "derived/xref_games_espn_nba.parquet",
            [{"espn_game_id": number, "nba_game_id": game} for number, game in tied.items()],
        ),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        selects = (", ".join(f"{value!r} AS {column}" for column, value in line.items()) for line in lines)
        sql = " UNION ALL ".join(f"SELECT {select}" for select in selects)
        duckdb.sql(f"COPY ({sql}) TO '{tmp_path / name}' (FORMAT parquet)")
    return tmp_path


def game(**changes: object) -> list[RawRow]:
    made = {"field_goals_made": 4, "field_goals_attempted": 9, "turnovers": 3}
    return [raw_row(**{**made, **changes}), loser(**changes)]  # type: ignore[arg-type]


BOS = {"team_score": 8, "field_goals_made": 4, "field_goals_attempted": 9, "turnovers": 3, "total_turnovers": 3}


def test_boxes_that_agree_are_no_finding_and_team_turnovers_are_none(tmp_path: Path) -> None:
    boxes = (box("BOS", **BOS | {"total_turnovers": 5, "team_turnovers": 2}), box("NY"))
    report = compare(game(), folder=folder_of(tmp_path, *boxes, tied={1: "g1"}))
    assert report == Report(2, (), (), (), (), ())


def test_every_cell_that_differs_is_named_with_both_values(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, box("BOS", **BOS | {"assists": 2, "field_goals_attempted": 8}), box("NY"), tied={1: "g1"}
    )
    assert compare(game(), folder=folder).disagreements == (
        Disagreement(DAY, "g1", "BOS", "assists", 0, 2),
        Disagreement(DAY, "g1", "BOS", "field_goals_attempted", 9, 8),
    )


def test_the_league_s_own_total_of_turnovers_is_taken_where_it_is_known(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, box("BOS", **BOS | {"total_turnovers": 5, "team_turnovers": 2}), box("NY"), tied={1: "g1"}
    )
    report = compare(game(), folder=folder, league_total_turnovers={("g1", "BOS"): 4})
    assert report.disagreements == (Disagreement(DAY, "g1", "BOS", "total_turnovers", 4, 5),)


def test_turnovers_that_a_team_cannot_have_are_a_finding(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, box("BOS", **BOS | {"total_turnovers": 0, "team_turnovers": -3}), box("NY"), tied={1: "g1"}
    )
    assert compare(game(), folder=folder).disagreements == (Disagreement(DAY, "g1", "BOS", "total_turnovers", 3, 0),)


def test_a_box_short_of_makes_on_both_sides_was_never_finalised(tmp_path: Path) -> None:
    rows = [*game(), loser(player_id=5, name="Zwet Ommuz", free_throws_made=2, free_throws_attempted=2)]
    folder = folder_of(tmp_path, box("BOS", **BOS | {"field_goals_made": 3}), box("NY", team_score=2), tied={1: "g1"})
    assert compare(rows, folder=folder).never_finalised == ("g1",)
    one_side = [row for row in rows if row["team_abbr"] == "BOS"]
    assert compare(one_side, folder=folder).never_finalised == ()


def test_a_game_that_espn_lacks_is_told_from_a_date_that_it_lacks_and_from_no_games(tmp_path: Path) -> None:
    other, alone = date(2025, 1, 11), date(2025, 1, 12)
    rows = [
        *game(),
        *game(game_id="g2"),  # the same date
        *game(game_id="g3", game_date=other),
        *game(game_id="g5", game_date=date(2022, 1, 1)),  # long before ESPN's files begin
    ]
    boxes = (box("BOS", **BOS), box("NY"), box("BOS", 9, game_date=str(alone)), box("NY", 9, game_date=str(alone)))
    report = compare(rows, folder=folder_of(tmp_path, *boxes, tied={1: "g1", 9: "g9"}))
    assert report.missing == ((DAY, "g2"), (other, "g3"))
    assert report.missing_dates == (other,)
    assert report.unknown == ()  # on the 12th we have no game at all: another source's date, not a lost game


def test_a_game_that_only_espn_has_is_named(tmp_path: Path) -> None:
    boxes = (box("BOS", **BOS), box("NY"), box("LAL", 2), box("UTAH", 2))
    report = compare(game(), folder=folder_of(tmp_path, *boxes, tied={1: "g1", 2: "g2"}))
    assert report.unknown == ("g2",)


def test_a_folder_without_espn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"it lacks espn/team_box_\*\.parquet or derived"):
        compare(game(), folder=tmp_path)


@pytest.fixture(scope="module")
def rows(nba_data: Path) -> list[RawRow]:
    source = ParquetSource(nba_data)
    return [row for day in source.dates(date(2023, 7, 1), date(2025, 7, 1)) for row in source.batch(day)]


def known(nba_data: Path) -> set[tuple[str, str, str, int, int]]:
    found = duckdb.execute(
        f"""
        SELECT GAME_ID, TEAM_ABBREVIATION, espn_stat, nba_value, espn_value
        FROM '{nba_data}/derived/diff_team_nba_vs_espn.parquet'
        """
    ).fetchall()
    return {(game, team, stat, ours, theirs) for game, team, stat, ours, theirs in found}


def cells(report: Report) -> set[tuple[str, str, str, int, int]]:
    return {(one.game_id, one.team_abbr, ESPN_OF[one.column], one.ours, one.theirs) for one in report.disagreements}


def test_with_the_league_s_totals_exactly_the_43_known_cells_disagree(rows: list[RawRow], nba_data: Path) -> None:
    expected = known(nba_data)
    totals = {(game, team): ours for game, team, stat, ours, _ in expected if stat == TOTAL_TURNOVERS}
    assert (len(expected), len({cell[:2] for cell in expected}), len(totals)) == (43, 19, 13)
    report = compare(rows, folder=nba_data, league_total_turnovers=totals)
    assert report.compared == 4694
    assert cells(report) == expected
    assert len(report.disagreements) == 43


def test_player_rows_alone_show_35_of_them_and_no_false_one(rows: list[RawRow], nba_data: Path) -> None:
    found, expected = cells(compare(rows, folder=nba_data)), known(nba_data)
    assert found < expected
    # Eight totals differ in the team's turnovers alone, which no player row has.
    assert {cell[2] for cell in expected - found} == {TOTAL_TURNOVERS}
    assert (len(found), len(expected - found)) == (35, 8)


def test_the_real_box_that_was_never_finalised_is_named(rows: list[RawRow], nba_data: Path) -> None:
    assert compare(rows, folder=nba_data).never_finalised == ("0022400086",)  # NOP at POR, 25 October 2024


def test_the_113_missing_games_are_those_of_14_dates(rows: list[RawRow], nba_data: Path) -> None:
    report = compare(rows, folder=nba_data)
    assert len(report.missing) == 113
    assert {day for day, _ in report.missing} == set(report.missing_dates)
    assert [day.isoformat() for day in report.missing_dates] == [
        *(f"2025-03-{day}" for day in (23, 24, 25, 26, 28, 30, 31)),
        *(f"2025-04-{day:02d}" for day in (2, 3, 4, 5, 9, 10, 13)),
    ]
    played = {row["game_date"] for row in rows}
    for day in (date(2025, 2, 15), date(2024, 12, 24), date(2024, 11, 28)):  # nobody played: not missing
        assert day not in played
        assert day not in report.missing_dates
    assert report.unknown == ()
