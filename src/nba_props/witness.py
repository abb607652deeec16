"""The second witness: ESPN's team box scores against the sums of our player rows.

It reports and decides nothing: which of the two is right, a person says. Two things that look alike are told apart: a
game that ESPN lacks, and a date without games. A box that disagrees in the makes of both teams was never finalised: it
is named as a whole.

Turnovers come twice. ESPN's `turnovers` are the players' own. Its `total_turnovers` add the team's (five seconds, shot
clock), which no player row has: unless the caller brings the league's totals, ours are taken as the players' sum plus
ESPN's own team turnovers, and as the sum alone where those are impossible (negative).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, cast

from nba_props.errors import DataError
from nba_props.raw import RawRow
from nba_props.sources.parquet_file import query
from nba_props.sources.parquet_schedule import XREF
from nba_props.teams import team_of_code

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "points": "team_score",
        "field_goals_made": "field_goals_made",
        "field_goals_attempted": "field_goals_attempted",
        "three_pointers_made": "three_point_field_goals_made",
        "three_pointers_attempted": "three_point_field_goals_attempted",
        "free_throws_made": "free_throws_made",
        "free_throws_attempted": "free_throws_attempted",
        "offensive_rebounds": "offensive_rebounds",
        "defensive_rebounds": "defensive_rebounds",
        "total_rebounds": "total_rebounds",
        "assists": "assists",
        "steals": "steals",
        "blocks": "blocks",
        "turnovers": "turnovers",
        "personal_fouls": "fouls",
    }
)
"""Raw column -> ESPN's; `total_turnovers` is compared beside them."""

TOTAL_TURNOVERS = "total_turnovers"
_MAKES = ("field_goals_made", "free_throws_made")

TeamGame = tuple[str, str]
"""A game's id and a team's code."""


class Disagreement(NamedTuple):
    """One cell in which the two differ."""

    game_date: date
    game_id: str
    team_abbr: str
    column: str
    ours: int
    theirs: int


class Report(NamedTuple):
    """What the comparison found; everything sorted.

    `compared`: team-games that both have. `never_finalised`: games whose ESPN box is not that of a finished game.
    `missing`: (date, game) that ESPN lacks; `missing_dates`: the dates of which it lacks every game. `unknown`:
    games of ESPN, on our dates, that we lack.
    """

    compared: int
    disagreements: tuple[Disagreement, ...]
    never_finalised: tuple[str, ...]
    missing: tuple[tuple[date, str], ...]
    missing_dates: tuple[date, ...]
    unknown: tuple[str, ...]


def compare(
    rows: Iterable[RawRow], *, folder: Path, league_total_turnovers: Mapping[TeamGame, int] | None = None
) -> Report:
    """Compare player rows of whole games with the ESPN team boxes of a folder (`espn/team_box_*.parquet`, XREF).

    Dates outside what ESPN's files span are left out: there it is no witness. Raises DataError when the files are
    missing or cannot be read.
    """
    ours, days = _sums(rows)
    boxes, (begin, end) = _read_boxes(folder)
    seen = {game: day for game, day in days.items() if begin <= day <= end}
    found: list[Disagreement] = []
    compared = 0
    for (game, team), sums in ours.items():
        if (game, team) in boxes:
            compared += 1
            total = (league_total_turnovers or {}).get((game, team))
            found += _cells((game, team), sums, box=boxes[game, team], total_turnovers=total)
    theirs = {game for game, _ in boxes}
    missing = {(day, game) for game, day in seen.items() if game not in theirs}
    whole = {day for day, _ in missing} - {day for game, day in seen.items() if game in theirs}
    unknown = {game for (game, _), (day, _) in boxes.items() if game not in days and day in set(days.values())}
    return Report(
        compared=compared,
        disagreements=tuple(sorted(found)),
        never_finalised=_never_finalised(found),
        missing=tuple(sorted(missing)),
        missing_dates=tuple(sorted(whole)),
        unknown=tuple(sorted(unknown)),
    )


def _sums(rows: Iterable[RawRow]) -> tuple[dict[TeamGame, dict[str, int]], dict[str, date]]:
    sums: dict[TeamGame, dict[str, int]] = {}
    days: dict[str, date] = {}
    for row in rows:
        game = str(row["game_id"])
        days[game] = cast("date", row["game_date"])
        team = sums.setdefault((game, str(row["team_abbr"])), dict.fromkeys(COLUMNS, 0))
        for column in COLUMNS:
            team[column] += cast("int", row[column])
    return sums, days


def _read_boxes(folder: Path) -> tuple[dict[TeamGame, tuple[date, dict[str, int]]], tuple[date, date]]:
    """Give ESPN's box of each team-game that has a game id of the league, with its date; and what dates it spans.

    Play-off boxes have no such id, but they span dates: a regular season that ends in a gap is still seen as one.
    """
    files = sorted((folder / "espn").glob("team_box_*.parquet"))
    if not files or not (folder / XREF).is_file():
        raise DataError(
            str(folder), problem=f"it lacks espn/team_box_*.parquet or {XREF}", mend="name the folder with ESPN's boxes"
        )
    tied = query(
        folder / XREF, "SELECT espn_game_id, nba_game_id FROM read_parquet($path) WHERE nba_game_id IS NOT NULL"
    )
    games = {event: str(game) for event, game in tied}
    names = (*COLUMNS.values(), TOTAL_TURNOVERS, "team_turnovers")
    boxes: dict[TeamGame, tuple[date, dict[str, int]]] = {}
    days: set[date] = set()
    for path in files:
        sql = f"SELECT game_id, CAST(game_date AS DATE), team_abbreviation, {', '.join(names)} FROM read_parquet($path)"
        for event, day, code, *cells in query(path, sql):
            days.add(cast("date", day))
            if event in games:
                team = team_of_code(code, where=f"{path}, event {event}")
                box = dict(zip(names, cast("list[int]", cells), strict=True))
                boxes[games[event], team] = (cast("date", day), box)
    if not boxes:
        raise DataError(str(folder), problem=f"{XREF} ties no box to a game", mend="make the cross reference anew")
    return boxes, (min(days), max(days))


def _cells(
    team_game: TeamGame,
    sums: Mapping[str, int],
    *,
    box: tuple[date, Mapping[str, int]],
    total_turnovers: int | None,
) -> list[Disagreement]:
    day, theirs = box
    pairs = {column: (sums[column], theirs[name]) for column, name in COLUMNS.items()}
    if total_turnovers is None:
        total_turnovers = sums["turnovers"] + max(theirs["team_turnovers"], 0)
    pairs[TOTAL_TURNOVERS] = (total_turnovers, theirs[TOTAL_TURNOVERS])
    return [
        Disagreement(day, *team_game, column, mine, other) for column, (mine, other) in pairs.items() if mine != other
    ]


def _never_finalised(found: Iterable[Disagreement]) -> tuple[str, ...]:
    """Name the games in which ESPN counts fewer makes than we do for both teams: a box caught before the end."""
    short: dict[str, set[str]] = {}
    for one in found:
        if one.column in _MAKES and one.theirs < one.ours:
            short.setdefault(one.game_id, set()).add(one.team_abbr)
    return tuple(sorted(game for game, teams in short.items() if len(teams) == 2))
