"""The raw table `nba_raw.nbac_gamebook_player_stats`, and its rules.

A row is one player's appearance in one finished game. A source of the regular season has no rows for players who did
not play; a row with 0 minutes is an appearance of seconds. This module checks and refuses; it corrects nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import NamedTuple, TypeAlias, cast

from nba_props.errors import DataError
from nba_props.names import player_lookup
from nba_props.teams import team_problem

RawRow: TypeAlias = dict[str, object]

TABLE = "nba_raw.nbac_gamebook_player_stats"
KEY = ("game_date", "player_lookup", "game_id", "player_id")
VERSION = "source_updated_at"
TAKEN_BACK = "taken_back"  # the tombstone: true in a row that deletes its game
MINUTES_MAX = 70  # A player's longest NBA game on record is 69 minutes (Dale Ellis, 9 November 1989).

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "game_date": "DATE",  # the league's own date of the game (US Eastern), not the tip-off in UTC
        "game_id": "VARCHAR",
        "player_lookup": "VARCHAR",
        "player_id": "BIGINT",
        "player_name": "VARCHAR",
        "team_abbr": "VARCHAR",
        "opponent_team_abbr": "VARCHAR",  # the game's other team; home and away are unknown on neutral sites
        "season": "VARCHAR",  # '2024-25'
        "win_flag": "BOOLEAN",
        "minutes": "INTEGER",  # whole numbers in this source, so a team's sum is 237 to 243 where 240 were played
        "points": "INTEGER",
        "field_goals_made": "INTEGER",
        "field_goals_attempted": "INTEGER",
        "three_pointers_made": "INTEGER",
        "three_pointers_attempted": "INTEGER",
        "free_throws_made": "INTEGER",
        "free_throws_attempted": "INTEGER",
        "offensive_rebounds": "INTEGER",
        "defensive_rebounds": "INTEGER",
        "total_rebounds": "INTEGER",
        "assists": "INTEGER",
        "steals": "INTEGER",
        "blocks": "INTEGER",
        "turnovers": "INTEGER",
        "personal_fouls": "INTEGER",
        "plus_minus": "INTEGER",
        "source_updated_at": "TIMESTAMP",  # UTC in the table; rows carry a datetime with its zone
    }
)
"""Column name -> DuckDB type, in the order of the table. Every column of every row has a value."""

PYTHON_TYPES: Mapping[str, type] = MappingProxyType(
    {
        "DATE": date,
        "VARCHAR": str,
        "BIGINT": int,
        "INTEGER": int,
        "DOUBLE": float,
        "BOOLEAN": bool,
        "TIMESTAMP": datetime,
    }
)
"""DuckDB type -> the type of a row's value, in every raw table."""
_FIX = "correct the row at its source and load the batch again"


def check_rows(rows: Sequence[RawRow], *, where: str) -> None:
    """Accept a batch of whole games, or refuse its first bad row.

    Raises DataError naming the first row and column that cannot be true. Holds afterwards, per row: exactly the columns
    of COLUMNS, no nulls, the declared types, times with a zone; points = 2 (FGM - 3PM) + 3 3PM + FTM; rebounds =
    offensive + defensive; makes <= attempts (of twos too); counts not negative; minutes 0 to 70; the lookup is that of
    the name; the teams are the league's, by its codes; the season is a regular one. Over the batch: each game has two
    teams that name each other, one winner and it has more points; no team plays twice a date. Repeated keys are
    accepted: the writer stores the newest version. `where` is how the message names the batch, usually a file. What
    adds up over a team is checked where a run fetches (`nba_props.raw_games`).
    """
    for fault in _faults(rows):
        raise fault.error(where)


def refused_dates(rows: Sequence[RawRow], *, where: str) -> dict[date, DataError]:
    """Return, ascending, the dates of rows that `check_rows` would refuse.

    Each with its first error. A bad row makes its own date unusable and those of its game, because it is not known
    which of its cells is wrong; a row without a date has its game's. Raises DataError where no row of the game has one.
    """
    dates: dict[object, set[date]] = {}
    for row in rows:
        day = row.get("game_date")
        dates.setdefault(row.get("game_id"), set()).update([day] if type(day) is date else [])
    refused: dict[date, DataError] = {}
    for fault in _faults(rows):
        days = fault.dates | set().union(*(dates.get(game, set()) for game in fault.games if game))
        if not days:
            raise fault.error(where)
        for day in days:
            refused.setdefault(day, fault.error(where))
    return dict(sorted(refused.items()))


