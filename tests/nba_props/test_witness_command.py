"""What `nba-props witness` prints, and its exit code: a check that compared nothing is never green."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from nba_props.cli import main
from nba_props.raw import RawRow
from tests.nba_props.folders import boxes_of, event, played, witness_folder, write_log, write_put_off

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
    def run(*more: str, first: str = FRIDAY, last: str = MONDAY) -> Done:
        arguments = ["witness", "--from", first, "--to", last, "--data", str(tmp_path), *more]
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
    assert "2025-01-12 CHA-LAC: put off, so not missing" in done.lines
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
