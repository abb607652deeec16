"""Sources of raw rows: one interface, and a module per kind.

A source returns all that it has of a date: box scores in the columns of `nba_props.raw`, the rest in those of
`nba_props.raw_tables`; checked and in a fixed order. It does not guess: what it cannot read is a DataError, what it
does not have is an empty list.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from nba_props.notices import Notice
from nba_props.raw import RawRow


class GameSource(Protocol):
    """What every source must have, also a source of one's own.

    Games by date, with repeatable answers. A live source is the exception: its answers grow while games are played.
    The caller owns the returned rows. Every method raises DataError when what it needs cannot be read or cannot be
    true.
    """

    def schedule(self, first: date, last: date) -> list[RawRow]:
        """Return the rows of `raw_tables.SCHEDULE`, by date and game.

        From `first` to `last`; regular-season games only. A postponed game has a row on each of its dates. Home and
        away are NULL where neither a schedule has them nor MATCHUP says them, tip-off where no schedule has it.
        """
        ...

    def batch(self, day: date) -> list[RawRow]:
        """Return all raw rows of the date by game, team and player.

        Empty for a date without games.
        """
        ...

    def coverage(self, first: date, last: date) -> list[tuple[date, date]]:
        """Return the spans of which the schedule is known, ascending.

        From `first` to `last`, both ends included. A date inside a span and without a row in `schedule` has no games;
        of a date outside nothing is known.
        """
        ...


class Source(GameSource, Protocol):
    """A source of whole games by date, with all that a run asks for.

    `name` is its name in the log of fetches, `retries` how many repeats of requests it has made so far.
    """

    name: str
    retries: int

    def dates(self, first: date, last: date) -> list[date]:
        """Return the dates with games from `first` to `last`, ascending.

        Both are included; empty if `first` is later.
        """
        ...

    def updated_at(self, day: date) -> datetime:
        """Return the UTC time that the date's rows carry as their version."""
        ...

    def props(self, day: date, *, at: datetime | None = None) -> list[RawRow]:
        """Return the rows of `raw_tables.PROPS` for the date's games.

        By player and bookmaker. `at`: an aware moment; only what was captured at it or before is included, first line
        and moves too. None: all that was captured before the games.
        """
        ...

    def shots(self, day: date) -> list[RawRow]:
        """Return the rows of `raw_tables.SHOTS` of the date, by game and event."""
        ...

    def notices(self, first: date, last: date) -> list[Notice]:
        """Return the notices on dates from `first` to `last`; load nothing.

        They are about what was left out, or needs a person, of what was loaded so far. Two players who share a lookup
        are always reported, on one date or seasons apart.
        """
        ...


EASTERN = ZoneInfo("America/New_York")
"""The zone of the league's dates."""


def every_date(first: date, last: date) -> list[date]:
    """Return every date from `first` to `last`, both included, ascending.

    Empty if `first` is later.
    """
    return [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]


def eastern_date(moment: datetime) -> date:
    """Return the league's date of an aware moment.

    A game at 02:00 UTC belongs to the evening before.
    """
    return moment.astimezone(EASTERN).date()


def morning_after(day: date) -> datetime:
    """Return 06:00 UTC of the next day, after the last West Coast game.

    A version that depends on the date alone.
    """
    return datetime.combine(day + timedelta(days=1), time(6), tzinfo=UTC)


def row_order(row: RawRow) -> tuple[str, str, str, str]:
    """Return the sort key of a raw row within its date.

    Game, team, lookup, player id.
    """
    return str(row["game_id"]), str(row["team_abbr"]), str(row["player_lookup"]), str(row["player_id"])


def season_label(first_year: int) -> str:
    """Return the name of the season of a first year: 2024 -> '2024-25'."""
    return f"{first_year}-{(first_year + 1) % 100:02d}"


def season_of_date(day: date) -> str:
    """Return the season of a date.

    A season begins in October and ends in June; the boundary is July.
    """
    return season_label(day.year if day.month >= 7 else day.year - 1)
