"""A whole `Source` of what a user's class has.

Three methods are enough (`GameSource`); any other method of `Source` that the class has is used too. Its answers are
checked like those of the built-in sources: a bad box-score row holds its date back, a bad schedule row is left out
alone, and an exception of the class is one line with the place in its file.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar, cast

from nba_props.errors import DataError
from nba_props.notices import Namesakes, Notice, between
from nba_props.own.rows import filled_box, filled_schedule, schedule_problem
from nba_props.raw import RawRow, check_rows
from nba_props.raw_tables import PROPS, SCHEDULE, SHOTS, RawTable, check_table, in_order
from nba_props.sources import GameSource, morning_after, row_order

A = TypeVar("A")
_ONE_DAY = timedelta(days=1)


def raised(error: BaseException, *, file: str | None = None) -> str:
    """Return an exception in words, with the line that raised it.

    The innermost line of `file`, if the exception passed through it.
    """
    frames = traceback.extract_tb(error.__traceback__)
    within = [frame for frame in frames if frame.filename == file] or frames[-1:]
    place = (
        f" ({within[-1].filename}, line {within[-1].lineno})" if within and not isinstance(error, SyntaxError) else ""
    )
    return f"{type(error).__name__}: {error}{place}"


class CheckedSource:
    """Serves what a user's source has, checked.

    `where` names the source in every message. Methods that the class lacks: `dates` are those of scheduled games that
    were not postponed, `updated_at` is 06:00 UTC of the next day, `props`, `shots` and `notices` are empty; `name` is
    the name of its class, `retries` 0.
    """

    def __init__(self, own: GameSource, *, where: str) -> None:
        self._own, self._where = own, where
        self._file = getattr(sys.modules.get(type(own).__module__), "__file__", None)
        name = getattr(own, "name", None)
        self.name = name if isinstance(name, str) and name else type(own).__name__
        self.retries = 0
        self._namesakes = Namesakes()
        self._left_out: dict[Notice, None] = {}

    def dates(self, first: date, last: date) -> list[date]:
        """Return the dates with games from `first` to `last`, ascending.

        Both are included.
        """
        if not hasattr(self._own, "dates"):
            rows = self.schedule(first, last)
            return sorted({cast("date", row["game_date"]) for row in rows if not row["postponed"]})
        found = self._ask("dates", first, last)
        for day in found:
            if type(day) is not date:
                raise self._wrong("dates", f"returned {day!r}, which is no date")
        return sorted({day for day in cast("list[date]", found) if first <= day <= last})

    def batch(self, day: date) -> list[RawRow]:
        """Return all raw rows of the date by game, team and player.

        Columns that follow from others are filled in. Raises DataError, naming row and column, for a date with a row
        that cannot be true.
        """
        rows = filled_box(self._rows("batch", day), updated_at=self.updated_at)
        for number, row in enumerate(rows, start=1):
            if type(row.get("game_date")) is date and row["game_date"] != day:
                raise self._wrong(f"batch({day})", f"row {number} (game {row.get('game_id')}) is of {row['game_date']}")
        check_rows(rows, where=f"{self._where}, batch({day})")
        self._namesakes.see(rows)
        return sorted(rows, key=row_order)

    def updated_at(self, day: date) -> datetime:
        """Return the version of the date's rows."""
        if not hasattr(self._own, "updated_at"):
            return morning_after(day)
        moment = self._call("updated_at", lambda: self._own.updated_at(day))  # type: ignore[attr-defined]  # just asked
        if not isinstance(moment, datetime) or moment.utcoffset() is None:
            raise self._wrong(f"updated_at({day})", f"returned {moment!r}, which is no datetime with a time zone")
        return moment

    def coverage(self, first: date, last: date) -> list[tuple[date, date]]:
        """Return the spans of which the schedule is known, ascending.

        Cut to `first` to `last`; without the dates of schedule rows that were left out.
        """
        spans: list[tuple[date, date]] = []
        for span in self._ask("coverage", first, last):
            ends = tuple(span) if isinstance(span, Iterable) else ()
            if len(ends) != 2 or any(type(end) is not date for end in ends):
                raise self._wrong("coverage", f"returned {span!r}, which is no pair of dates")
            spans.append((max(ends[0], first), min(ends[1], last)))
        self.schedule(first, last)
        for day in sorted({day for notice in self._left_out for day in notice.dates}):
            spans = [part for begin, end in spans for part in ((begin, min(end, day - _ONE_DAY)),
                                                               (max(begin, day + _ONE_DAY), end))]  # fmt: skip
        return sorted({(begin, end) for begin, end in spans if begin <= end})

    def schedule(self, first: date, last: date) -> list[RawRow]:
        """Return the games from `first` to `last`, by date and game.

        A row that cannot be true is left out alone, with a notice. Raises DataError for a row without a date, since
        then no date is known to be whole.
        """
        kept: dict[tuple[object, object], RawRow] = {}
        for number, given in enumerate(self._rows("schedule", first, last), start=1):
            row = filled_schedule(given, source=self.name)
            day, place = row.get("game_date"), f"row {number} (game {row.get('game_id')})"
            if type(day) is not date:
                raise self._wrong("schedule", f"{place}, column game_date: is {day!r}, not DATE")
            if not first <= day <= last:
                continue
            problem = schedule_problem(row)
            if (day, row.get("game_id")) in kept:
                problem = f"game {row['game_id']} is there twice on {day}"
            if problem is None:
                kept[day, row["game_id"]] = row
            else:
                text = f"left out: {self._where}, schedule, {place}: {problem}; correct the row at its source"
                self._left_out[Notice(SCHEDULE.name, (day,), text, held_back=True)] = None
        return in_order(SCHEDULE, list(kept.values()))

    def props(self, day: date, *, at: datetime | None = None) -> list[RawRow]:
        """Return the lines of the date's games; empty without `props`."""
        if not hasattr(self._own, "props"):
            return []
        return self._table(PROPS, "props", lambda: self._own.props(day, at=at))  # type: ignore[attr-defined]  # as above

    def shots(self, day: date) -> list[RawRow]:
        """Return the shots of the date; empty without `shots`."""
        if not hasattr(self._own, "shots"):
            return []
        return self._table(SHOTS, "shots", lambda: self._own.shots(day))  # type: ignore[attr-defined]  # as above

    def notices(self, first: date, last: date) -> list[Notice]:
        """Return the notices on dates from `first` to `last`.

        On players who share a lookup and rows left out, and those of the class.
        """
        own = self._ask("notices", first, last) if hasattr(self._own, "notices") else []
        for notice in own:
            if not isinstance(notice, Notice):
                raise self._wrong("notices", f"returned {notice!r}, which is no nba_props.notices.Notice")
        return between([*self._namesakes.notices(), *self._left_out, *cast("list[Notice]", own)], first, last)

    def _table(self, table: RawTable, method: str, call: Callable[[], object]) -> list[RawRow]:
        rows = self._mappings(method, self._listed(method, call))
        check_table(table, rows, where=f"{self._where}, {method}")
        return in_order(table, rows)

    def _rows(self, method: str, *days: date) -> list[RawRow]:
        return self._mappings(method, self._ask(method, *days))

    def _mappings(self, method: str, rows: Sequence[object]) -> list[RawRow]:
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, Mapping):
                raise self._wrong(method, f"row {number} is {row!r}, and no dict of column to value")
            for column, value in row.items():
                if not isinstance(column, str) or not isinstance(value, Hashable):
                    raise self._wrong(method, f"row {number}, column {column}: is {value!r}, and no single value")
        return [dict(row) for row in cast("Sequence[Mapping[str, object]]", rows)]

    def _ask(self, method: str, *days: date) -> list[object]:
        return self._listed(method, lambda: getattr(self._own, method)(*days))

    def _listed(self, method: str, call: Callable[[], object]) -> list[object]:
        found = self._call(method, call)
        if not isinstance(found, Iterable) or isinstance(found, (str, Mapping)):
            raise self._wrong(method, f"returned {found!r}, and no list")
        return self._call(method, lambda: list(found))  # a generator may raise only now

    def _call(self, method: str, call: Callable[[], A]) -> A:
        try:
            return call()
        except DataError:
            raise
        except (Exception, SystemExit) as error:
            raise self._wrong(method, f"raised {raised(error, file=self._file)}") from error
        finally:
            retries = getattr(self._own, "retries", 0)
            self.retries = retries if type(retries) is int else 0

    def _wrong(self, method: str, problem: str) -> DataError:
        return DataError(f"{self._where}, {method}", problem=problem, fix="correct the source, and run it again")
