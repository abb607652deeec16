from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import pytest

from nba_props.errors import DataError
from nba_props.raw import RawRow
from nba_props.sources.parquet import ParquetSource
from nba_props.sources.parquet_schedule import XREF
from nba_props.witness.compare import COLUMNS, TOTAL_TURNOVERS, Disagreement, Game, Report, compare
from nba_props.witness.files import match_known, read_known, read_team_log
from tests.support.data_folders import box, witness_folder
from tests.support.step_warehouse import loser, raw_row

DAY = date(2025, 1, 10)
ESPN_OF = {**COLUMNS, TOTAL_TURNOVERS: TOTAL_TURNOVERS}


def against(rows: Sequence[RawRow], folder: Path, **more: object) -> Report:
    """Compare all rows, as asked for from 2022 to 2025."""
    asked = date(2022, 1, 1), date(2025, 7, 1)
    return compare(rows, folder=folder, **{"dates": asked, "seasons": (), **more})  # type: ignore[arg-type]


def game(**changes: object) -> list[RawRow]:
    made = {"field_goals_made": 4, "field_goals_attempted": 9, "turnovers": 3}
    return [raw_row(**{**made, **changes}), loser(**changes)]  # type: ignore[arg-type]


BOS = {"team_score": 8, "field_goals_made": 4, "field_goals_attempted": 9, "turnovers": 3, "total_turnovers": 3}


def test_boxes_that_agree_are_no_finding_and_team_turnovers_are_none(tmp_path: Path) -> None:
    boxes = (box("BOS", **BOS | {"total_turnovers": 5, "team_turnovers": 2}), box("NY"))
    report = against(game(), witness_folder(tmp_path, *boxes, tied={1: "g1"}))
    both = frozenset({("g1", "BOS"), ("g1", "NYK")})
    not_covered = report.not_covered  # no season is given
    assert report == Report(both, (DAY, DAY), assumed=both, not_covered=not_covered)


def test_every_cell_that_differs_is_named_with_both_values(tmp_path: Path) -> None:
    folder = witness_folder(
        tmp_path, box("BOS", **BOS | {"assists": 2, "field_goals_attempted": 8}), box("NY"), tied={1: "g1"}
    )
    assert against(game(), folder).disagreements == (
        Disagreement(DAY, "g1", "BOS", "assists", 0, 2),
        Disagreement(DAY, "g1", "BOS", "field_goals_attempted", 9, 8),
    )


def test_the_league_s_own_total_of_turnovers_is_taken_where_it_is_known(tmp_path: Path) -> None:
    folder = witness_folder(
        tmp_path, box("BOS", **BOS | {"total_turnovers": 5, "team_turnovers": 2}), box("NY"), tied={1: "g1"}
    )
    report = against(game(), folder, league_total_turnovers={("g1", "BOS"): 4})
    assert report.disagreements == (Disagreement(DAY, "g1", "BOS", "total_turnovers", 4, 5),)


def test_turnovers_that_a_team_cannot_have_are_a_finding(tmp_path: Path) -> None:
    folder = witness_folder(
        tmp_path, box("BOS", **BOS | {"total_turnovers": 0, "team_turnovers": -3}), box("NY"), tied={1: "g1"}
    )
    assert against(game(), folder).disagreements == (Disagreement(DAY, "g1", "BOS", "total_turnovers", 3, 0),)


def test_a_box_short_of_makes_on_both_sides_was_never_finalised(tmp_path: Path) -> None:
    rows = [*game(), loser(player_id=5, name="Zwet Ommuz", free_throws_made=2, free_throws_attempted=2)]
    folder = witness_folder(
        tmp_path, box("BOS", **BOS | {"field_goals_made": 3}), box("NY", team_score=2), tied={1: "g1"}
    )
    assert against(rows, folder).never_finalised == ("g1",)
    one_side = [row for row in rows if row["team_abbr"] == "BOS"]
    assert against(one_side, folder).never_finalised == ()


def test_a_game_that_espn_lacks_is_told_from_a_date_that_it_lacks_and_from_no_games(tmp_path: Path) -> None:
    other, alone, after = date(2025, 1, 11), date(2025, 1, 12), date(2025, 1, 13)
    rows = [
        *game(),
        *game(game_id="g2"),  # the same date
        *game(game_id="g3", game_date=other),
        *game(game_id="g5", game_date=date(2022, 1, 1)),  # long before ESPN's files begin
    ]
    boxes = (box("BOS", **BOS), box("NY"), box("BOS", 9, game_date=str(after)), box("NY", 9, game_date=str(after)))
    folder = witness_folder(tmp_path, *boxes, tied={1: "g1", 9: "g9"})
    report = against(rows, folder, seasons=[(DAY, date(2025, 1, 14))])
    assert report.missing == (Game(DAY, "g2", ("BOS", "NYK")), Game(other, "g3", ("BOS", "NYK")))
    assert report.missing_dates == (other,)
    assert report.outside == (Game(date(2022, 1, 1), "g5", ("BOS", "NYK")),)
    assert report.unknown == (Game(after, "g9", ("BOS", "NYK")),)
    assert report.not_played == (alone, date(2025, 1, 14))
    assert (report.not_covered[0], report.not_covered[-1]) == (date(2022, 1, 1), date(2025, 7, 1))
    assert len(report.not_covered) == (date(2025, 7, 1) - date(2022, 1, 1)).days + 1 - 5


