"""Common parts of the response shapes of the league's services. Pure.

A body is the input, values are the output. The shapes are those of stats.nba.com (result sets: headers and rows) and
cdn.nba.com (nested objects). The parsers are in `shapes_box`, `shapes_schedule` and `shapes_shots`; recorded and live
bodies use the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from nba_props.errors import DataError
from nba_props.sources import season_label

# Foreign JSON: every cell is checked by the parser or by the check of the table.
Body: TypeAlias = Mapping[str, Any]

REGULAR_SEASON = "002"
"""How the ids of the league's regular-season games begin: 00 is the NBA, 20 the G-League, 2 the regular season."""

FINAL = 3
"""Status of a game that has ended; 1 is not begun, 2 in play."""

ODD_SHAPES = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading a body of another shape raises, beside DataError."""

_CLOCK = re.compile(r"(?:(\d+)(?:\.0+)?:(\d\d?)|PT(\d+)M(\d\d?)(?:\.\d+)?S)")


def result_set(body: Body, name: str, *, where: str) -> list[dict[str, Any]]:
    """Return the rows of a result set as header -> cell.

    Raises DataError when the body has no such set.
    """
    sets = body.get("resultSets", body.get("resultSet", []))
    for one in [sets] if isinstance(sets, Mapping) else sets:
        if one.get("name") == name:
            return [dict(zip(one["headers"], row, strict=True)) for row in one["rowSet"]]
    raise DataError(where, problem=f"it has no result set {name}", fix="fetch the body again")


def cell(row: Mapping[str, Any], name: str, *, where: str) -> Any:
    """Return a cell.

    Raises DataError with its name when it is missing.
    """
    if name not in row:
        raise DataError(where, problem=f"{name} is missing", fix="fetch the body again, or read its new shape")
    return row[name]


def regular_season_game(game_id: object, *, where: str) -> str:
    """Return the game's id.

    Raises DataError for a game of another league (by its name) or outside the regular season.
    """
    refuse_other_league(str(game_id)[:2], where=where)
    if not is_regular_season(game_id):
        raise DataError(
            where, problem=f"game {game_id} is not of the regular season", fix="ask for games whose id begins with 002"
        )
    return str(game_id)


def is_regular_season(game_id: object) -> bool:
    """Return whether an id is that of a regular-season game of the NBA."""
    text = str(game_id)
    return len(text) == 10 and text.isdecimal() and text.startswith(REGULAR_SEASON)


def refuse_other_league(league: object, *, where: str) -> None:
    """Raise DataError naming the league, unless it is the NBA (00)."""
    if league not in (None, "", "00"):
        name = {"20": "the G-League", "10": "the WNBA", "15": "the Summer League"}.get(str(league), "another league")
        raise DataError(where, problem=f"it is of {name} (league {league})", fix="ask for LeagueID 00")


def season_of_game(game_id: str) -> str:
    """Return the season of a game id.

    Its fourth and fifth digits are the first year.

    >>> season_of_game("0022000001"), season_of_game("0029900001")
    ('2020-21', '1999-00')
    """
    year = int(game_id[3:5])
    return season_label(1900 + year if year >= 46 else 2000 + year)


def minutes_played(clock: object, *, where: str) -> int | None:
    """Return whole minutes, rounded as the league's game log does.

    None for a player who did not play.

    >>> [minutes_played(clock, where="x") for clock in ("36:42", "PT12M29.00S", "0:08", None, "", 31)]
    [37, 12, 0, None, None, 31]
    """
    if clock is None or clock == "":
        return None
    if isinstance(clock, int):
        return clock
    found = _CLOCK.fullmatch(str(clock))
    if found is None:
        raise DataError(where, problem=f"{clock!r} are no minutes", fix="fetch the body again")
    minutes, seconds = (int(found[place] or found[place + 2]) for place in (1, 2))
    return minutes + (seconds >= 30)
