"""Box scores of the league's services as raw rows. Pure.

Rows of `nba_raw.nbac_gamebook_player_stats`. A game that is not final gives no rows, and neither does a player who did
not play. A box of part of a game (a range of time or periods) is refused. The rows of a parser are whole games, and
checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from nba_props.errors import DataError
from nba_props.names import player_lookup
from nba_props.raw import COLUMNS, RawRow, check_rows, refused_dates
from nba_props.sources import eastern_date, row_order, season_label
from nba_props.sources.gamelog import SAME_VALUE, TRANSLATED, raw_rows, whole
from nba_props.sources.shapes import (
    FINAL,
    Body,
    cell,
    is_regular_season,
    minutes_played,
    refuse_other_league,
    regular_season_game,
    result_set,
    season_of_game,
)
from nba_props.teams import team_of_code, team_of_id

Version: TypeAlias = Callable[[date], datetime]
"""Returns the version of the rows of a date."""

_REGULATION_TENTHS = 4 * 12 * 60 * 10

# boxscoretraditionalv2 calls turnovers TO, the game log TOV.
_TRADITIONAL: Mapping[str, str] = MappingProxyType(
    {"TO" if column == "TOV" else column: raw for column, raw in SAME_VALUE.items() if column not in ("GAME_ID", "MIN")}
)
_LIVE: Mapping[str, str] = MappingProxyType(
    {
        "points": "points",
        "fieldGoalsMade": "field_goals_made",
        "fieldGoalsAttempted": "field_goals_attempted",
        "threePointersMade": "three_pointers_made",
        "threePointersAttempted": "three_pointers_attempted",
        "freeThrowsMade": "free_throws_made",
        "freeThrowsAttempted": "free_throws_attempted",
        "reboundsOffensive": "offensive_rebounds",
        "reboundsDefensive": "defensive_rebounds",
        "reboundsTotal": "total_rebounds",
        "assists": "assists",
        "steals": "steals",
        "blocks": "blocks",
        "turnovers": "turnovers",
        "foulsPersonal": "personal_fouls",
        "plusMinusPoints": "plus_minus",
    }
)


def gamelog_rows(body: Body, *, updated_at: Version, where: str) -> list[RawRow]:
    """Return the rows of a leaguegamelog body of players.

    A game in play (no winner yet) is left out whole. Raises DataError for a log of teams, which has no players, and for
    a line that cannot be true.
    """
    found = gamelog_dates(body, updated_at=updated_at, where=where)
    for error in found.refused.values():
        raise error
    return found.rows


class Logged(NamedTuple):
    """The rows of a log, and its refused dates.

    `left_out`: the games of those dates.
    """

    rows: list[RawRow]
    refused: dict[date, DataError]
    left_out: frozenset[str]


def gamelog_dates(body: Body, *, updated_at: Version, where: str) -> Logged:
    """Return the rows of a body as `gamelog_rows` does, and its refused dates.

    A date with a line that cannot be true has no rows, but its error.
    """
    refuse_other_league(body.get("parameters", {}).get("LeagueID"), where=where)
    lines = result_set(body, "LeagueGameLog", where=where)
    for column in (*SAME_VALUE, *TRANSLATED):
        if lines and column not in lines[0]:
            raise DataError(where, problem=f"{column} is missing", fix="ask for PlayerOrTeam = P")
    others = [line["GAME_ID"] for line in lines if line["GAME_ID"] and not is_regular_season(line["GAME_ID"])]
    for game in others:
        regular_season_game(game, where=where)
    unfinished = {line["GAME_ID"] for line in lines if line["GAME_ID"] and line["WL"] not in ("W", "L")}
    final = [line | {"GAME_DATE": _day(line["GAME_DATE"])} for line in lines if line["GAME_ID"] not in unfinished]
    rows = raw_rows(final, updated_at=updated_at)
    refused = refused_dates(rows, where=where)
    good = [row for row in rows if isinstance(row["game_date"], date) and row["game_date"] not in refused]
    left_out = {str(row["game_id"]) for row in rows} - {str(row["game_id"]) for row in good}
    return Logged(sorted(good, key=row_order), refused, frozenset(left_out))


def logged_games(body: Body, *, where: str) -> set[str]:
    """Return the ids of all games of a leaguegamelog body, also in play."""
    return {str(line["GAME_ID"]) for line in result_set(body, "LeagueGameLog", where=where)}


def traditional_rows(box: Body, summary: Body, *, updated_at: Version, where: str) -> list[RawRow]:
    """Return the rows of one game from its box and its summary.

    boxscoretraditionalv2 joined with boxscoresummaryv2 (date, season, status, teams).
    """
    players = result_set(box, "PlayerStats", where=where)
    [game] = result_set(summary, "GameSummary", where=where) or [{}]
    game_id = regular_season_game(cell(game, "GAME_ID", where=where), where=where)
    _refuse_part_of_game(box, where=where)
    if {str(player["GAME_ID"]) for player in players} - {game_id}:
        raise DataError(where, problem=f"box and summary ({game_id}) are not of one game", fix="pair them by GAME_ID")
    if cell(game, "GAME_STATUS_ID", where=where) != FINAL:
        return []
    teams = [team_of_id(cell(game, side, where=where), where=where) for side in ("HOME_TEAM_ID", "VISITOR_TEAM_ID")]
    points = {team_of_code(line["TEAM_ABBREVIATION"], where=where): line["PTS"] for line in
              result_set(box, "TeamStats", where=where)}  # fmt: skip
    if set(points) != set(teams):
        raise DataError(where, problem=f"the box is of {', '.join(points)}, the game of {', '.join(teams)}",
                        fix="fetch both bodies again")  # fmt: skip
    day = _date(cell(game, "GAME_DATE_EST", where=where), where=where)
    shared: RawRow = {
        "game_date": day,
        "game_id": game_id,
        "season": season_label(int(cell(game, "SEASON", where=where))),
        "source_updated_at": updated_at(day),
    }
    rows = []
    for player in players:
        minutes = minutes_played(cell(player, "MIN", where=where), where=where)
        if minutes is not None:
            counts = {raw: whole(cell(player, column, where=where)) for column, raw in _TRADITIONAL.items()}
            rows.append(_row(counts | {"minutes": minutes}, shared=shared, points=points))
    return _checked(rows, where=where)


def live_box_rows(body: Body, *, updated_at: Version, where: str) -> list[RawRow]:
    """Return the rows of one game: the live box score of cdn.nba.com."""
    game = cell(body, "game", where=where)
    game_id = regular_season_game(cell(game, "gameId", where=where), where=where)
    if cell(game, "gameStatus", where=where) != FINAL:
        return []
    sides = [cell(game, side, where=where) for side in ("homeTeam", "awayTeam")]
    points = {team_of_code(side["teamTricode"], where=where): side["score"] for side in sides}
    day = eastern_date(datetime.fromisoformat(cell(game, "gameTimeUTC", where=where)))
    shared: RawRow = {
        "game_date": day,
        "game_id": game_id,
        "season": season_of_game(game_id),
        "source_updated_at": updated_at(day),
    }
    rows = [
        _row(_live_counts(player, side, where=where), shared=shared, points=points)
        for side in sides
        for player in side["players"]
        if player["played"] == "1"
    ]
    return _checked(rows, where=where)


def _live_counts(player: Mapping[str, Any], side: Mapping[str, Any], *, where: str) -> RawRow:
    found = player["statistics"]
    counts: RawRow = {raw: whole(cell(found, name, where=where)) for name, raw in _LIVE.items()}
    return counts | {
        "player_id": player["personId"],
        "player_name": player["name"],
        "team_abbr": side["teamTricode"],
        "minutes": minutes_played(found["minutes"], where=where),
    }


def _row(counts: RawRow, *, shared: RawRow, points: Mapping[str, int]) -> RawRow:
    team = str(counts["team_abbr"])
    [other] = [one for one in points if one != team] or [team]
    value = counts | shared
    value["player_lookup"] = player_lookup(str(counts["player_name"]))
    value["opponent_team_abbr"] = other
    value["win_flag"] = points[team] > points[other]
    return {column: value[column] for column in COLUMNS}


def _checked(rows: list[RawRow], *, where: str) -> list[RawRow]:
    check_rows(rows, where=where)
    return sorted(rows, key=row_order)


def _refuse_part_of_game(box: Body, *, where: str) -> None:
    """Refuse a box of a range that leaves out a part of regulation.

    A range is in tenths of a second, or in periods.
    """
    asked = box.get("parameters", {})
    by_time = asked.get("RangeType") == 2 and (
        (asked.get("StartRange") or 0) > 0 or (asked.get("EndRange") or 0) < _REGULATION_TENTHS
    )
    first, last = asked.get("StartPeriod") or 0, asked.get("EndPeriod")
    by_period = asked.get("RangeType") == 1 and (first > 1 or last in (1, 2, 3))
    if by_time or by_period:
        raise DataError(where, problem=f"it is a part of game {asked.get('GameID')}", fix="ask for the whole game")


def _day(text: object) -> object:
    """Return the date of a text; the text itself where it has none."""
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        return text


def _date(text: object, *, where: str) -> date:
    day = _day(text)
    if not isinstance(day, date):
        raise DataError(where, problem=f"{text!r} is no date", fix="fetch the body again")
    return day
