"""Where raw rows come from: one interface, a module per kind of source, and cutting a night into batches.

A source answers with all that it holds of a date: box scores in the columns of `nba_props.raw`, the rest in those of
`nba_props.raw_tables`; checked and in a fixed order. It refuses to guess: what it cannot read is a DataError, what it
does not hold is an empty list.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from nba_props.notices import Notice
from nba_props.raw import RawRow


class Source(Protocol):
    """A place that holds whole games by date; every answer is the same each time it is asked.

    A live source is the exception: its answers grow while games are played. The rows are always the caller's own.
    Every method raises DataError when what it needs cannot be read or cannot be true. `name` is what the log of fetches
    calls it, `retries` how many repeats of requests it has made so far.
    """

    name: str
    retries: int

    def dates(self, first: date, last: date) -> list[date]:
        """Give the dates with games from `first` to `last`, both included, ascending; none if `first` is later."""
        ...

    def batch(self, day: date) -> list[RawRow]:
        """Give all raw rows of the date by game, team and player; none for a date without games."""
        ...

    def updated_at(self, day: date) -> datetime:
        """Give the UTC time that the date's rows carry as their version."""
        ...

    def coverage(self, first: date, last: date) -> list[tuple[date, date]]:
        """Give the spans from `first` to `last` of which the schedule is known, ascending, both ends included.

        A date inside a span and without a row in `schedule` has no games; of a date outside nothing is known.
        """
        ...

    def schedule(self, first: date, last: date) -> list[RawRow]:
        """Give the rows of `raw_tables.SCHEDULE` from `first` to `last`, by date and game.

        Regular-season games only. A postponed game has a row on each of its dates. Home, away and tip-off are NULL
        where no schedule says them: they are never read from a box score's MATCHUP.
        """
        ...

    def props(self, day: date, *, at: datetime | None = None) -> list[RawRow]:
        """Give the rows of `raw_tables.PROPS` for the games of the date, by player and bookmaker.

        `at`: an aware moment; only what was captured at it or before is known, first line and moves included. None:
        all that was captured before the games.
        """
        ...

    def shots(self, day: date) -> list[RawRow]:
        """Give the rows of `raw_tables.SHOTS` of the date, by game and event."""
        ...

    def notices(self, first: date, last: date) -> list[Notice]:
        """Tell what was left out, or needs a person, of what was loaded so far, from `first` to `last`; loads nothing.

        Two players who share a lookup are told wherever they were met, on one date or seasons apart.
        """
        ...


EASTERN = ZoneInfo("America/New_York")
"""The zone of the league's dates."""


def every_date(first: date, last: date) -> list[date]:
    """Give every date from `first` to `last`, both included, ascending; none if `first` is later."""
    return [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]


def eastern_date(moment: datetime) -> date:
    """Give the league's date of an aware moment: a game at 02:00 UTC belongs to the evening before."""
    return moment.astimezone(EASTERN).date()


def morning_after(day: date) -> datetime:
    """Give 06:00 UTC of the next day, after the last West Coast game: a version that depends on the date alone."""
    return datetime.combine(day + timedelta(days=1), time(6), tzinfo=UTC)


def row_order(row: RawRow) -> tuple[str, str, str, str]:
    """Give the place of a raw row within its date: game, team, lookup, player id."""
    return str(row["game_id"]), str(row["team_abbr"]), str(row["player_lookup"]), str(row["player_id"])


def season_label(first_year: int) -> str:
    """Give the league's name of the season that begins in a year: 2024 -> '2024-25'."""
    return f"{first_year}-{(first_year + 1) % 100:02d}"


def season_of_date(day: date) -> str:
    """Give the season of a date; a season begins in October and ends in June, so July parts them."""
    return season_label(day.year if day.month >= 7 else day.year - 1)
