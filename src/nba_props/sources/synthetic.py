"""Synthetic nights: raw rows of games that were never played.

The same for the same seed. They are used where no data file may be shipped: real team codes, plainly invented players,
box-score identities that hold. Every date has games, and half of each roster a line. They are not realistic: no
injuries, no overtime, no shots; each night draws its teams independently.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from nba_props.notices import Notice
from nba_props.raw import COLUMNS, RawRow
from nba_props.raw_tables import PROPS, SCHEDULE, in_order
from nba_props.sources import every_date, morning_after, row_order, season_of_date
from nba_props.sources.boxscore import Line, play
from nba_props.sources.people import ROSTER_SIZE, Player, rosters
from nba_props.teams import TEAMS

SEED = 7
THE_NIGHT = date(2026, 2, 3)
GAMES_MIN, GAMES_MAX = 5, 10
PLAYERS_MIN = 15

# The counts that are known of the night: 348 rows, 72 of them from the two games of the first batch.
_NIGHT_SIZES = (18,) * 4 + (18, 17, 17, 17) * 4


class _Fixture(NamedTuple):
    """One game of a night before it is played.

    Two teams, and the number of players of each.
    """

    game_id: str
    teams: tuple[str, str]
    sizes: tuple[int, int]


class SyntheticSource:
    """Serves invented games for any date.

    3 February 2026 is the night of ten games and 348 rows, for every seed.
    """

    name = "synthetic"
    retries = 0

    def __init__(self, *, seed: int = SEED) -> None:
        self._seed = seed
        self._rosters = rosters(seed)

    def dates(self, first: date, last: date) -> list[date]:
        """Return every date from `first` to `last`, both included, ascending.

        Empty if `first` is later.
        """
        return every_date(first, last)

    def batch(self, day: date) -> list[RawRow]:
        """Return all raw rows of the date by game, team and player.

        5 to 10 games, 15 to 18 players a team.
        """
        rng, fixtures = self._night(day)
        squads = [
            [_squad(rng, self._rosters[team], size) for team, size in zip(game.teams, game.sizes, strict=True)]
            for game in fixtures
        ]
        rows: list[RawRow] = []
        for game, (first, second) in zip(fixtures, squads, strict=True):
            rows += _game_rows(rng, (first, second), day=day, game_id=game.game_id)
        return sorted(rows, key=row_order)

    def updated_at(self, day: date) -> datetime:
        """Return the version of the date's rows: 06:00 UTC of the next day."""
        return morning_after(day)

    def coverage(self, first: date, last: date) -> list[tuple[date, date]]:
        """Return the whole span: every date is known."""
        return [(first, last)] if first <= last else []

    def schedule(self, first: date, last: date) -> list[RawRow]:
        """Return the games of the nights from `first` to `last`.

        Tip-offs are from 23:00 to 03:30 UTC; none is postponed.
        """
        rows = [
            _schedule_row(random.Random(f"tipoff:{self._seed}:{game.game_id}"), game, day=day)
            for day in self.dates(first, last)
            for game in self._night(day)[1]
        ]
        return in_order(SCHEDULE, rows)

    def props(self, day: date, *, at: datetime | None = None) -> list[RawRow]:
        """Return a line for the upper half of each roster of the date.

        Drawn independently of the games. All are captured at 12:00 UTC, before ten in the morning in New York; none is
        known `at` a moment before.
        """
        if at is not None and at < _captured(day):
            return []
        rng = random.Random(f"props:{self._seed}:{day.isoformat()}")
        teams = sorted(team for game in self._night(day)[1] for team in game.teams)
        listed = [player for team in teams for player in self._rosters[team][: ROSTER_SIZE // 2]]
        return in_order(PROPS, [_prop_row(rng, player, day=day) for player in listed])

    def shots(self, day: date) -> list[RawRow]:  # noqa: ARG002  no night has shots
        """Return nothing: where invented players shoot from is not invented."""
        return []

    def notices(self, first: date, last: date) -> list[Notice]:  # noqa: ARG002  all nights are alike
        """Return an empty list.

        Invented rows have no faults, and no two players have one lookup.
        """
        return []

    def _night(self, day: date) -> tuple[random.Random, list[_Fixture]]:
        """Return the date's games, and the generator that plays them."""
        # One generator per (seed, date): a date's rows do not depend on which dates were asked for before.
        rng = random.Random(f"night:{self._seed}:{day.isoformat()}")
        sizes = _NIGHT_SIZES if day == THE_NIGHT else tuple(_draw_sizes(rng))
        teams = sorted(TEAMS, key=lambda team: (rng.random(), team))[: len(sizes)]
        pairs = zip(zip(teams[::2], teams[1::2], strict=True), zip(sizes[::2], sizes[1::2], strict=True), strict=True)
        return rng, [
            _Fixture(f"synthetic-{day:%Y%m%d}-{number:02d}", pair, brought)
            for number, (pair, brought) in enumerate(pairs, start=1)
        ]


def night_of_2026_02_03(*, seed: int = SEED) -> list[RawRow]:
    """Return the night's rows: exactly 10 games and 348 player rows.

    72 of them are in the first two games by id.
    """
    return SyntheticSource(seed=seed).batch(THE_NIGHT)


def _draw_sizes(rng: random.Random) -> Iterator[int]:
    games = GAMES_MIN + int(rng.random() * (GAMES_MAX - GAMES_MIN + 1))
    for _ in range(2 * games):
        yield PLAYERS_MIN + int(rng.random() * (ROSTER_SIZE - PLAYERS_MIN + 1))


def _squad(rng: random.Random, roster: Sequence[Player], size: int) -> list[Player]:
    """Return `size` players of a roster by rank; the others do not play."""
    drawn = sorted(roster, key=lambda player: (rng.random(), player.rank))[:size]
    return sorted(drawn, key=lambda player: player.rank)


def _game_rows(
    rng: random.Random, squads: tuple[Sequence[Player], Sequence[Player]], *, day: date, game_id: str
) -> Iterator[RawRow]:
    lines = play(rng, squads)
    for side, other in ((0, 1), (1, 0)):
        won = sum(line.points for line in lines[side]) > sum(line.points for line in lines[other])
        for player, line in zip(squads[side], lines[side], strict=True):
            opponent = squads[other][0].team
            yield _raw_row(player, line, shared=_shared(day, game_id=game_id, opponent=opponent, won=won))


def _shared(day: date, *, game_id: str, opponent: str, won: bool) -> RawRow:
    return {
        "game_date": day,
        "game_id": game_id,
        "opponent_team_abbr": opponent,
        "season": season_of_date(day),
        "win_flag": won,
        "source_updated_at": morning_after(day),
    }


def _raw_row(player: Player, line: Line, *, shared: RawRow) -> RawRow:
    value: RawRow = {
        **shared,
        **line._asdict(),
        "player_lookup": player.lookup,
        "player_id": player.player_id,
        "player_name": player.name,
        "team_abbr": player.team,
    }
    return {column: value[column] for column in COLUMNS}


def _schedule_row(rng: random.Random, game: _Fixture, *, day: date) -> RawRow:
    away, home = game.teams if rng.random() < 0.5 else game.teams[::-1]
    half_hours = int(rng.random() * 10)
    return {
        "game_date": day,
        "game_id": game.game_id,
        "season": season_of_date(day),
        "team_a_abbr": min(game.teams),
        "team_b_abbr": max(game.teams),
        "home_team_abbr": home,
        "away_team_abbr": away,
        "neutral_site": False,
        "tipoff_at": datetime.combine(day, time(23), tzinfo=UTC) + timedelta(minutes=30 * half_hours),
        "postponed": False,
        "source": "synthetic",
    }


def _captured(day: date) -> datetime:
    return datetime.combine(day, time(12), tzinfo=UTC)


def _prop_row(rng: random.Random, player: Player, *, day: date) -> RawRow:
    """Draw a line near the points that a player of this rank scores.

    One in ten has no prices, one in ten has moved.
    """
    first = max(20 - 2 * player.rank, 4) + int(rng.random() * 4) + 0.5
    priced, moved = rng.random() < 0.9, rng.random() < 0.1
    return {
        "game_date": day,
        "player_lookup": player.lookup,
        "bookmaker": "Synthetic",
        "player_name": player.name,
        "points_line": first + 1.0 if moved else first,
        "over_price": -115 if priced else None,
        "under_price": -105 if priced else None,
        "line_first": first,
        "line_moves": int(moved),
        "captured_at": _captured(day),
    }
