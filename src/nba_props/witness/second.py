"""Any second source against our player rows, by team and by player.

It reports and decides nothing. Two sources may number games and players differently: a team's side of a game is found
by date, team and opponent, a player on it by lookup, where the looser spellings of `match_names` count too. What one of
the two lacks is named, and never counted as a zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple, TypeAlias, cast

from nba_props.errors import DataError
from nba_props.names import match_names
from nba_props.raw import COLUMNS as RAW_COLUMNS
from nba_props.raw import RawRow
from nba_props.sources import Source
from nba_props.witness.compare import COLUMNS, Disagreement, Game, Span, games_of

PLAYER_COLUMNS = tuple(column for column, kind in RAW_COLUMNS.items() if kind == "INTEGER")
"""The columns that are compared of each player."""

TEAM_COLUMNS = tuple(COLUMNS)
"""The columns whose sums are compared of each team."""

Side: TypeAlias = tuple[date, str, str]
"""A date, a team and its opponent."""

Pair: TypeAlias = tuple[RawRow, RawRow]


class Player(NamedTuple):
    """A player of a game, as the source that has the row spells it."""

    game_date: date
    game_id: str
    team_abbr: str
    player_id: int
    player_name: str


class PlayerCell(NamedTuple):
    """One figure of a player in which the two sources differ."""

    player: Player
    column: str
    ours: int
    theirs: int


class SecondReport(NamedTuple):
    """The result of the comparison; everything sorted.

    `team_games`, `players`: how many lines both have. `team_cells`, `player_cells`: where these differ. `missing`:
    games, or one team's side of them, that we have and the second source lacks; `unknown`: the other way round. The
    same of players, on sides that both have. `outside`: games of ours on dates that the second source does not cover.
    `unread`: dates that one of the two refused, with its reason.
    """

    team_games: int = 0
    players: int = 0
    team_cells: tuple[Disagreement, ...] = ()
    player_cells: tuple[PlayerCell, ...] = ()
    missing: tuple[Game, ...] = ()
    unknown: tuple[Game, ...] = ()
    missing_players: tuple[Player, ...] = ()
    unknown_players: tuple[Player, ...] = ()
    outside: tuple[Game, ...] = ()
    unread: tuple[tuple[date, str], ...] = ()


def compare_second(ours: Callable[[date], list[RawRow]], theirs: Source, *, dates: Iterable[date]) -> SecondReport:
    """Compare our rows of dates with those of a second source.

    `ours` returns our rows of a date. `dates`: those on which either has games. A date that a source refuses with
    DataError is not compared.
    """
    found = SecondReport()
    for day in sorted(set(dates)):
        try:
            rows = ours(day), theirs.batch(day)
            is_covered = bool(rows[1] or theirs.coverage(day, day))
        except DataError as error:
            found = found._replace(unread=(*found.unread, (day, str(error))))
            continue
        if rows[0] and not is_covered:
            found = found._replace(outside=found.outside + _games_in(rows[0]))
        else:
            found = _added(found, _of_date(*rows))
    return found


def _added(one: SecondReport, two: SecondReport) -> SecondReport:
    return SecondReport(
        team_games=one.team_games + two.team_games,
        players=one.players + two.players,
        team_cells=one.team_cells + two.team_cells,
        player_cells=one.player_cells + two.player_cells,
        missing=one.missing + two.missing,
        unknown=one.unknown + two.unknown,
        missing_players=one.missing_players + two.missing_players,
        unknown_players=one.unknown_players + two.unknown_players,
        outside=one.outside + two.outside,
        unread=one.unread + two.unread,
    )


def _of_date(ours: Sequence[RawRow], theirs: Sequence[RawRow]) -> SecondReport:
    mine, other = _sides(ours), _sides(theirs)
    both = sorted(mine.keys() & other.keys())
    pairs: list[Pair] = []
    lacking: tuple[list[RawRow], list[RawRow]] = [], []
    for side in both:
        found = _pairs(mine[side], other[side])
        pairs += found
        for place, rows in enumerate((mine[side], other[side])):
            paired = {id(pair[place]) for pair in found}
            lacking[place].extend(row for row in rows if id(row) not in paired)
    return SecondReport(
        team_games=len(both),
        players=len(pairs),
        team_cells=tuple(sorted(cell for side in both for cell in _team_cells(mine[side], other[side]))),
        player_cells=tuple(sorted(cell for pair in pairs for cell in _player_cells(*pair))),
        missing=_games_in(row for side in mine.keys() - other.keys() for row in mine[side]),
        unknown=_games_in(row for side in other.keys() - mine.keys() for row in other[side]),
        missing_players=tuple(sorted(map(_player, lacking[0]))),
        unknown_players=tuple(sorted(map(_player, lacking[1]))),
    )


def _sides(rows: Iterable[RawRow]) -> dict[Side, list[RawRow]]:
    sides: dict[Side, list[RawRow]] = {}
    for row in rows:
        side = cast("date", row["game_date"]), str(row["team_abbr"]), str(row["opponent_team_abbr"])
        sides.setdefault(side, []).append(row)
    return sides


def _pairs(ours: Sequence[RawRow], theirs: Sequence[RawRow]) -> list[Pair]:
    """Pair the rows of one player.

    Namesakes of one team are paired if their ids agree too, else not at all.
    """
    lookups = match_names([str(row["player_name"]) for row in theirs], known=[str(row["player_name"]) for row in ours])
    mine: dict[object, list[RawRow]] = {}
    for row in ours:
        mine.setdefault(row["player_lookup"], []).append(row)
    other: dict[object, list[RawRow]] = {}
    for row in theirs:
        other.setdefault(lookups.lookups[str(row["player_name"])], []).append(row)
    pairs: list[Pair] = []
    for lookup in mine.keys() & other.keys():
        here, there = mine[lookup], other[lookup]
        if len(here) == len(there) == 1:
            pairs.append((here[0], there[0]))
        else:
            by_id = {row["player_id"]: row for row in there}
            pairs += [(row, by_id[row["player_id"]]) for row in here if row["player_id"] in by_id]
    return pairs


def _team_cells(ours: Sequence[RawRow], theirs: Sequence[RawRow]) -> Iterable[Disagreement]:
    day, game, team = cast("date", ours[0]["game_date"]), str(ours[0]["game_id"]), str(ours[0]["team_abbr"])
    for column in TEAM_COLUMNS:
        mine, other = _sum(ours, column), _sum(theirs, column)
        if mine != other:
            yield Disagreement(day, game, team, column, mine, other)


def _sum(rows: Iterable[Mapping[str, object]], column: str) -> int:
    return sum(cast("int", row[column]) for row in rows)


def _player_cells(ours: RawRow, theirs: RawRow) -> Iterable[PlayerCell]:
    for column in PLAYER_COLUMNS:
        mine, other = cast("int", ours[column]), cast("int", theirs[column])
        if mine != other:
            yield PlayerCell(_player(ours), column, mine, other)


def _player(row: RawRow) -> Player:
    return Player(
        cast("date", row["game_date"]),
        str(row["game_id"]),
        str(row["team_abbr"]),
        cast("int", row["player_id"]),
        str(row["player_name"]),
    )


def _games_in(rows: Iterable[RawRow]) -> tuple[Game, ...]:
    return games_of({(cast("date", row["game_date"]), str(row["game_id"]), str(row["team_abbr"])) for row in rows})


def dates_of(ours: Iterable[date], theirs: Source, *, span: Span) -> list[date]:
    """Return the dates of a span on which we or a second source have games."""
    return sorted({*ours, *theirs.dates(*span)})
