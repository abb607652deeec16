"""Where raw rows come from: one interface, a module per kind of source, and cutting a night into batches.

A source answers with all that it holds of a date, in the columns of `nba_props.raw`, checked and in a fixed order.
It refuses to guess: what it cannot read is a DataError.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from nba_props.raw import RawRow


class Source(Protocol):
    """A place that holds whole games by date; every answer is the same each time it is asked."""

    def dates(self, first: date, last: date) -> list[date]:
        """Give the dates with games from `first` to `last`, both included, ascending; none if `first` is later."""
        ...

    def batch(self, day: date) -> list[RawRow]:
        """Give all raw rows of the date by game, team and player; none for a date without games.

        The rows are the caller's own. Raises DataError when they cannot be read or cannot be true.
        """
        ...

    def updated_at(self, day: date) -> datetime:
        """Give the UTC time that the date's rows carry as their version."""
        ...


def morning_after(day: date) -> datetime:
    """Give 06:00 UTC of the next day, after the last West Coast game: a version that depends on the date alone."""
    return datetime.combine(day + timedelta(days=1), time(6), tzinfo=UTC)


def row_order(row: RawRow) -> tuple[str, str, str, str]:
    """Give the place of a raw row within its date: game, team, lookup, player id."""
    return str(row["game_id"]), str(row["team_abbr"]), str(row["player_lookup"]), str(row["player_id"])


def season_label(first_year: int) -> str:
    """Give the league's name of the season that begins in a year: 2024 -> '2024-25'."""
    return f"{first_year}-{(first_year + 1) % 100:02d}"
