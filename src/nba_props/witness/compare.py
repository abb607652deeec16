"""The second witness: ESPN's team boxes against our player rows' sums.

It reports and decides nothing: a person decides which of the two is right. Similar cases are distinguished: a game that
ESPN lacks, one that was not played, and one on a date that ESPN's files do not span. A box that disagrees in the makes
of both teams was never finalised: it is named as a whole.

Turnovers have two columns. ESPN's `turnovers` are the players' own. Its `total_turnovers` add the team's (five seconds,
shot clock), which no player row has: unless the caller passes the league's totals, ours are the players' sum plus
ESPN's own team turnovers, and the sum alone where those are impossible (negative).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeAlias, cast

from nba_props.errors import DataError
from nba_props.raw import RawRow
from nba_props.sources import every_date
from nba_props.sources.parquet_file import query
from nba_props.sources.parquet_schedule import XREF, read_events
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

TeamGame: TypeAlias = tuple[str, str]
"""A game's id and a team's code."""

Span: TypeAlias = tuple[date, date]
"""First date and last, both included."""


class Disagreement(NamedTuple):
    """One cell in which the two sources differ."""

    game_date: date
    game_id: str
    team_abbr: str
    column: str
    ours: int
    theirs: int


class Game(NamedTuple):
    """A game and teams of it.

    Both, or the one that an entry is about.
    """

    game_date: date
    game_id: str
    teams: tuple[str, ...]


class Report(NamedTuple):
    """The result of the comparison; all but `compared` and `assumed` sorted.

    `compared`: the team-games that both have; `assumed`: those of them whose total of turnovers is not the league's.
    `never_finalised`: games whose ESPN box is not that of a finished game. `missing`: games that we have and ESPN
    lacks, with the teams whose box it lacks; `missing_dates`: the dates of which it lacks every game. `unknown`: the
    same the other way round. `not_played`: dates of our seasons without a game in either source; `put_off`: games that
    were postponed in ESPN's schedule. `outside`: games of ours on dates that ESPN's files do not span (`span`), so that
    they are not compared. `not_covered`: dates that none of our seasons covers.
    """

    compared: frozenset[TeamGame]
    span: Span
    assumed: frozenset[TeamGame] = frozenset()
    disagreements: tuple[Disagreement, ...] = ()
    never_finalised: tuple[str, ...] = ()
    missing: tuple[Game, ...] = ()
    missing_dates: tuple[date, ...] = ()
    unknown: tuple[Game, ...] = ()
    not_played: tuple[date, ...] = ()
    put_off: tuple[Game, ...] = ()
    outside: tuple[Game, ...] = ()
    not_covered: tuple[date, ...] = ()


def compare(
    rows: Iterable[RawRow],
    *,
    folder: Path,
    dates: Span,
    seasons: Sequence[Span],
    league_total_turnovers: Mapping[TeamGame, int] | None = None,
) -> Report:
    """Compare player rows of whole games with ESPN's team boxes.

    The boxes are those of a folder (`espn/team_box_*.parquet`, XREF). `rows`: all that we have from `dates[0]` to
    `dates[1]`; `seasons`: the parts of those dates of which our schedule is known. Raises DataError when the files are
    missing or cannot be read.
    """
    ours, days = _sums(rows)
    boxes, (begin, end) = _read_boxes(folder)
    totals = league_total_turnovers or {}
    seen = {(game, team) for game, team in ours if begin <= days[game] <= end}
    both = seen & boxes.keys()
    found = [cell for one in both for cell in _cells(one, ours[one], box=boxes[one], total_turnovers=totals.get(one))]
    missing = games_of((days[game], game, team) for game, team in seen - boxes.keys())
    unknown = games_of(
        (boxes[one][0], *one) for one in boxes.keys() - ours.keys() if dates[0] <= boxes[one][0] <= dates[1]
    )
    covered = {day for span in seasons for day in every_date(*span)}
    return Report(
        compared=frozenset(both),
        span=(begin, end),
        assumed=frozenset(both - totals.keys()),
        disagreements=tuple(sorted(found)),
        never_finalised=_never_finalised(found),
        missing=missing,
        missing_dates=tuple(sorted({game.game_date for game in missing} - {days[game] for game, _ in both})),
        unknown=unknown,
        not_played=tuple(sorted(covered - set(days.values()) - {game.game_date for game in unknown})),
        put_off=_put_off(folder, dates),
        outside=games_of((days[game], game, team) for game, team in ours.keys() - seen),
        not_covered=tuple(sorted(set(every_date(*dates)) - covered)),
    )


def games_of(team_games: Iterable[tuple[date, str, str]]) -> tuple[Game, ...]:
    """Return the games of (date, game, team), sorted."""
    teams: dict[tuple[date, str], list[str]] = {}
    for day, game, team in sorted(team_games):
        teams.setdefault((day, game), []).append(team)
    return tuple(Game(day, game, tuple(names)) for (day, game), names in teams.items())


def _put_off(folder: Path, dates: Span) -> tuple[Game, ...]:
    events = [
        event for event in read_events(folder, notices=[]) if event.postponed and dates[0] <= event.day <= dates[1]
    ]
    return games_of((event.day, str(event.event_id), team) for event in events for team in (event.home, event.away))


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


def _read_boxes(folder: Path) -> tuple[dict[TeamGame, tuple[date, dict[str, int]]], Span]:
    """Return ESPN's box and date of each team-game, and the span of dates.

    Only of team-games that have a game id of the league. Play-off boxes have no such id, but they extend the span: so a
    gap at the end of a regular season is still found.
    """
    files = sorted((folder / "espn").glob("team_box_*.parquet"))
    if not files or not (folder / XREF).is_file():
        raise DataError(
            str(folder), problem=f"it lacks espn/team_box_*.parquet or {XREF}", fix="name the folder with ESPN's boxes"
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
        raise DataError(str(folder), problem=f"{XREF} ties no box to a game", fix="rebuild the cross reference")
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
    """Return the games in which ESPN has fewer makes for both teams.

    Such a box was recorded before the end.
    """
    short: dict[str, set[str]] = {}
    for one in found:
        if one.column in _MAKES and one.theirs < one.ours:
            short.setdefault(one.game_id, set()).add(one.team_abbr)
    return tuple(sorted(game for game, teams in short.items() if len(teams) == 2))