def test_a_team_whose_box_one_of_the_two_lacks_is_named_alone(tmp_path: Path) -> None:
    folder = witness_folder(tmp_path, box("BOS", **BOS), tied={1: "g1"})
    assert against(game(), folder).missing == (Game(DAY, "g1", ("NYK",)),)
    assert against(game(), folder).missing_dates == ()
    assert against([loser()], folder).unknown == (Game(DAY, "g1", ("BOS",)),)


def test_a_game_that_only_espn_has_is_named_on_the_dates_that_were_asked_for(tmp_path: Path) -> None:
    boxes = (box("BOS", **BOS), box("NY"), box("LAL", 2), box("UTAH", 2))
    folder = witness_folder(tmp_path, *boxes, tied={1: "g1", 2: "g2"})
    assert against(game(), folder).unknown == (Game(DAY, "g2", ("LAL", "UTA")),)
    assert against([], folder, dates=(date(2025, 1, 1), date(2025, 1, 9))).unknown == ()


def test_a_folder_without_espn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"it lacks espn/team_box_\*\.parquet or derived"):
        against(game(), tmp_path)


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


def test_player_rows_show_35_of_the_43_known_cells_and_no_false_one(rows: list[RawRow], nba_data: Path) -> None:
    report, expected = against(rows, nba_data), known(nba_data)
    assert len(report.compared) == 4694
    assert (len(expected), len({cell[:2] for cell in expected})) == (43, 19)
    assert cells(report) < expected
    assert len(report.disagreements) == 35
    # Eight totals differ in the team's turnovers alone, which no player row has.
    assert {cell[2] for cell in expected - cells(report)} == {TOTAL_TURNOVERS}


def test_the_8_others_are_told_as_known_and_not_to_be_seen(rows: list[RawRow], nba_data: Path) -> None:
    listed = read_known(nba_data)
    assert listed is not None
    held = match_known(against(rows, nba_data), listed)
    assert (len(held.found), len(held.unseen), held.gone, held.new) == (35, 8, (), ())
    told = {(one.game_id, one.team_abbr, ESPN_OF[one.column], one.ours, one.theirs) for one in listed}
    assert told == known(nba_data)


def test_the_list_of_known_cells_is_no_input_of_the_comparison(
    rows: list[RawRow], nba_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "derived").mkdir()
    (tmp_path / XREF).symlink_to(nba_data / XREF)
    (tmp_path / "espn").symlink_to(nba_data / "espn")
    assert read_known(tmp_path) is None
    assert against(rows, tmp_path) == against(rows, nba_data)


def test_the_only_real_log_of_teams_is_of_another_season_and_changes_nothing(
    rows: list[RawRow], nba_data: Path
) -> None:
    totals = read_team_log(nba_data / "api_json" / "stats_leaguegamelog_team_2018-19.json")
    assert len(totals) == 2460
    report = against(rows, nba_data, league_total_turnovers=totals)
    assert report.assumed == report.compared
    assert report == against(rows, nba_data)


def test_the_real_box_that_was_never_finalised_is_named(rows: list[RawRow], nba_data: Path) -> None:
    assert against(rows, nba_data).never_finalised == ("0022400086",)  # NOP at POR, 25 October 2024


def test_the_113_missing_games_are_those_of_14_dates(rows: list[RawRow], nba_data: Path) -> None:
    covered = ParquetSource(nba_data).coverage(date(2023, 7, 1), date(2025, 7, 1))
    report = against(rows, nba_data, dates=(date(2023, 7, 1), date(2025, 7, 1)), seasons=covered)
    assert len(report.missing) == 113
    assert {len(game.teams) for game in report.missing} == {2}
    assert {game.game_date for game in report.missing} == set(report.missing_dates)
    assert [day.isoformat() for day in report.missing_dates] == [
        *(f"2025-03-{day}" for day in (23, 24, 25, 26, 28, 30, 31)),
        *(f"2025-04-{day:02d}" for day in (2, 3, 4, 5, 9, 10, 13)),
    ]
    played = {row["game_date"] for row in rows}
    assert {date(2025, 2, 15), date(2024, 12, 24), date(2024, 11, 28)} <= set(report.not_played)
    assert played.isdisjoint(report.not_played)
    assert len(report.put_off) == 7
    assert (report.unknown, report.outside) == ((), ())
