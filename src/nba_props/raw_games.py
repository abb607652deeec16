"""The rules that the box scores of a whole game obey, team by team.

They need no second source. All hold in each of the 7,380 team-games of 2022-23 to 2024-25. Sums of plus-minus do not
fit the score there, so there is no rule of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, cast

from nba_props.raw import KEY, VERSION, RawRow

REGULATION_MIN, OVERTIME_MIN = 240, 25
"""Five players for 48 minutes, and for the 5 of an overtime."""
MINUTES_OFF_MAX = 4
"""Each player's minutes are rounded, so their sum is off by this much at most."""


class GameProblem(NamedTuple):
    """What cannot be true of a game, and its id."""

    problem: str
    game: str


def hold_back(rows: Sequence[RawRow]) -> tuple[list[RawRow], list[GameProblem]]:
    """Return the rows of games that can be true, and why others cannot.

    The rows are good by themselves (`nba_props.raw.check_rows`), and stay in order.
    """
    problems = list(game_problems(rows))
    held = {problem.game for problem in problems}
    return [row for row in rows if str(row["game_id"]) not in held], problems


def game_problems(rows: Iterable[RawRow]) -> Iterator[GameProblem]:
    """Yield what cannot be true of games, by game and team.

    Of rows of one key, the one of the newest version counts. A game without two teams is left out.
    """
    newest: dict[tuple[object, ...], RawRow] = {}
    for row in rows:
        key = tuple(row[column] for column in KEY)
        known = newest.setdefault(key, row)
        if cast("datetime", row[VERSION]) > cast("datetime", known[VERSION]):
            newest[key] = row
    games: dict[str, dict[str, _Side]] = {}
    for row in newest.values():
        sides = games.setdefault(str(row["game_id"]), {})
        sides.setdefault(str(row["team_abbr"]), _Side()).add(row)
    for game, teams in sorted(games.items()):
        if len(teams) == 2:
            for problem in _problems(teams):
                yield GameProblem(f"game {game}: {problem}", game)


class _Side:
    """The sums of one team in one game."""

    def __init__(self) -> None:
        self.minutes = self.assists = self.made = self.tried = self.blocks = 0

    def add(self, row: RawRow) -> None:
        count = cast("Mapping[str, int]", row)
        self.minutes += count["minutes"]
        self.assists += count["assists"]
        self.made += count["field_goals_made"]
        self.tried += count["field_goals_attempted"]
        self.blocks += count["blocks"]


def _problems(teams: Mapping[str, _Side]) -> Iterator[str]:
    """Yield the problems of both teams, each of the two by its name."""
    (one, first), (two, second) = sorted(teams.items())
    for team, side, other, others in ((one, first, two, second), (two, second, one, first)):
        overtimes = max(0, round((side.minutes - REGULATION_MIN) / OVERTIME_MIN))
        wanted = REGULATION_MIN + OVERTIME_MIN * overtimes
        if abs(side.minutes - wanted) > MINUTES_OFF_MAX:
            yield f"{team} played {side.minutes} minutes, not {wanted} within {MINUTES_OFF_MAX}"
        if side.assists > side.made:
            yield f"{team} has {side.assists} assists, but made only {side.made} field goals"
        if side.blocks > others.tried - others.made:
            yield f"{team} has {side.blocks} blocks, but {other} missed only {others.tried - others.made} field goals"
