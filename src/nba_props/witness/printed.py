"""What ``nba-props witness --json`` prints, as types."""

from __future__ import annotations

import msgspec


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of a team in which the two sources differ.

    ``game_date``: YYYY-MM-DD. ``column``: of the raw player rows, summed over the team, or `total_turnovers`.
    """

    game_date: str
    game_id: str
    team_abbr: str
    column: str
    ours: int
    theirs: int


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A player of a game, as the source that has the line spells it."""

    game_date: str
    game_id: str
    team_abbr: str
    player_id: int
    player_name: str


class PlayerCell(Named, frozen=True, kw_only=True):
    """A figure of a player in which the two sources differ."""

    column: str
    ours: int
    theirs: int


class GameOf(msgspec.Struct, frozen=True, kw_only=True):
    """A game, with both teams or the one whose side is meant."""

    game_date: str
    game_id: str
    teams: tuple[str, ...]


class KnownCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many differences of the folder's list were found again.

    ``unseen``: player rows cannot show them. ``gone``: the two sources agree now. ``new``: found, and not on the list.
    """

    found: int
    unseen: int
    gone: int
    new: int


class WitnessedBoxes(msgspec.Struct, frozen=True, kw_only=True, rename={"first": "from", "last": "to"}):
    """The comparison with ESPN's team boxes.

    ``team_games``: how many lines both have. ``never_finalised``: the ids of games whose box is not that of a finished
    game. ``missing_games``: ours, which the second source lacks; ``unknown_games``: the other way round. ``known`` is
    null where the folder has no list. ``not_evaluated``: what could not be compared, and why.
    """

    first: str
    last: str
    team_games: int
    team_cells: tuple[Cell, ...]
    never_finalised: tuple[str, ...]
    missing_games: tuple[GameOf, ...]
    unknown_games: tuple[GameOf, ...]
    postponed_games: tuple[GameOf, ...]
    known: KnownCounts | None
    not_evaluated: tuple[str, ...]


class WitnessedBySecond(msgspec.Struct, frozen=True, kw_only=True, rename={"first": "from", "last": "to"}):
    """The comparison with another source, by team and by player.

    ``team_games``, ``players``: how many lines both have. What is missing is ours, and the second source lacks it; what
    is unknown is the other way round. ``not_evaluated``: what could not be compared, and why.
    """

    first: str
    last: str
    team_games: int
    players: int
    team_cells: tuple[Cell, ...]
    player_cells: tuple[PlayerCell, ...]
    missing_games: tuple[GameOf, ...]
    unknown_games: tuple[GameOf, ...]
    missing_players: tuple[Named, ...]
    unknown_players: tuple[Named, ...]
    not_evaluated: tuple[str, ...]
