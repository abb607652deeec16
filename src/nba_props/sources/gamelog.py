"""Rows of stats.nba.com's LeagueGameLog as raw box-score rows.

It has a line for each player and game. The files of the parquet folder and the API's own answers share this layout.
MATCHUP is not read: five neutral-site games of 2024-25 have no 'vs.' row, so the opponent is the game's other team.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType

from nba_props.errors import DataError
from nba_props.names import player_lookup
from nba_props.raw import COLUMNS, RawRow
from nba_props.sources import season_label

SAME_VALUE: Mapping[str, str] = MappingProxyType(
    {
        "GAME_ID": "game_id",
        "PLAYER_ID": "player_id",
        "PLAYER_NAME": "player_name",
        "TEAM_ABBREVIATION": "team_abbr",
        "MIN": "minutes",
        "PTS": "points",
        "FGM": "field_goals_made",
        "FGA": "field_goals_attempted",
        "FG3M": "three_pointers_made",
        "FG3A": "three_pointers_attempted",
        "FTM": "free_throws_made",
        "FTA": "free_throws_attempted",
        "OREB": "offensive_rebounds",
        "DREB": "defensive_rebounds",
        "REB": "total_rebounds",
        "AST": "assists",
        "STL": "steals",
        "BLK": "blocks",
        "TOV": "turnovers",
        "PF": "personal_fouls",
        "PLUS_MINUS": "plus_minus",
    }
)
"""Column of the log -> raw column, where the value is the same."""

TRANSLATED = ("SEASON_ID", "GAME_DATE", "WL")
"""The other columns that are needed."""


def other_teams(where: str, sides: Iterable[tuple[object, object]]) -> dict[tuple[object, object], object]:
    """Return (game, team) -> the game's other team.

    Raises DataError for an empty cell or a game that does not have two teams.
    """
    games: dict[object, set[object]] = {}
    for number, (game, team) in enumerate(sides, start=1):
        if game is None or team is None:
            column = "GAME_ID" if game is None else "TEAM_ABBREVIATION"
            raise DataError(where, problem=f"row {number}, column {column}: has no value", fix="export it again")
        games.setdefault(game, set()).add(team)
    others: dict[tuple[object, object], object] = {}
    for game, teams in games.items():
        if len(teams) != 2:
            raise DataError(
                where,
                problem=f"game {game} has {len(teams)} team(s) ({', '.join(sorted(map(str, teams)))}), not two",
                fix="export it again when the game is final",
            )
        one, two = teams
        others |= {(game, one): two, (game, two): one}
    return others


def raw_rows(
    lines: Sequence[Mapping[str, object]], *, where: str, updated_at: Callable[[date], datetime]
) -> list[RawRow]:
    """Return the raw rows of log lines, in their order, unchecked.

    `updated_at` returns the version of a date's rows. A cell that cannot be translated becomes None, for `check_rows`
    to name. Raises DataError for a name without a lookup and a game that does not have two teams.
    """
    others = other_teams(where, ((line["GAME_ID"], line["TEAM_ABBREVIATION"]) for line in lines))
    lookups: dict[str, str] = {}
    rows: list[RawRow] = []
    for line in lines:
        name, day = line["PLAYER_NAME"], line["GAME_DATE"]
        if isinstance(name, str) and name not in lookups:
            lookups[name] = _lookup(name, where=where)
        value: RawRow = {raw: whole(line[column]) for column, raw in SAME_VALUE.items()}
        value["game_date"] = day
        value["player_lookup"] = lookups.get(str(name))
        value["opponent_team_abbr"] = others[line["GAME_ID"], line["TEAM_ABBREVIATION"]]
        value["season"] = season_of(line["SEASON_ID"])
        value["win_flag"] = {"W": True, "L": False}.get(str(line["WL"]))
        value["source_updated_at"] = updated_at(day) if isinstance(day, date) else None
        rows.append({column: value[column] for column in COLUMNS})
    return rows


def whole(cell: object) -> object:
    """Return a whole number that is stored as a float as an int.

    A frame that once had nulls stores floats; other values are left to the check.
    """
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


def season_of(season_id: object) -> str | None:
    """Return '2024-25' for 22024.

    The league's season ids are a kind of season (2: regular) and its first year.
    """
    digits = str(whole(season_id))
    if len(digits) != 5 or not digits.isdecimal():
        return None
    return season_label(int(digits[1:]))


def _lookup(name: str, *, where: str) -> str:
    try:
        return player_lookup(name)
    except DataError as error:  # add the file or body
        raise DataError(where, problem=f"{error.where}: {error.problem}", fix=error.fix) from error
