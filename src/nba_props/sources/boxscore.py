"""One synthetic game: two consistent box scores from a seed.

The rates are the league's per minute, roughly; nothing here is a model of basketball.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from nba_props.sources.people import Player

TEAM_MINUTES = 240
FOULS_MAX = 6
_MINUTES_BY_RANK = (36, 34, 32, 30, 28, 22, 20, 16, 12, 10)
_BENCH_MINUTES_MAX = 3


class Line(NamedTuple):
    """One player's line in one game.

    A raw row's counts, in the order of the raw columns.
    """

    minutes: int
    points: int
    field_goals_made: int
    field_goals_attempted: int
    three_pointers_made: int
    three_pointers_attempted: int
    free_throws_made: int
    free_throws_attempted: int
    offensive_rebounds: int
    defensive_rebounds: int
    total_rebounds: int
    assists: int
    steals: int
    blocks: int
    turnovers: int
    personal_fouls: int
    plus_minus: int


def play(rng: random.Random, sides: tuple[Sequence[Player], Sequence[Player]]) -> tuple[list[Line], list[Line]]:
    """Return the lines of both sides, in the order of their players.

    Each side's minutes are whole and sum to 240; its points differ from the other's, its plus-minus sums to five times
    the margin; makes <= attempts, assists <= field goals made, and points and rebounds are sums of their parts. Needs
    10 players a side.
    """
    first, second = (_with_assists_of_makes(_side(rng, players)) for players in sides)
    if _points(first) == _points(second):
        first[0] = _with_a_free_throw(first[0])
    margin = _points(first) - _points(second)
    return _with_plus_minus(first, margin), _with_plus_minus(second, -margin)


def _points(lines: Sequence[Line]) -> int:
    return sum(line.points for line in lines)


def _side(rng: random.Random, players: Sequence[Player]) -> list[Line]:
    minutes = _minutes(rng, len(players))
    return [_line(rng, played) for played in minutes]


def _minutes(rng: random.Random, count: int) -> list[int]:
    bench = [int(rng.random() * (_BENCH_MINUTES_MAX + 1)) for _ in range(count - len(_MINUTES_BY_RANK))]
    weights = [share * (0.9 + 0.2 * rng.random()) for share in _MINUTES_BY_RANK]
    return _apportion(TEAM_MINUTES - sum(bench), weights) + bench


def _apportion(total: int, weights: Sequence[float]) -> list[int]:
    """Split a whole total in proportion to the weights.

    Whole shares that sum to it (largest remainders).
    """
    exact = [total * weight / sum(weights) for weight in weights]
    shares = [int(share // 1) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda place: (shares[place] - exact[place], place))
    for place in by_remainder[: total - sum(shares)]:
        shares[place] += 1
    return shares


def _line(rng: random.Random, minutes: int) -> Line:
    attempted = _hits(rng, minutes, 0.38)
    threes_attempted = _hits(rng, attempted, 0.4)
    threes = _hits(rng, threes_attempted, 0.36)
    twos = _hits(rng, attempted - threes_attempted, 0.54)
    free_attempted = 2 * _hits(rng, minutes, 0.045)
    free = _hits(rng, free_attempted, 0.78)
    offensive, defensive = _hits(rng, minutes, 0.045), _hits(rng, minutes, 0.14)
    return Line(
        minutes=minutes,
        points=2 * twos + 3 * threes + free,
        field_goals_made=twos + threes,
        field_goals_attempted=attempted,
        three_pointers_made=threes,
        three_pointers_attempted=threes_attempted,
        free_throws_made=free,
        free_throws_attempted=free_attempted,
        offensive_rebounds=offensive,
        defensive_rebounds=defensive,
        total_rebounds=offensive + defensive,
        assists=_hits(rng, minutes, 0.11),
        steals=_hits(rng, minutes, 0.03),
        blocks=_hits(rng, minutes, 0.02),
        turnovers=_hits(rng, minutes, 0.055),
        personal_fouls=min(_hits(rng, minutes, 0.08), FOULS_MAX),
        plus_minus=0,
    )


def _hits(rng: random.Random, tries: int, chance: float) -> int:
    return sum(rng.random() < chance for _ in range(tries))


def _with_a_free_throw(line: Line) -> Line:
    return line._replace(
        points=line.points + 1,
        free_throws_made=line.free_throws_made + 1,
        free_throws_attempted=line.free_throws_attempted + 1,
    )


def _with_assists_of_makes(lines: list[Line]) -> list[Line]:
    """Take away assists until each has its field goal, from who has most."""
    lines, over = list(lines), sum(line.assists - line.field_goals_made for line in lines)
    for _ in range(over):
        place = max(range(len(lines)), key=lambda i: (lines[i].assists, -i))
        lines[place] = lines[place]._replace(assists=lines[place].assists - 1)
    return lines


def _with_plus_minus(lines: Sequence[Line], margin: int) -> list[Line]:
    """Split five times the margin by minutes.

    Five players are on the floor whenever a point is scored.
    """
    shares = _apportion(5 * margin, [line.minutes for line in lines])
    return [line._replace(plus_minus=share) for line, share in zip(lines, shares, strict=True)]