class _Fault(NamedTuple):
    """A problem of a batch, with the games and dates that it makes unusable."""

    problem: str
    fix: str
    games: frozenset[object]
    dates: frozenset[date]

    def error(self, where: str) -> DataError:
        return DataError(where, problem=self.problem, fix=self.fix)


def _faults(rows: Sequence[RawRow]) -> Iterator[_Fault]:
    """Yield the first problem of each row, then those of games of good rows."""
    bad: set[object] = set()
    teams: dict[object, set[str]] = {}
    for row in rows:
        teams.setdefault(row.get("game_id"), set()).update({str(row["team_abbr"])} if row.get("team_abbr") else ())
    for number, row in enumerate(rows, start=1):
        names = sorted(teams[row.get("game_id")])
        for column, problem in _row_problems(row, teams=names):
            day, game = row.get("game_date"), row.get("game_id")
            days = frozenset({day} if type(day) is date else ())
            yield _Fault(f"{_place(row, number)}, column {column}: {problem}", _FIX, frozenset({game}), days)
            bad.add(game)
            break
    good = [row for row in rows if row.get("game_id") not in bad]
    for problem, games, days in _game_problems(good):
        yield _Fault(problem, "load whole games, corrected at their source", games, days)


def _place(row: RawRow, number: int) -> str:
    return f"row {number} (game {row.get('game_id')}, player {row.get('player_name')})"


