"""The rules of whole games: each refused by name, and only the game that it is about is held back."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from nba_props.errors import DataError
from nba_props.raw import RawRow, check_rows
from nba_props.raw_games import game_problems, hold_back
from nba_props.replay.runner import Runner
from nba_props.sources.parquet import ParquetSource
from nba_props.sources.synthetic import SyntheticSource
from tests.support.step_warehouse import loser, raw_row

DAY = date(2026, 2, 8)


def night() -> list[RawRow]:
    return SyntheticSource().batch(DAY)


def first_team(rows: Sequence[RawRow]) -> tuple[str, str, list[RawRow]]:
    game, team = str(rows[0]["game_id"]), str(rows[0]["team_abbr"])
    return game, team, [row for row in rows if (row["game_id"], row["team_abbr"]) == (game, team)]


def total(rows: Sequence[RawRow], column: str) -> int:
    return sum(int(str(row[column])) for row in rows)


def problems_of(rows: Sequence[RawRow]) -> list[str]:
    return [found.problem for found in game_problems(rows)]


@pytest.mark.parametrize(
    ("change", "is_true"),
    [(4, True), (-4, True), (5, False), (-5, False), (20, False), (21, True), (29, True), (30, False), (50, True)],
)
def test_a_team_plays_240_minutes_and_25_for_each_overtime_within_4(change: int, is_true: bool) -> None:
    rows = night()
    game, team, lines = first_team(rows)
    lines[0]["minutes"] = int(str(lines[0]["minutes"])) + change
    wanted = 265 if change > 12 else 240
    said = [] if is_true else [f"game {game}: {team} played {240 + change} minutes, not {wanted} within 4"]
    assert problems_of(rows) == said


def test_a_team_without_half_its_players_is_found_by_its_minutes() -> None:
    rows = night()
    game, team, lines = first_team(rows)
    gone = lines[::2]
    left = [row for row in rows if not any(row is one for one in gone)]
    assert problems_of(left)[0].startswith(f"game {game}: {team} played {240 - total(gone, 'minutes')} minutes")


def test_assists_are_at_most_the_field_goals_made() -> None:
    rows = night()
    game, team, lines = first_team(rows)
    made = total(lines, "field_goals_made")
    for line in lines:
        line["assists"] = 0
    lines[0]["assists"] = made
    assert problems_of(rows) == []
    lines[0]["assists"] = made + 1
    assert problems_of(rows) == [f"game {game}: {team} has {made + 1} assists, but made only {made} field goals"]


def test_blocks_are_at_most_the_field_goals_that_the_other_team_missed() -> None:
    rows = night()
    game, team, lines = first_team(rows)
    other = str(lines[0]["opponent_team_abbr"])
    theirs = [row for row in rows if (row["game_id"], row["team_abbr"]) == (game, other)]
    missed = total(theirs, "field_goals_attempted") - total(theirs, "field_goals_made")
    for line in lines:
        line["blocks"] = 0
    lines[0]["blocks"] = missed
    assert problems_of(rows) == []
    lines[0]["blocks"] = missed + 1
    said = f"game {game}: {team} has {missed + 1} blocks, but {other} missed only {missed} field goals"
    assert problems_of(rows) == [said]


def test_an_older_version_of_a_line_counts_for_nothing() -> None:
    rows = night()
    older = rows[0] | {"minutes": 70, "assists": 99, "source_updated_at": datetime(2026, 2, 8, tzinfo=UTC)}
    assert problems_of([older, *rows]) == problems_of([*rows, older]) == []


def test_only_the_games_that_cannot_be_true_are_held_back() -> None:
    rows = night()
    game, _, lines = first_team(rows)
    lines[0]["blocks"] = 500
    kept, problems = hold_back(rows)
    assert kept == [row for row in rows if row["game_id"] != game]
    assert {problem.game for problem in problems} == {game}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"team_abbr": "XYZ"}, "column team_abbr: is 'XYZ', no NBA team"),
        ({"team_abbr": "GS"}, "column team_abbr: is 'GS', and the league's code of the team is 'GSW'"),
        (
            {"opponent_team_abbr": "NY"},
            "column opponent_team_abbr: is 'NY', and the league's code of the team is 'NYK'",
        ),
        ({"season": "42024"}, "column season: is '42024', no regular season such as '2024-25'"),
        ({"season": "2024-26"}, "column season: is '2024-26', no regular season such as '2024-25'"),
    ],
)
def test_a_row_of_no_team_or_of_no_regular_season_is_refused_by_name(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(DataError) as caught:
        check_rows([loser(), raw_row(**{"free_throws_made": 1, "free_throws_attempted": 1, **changes})], where="x")  # type: ignore[arg-type]
    assert problem in str(caught.value)


def test_a_team_may_have_a_code_of_its_time() -> None:
    one = raw_row(team_abbr="SEA", opponent_team_abbr="NJN", free_throws_made=1, free_throws_attempted=1)
    check_rows([one, loser(team_abbr="NJN", opponent_team_abbr="SEA")], where="x")


class Broken(SyntheticSource):
    """A source whose first game of the night is impossible until it is mended."""

    mended = False

    def batch(self, day: date) -> list[RawRow]:
        rows = super().batch(day)
        rows[0]["blocks"] = int(str(rows[0]["blocks"])) + (0 if self.mended else 500)
        return rows


def test_a_run_holds_the_game_back_names_it_and_takes_it_when_it_is_mended(tmp_path: Path) -> None:
    source = Broken()
    games = {str(row["game_id"]) for row in night()}
    game, team, _ = first_team(night())
    runner = Runner(source, state=tmp_path, modes=["overnight"])
    try:
        done = runner.run(DAY, DAY)
        [named] = [text for text in done.unsettled if "was held back" in text]
        stored = runner.pipeline.query("SELECT DISTINCT game_id FROM nba_raw.nbac_gamebook_player_stats")
        logged = runner.pipeline.query("SELECT error_message FROM nba_raw.scraper_execution_log "
                                       "WHERE scraper_name = 'nbac_gamebook_player_stats'")  # fmt: skip
        view = json.dumps([text for text in done.unsettled if "was held back" not in text])
        source.mended = True
        mended = runner.run(DAY, DAY)
        all_stored = runner.pipeline.query("SELECT DISTINCT game_id FROM nba_raw.nbac_gamebook_player_stats")
    finally:
        runner.close()
    assert named.startswith(f"nbac_gamebook_player_stats of {DAY} was held back: game {game}: {team} has ")
    assert {str(row["game_id"]) for row in stored} == games - {game}
    assert [str(row["error_message"]) for row in logged] == [named]
    assert game in view  # what must cover the schedule lacks it, by its key
    assert mended.unsettled == ()
    assert {str(row["game_id"]) for row in all_stored} == games


@pytest.mark.parametrize(
    ("year", "team_games"),
    [
        (2024, 2_460),
        pytest.param(2023, 2_460, marks=pytest.mark.slow),
        pytest.param(2022, 2_460, marks=pytest.mark.slow),
    ],
)
def test_all_team_games_of_a_real_season_obey_the_rules(nba_data: Path, year: int, team_games: int) -> None:
    source = ParquetSource(nba_data)
    sides: set[tuple[object, object]] = set()
    for day in source.dates(date(year, 10, 1), date(year + 1, 6, 30)):
        rows = source.batch(day)
        assert problems_of(rows) == []
        sides |= {(row["game_id"], row["team_abbr"]) for row in rows}
    assert len(sides) == team_games
