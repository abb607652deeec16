"""What `nba-props witness` prints, and its exit code: a check that compared nothing is never green."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from nba_props.cli import main
from nba_props.printed import schema
from nba_props.raw import RawRow
from tests.support.data_folders import (
    boxes_of,
    event,
    played,
    witness_folder,
    write_known,
    write_log,
    write_put_off,
    write_team_log,
)
from tests.support.json_schema import faults

FRIDAY, SATURDAY, MONDAY = "2025-01-10", "2025-01-11", "2025-01-13"
SEASON = [
    *played(FRIDAY, 1, "BOS", "NYK"),
    *played(FRIDAY, 2, "LAL", "UTA"),
    *played(SATURDAY, 3, "BOS", "MIA"),
    *played(MONDAY, 4, "UTA", "MIA"),
]
"""Two games, one, none, one."""


class Done(NamedTuple):
    """What a command left."""

    code: int
    lines: list[str]
    err: str


Witness = Callable[..., Done]


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Witness:
    def run(*more: str, first: str = FRIDAY, last: str = MONDAY, folder: Path | None = tmp_path) -> Done:
        named = [] if folder is None else ["--data", str(folder)]
        arguments = ["witness", "--from", first, "--to", last, *named, *more]
        monkeypatch.setattr("sys.argv", ["nba-props", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return Done(int(str(end.value.code)), out.splitlines(), err)

    return run


def has(folder: Path, *, ours: Sequence[RawRow] = SEASON, theirs: Sequence[RawRow] = SEASON) -> None:
    """Write our rows, and the boxes of the second source."""
    write_log(folder, ours)
    witness_folder(folder, *boxes_of(theirs), tied={event(row["game_id"]): str(row["game_id"]) for row in SEASON})


def game(*numbers: int) -> list[RawRow]:
    return [row for row in SEASON if event(row["game_id"]) in numbers]


def without(*numbers: int) -> list[RawRow]:
    return [row for row in SEASON if event(row["game_id"]) not in numbers]


def test_two_sources_that_agree_exit_with_0_and_say_how_much_was_compared(witness: Witness, tmp_path: Path) -> None:
    has(tmp_path)
    done = witness()
    assert (done.code, done.err) == (0, "")
    assert done.lines[0] == f"8 team-games compared, {FRIDAY} to {MONDAY}"
    assert done.lines[-1] == "OK"


def test_a_cell_that_differs_is_printed_with_both_values_and_exits_with_1(witness: Witness, tmp_path: Path) -> None:
    has(tmp_path, theirs=[row | {"assists": 2} if row["team_abbr"] == "LAL" else row for row in SEASON])
    done = witness()
    assert f"{FRIDAY} 0022400002 LAL assists: 0, the second source has 2" in done.lines
    assert (done.code, done.lines[-1]) == (1, "FINDING: 1 cell differs")


def test_the_report_is_a_document_too(witness: Witness, tmp_path: Path) -> None:
    has(tmp_path, theirs=[row | {"assists": 2} if row["team_abbr"] == "LAL" else row for row in without(3)])
    done = witness("--json")
    found = json.loads("\n".join(done.lines))
    assert faults(schema("witness"), found) == []
    assert (done.code, found["team_games"], found["known"], found["not_evaluated"]) == (1, 6, None, [])
    assert found["team_cells"] == [
        {"game_date": FRIDAY, "game_id": "0022400002", "team_abbr": "LAL", "column": "assists", "ours": 0, "theirs": 2}
    ]
    assert found["missing_games"] == [{"game_date": SATURDAY, "game_id": "0022400003", "teams": ["BOS", "MIA"]}]


def test_each_missing_game_is_printed_with_its_date_id_and_teams_and_they_are_counted(
    witness: Witness, tmp_path: Path
) -> None:
    has(tmp_path, theirs=without(2, 3))
    done = witness()
    assert [line for line in done.lines if "the second source lacks" in line] == [
        f"{FRIDAY} 0022400002 LAL-UTA: played, and the second source lacks it",
        f"{SATURDAY} 0022400003 BOS-MIA: played, and the second source lacks it",
        f"{SATURDAY}: the second source lacks every game of this date, and 1 was played",
    ]
    assert (done.code, done.lines[-1]) == (1, "FINDING: 2 games missing from the second source (1 whole date)")


def test_a_date_on_which_nobody_played_is_told_from_one_that_is_missing(witness: Witness, tmp_path: Path) -> None:
    has(tmp_path)
    write_put_off(tmp_path, "2025-01-12", "LAC", "CHA")
    done = witness()
    assert [line for line in done.lines if "put off" in line] == ["2025-01-12 CHA-LAC: put off, so not missing"]
    assert "not played, so not missing: no regular-season game on 2025-01-12" in done.lines
    assert done.code == 0


def test_a_box_of_one_team_alone_is_missing_the_other(witness: Witness, tmp_path: Path) -> None:
    has(tmp_path, theirs=[row for row in SEASON if row["team_abbr"] != "NYK"])
    done = witness()
    assert f"{FRIDAY} 0022400001 NYK: played, and the second source lacks it" in done.lines
    assert (done.code, done.lines[-1]) == (1, "FINDING: 1 box missing from the second source")


def test_games_and_boxes_that_are_missing_are_counted_apart(witness: Witness, tmp_path: Path) -> None:
    has(tmp_path, theirs=[row for row in without(2, 4) if row["team_abbr"] != "NYK"])
    assert witness(last=SATURDAY).lines[-1] == "FINDING: 1 game and 1 box missing from the second source"


def test_a_game_that_only_the_second_source_has_is_printed_and_exits_with_1(witness: Witness, tmp_path: Path) -> None:
    has(tmp_path, ours=without(2))
    done = witness()
    assert f"{FRIDAY} 0022400002 LAL-UTA: the second source has it, our player rows do not" in done.lines
    assert (done.code, done.lines[-1]) == (1, "FINDING: 1 game missing from our player rows")


def test_a_whole_date_that_only_the_second_source_has_is_no_date_without_games(
    witness: Witness, tmp_path: Path
) -> None:
    has(tmp_path, ours=without(3))
    done = witness()
    assert f"{SATURDAY} 0022400003 BOS-MIA: the second source has it, our player rows do not" in done.lines
    assert "not played, so not missing: no regular-season game on 2025-01-12" in done.lines
    assert done.code == 1


def test_a_day_without_games_compares_nothing_and_is_not_evaluated(witness: Witness, tmp_path: Path) -> None:
    has(tmp_path)
    done = witness(first="2025-01-12", last="2025-01-12")
    assert (done.code, done.lines[-1]) == (
        2,
        "NOT EVALUATED: nothing was compared: our rows have no game on these dates",
    )


def test_dates_that_no_season_covers_are_not_evaluated(witness: Witness, tmp_path: Path) -> None:
    has(tmp_path)
    done = witness(first="2024-07-01", last="2024-07-31")
    assert "not known: no season of the folder covers 2024-07-01 to 2024-07-31" in done.lines
    assert (done.code, done.lines[-1]) == (
        2,
        "NOT EVALUATED: nothing was compared: our rows have no game on these dates",
    )


def test_when_the_second_source_lacks_all_nothing_was_compared_and_both_are_told(
    witness: Witness, tmp_path: Path
) -> None:
    has(tmp_path, theirs=without(3))
    done = witness(first=SATURDAY, last=SATURDAY)
    assert f"{SATURDAY} 0022400003 BOS-MIA: played, and the second source lacks it" in done.lines
    assert done.lines[-2:] == [
        "FINDING: 1 game missing from the second source (1 whole date)",
        "NOT EVALUATED: nothing was compared: the second source has none of our games",
    ]
    assert done.code == 2


def test_games_outside_the_second_source_s_files_are_not_evaluated_and_never_passed_over(
    witness: Witness, tmp_path: Path
) -> None:
    has(tmp_path, theirs=game(1, 2))
    done = witness()
    assert done.lines[0] == f"4 team-games compared, {FRIDAY} to {MONDAY}"
    assert done.lines[-1] == (
        "NOT EVALUATED: 2 games from 2025-01-11 to 2025-01-13: the second source's files span "
        "2025-01-10 to 2025-01-10 only"
    )
    assert done.code == 2


def test_a_first_date_after_the_last_is_refused_by_option_with_its_mend(witness: Witness, tmp_path: Path) -> None:
    has(tmp_path)
    done = witness(first=MONDAY, last=FRIDAY)
    assert (done.code, done.lines) == (2, [])
    assert done.err == f"nba-props: --from: {MONDAY} is after --to {FRIDAY}; swap them\n"


def test_a_folder_without_the_second_source_is_refused(witness: Witness, tmp_path: Path) -> None:
    write_log(tmp_path, SEASON)
    done = witness()
    assert (done.code, done.lines) == (2, [])
    assert "it lacks espn/team_box_*.parquet" in done.err
    assert done.err.rstrip().endswith("; name the folder with ESPN's boxes")


def with_turnovers(folder: Path, *, team: int, total: int) -> None:
    """Write boxes that agree but for LAL's turnovers: 3 of players, as ours are, and these."""
    has(folder)
    boxes = [
        one | {"team_turnovers": team, "total_turnovers": total} if one["team_abbreviation"] == "LAL" else one
        for one in boxes_of(SEASON)
    ]
    witness_folder(folder, *boxes, tied={event(row["game_id"]): str(row["game_id"]) for row in SEASON})


