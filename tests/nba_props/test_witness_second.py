"""`nba-props witness --source NAME`: what differs in any second source is named, by team and by player."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from nba_props.cli import main
from nba_props.printed import schema
from nba_props.raw import RawRow
from nba_props.witness.compare import Report
from nba_props.witness.files import Known
from nba_props.witness.second import SecondReport
from nba_props.witness.second_text import second_document
from nba_props.witness.text import document
from tests.support.json_schema import faults
from tests.support.own_sources import DAY, NEXT, box_rows, write_csv_source, write_games, write_mapping
from tests.support.real_data import ROOT

ROWS = box_rows(DAY)
FIRST = ROWS[0]
GAME, TEAM, NAME = str(FIRST["game_id"]), str(FIRST["team_abbr"]), str(FIRST["player_name"])
PLAYER = f"{DAY} {GAME} {TEAM} {NAME} ({FIRST['player_id']})"


class Done(NamedTuple):
    """What a command left."""

    code: int
    lines: list[str]
    err: str


Witness = Callable[..., Done]


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Witness:
    """Compare the synthetic nights, which are ours, with a CSV file of these rows."""
    monkeypatch.setenv("NBA_DATA", "synthetic")

    def run(rows: Sequence[RawRow] | None, *more: str, command: str = "witness", last: object = DAY) -> Done:
        if rows is not None:
            write_games(tmp_path, rows)
            write_mapping(tmp_path)
        source = [] if "--source" in more or rows is None else ["--source", f"csv:{tmp_path / 'map.toml'}"]
        monkeypatch.setattr("sys.argv", ["nba-props", command, "--from", str(DAY), "--to", str(last), *source, *more])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return Done(int(str(end.value.code)), out.splitlines(), err)

    return run


def changed(**figures: object) -> list[RawRow]:
    return [ROWS[0] | figures, *ROWS[1:]]


def test_two_sources_that_agree_exit_with_0_and_say_how_much_was_compared(witness: Witness) -> None:
    done = witness(ROWS)
    assert (done.code, done.err) == (0, "")
    assert done.lines == [f"20 team-games and 348 player lines compared, {DAY} to {DAY}", "OK"]


def test_a_changed_figure_is_named_by_team_and_by_player(witness: Witness) -> None:
    theirs = int(str(FIRST["steals"])) + 4
    done = witness(changed(steals=theirs))
    sums = sum(int(str(row["steals"])) for row in ROWS if (row["game_id"], row["team_abbr"]) == (GAME, TEAM))
    assert done.lines[1:] == [
        f"{DAY} {GAME} {TEAM} steals: {sums}, the second source has {sums + 4}",
        f"{PLAYER} steals: {FIRST['steals']}, the second source has {theirs}",
        "FINDING: 1 team cell differs, 1 player cell differs",
    ]
    assert done.code == 1


def test_a_figure_that_no_team_has_is_compared_of_players(witness: Witness) -> None:
    done = witness(changed(plus_minus=99))
    assert done.lines[1:] == [
        f"{PLAYER} plus_minus: {FIRST['plus_minus']}, the second source has 99",
        "FINDING: 1 player cell differs",
    ]


def test_a_player_that_one_of_the_two_lacks_is_named(witness: Witness) -> None:
    row = next(row for row in ROWS if row["minutes"] == 0 and not row["personal_fouls"] and not row["turnovers"])
    person = f"{DAY} {row['game_id']} {row['team_abbr']} {row['player_name']} ({row['player_id']})"
    lacking = witness([one for one in ROWS if one is not row])
    assert lacking.code == 1
    assert lacking.lines[1:] == [
        f"{person}: played, and the second source lacks this player",
        "FINDING: 1 player missing from the second source",
    ]
    more = witness([*ROWS, row | {"player_name": "Jan Novák", "player_id": 5}])
    assert more.lines[1:] == [
        f"{DAY} {row['game_id']} {row['team_abbr']} Jan Novák (5): the second source has this player, our rows do not",
        "FINDING: 1 player missing from our player rows",
    ]


def test_other_ids_and_looser_spellings_are_the_same_game_and_player(witness: Witness) -> None:
    plain = [
        row | {"game_id": f"other-{row['game_id']}", "player_id": n, "player_name": f"{row['player_name']} Jr."}
        if not str(row["player_name"]).endswith((".", "I"))
        else row | {"game_id": f"other-{row['game_id']}", "player_id": n}
        for n, row in enumerate(ROWS, start=1)
    ]
    assert witness(plain).lines[-1] == "OK"


def test_games_that_one_of_the_two_lacks_are_named(witness: Witness, tmp_path: Path) -> None:
    done = witness([row for row in ROWS if row["game_id"] != GAME])
    teams = "-".join(sorted((TEAM, str(FIRST["opponent_team_abbr"]))))
    assert done.code == 1
    assert done.lines[1:] == [
        f"{DAY} {GAME} {teams}: played, and the second source lacks it",
        "FINDING: 1 game missing from the second source",
    ]
    other = tmp_path / "ours"
    other.mkdir()
    write_games(other, [row for row in ROWS if row["game_id"] != GAME])
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("NBA_DATA", f"csv:{write_mapping(other)}")
        extra = witness(ROWS)
    assert extra.code == 1
    assert extra.lines[1:] == [
        f"{DAY} {GAME} {teams}: the second source has it, our player rows do not",
        "FINDING: 1 game missing from our player rows",
    ]


def test_dates_that_the_second_source_does_not_cover_are_not_evaluated(witness: Witness) -> None:
    done = witness(ROWS, last=NEXT)
    assert done.code == 2
    assert done.lines[-1].startswith(f"NOT EVALUATED: 7 games from {NEXT} to {NEXT}: the second source does not cover")


def test_a_date_that_a_source_refuses_is_not_evaluated_and_the_others_are(witness: Witness) -> None:
    rows = [*changed(points=99), *box_rows(NEXT)]
    done = witness(rows, last=NEXT)
    assert done.code == 2
    assert done.lines[0] == f"14 team-games and 222 player lines compared, {DAY} to {NEXT}"
    assert done.lines[1].startswith(f"NOT EVALUATED: {DAY}: ")
    assert "games.csv: line 2 (game " in done.lines[1]
    assert len(done.lines) == 2


def test_a_comparison_of_nothing_is_not_evaluated(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nba_props.sources.synthetic.SyntheticSource.dates", lambda *_: [])
    done = witness(None, "--source", "synthetic")
    assert (done.code, done.lines[-1]) == (
        2,
        "NOT EVALUATED: nothing was compared: our rows have no game on these dates",
    )


def test_the_report_is_a_document_too(witness: Witness) -> None:
    done = witness(changed(plus_minus=99), "--json")
    assert done.code == 1
    person = {"game_date": str(DAY), "game_id": GAME, "team_abbr": TEAM, "player_id": FIRST["player_id"],
              "player_name": NAME}  # fmt: skip
    found = json.loads("\n".join(done.lines))
    assert faults(schema("witness"), found) == []
    assert faults(schema("witness"), {**found, "players": None}) != []
    assert found == {
        "from": str(DAY),
        "to": str(DAY),
        "team_games": 20,
        "players": 348,
        "team_cells": [],
        "player_cells": [person | {"column": "plus_minus", "ours": FIRST["plus_minus"], "theirs": 99}],
        "missing_games": [],
        "unknown_games": [],
        "missing_players": [],
        "unknown_players": [],
        "not_evaluated": [],
    }


def test_the_rows_that_a_run_has_stored_are_compared(witness: Witness, tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    write_csv_source(tmp_path, DAY, rows=changed(plus_minus=99))
    assert witness(None, "--source", f"csv:{tmp_path / 'map.toml'}", "--mode", "overnight", "--state", state,
                   command="run").code == 0  # fmt: skip
    done = witness(None, "--state", state, "--source", "synthetic")
    assert done.lines[1:] == [
        f"{PLAYER} plus_minus: 99, the second source has {FIRST['plus_minus']}",
        "FINDING: 1 player cell differs",
    ]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            ["--state", "no-state", "--source", "synthetic"],
            "no-state: there is no such state; name the folder that run",
        ),
        (["--state", "."], "--state: needs a second source; name it with --source"),
        (["--state", ".", "--data", "."], "--state: --data is given too; leave one of them out"),
        (["--source", "synthetic", "--team-log", "a.json"], "--team-log: is of ESPN's boxes, and --source is given"),
        (["--source", "csv:nowhere.toml"], "nowhere.toml: it cannot be read"),
    ],
)
def test_what_cannot_be_compared_is_refused(witness: Witness, more: list[str], problem: str) -> None:
    done = witness(None, *more)
    assert (done.code, done.lines) == (2, [])
    assert done.err.startswith(f"nba-props: {problem}")


def test_a_state_without_the_table_is_refused(witness: Witness, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    done = witness(None, "--state", str(tmp_path / "empty"), "--source", "synthetic")
    assert "empty: there is no such state" in done.err
    assert not [*(tmp_path / "empty").iterdir()]
    done = witness(None, "--state", str(tmp_path / "other"), "--source", "synthetic")
    assert (done.code, done.lines) == (2, [])
    assert "it has no table nba_raw.nbac_gamebook_player_stats; run nba-props run on it first" in done.err


def test_each_field_of_both_documents_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "nba-props.md").read_text().partition("\n### Any second source\n")[2]
    span = (DAY, DAY)
    espn = msgspec.to_builtins(document(Report(frozenset(), span), dates=span, known=Known((), (), (), ())))
    counts = espn["known"]
    assert isinstance(counts, dict)
    for field in {*msgspec.to_builtins(second_document(SecondReport(), dates=span)), *espn, *counts}:
        assert f"`{field}`" in text, field
