"""A source of CSV files with a mapping.

The files are read once, checked whole and stored by date, as the parquet folder is: a line that cannot be true holds
its date back, and no other. Without a file of the schedule, the schedule is what the box scores show.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import cast

from nba_props.errors import DataError
from nba_props.notices import Notice, between
from nba_props.own.checked import CheckedSource
from nba_props.own.mapping import HOME_FIELDS, TableMapping, read_mapping
from nba_props.own.rows import filled_box, filled_schedule, schedule_problem
from nba_props.own.text import Line, games_of, named, read_lines
from nba_props.raw import TABLE, RawRow, refused_dates
from nba_props.raw_tables import SCHEDULE
from nba_props.sources import morning_after
from nba_props.sources.gamelog import home_teams

NAME = "csv"
_FIX = "correct the line, or the mapping"
_ONE_DAY = timedelta(days=1)
_ROW = re.compile(r"row (\d+)( \(.*?\)), column (\w+): (.*)")


def csv_source(path: Path) -> CheckedSource:
    """Return the source of a mapping file.

    Raises DataError for a mapping or a file that cannot be read, and for a line whose date cannot be known.
    """
    return CheckedSource(CsvSource(path), where=f"csv:{path}")


class CsvSource:
    """Serves the games of CSV files by date.

    Raises DataError, from the constructor for files that cannot be used at all, from `batch` for a date with a line
    that cannot be true.
    """

    name = NAME

    def __init__(self, path: Path) -> None:
        mapping = read_mapping(path)
        box = read_lines(mapping.box_scores)
        rows, self._spoilt = _box(box.found, mapping.box_scores)
        self._rows: dict[date, list[RawRow]] = {}
        for row in rows:
            self._rows.setdefault(cast("date", row["game_date"]), []).append(row)
        self._notices = [_unused(TABLE, mapping.box_scores, box.unused)] if box.unused else []
        self._undecided: set[date] = set()
        if mapping.schedule is None:
            games = self._of_box_scores(box.found)
        else:
            lines = read_lines(mapping.schedule)
            self._notices += [_unused(SCHEDULE.name, mapping.schedule, lines.unused)] if lines.unused else []
            games = self._of_file(lines.found, mapping.schedule)
        self._games = games

    def dates(self, first: date, last: date) -> list[date]:
        """Return the dates with games, also those held back."""
        scheduled = {cast("date", row["game_date"]) for row in self._games if not row["postponed"]}
        return [day for day in sorted({*self._rows, *self._spoilt, *scheduled}) if first <= day <= last]

    def batch(self, day: date) -> list[RawRow]:
        """Return the rows of a date; raise what makes it unusable."""
        if day in self._spoilt:
            raise self._spoilt[day]
        return self._rows.get(day, [])

    def coverage(self, first: date, last: date) -> list[tuple[date, date]]:
        """Return each season from its first game to its last.

        Without dates of games that are not known whole.
        """
        seasons: dict[object, list[date]] = {}
        for row in self._games:
            seasons.setdefault(row["season"], []).append(cast("date", row["game_date"]))
        spans = [(max(min(days), first), min(max(days), last)) for days in seasons.values()]
        for day in sorted(self._undecided):
            spans = [part for begin, end in spans for part in ((begin, min(end, day - _ONE_DAY)),
                                                               (max(begin, day + _ONE_DAY), end))]  # fmt: skip
        return sorted({(begin, end) for begin, end in spans if begin <= end})

    def schedule(self, first: date, last: date) -> list[RawRow]:
        """Return the games from `first` to `last`."""
        return [row for row in self._games if first <= cast("date", row["game_date"]) <= last]

    def notices(self, first: date, last: date) -> list[Notice]:
        """Return the notices on unused columns and lines left out."""
        return between(self._notices, first, last)

    def _of_box_scores(self, lines: Sequence[Line]) -> list[RawRow]:
        """Return the schedule that the box scores show.

        A game with several dates, or without two teams, makes its dates undecided.
        """
        homes = _homes(lines)
        games: list[RawRow] = []
        for game, days, teams in games_of(lines):
            known = {day for day in days if isinstance(day, date)}
            if len(known) != 1 or len(teams) != 2 or None in teams or game is None:
                self._undecided |= known
                continue
            one, two = sorted(map(str, teams))
            home = homes.get(game)
            away = {one: two, two: one}.get(str(home))
            row = {"game_date": known.pop(), "game_id": game, "team_a_abbr": one, "team_b_abbr": two}
            home_away = {"home_team_abbr": home if away else None, "away_team_abbr": away}
            games.append(filled_schedule(row | home_away, source=NAME))
        return games

    def _of_file(self, lines: Sequence[Line], mapping: TableMapping) -> list[RawRow]:
        """Return the rows of a schedule file; a bad line is left out alone."""
        games: dict[tuple[object, object], RawRow] = {}
        for line in lines:
            row = filled_schedule(line.row, source=NAME)
            row["postponed"] = False if row["postponed"] is None else row["postponed"]
            day, place = row["game_date"], f"{mapping.path}: line {line.number} (game {row['game_id']})"
            if not isinstance(day, date):
                undated = f"line {line.number}, {named('game_date', mapping)}: is {day!r}, not DATE"
                raise DataError(str(mapping.path), problem=undated, fix=_FIX)
            problem: str | None = line.problem or schedule_problem(row)
            if (day, row["game_id"]) in games:
                problem = f"the game is there twice on {day}"
            if problem is None:
                games[day, row["game_id"]] = row
            else:
                self._undecided.add(day)
                found = re.sub(r"^column (\w+)", lambda match: named(match[1], mapping), problem)
                self._notices.append(
                    Notice(SCHEDULE.name, (day,), f"left out: {place}, {found}; {_FIX}", held_back=True)
                )
        return list(games.values())


def _homes(lines: Sequence[Line]) -> dict[object, object]:
    """Return game -> its home team, where all its lines say the same."""
    rows = [line.row for line in lines]
    homes = home_teams((row["game_id"], row["team_abbr"], row.get("matchup")) for row in rows)
    said: dict[object, set[object]] = {}
    for row in rows:
        said.setdefault(row["game_id"], set()).add(row.get("home_team_abbr"))
    return homes | {game: teams.pop() for game, teams in said.items() if len(teams) == 1 and None not in teams}


def _box(lines: Sequence[Line], mapping: TableMapping) -> tuple[list[RawRow], dict[date, DataError]]:
    """Return the rows of good dates, and the first error of each other date."""
    given = [{field: value for field, value in line.row.items() if field not in HOME_FIELDS} for line in lines]
    rows = filled_box(given, updated_at=morning_after)
    where = str(mapping.path)
    spoilt: dict[date, DataError] = {}
    days_of = {game: {day for day in days if isinstance(day, date)} for game, days, _ in games_of(lines)}
    for line in lines:
        if line.problem is None:
            continue
        game, day = line.row["game_id"], line.row["game_date"]
        error = DataError(where, problem=f"line {line.number} (game {game}), {line.problem}", fix=_FIX)
        days = (days_of[game] if game is not None else set()) | ({day} if isinstance(day, date) else set())
        if not days:
            raise error
        for one in days:
            spoilt.setdefault(one, error)
    try:
        refused = refused_dates(rows, where=where)
    except DataError as error:
        raise _with_line(error, lines, mapping) from None
    spoilt = {day: _with_line(error, lines, mapping) for day, error in refused.items()} | spoilt
    return [row for row in rows if row["game_date"] not in spoilt], spoilt


def _with_line(error: DataError, lines: Sequence[Line], mapping: TableMapping) -> DataError:
    """Return the error of a raw row with its line and column in the file."""
    found = _ROW.fullmatch(error.problem)
    if found is None:
        return error
    line, column = lines[int(found[1]) - 1], named(found[3], mapping)
    return DataError(error.where, problem=f"line {line.number}{found[2]}, {column}: {found[4]}", fix=_FIX)


def _unused(table: str, mapping: TableMapping, columns: Iterable[str]) -> Notice:
    text = (
        f"{mapping.path}: no field is mapped to column {', '.join(columns)}; map it, or name it in ignored of "
        f"[{mapping.table}]"
    )
    return Notice(table, (), text)
