"""Rows of stats.nba.com's LeagueGameLog as raw box-score rows.

It has a line for each player and game. The files of the parquet folder and the API's own answers share this layout.
The opponent is the game's other team, and MATCHUP says who is at home, except in five neutral-site games of 2024-25:
there all lines of both teams have one text, such as 'MIA @ WAS'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType

from nba_props.names import has_lookup, player_lookup
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


def other_teams(sides: Iterable[tuple[object, object]]) -> dict[tuple[object, object], object]:
    """Return (game, team) -> the game's other team.

    Only of games that have two teams; empty cells name none.
    """
    games: dict[object, set[object]] = {}
    for game, team in sides:
        games.setdefault(game, set()).update(() if team is None else (team,))
    others: dict[tuple[object, object], object] = {}
    for game, teams in games.items():
        if len(teams) == 2 and game is not None:
            one, two = teams
            others |= {(game, one): two, (game, two): one}
    return others


def home_teams(sides: Iterable[tuple[object, object, object]]) -> dict[object, object]:
    """Return game -> its home team, where every line's MATCHUP names the same.

    `sides`: (game, team, MATCHUP). A line says so by its own team first: 'BOS vs. NYK' of Boston, 'NYK @ BOS' of New
    York; any other text, an empty one too, makes the home team unknown.
    """
    homes: dict[object, set[object]] = {}
    for game, team, matchup in sides:
        own, at, other = str(matchup).partition(" @ ")
        home: object = other if at and own == team else None
        own, versus, _ = str(matchup).partition(" vs. ")
        homes.setdefault(game, set()).add(own if versus and own == team else home)
    return {game: next(iter(found)) for game, found in homes.items() if len(found) == 1 and None not in found}


def raw_rows(lines: Sequence[Mapping[str, object]], *, updated_at: Callable[[date], datetime]) -> list[RawRow]:
    """Return the raw rows of log lines, in their order, unchecked.

    `updated_at` returns the version of a date's rows. What cannot be translated becomes None, for `refused_dates` to
    name: a cell, the lookup of a name in other letters, the opponent in a game that does not have two teams.
    """
    others = other_teams((line["GAME_ID"], line["TEAM_ABBREVIATION"]) for line in lines)
    lookups: dict[str, str | None] = {}
    rows: list[RawRow] = []
    for line in lines:
        name, day = line["PLAYER_NAME"], line["GAME_DATE"]
        if isinstance(name, str) and name not in lookups:
            lookups[name] = player_lookup(name) if has_lookup(name) else None
        value: RawRow = {raw: whole(line[column]) for column, raw in SAME_VALUE.items()}
        value["game_date"] = day
        value["player_lookup"] = lookups.get(str(name))
        value["opponent_team_abbr"] = others.get((line["GAME_ID"], line["TEAM_ABBREVIATION"]))
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

    The league's season ids are a kind of season (2: regular) and its first year. One of another kind is returned as it
    is, for `refused_dates` to name.
    """
    digits = str(whole(season_id))
    if len(digits) != 5 or not digits.isdecimal():
        return None
    return season_label(int(digits[1:])) if digits[0] == "2" else digits
