"""Which dates have games, and when they end, from a source's schedule.

Three answers: games, none, void (every game postponed). A fourth, unknown, is a date that is left out: where a source
has no schedule, an empty date must not look like a date without games.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import NamedTuple, cast

from nba_props.errors import DataError
from nba_props.raw import RawRow
from nba_props.sources import EASTERN, Source, every_date
from nba_props.sources.named import environment, named_source
from phasegate import CalendarDay

SEASON_START = "season_start"
"""The anchor of the first date with a game of the date's season: where a window with back = "season" begins."""
GAME_LENGTH_S = 2.5 * 3600
"""From tip-off to the final box score; the longest games take about three hours."""
EARLIEST, LATEST = time(12, 0, tzinfo=EASTERN), time(22, 30, tzinfo=EASTERN)
"""The usual first and last tip-off, for games whose own is unknown: work before the games must be done before the
first, work after them starts after the last has ended."""


def game_dates(first: date, last: date) -> list[CalendarDay]:
    """Return the dates of the source that NBA_DATA names.

    From `first` to `last`. Raises DataError when the environment variable is unset or names no source.
    """
    return days(named_source(environment()), first, last)


def days(source: Source, first: date, last: date) -> list[CalendarDay]:
    """Return the dates that the source's schedule covers, ascending.

    From `first` to `last`, both included. A date with a game is known even outside of the covered spans: it has games,
    whatever else is unknown.
    """
    games: dict[date, list[RawRow]] = {}
    for row in source.schedule(first, last):
        games.setdefault(cast("date", row["game_date"]), []).append(row)
    known = set(games)
    for begin, end in source.coverage(first, last):
        known.update(every_date(begin, end))
    starts = _season_starts(source, [row for rows in games.values() for row in rows])
    return [_day(day, games.get(day, []), starts=starts) for day in sorted(known)]


def _season_starts(source: Source, games: Sequence[RawRow]) -> dict[str, date]:
    """Return the first date with a game of each season of these games.

    Of the source's schedule: no regular season has begun before October.
    """
    playing = [row for row in games if not row["postponed"]]
    if not playing:
        return {}
    seasons = {cast("str", row["season"]) for row in playing}
    on = [cast("date", row["game_date"]) for row in playing]
    starts: dict[str, date] = {}
    # not from July on: a live source would ask for the season before this one too
    for row in source.schedule(min(*map(_october_of, seasons), *on), max(on)):
        season, day = cast("str", row["season"]), cast("date", row["game_date"])
        if season in seasons and not row["postponed"]:
            starts[season] = min(day, starts.get(season, day))
    return starts


class Gaps(NamedTuple):
    """Dates that are not free of games, ascending.

    `missing` have games; of `unknown` the source has no schedule.
    """

    missing: tuple[date, ...] = ()
    unknown: tuple[date, ...] = ()


def gaps(source: Source, first: date, last: date) -> Gaps:
    """Return the dates on which games were, or might have been, played.

    From `first` to `last`. For a source that cannot answer now, all are unknown.
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


def _october_of(season: str) -> date:
    year = season[:4]
    if not (len(year) == 4 and year.isascii() and year.isdigit()):
        fix = "give the season of its first year, such as '2024-25'"
        raise DataError("the schedule", problem=f"{season!r} is no season", fix=fix)
    return date(int(year), 10, 1)


def _day(day: date, games: Sequence[RawRow], *, starts: Mapping[str, date]) -> CalendarDay:
    playing = [row for row in games if not row["postponed"]]
    postponed = ", ".join(sorted(_name(row) for row in games if row["postponed"]))
    if playing:
        start = min(starts.get(cast("str", row["season"]), day) for row in playing)
        anchors = {
            SEASON_START: datetime.combine(start, EARLIEST).timestamp(),
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
    # These hours are never skipped or repeated: clocks change at 02:00.
    return datetime.combine(cast("date", row["game_date"]), unknown).timestamp()