STANDS_IN = (
    "total_turnovers of 8 team-games: our player rows have no team turnovers, the players' sum and the second "
    "source's own team turnovers stand in: one that a single source counted is not seen; the league's totals come "
    "with --team-log"
)
IN_THE_LIST = (FRIDAY, 2, "LAL", "total_turnovers", 4, 5)


def test_what_cannot_be_compared_is_said_though_all_agrees(witness: Witness, tmp_path: Path) -> None:
    with_turnovers(tmp_path, team=2, total=5)
    done = witness()
    assert STANDS_IN in done.lines
    assert (done.code, done.lines[-1]) == (0, "OK")


def test_a_total_that_is_not_ours_alone_is_printed_as_such(witness: Witness, tmp_path: Path) -> None:
    with_turnovers(tmp_path, team=2, total=6)
    assert (
        f"{FRIDAY} 0022400002 LAL total_turnovers: 5 (the players' sum and the second source's team turnovers), "
        "the second source has 6"
    ) in witness().lines


def test_a_known_disagreement_that_player_rows_cannot_show_is_told_as_known_and_exits_with_1(
    witness: Witness, tmp_path: Path
) -> None:
    with_turnovers(tmp_path, team=2, total=5)
    write_known(tmp_path, IN_THE_LIST)
    done = witness()
    assert (
        f"{FRIDAY} 0022400002 LAL total_turnovers: known, 4 against 5, and not to be seen from player rows"
        in done.lines
    )
    assert "1 disagreement is known of these team-games: 0 found again, 1 not to be seen, 0 gone" in done.lines
    assert (done.code, done.lines[-1]) == (1, "FINDING: 1 known cell not to be seen from player rows")


