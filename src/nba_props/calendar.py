"""Which dates have games, and when their last game is over, computed from a source's schedule.

Three answers: games, none, void (every game postponed). A fourth, unknown, is a date that is left out: where a source
has no schedule, an empty date must not look like a date without work.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import NamedTuple, cast

from nba_props.errors import DataError
from nba_props.raw import RawRow
from nba_props.sources import EASTERN, Source, every_date
from nba_props.sources.named import environment, named_source
from phasegate import CalendarDay

GAME_LENGTH_S = 2.5 * 3600
"""From tip-off to the final box score; the longest games take about three hours."""
EARLIEST, LATEST = time(12, 0, tzinfo=EASTERN), time(22, 30, tzinfo=EASTERN)
"""The usual tip-offs between which a game begins whose own is unknown: what comes before the games is wanted before the
first, what comes after them not before the last is over."""


def game_dates(first: date, last: date) -> list[CalendarDay]:
    """Give the days from `first` to `last` of the source that the environment variable NBA_DATA names.

    Raises DataError when it is unset or names none.
    """
    return days(named_source(environment()), first, last)


def days(source: Source, first: date, last: date) -> list[CalendarDay]:
    """Give the days from `first` to `last`, both included, ascending, that the source's schedule covers.

    A date with a game is known even outside of that: that it has games is certain, whatever else is not.
    """
    games: dict[date, list[RawRow]] = {}
    for row in source.schedule(first, last):
        games.setdefault(cast("date", row["game_date"]), []).append(row)
    known = set(games)
    for begin, end in source.coverage(first, last):
        known.update(every_date(begin, end))
    return [_day(day, games.get(day, [])) for day in sorted(known)]


class Gaps(NamedTuple):
    """Dates that are no days off, ascending: `missing` have games, of `unknown` nobody knows whether they have."""

    missing: tuple[date, ...] = ()
    unknown: tuple[date, ...] = ()


def gaps(source: Source, first: date, last: date) -> Gaps:
    """Give the dates from `first` to `last` on which something should have been played, or might have been.

    A source that cannot say it now knows of none of them.
    """
    span = every_date(first, last)
    try:
        states = {day.date: day.state for day in days(source, first, last)}
    except DataError:
        states = {}
    return Gaps(
        missing=tuple(day for day in span if states.get(day.isoformat()) == "work"),
        unknown=tuple(day for day in span if day.isoformat() not in states),
    )


def _day(day: date, games: Sequence[RawRow]) -> CalendarDay:
    playing = [row for row in games if not row["postponed"]]
    postponed = ", ".join(sorted(_name(row) for row in games if row["postponed"]))
    if playing:
        anchors = {
            "first_tip": min(_tipoff(row, unknown=EARLIEST) for row in playing),
            "last_game_end": max(_tipoff(row, unknown=LATEST) for row in playing) + GAME_LENGTH_S,
        }
        reason = f"{len(playing)} game(s)" + (f"; postponed: {postponed}" if postponed else "")
        return CalendarDay(date=day.isoformat(), state="work", anchors=anchors, reason=reason)
    if games:
        return CalendarDay(date=day.isoformat(), state="void", reason=f"postponed: {postponed}")
    return CalendarDay(date=day.isoformat(), state="none", reason="no regular-season game is scheduled")


def _name(row: RawRow) -> str:
    if row["home_team_abbr"] and row["away_team_abbr"]:
        return f"{row['away_team_abbr']} at {row['home_team_abbr']} ({row['game_id']})"
    return f"{row['team_a_abbr']} and {row['team_b_abbr']} ({row['game_id']})"


def _tipoff(row: RawRow, *, unknown: time) -> float:
    tipoff = row["tipoff_at"]
    if isinstance(tipoff, datetime):
        return tipoff.timestamp()
    # On no date are these hours skipped or repeated: clocks change at 02:00.
    return datetime.combine(cast("date", row["game_date"]), unknown).timestamp()