def _row_problems(row: RawRow, *, teams: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (column, problem), shape first.

    The identities are checked only for rows of the right shape.
    """
    name = row.get("player_name")
    if isinstance(name, str) and name and row.get("player_lookup") is None:
        yield from _name_problems(name)
    if row.get("opponent_team_abbr") is None and row.get("team_abbr") and row.get("game_id") and len(teams) != 2:
        yield "opponent_team_abbr", _not_two(row["game_id"], teams)
    yield from _shape_problems(row)
    count = cast("dict[str, int]", row)  # the shape was checked above
    for column, kind in COLUMNS.items():
        if kind == "INTEGER" and column != "plus_minus" and count[column] < 0:
            yield column, f"is {count[column]}, and a count is never negative"
    if count["minutes"] > MINUTES_MAX:
        yield "minutes", f"is {count['minutes']}, and no player plays more than {MINUTES_MAX} minutes"
    yield from _identity_problems(count)
    yield from _name_problems(cast("str", row["player_name"]), lookup=row["player_lookup"])
    for column in ("team_abbr", "opponent_team_abbr"):
        if problem := team_problem(row[column]):
            yield column, problem
    if problem := season_problem(str(row["season"])):
        yield "season", problem
    if row["team_abbr"] == row["opponent_team_abbr"]:
        yield "opponent_team_abbr", f"is {row['opponent_team_abbr']!r}, the player's own team"


def _name_problems(name: str, *, lookup: object = None) -> Iterator[tuple[str, str]]:
    try:
        wanted = player_lookup(name)
    except DataError as error:
        yield "player_name", f"{error.where}: {error.problem}"
    else:
        if lookup != wanted and lookup is not None:
            yield "player_lookup", f"is {lookup!r}, but the name gives {wanted!r}"


def season_problem(season: str) -> str | None:
    """Return why a season is no regular season, None if it is one.

    >>> season_problem("2024-25"), season_problem("42024")
    (None, "is '42024', no regular season such as '2024-25'")
    """
    first, _, last = season.partition("-")
    years = len(first) == 4 and len(last) == 2 and season.isascii() and first.isdigit() and last.isdigit()
    if years and (int(first) + 1) % 100 == int(last):
        return None
    return f"is {season!r}, no regular season such as '2024-25'"


def _shape_problems(row: RawRow) -> Iterator[tuple[str, str]]:
    for column in sorted(row.keys() - COLUMNS.keys()):
        yield column, "is no column of the raw table"
    for column, kind in COLUMNS.items():
        if column not in row:
            yield column, "is missing"
        elif row[column] is None or row[column] == "":
            yield column, "has no value"
        # `type(...) is`, because True is an int and a datetime is a date.
        elif type(row[column]) is not PYTHON_TYPES[kind]:
            yield column, f"is {row[column]!r}, not {kind}"
    moment = row[VERSION]
    if isinstance(moment, datetime) and moment.utcoffset() is None:
        yield VERSION, f"is {moment.isoformat()} without a time zone"


def _identity_problems(row: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield violations of the scoring rules or of the box score's sums.

    A field goal is 2 or 3 points, a free throw 1.
    """
    threes, twos = row["three_pointers_made"], row["field_goals_made"] - row["three_pointers_made"]
    for shot in ("field_goals", "three_pointers", "free_throws"):
        made, tried = row[f"{shot}_made"], row[f"{shot}_attempted"]
        if made > tried:
            yield f"{shot}_made", f"is {made} of only {tried} attempted"
    twos_tried = row["field_goals_attempted"] - row["three_pointers_attempted"]
    if not 0 <= twos <= twos_tried:
        yield "field_goals_made", f"leaves {twos} two-pointers made of {twos_tried} attempted"
    points = 2 * twos + 3 * threes + row["free_throws_made"]
    if row["points"] != points:
        yield "points", f"is {row['points']}, but the shots made give {points}"
    rebounds = row["offensive_rebounds"] + row["defensive_rebounds"]
    if row["total_rebounds"] != rebounds:
        yield "total_rebounds", f"is {row['total_rebounds']}, but offensive + defensive give {rebounds}"


def _game_problems(rows: Sequence[RawRow]) -> Iterator[tuple[str, frozenset[object], frozenset[date]]]:
    """Yield (problem, games, dates) of rows that are good for themselves."""
    sides: dict[str, dict[tuple[object, ...], int]] = {}
    seen: set[tuple[object, ...]] = set()
    for row in rows:
        # A repeated row (an older version of a player's line) must not count its points twice.
        identity = tuple(row[column] for column in KEY)
        side = (row["team_abbr"], row["opponent_team_abbr"], row["game_date"], row["season"], row["win_flag"])
        teams = sides.setdefault(str(row["game_id"]), {})
        teams[side] = teams.get(side, 0) + (0 if identity in seen else cast("int", row["points"]))
        seen.add(identity)
    played: dict[tuple[object, object], str] = {}
    for game, teams in sides.items():
        days = frozenset(cast("date", side[2]) for side in teams)
        for problem in _side_problems(game, teams):
            yield problem, frozenset({game}), days
        for team, _, day, _, _ in teams:
            other = played.setdefault((team, day), game)
            if other != game:
                yield f"team {team} plays two games on {day}: {other} and {game}", frozenset({game, other}), days


def _not_two(game: object, teams: Sequence[str]) -> str:
    return f"game {game} has {len(teams)} team(s) ({', '.join(teams)}), not two"


def _side_problems(game: str, teams: Mapping[tuple[object, ...], int]) -> Iterator[str]:
    names = sorted({str(side[0]) for side in teams})
    if len(names) != 2:
        yield _not_two(game, names)
        return
    if len(teams) != 2:
        yield f"game {game}: the rows of one team disagree about opponent, date, season or winner"
        return
    (one, one_points), (two, two_points) = teams.items()
    if one[:2] != (two[1], two[0]) or one[2:4] != two[2:4]:
        yield f"game {game}: its teams {one[0]} and {two[0]} do not name each other, or differ in date or season"
    if one[4] == two[4]:
        yield f"game {game}: {one[0]} and {two[0]} have both {'won' if one[4] else 'lost'}"
    if (one_points > two_points) != one[4] or one_points == two_points:
        yield f"game {game}: {one[0]} {one_points}, {two[0]} {two_points} does not fit who won"