def test_the_league_s_own_totals_make_it_seen(witness: Witness, tmp_path: Path) -> None:
    with_turnovers(tmp_path, team=2, total=5)
    write_known(tmp_path, IN_THE_LIST)
    every = [(event(row["game_id"]), str(row["team_abbr"]), 3 if row["turnovers"] else 0) for row in SEASON]
    log = write_team_log(tmp_path / "log.json", *[(g, t, 4 if t == "LAL" else n) for g, t, n in every])
    done = witness("--team-log", str(log))
    assert f"{FRIDAY} 0022400002 LAL total_turnovers: 4, the second source has 5" in done.lines
    assert "1 disagreement is known of these team-games: 1 found again, 0 not to be seen, 0 gone" in done.lines
    assert not [line for line in done.lines if "stand in" in line]
    assert (done.code, done.lines[-1]) == (1, "FINDING: 1 cell differs")


def test_a_known_total_that_agrees_with_the_league_s_own_is_gone_and_not_unseen(
    witness: Witness, tmp_path: Path
) -> None:
    with_turnovers(tmp_path, team=2, total=5)
    write_known(tmp_path, IN_THE_LIST)
    done = witness("--team-log", str(write_team_log(tmp_path / "log.json", (2, "LAL", 5))))
    assert f"{FRIDAY} 0022400002 LAL total_turnovers: known, 4 against 5, and they agree now" in done.lines
    assert "1 disagreement is known of these team-games: 0 found again, 0 not to be seen, 1 gone" in done.lines


