"""What follows from the other columns of a user's rows.

A row may leave these columns out; a value that it has is used, and checked like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

from nba_props.errors import DataError
from nba_props.names import has_lookup, player_lookup
from nba_props.raw import COLUMNS, RawRow
from nba_props.raw_tables import SCHEDULE, check_table
from nba_props.sources import season_of_date
from nba_props.sources.gamelog import other_teams

FILLED_BOX = ("player_lookup", "opponent_team_abbr", "season", "win_flag", "source_updated_at")
"""Columns of a box-score row that may be left out."""

FILLED_SCHEDULE = (
    "season",
    "team_a_abbr",
    "team_b_abbr",
    "home_team_abbr",
    "away_team_abbr",
    "neutral_site",
    "tipoff_at",
    "postponed",
    "source",
)
"""Columns of a schedule row that may be left out; the two teams, if home and away are there."""


def filled_box(rows: Sequence[Mapping[str, object]], *, updated_at: Callable[[date], datetime]) -> list[RawRow]:
    """Return the rows with the columns of FILLED_BOX.

    The lookup follows from the name, the opponent from the game's other team, the season from the date, the winner
    from the points, the version from `updated_at`. What does not follow is None. A column that is no column of the
    table stays, for the check to name.
    """
    others = other_teams((row.get("game_id"), row.get("team_abbr")) for row in rows)
    points = _points(rows)
    filled: list[RawRow] = []
    for row in rows:
        day, name = row.get("game_date"), row.get("player_name")
        side = row.get("game_id"), row.get("team_abbr")
        other = others.get(side)
        value: RawRow = {
            "player_lookup": player_lookup(name) if isinstance(name, str) and has_lookup(name) else None,
            "opponent_team_abbr": other,
            "season": season_of_date(day) if isinstance(day, date) else None,
            "win_flag": points[side] > points[side[0], other] if other is not None else None,
            "source_updated_at": updated_at(day) if isinstance(day, date) else None,
            **row,
        }
        filled.append(_ordered(value, COLUMNS))
    return filled


def filled_schedule(row: Mapping[str, object], *, source: str) -> RawRow:
    """Return a schedule row with the columns of FILLED_SCHEDULE.

    The teams follow from home and away, the season from the date; a game is not postponed unless the row says so. What
    is not known of the rest is None.
    """
    day, home, away = (row.get(column) for column in ("game_date", "home_team_abbr", "away_team_abbr"))
    both = sorted((home, away)) if isinstance(home, str) and isinstance(away, str) else (None, None)
    value: RawRow = {
        "season": season_of_date(day) if isinstance(day, date) else None,
        "team_a_abbr": both[0],
        "team_b_abbr": both[1],
        "home_team_abbr": None,
        "away_team_abbr": None,
        "neutral_site": None,
        "tipoff_at": None,
        "postponed": False,
        "source": source,
        **row,
    }
    return _ordered(value, SCHEDULE.columns)


def schedule_problem(row: RawRow) -> str | None:
    """Return why a schedule row is not used, None where it is."""
    try:
        check_table(SCHEDULE, [row], where=SCHEDULE.name)
    except DataError as error:
        return error.problem.removeprefix(f"{SCHEDULE.name}, row 1, ")
    return None


def _points(rows: Sequence[Mapping[str, object]]) -> dict[tuple[object, object], int]:
    sums: dict[tuple[object, object], int] = {}
    for row in rows:
        side, points = (row.get("game_id"), row.get("team_abbr")), row.get("points")
        sums[side] = sums.get(side, 0) + (points if type(points) is int else 0)
    return sums


def _ordered(row: RawRow, columns: Mapping[str, str]) -> RawRow:
    ordered = {column: row[column] for column in columns if column in row}
    return ordered | {column: value for column, value in row.items() if column not in columns}
