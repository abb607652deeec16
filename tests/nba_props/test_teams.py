import pytest

from nba_props.errors import DataError
from nba_props.teams import TEAM_IDS, TEAMS, team_of_code, team_of_id


def test_there_are_thirty_teams() -> None:
    assert len(set(TEAMS)) == len(TEAM_IDS) == 30


@pytest.mark.parametrize(
    ("espn", "code"),
    [("GS", "GSW"), ("NO", "NOP"), ("NY", "NYK"), ("SA", "SAS"), ("UTAH", "UTA"), ("WSH", "WAS"), ("BOS", "BOS")],
)
def test_codes_of_espn_become_the_league_s(espn: str, code: str) -> None:
    assert team_of_code(espn, where="x") == team_of_code(code, where="x") == code


@pytest.mark.parametrize("code", ["EAST", "CHK", "", None, "bos", "SEA"])
def test_an_unknown_code_is_refused_with_its_place(code: object) -> None:
    with pytest.raises(DataError, match=r"box\.json: .* is the code of no NBA team; correct it"):
        team_of_code(code, where="box.json")


@pytest.mark.parametrize("number", [1612709917, 0, None, "1610612737"])
def test_an_unknown_id_is_refused(number: object) -> None:
    with pytest.raises(DataError, match="is the id of no NBA team"):
        team_of_id(number, where="box.json")