def test_a_log_of_other_games_leaves_it_unseen(witness: Witness, tmp_path: Path) -> None:
    with_turnovers(tmp_path, team=2, total=5)
    log = write_team_log(tmp_path / "log.json", (77, "LAL", 4))
    assert STANDS_IN in witness("--team-log", str(log)).lines


def test_what_the_list_does_not_know_is_new_and_what_agrees_now_is_gone(witness: Witness, tmp_path: Path) -> None:
    has(tmp_path, theirs=[row | {"assists": 2} if row["team_abbr"] == "LAL" else row for row in SEASON])
    write_known(tmp_path, (FRIDAY, 1, "BOS", "fouls", 1, 2), ("2024-11-01", 50, "BOS", "fouls", 1, 2))
    done = witness()
    assert f"{FRIDAY} 0022400002 LAL assists: 0, the second source has 2 (new)" in done.lines
    assert f"{FRIDAY} 0022400001 BOS personal_fouls: known, 1 against 2, and they agree now" in done.lines
    assert "1 disagreement is known of these team-games: 0 found again, 0 not to be seen, 1 gone" in done.lines
    assert done.lines[-1] == "FINDING: 1 cell differs, 1 known cell agrees now"


def test_a_list_with_a_column_that_nobody_compares_is_refused(witness: Witness, tmp_path: Path) -> None:
    has(tmp_path)
    write_known(tmp_path, (FRIDAY, 1, "BOS", "dunks", 1, 2))
    done = witness()
    assert done.code == 2
    assert "'dunks' is no column that is compared" in done.err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "it cannot be read"),
        ("no json", "it cannot be read"),
        ("[]", "it is no body of result sets"),
        ('{"resultSets": []}', "it has no result set LeagueGameLog"),
    ],
)
def test_a_team_log_that_is_none_is_refused(witness: Witness, tmp_path: Path, text: str | None, problem: str) -> None:
    has(tmp_path)
    if text is not None:
        (tmp_path / "log.json").write_text(text)
    done = witness("--team-log", str(tmp_path / "log.json"))
    assert (done.code, done.lines) == (2, [])
    assert done.err.startswith(f"nba-props: {tmp_path / 'log.json'}: {problem}")


def test_a_log_of_players_is_refused_as_a_log_of_teams(witness: Witness, tmp_path: Path) -> None:
    has(tmp_path)
    log = write_team_log(tmp_path / "log.json", (1, "BOS", 3), PLAYER_ID=7)
    assert "it is of players; fetch leaguegamelog with PlayerOrTeam=T" in witness("--team-log", str(log)).err


def test_a_total_that_is_no_number_is_refused(witness: Witness, tmp_path: Path) -> None:
    has(tmp_path)
    log = write_team_log(tmp_path / "log.json", (1, "BOS", 3), TOV=None)
    assert "game 0022400001, BOS: TOV is None" in witness("--team-log", str(log)).err


def test_of_two_real_seasons_all_43_known_cells_and_the_113_missing_games_are_printed(
    witness: Witness, nba_data: Path
) -> None:
    done = witness("--data", str(nba_data), first="2023-10-24", last="2025-04-13")
    assert done.lines[0] == "4694 team-games compared, 2023-10-24 to 2025-04-13"
    cells = [line for line in done.lines if "the second source has" in line or ": known, " in line]
    assert (len(cells), sum(": known, " in line for line in cells)) == (43, 8)
    assert sum("played, and the second source lacks it" in line for line in done.lines) == 113
    assert "game 0022400086: the second source's box was never finalised" in done.lines
    assert done.lines[-1] == (
        "FINDING: 35 cells differ, 8 known cells not to be seen from player rows, 1 box was never finalised, "
        "113 games missing from the second source (14 whole dates)"
    )
    assert done.code == 1


def test_the_folder_may_be_that_of_the_environment_and_without_one_the_error_says_what_to_name(
    witness: Witness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has(tmp_path)
    monkeypatch.setenv("NBA_DATA", str(tmp_path))
    assert witness(folder=None).lines[-1] == "OK"
    monkeypatch.delenv("NBA_DATA")
    done = witness(folder=None)
    assert done.err == "nba-props: --data: is missing and NBA_DATA is not set; name a folder with nba/ and espn/\n"
    assert (done.code, done.lines) == (2, [])
