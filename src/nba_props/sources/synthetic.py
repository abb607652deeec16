"""Synthetic nights: raw rows of games that were never played, the same for a seed always.

They stand in where no data file may be shipped: real team codes, plainly invented players, box-score identities that
hold. Every date has games. They refuse realism: no injuries, no schedule, no overtime.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from nba_props.raw import COLUMNS, RawRow
from nba_props.sources import morning_after, row_order, season_label
from nba_props.sources.boxscore import Line, play
from nba_props.sources.people import ROSTER_SIZE, TEAMS, Player, rosters

SEED = 7
THE_NIGHT = date(2026, 2, 3)
GAMES_MIN, GAMES_MAX = 5, 10
PLAYERS_MIN = 15

# The counts that are known of the night: 348 rows, 72 of them from the two games of the first batch.
_NIGHT_SIZES = (18,) * 4 + (18, 17, 17, 17) * 4


class SyntheticSource:
    """Serve invented games for any date; 3 February 2026 is the night of ten games and 348 rows, for every seed."""

    def __init__(self, *, seed: int = SEED) -> None:
        self._seed = seed
        self._rosters = rosters(seed)

    def dates(self, first: date, last: date) -> list[date]:
        """Give every date from `first` to `last`, both included, ascending; none if `first` is later."""
        return [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]

    def batch(self, day: date) -> list[RawRow]:
        """Give all raw rows of the date by game, team and player: 5 to 10 games, 15 to 18 players a team."""
        # One generator per (seed, date): a date's rows do not depend on which dates were asked for before.
        rng = random.Random(f"night:{self._seed}:{day.isoformat()}")
        sizes = _NIGHT_SIZES if day == THE_NIGHT else tuple(_draw_sizes(rng))
        teams = sorted(TEAMS, key=lambda team: (rng.random(), team))[: len(sizes)]
        squads = [_squad(rng, self._rosters[team], size) for team, size in zip(teams, sizes, strict=True)]
        rows: list[RawRow] = []
        for number, pair in enumerate(zip(squads[::2], squads[1::2], strict=True), start=1):
            rows += _game_rows(rng, pair, day=day, game_id=f"synthetic-{day:%Y%m%d}-{number:02d}")
        return sorted(rows, key=row_order)

    def updated_at(self, day: date) -> datetime:
        """Give the version of the date's rows: 06:00 UTC of the next day."""
        return morning_after(day)


def night_of_2026_02_03(*, seed: int = SEED) -> list[RawRow]:
    """Give the night's rows: exactly 10 games and 348 player rows, 72 of them in the first two games by id."""
    return SyntheticSource(seed=seed).batch(THE_NIGHT)


def _draw_sizes(rng: random.Random) -> Iterator[int]:
    games = GAMES_MIN + int(rng.random() * (GAMES_MAX - GAMES_MIN + 1))
    for _ in range(2 * games):
        yield PLAYERS_MIN + int(rng.random() * (ROSTER_SIZE - PLAYERS_MIN + 1))


def _squad(rng: random.Random, roster: Sequence[Player], size: int) -> list[Player]:
    """Give `size` players of a roster by rank; the others stay at home."""
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
    # A season begins in October and ends in June; July parts them.
    season = season_label(day.year if day.month >= 7 else day.year - 1)
    return {
        "game_date": day,
        "game_id": game_id,
        "opponent_team_abbr": opponent,
        "season": season,
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
