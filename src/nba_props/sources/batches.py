"""Splits a night's rows into an early batch and the rest.

Always whole games, never part of one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime

from nba_props.raw import VERSION, RawRow


def split_games(rows: Sequence[RawRow], *, early: int) -> tuple[list[RawRow], list[RawRow]]:
    """Return (rows of the first `early` games by id, remaining rows).

    Each in the order of `rows`. Raises ValueError unless 0 <= early <= games.
    """
    games = sorted({str(row["game_id"]) for row in rows})
    if not 0 <= early <= len(games):
        raise ValueError(f"early = {early}, but the rows hold {len(games)} games: ask for 0 to {len(games)}")
    return _cut(rows, late=set(games[early:]))


def split_late(rows: Sequence[RawRow], *, share: float, rng: random.Random) -> tuple[list[RawRow], list[RawRow]]:
    """Return (early rows, remaining rows).

    About `share` (0 to 1) of the games are among the remaining. Together they are `rows`, each in its order. With 0 <
    share < 1 and two games or more, at least one game is early and at least one late; a single game stays early. Raises
    ValueError for a share outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share = {share}: a share of games is between 0 and 1")
    games = sorted({str(row["game_id"]) for row in rows})
    count = round(share * len(games))
    if 0 < share < 1:
        count = min(max(count, 1), len(games) - 1)
    drawn = sorted(games, key=lambda game: (rng.random(), game))
    return _cut(rows, late=set(drawn[: max(count, 0)]))


def restamp(rows: Sequence[RawRow], *, at: datetime) -> list[RawRow]:
    """Return copies of the rows with `at` as their version.

    A later scrape would write them so. Raises ValueError for a time without a zone.
    """
    if at.utcoffset() is None:
        raise ValueError(f"{at.isoformat()} has no time zone: give an aware datetime")
    return [{**row, VERSION: at} for row in rows]


def _cut(rows: Sequence[RawRow], *, late: set[str]) -> tuple[list[RawRow], list[RawRow]]:
    early_rows = [row for row in rows if str(row["game_id"]) not in late]
    late_rows = [row for row in rows if str(row["game_id"]) in late]
    return early_rows, late_rows
