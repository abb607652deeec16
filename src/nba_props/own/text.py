"""Reads the lines of a mapped CSV file.

A cell that is no value of its type stays text, for the check of the row to name it with its line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import NamedTuple

from nba_props.errors import DataError
from nba_props.own.mapping import FIELDS, TableMapping
from nba_props.raw import RawRow
from nba_props.sources.gamelog import season_of
from nba_props.sources.shapes import minutes_played
from nba_props.teams import team_of_code

_WHOLE = re.compile(r"[+-]?\d{1,18}(?:\.0*)?")
_DECIMAL = re.compile(r"\d{1,4}(?:\.\d+)?")
_MIDNIGHT = re.compile(r"[T ]00:00(?::00(?:\.0+)?)?$")
_TRUE, _FALSE = ("true", "t", "yes", "y", "1", "w", "win"), ("false", "f", "no", "n", "0", "l", "loss")


class Line(NamedTuple):
    """A line of a file as a row of its fields.

    `number`: where it ends in the file, from 1. `problem`: what makes it useless, whatever else it has.
    """

    number: int
    row: RawRow
    problem: str | None = None


class Lines(NamedTuple):
    """The lines of a file, and its columns that nothing uses."""

    found: list[Line]
    unused: tuple[str, ...]


def read_lines(mapping: TableMapping) -> Lines:
    """Return the lines of a CSV file with a header.

    Raises DataError for a file that is missing, is no UTF-8 or no CSV, has no line, or lacks a column.
    """
    where = str(mapping.path)
    try:
        file = mapping.path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise DataError(where, problem=f"it cannot be read ({error})", fix="correct file in the mapping") from error
    with file:
        cells = csv.reader(file, delimiter=mapping.delimiter, strict=True)
        try:
            header = [name.strip() for name in next(cells, [])]
            _refuse_header(header, mapping)
            found = [
                _line(row, cells.line_num, header=header, mapping=mapping) for row in cells if any(map(str.strip, row))
            ]
        except UnicodeDecodeError as error:
            raise DataError(where, problem=f"it is no UTF-8 ({error})", fix="save it as CSV in UTF-8") from error
        except csv.Error as error:
            problem = f"line {cells.line_num} is no CSV ({error})"
            raise DataError(where, problem=problem, fix="correct the quotation marks of the line") from error
    if not found:
        raise DataError(where, problem="it has no line below its header", fix="export it again")
    used = {*mapping.columns.values(), *mapping.ignored}
    return Lines(found, tuple(name for name in header if name not in used))


def _refuse_header(header: Sequence[str], mapping: TableMapping) -> None:
    where = str(mapping.path)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(where, problem=f"line 1 has column {twice[0]!r} twice", fix="rename one of them")
    for field, column in mapping.columns.items():
        if column not in header:
            raise DataError(
                where,
                problem=f"line 1 has no column {column!r}, which the mapping names for {field}; it has "
                f"{', '.join(header) or 'nothing'}",
                fix="correct the mapping, or its delimiter",
            )


def _line(cells: Sequence[str], number: int, *, header: Sequence[str], mapping: TableMapping) -> Line:
    by_column = dict(zip(header, (cell.strip() for cell in cells), strict=False))
    row: RawRow = {}
    problem = None if len(cells) == len(header) else f"has {len(cells)} cells, and the header {len(header)}"
    for field, column in mapping.columns.items():
        text = by_column.get(column, "")
        row[field] = _value(text, field, mapping=mapping) if text else None
        if field.endswith("team_abbr") or field in ("team_a_abbr", "team_b_abbr"):
            wrong = _foreign(row, field, mapping=mapping)
            problem = problem or (wrong and f"{named(field, mapping)}: {wrong}")
    return Line(number, row, problem)


def named(field: str, mapping: TableMapping) -> str:
    """Return how a message names the column of a field."""
    column = mapping.columns.get(field)
    return f"column {field}" if column is None or column == field else f"column {column} ({field})"


def _foreign(row: RawRow, field: str, *, mapping: TableMapping) -> str | None:
    """Translate a team's code in place.

    Return the problem of a code that is none.
    """
    if row[field] is None:
        return None
    code = mapping.teams.get(str(row[field]), row[field])
    try:
        row[field] = team_of_code(code, where=field)
    except DataError as error:
        return f"{error.problem}; if it is one, give its code in [teams] of the mapping"
    return None


def _value(text: str, field: str, *, mapping: TableMapping) -> object:
    """Return the value of a cell that is not empty, or its text."""
    kind = FIELDS[mapping.table][field]
    if field == "minutes":
        return _minutes(text, mapping)
    if field == "season":
        return season_of(int(text)) or text if text.isdecimal() else text
    if kind == "DATE":
        return _date(text, mapping)
    if kind == "TIMESTAMP":
        return _moment(text, mapping)
    return _flag(text) if kind == "BOOLEAN" else _whole(text) if kind in ("INTEGER", "BIGINT") else text


def _flag(text: str) -> object:
    return next((value for words, value in ((_TRUE, True), (_FALSE, False)) if text.lower() in words), text)


def _whole(text: str) -> object:
    return int(text.partition(".")[0]) if _WHOLE.fullmatch(text) else text


def _minutes(text: str, mapping: TableMapping) -> object:
    if mapping.minutes_format == "clock":
        try:
            return minutes_played(text, where="minutes")
        except DataError:
            return text
    if mapping.minutes_format == "decimal":
        return int(float(text) + 0.5) if _DECIMAL.fullmatch(text) else text
    return _whole(text)


def _date(text: str, mapping: TableMapping) -> date | str:
    try:
        if mapping.date_format is not None:
            return datetime.strptime(text, mapping.date_format).date()  # noqa: DTZ007  a date has no zone
        return date.fromisoformat(_MIDNIGHT.sub("", text))
    except ValueError:
        return text


def _moment(text: str, mapping: TableMapping) -> datetime | str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.utcoffset() is None and mapping.timezone is not None:
        return moment.replace(tzinfo=mapping.timezone)
    return moment


def games_of(lines: Sequence[Line]) -> Iterator[tuple[object, set[object], set[object]]]:
    """Yield each game with its dates and teams, in the order of the file."""
    games: dict[object, tuple[set[object], set[object]]] = {}
    for line in lines:
        days, teams = games.setdefault(line.row.get("game_id"), (set(), set()))
        days.add(line.row.get("game_date"))
        teams.add(line.row.get("team_abbr"))
    for game, (days, teams) in games.items():
        yield game, days, teams
