"""The league's thirty team codes, and their codes in every source.

Codes are those of stats.nba.com. A code or id that is not listed here is refused: guessing would move a game to
another team.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nba_props.errors import DataError

TEAM_IDS: Mapping[int, str] = MappingProxyType(
    {
        1610612737: "ATL", 1610612738: "BOS", 1610612739: "CLE", 1610612740: "NOP", 1610612741: "CHI",
        1610612742: "DAL", 1610612743: "DEN", 1610612744: "GSW", 1610612745: "HOU", 1610612746: "LAC",
        1610612747: "LAL", 1610612748: "MIA", 1610612749: "MIL", 1610612750: "MIN", 1610612751: "BKN",
        1610612752: "NYK", 1610612753: "ORL", 1610612754: "IND", 1610612755: "PHI", 1610612756: "PHX",
        1610612757: "POR", 1610612758: "SAC", 1610612759: "SAS", 1610612760: "OKC", 1610612761: "TOR",
        1610612762: "UTA", 1610612763: "MEM", 1610612764: "WAS", 1610612765: "DET", 1610612766: "CHA",
    }
)  # fmt: skip
"""The league's id of a team -> its code."""

TEAMS = tuple(sorted(TEAM_IDS.values()))
"""The thirty codes in alphabetical order."""

CODES = frozenset(TEAMS) | {"CHH", "NJN", "NOH", "NOK", "SEA", "VAN"}
"""The codes of these teams, those of seasons from 1996-97 on that they have given up included."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {"GS": "GSW", "NO": "NOP", "NY": "NYK", "SA": "SAS", "UTAH": "UTA", "WSH": "WAS"}
)
"""ESPN's code of a team -> the league's, where they differ."""
_FIX = "correct it at its source, or add the team to nba_props.teams"


def team_of_code(code: object, *, where: str) -> str:
    """Return the league's code for a code of stats.nba.com or ESPN.

    Raises DataError for any other; `where` is how the message names the place.

    >>> team_of_code("GS", where="espn"), team_of_code("GSW", where="nba")
    ('GSW', 'GSW')
    """
    known = ALIASES.get(str(code), str(code))
    if known not in TEAMS:
        raise DataError(where, problem=f"{code!r} is the code of no NBA team", fix=_FIX)
    return known


def team_problem(code: object) -> str | None:
    """Return what is wrong with a team's code in a raw row, or None.

    >>> team_problem("GS")
    "is 'GS', and the league's code of the team is 'GSW'"
    """
    if code in CODES:
        return None
    alias = ALIASES.get(str(code))
    return f"is {code!r}, and the league's code of the team is {alias!r}" if alias else f"is {code!r}, no NBA team"


def team_of_id(number: object, *, where: str) -> str:
    """Return the league's code for a team id.

    Raises DataError for any other.

    >>> team_of_id(1610612744, where="shots")
    'GSW'
    """
    known = TEAM_IDS.get(number) if isinstance(number, int) else None
    if known is None:
        raise DataError(where, problem=f"{number!r} is the id of no NBA team", fix=_FIX)
    return known
