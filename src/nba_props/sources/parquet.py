"""Raw rows from a folder of parquet files of LeagueGameLog.

The layout is that of stats.nba.com (player games). A file is one season, `player_game_<season>.parquet`, in the folder
or in its subfolder `nba`. A season is read once, checked whole and stored in memory by date; a date with a line that
cannot be true is refused alone. Beside the box scores the folder may have schedules (`espn`, `derived`, `nba`) and prop
lines (`odds`); what is missing is an empty answer or a NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import cast

from nba_props.errors import DataError
from nba_props.names import has_lookup
from nba_props.notices import Namesakes, Notice, between
from nba_props.raw import RawRow, refused_dates
from nba_props.sources import morning_after, row_order
from nba_props.sources.gamelog import SAME_VALUE, TRANSLATED, raw_rows
from nba_props.sources.odds import OddsBook, read_odds
from nba_props.sources.parquet_file import query
from nba_props.sources.parquet_schedule import read_schedule

_PATTERN = "player_game_*.parquet"
_ONE_DAY = timedelta(days=1)
_PLAYERS = """
    SELECT DISTINCT TRY_CAST(PLAYER_ID AS BIGINT), PLAYER_NAME FROM read_parquet($path)
    WHERE TRY_CAST(PLAYER_ID AS BIGINT) IS NOT NULL
    """


class ParquetSource:
    """Serves the games of a folder by date.

    The files are opened when they are first needed. Raises DataError, from the constructor for a folder that is missing
    or has no such file, a file that is not parquet or lacks a column, or two files with the same dates; from the other
    methods for lines that cannot be true, on their dates.
    """

    name = "parquet"
    retries = 0

    def __init__(self, folder: Path) -> None:
        self._files = {path: _date_range(path) for path in _season_files(folder)}
        _refuse_overlap(self._files)
        self._folder = folder
        self._seasons: dict[Path, dict[date, list[RawRow]]] = {}
        self._spoilt: dict[date, DataError] = {}
        self._namesakes = Namesakes()
        self._schedule: dict[date, list[RawRow]] | None = None
        self._left_out: list[Notice] = []
        self._odds: dict[Path | None, OddsBook] = {}

    def dates(self, first: date, last: date) -> list[date]:
        """Return the dates with games from `first` to `last`, ascending.

        Both are included.
        """
        found: list[date] = []
        for path, (begin, end) in self._files.items():
            if begin <= last and first <= end:
                found += [day for day in self._season(path) if first <= day <= last]
        return sorted(found)

    def batch(self, day: date) -> list[RawRow]:
        """Return all raw rows of the date by game, team and player.

        Empty for a date without games. Raises DataError for a date with a line that cannot be true; the other dates of
        its season are served.
        """
        path = self._file_of(day)
        rows = self._season(path).get(day, []) if path else []
        if day in self._spoilt:
            raise self._spoilt[day]
        return [dict(row) for row in rows]

    def updated_at(self, day: date) -> datetime:
        """Return the version of the date's rows, 06:00 UTC of the next day.

        The layout has none.
        """
        return morning_after(day)

    def coverage(self, first: date, last: date) -> list[tuple[date, date]]:
        """Return each season's part of the dates from `first` to `last`.

        A season is from its first game to its last, without dates of games whose teams are not known.
        """
        spans = sorted(self._files.values())
        for day in (day for day, rows in self._scheduled().items() if not rows):
            before = [(begin, min(end, day - _ONE_DAY)) for begin, end in spans]
            after = [(max(begin, day + _ONE_DAY), end) for begin, end in spans]
            spans = sorted({(begin, end) for begin, end in (*before, *after) if begin <= end})
        cut = ((max(begin, first), min(end, last)) for begin, end in spans)
        return [(begin, end) for begin, end in cut if begin <= end]

    def schedule(self, first: date, last: date) -> list[RawRow]:
        """Return the regular-season games from `first` to `last`.

        Cells that no schedule of the folder has are NULL.
        """
        return [dict(row) for day, rows in self._scheduled().items() if first <= day <= last for row in rows]

    def props(self, day: date, *, at: datetime | None = None) -> list[RawRow]:
        """Return the points lines of the date's games.

        Empty where the folder has no lines for it, or none yet `at` that moment. A capture is known by its UTC date
        only, and counts from its midnight on.
        """
        return self.odds(day).rows(day, at=at)

    def shots(self, day: date) -> list[RawRow]:  # noqa: ARG002  the folder has no shots of any date
        """Return an empty list: the layout has no shots."""
        return []

    def notices(self, first: date, last: date) -> list[Notice]:
        """Return the notices on the seasons loaded so far.

        On players who share a lookup, on lines left out and on unknown names. A book has the lines of all seasons: its
        notices on names are used for the dates of its own season only.
        """
        found = [*self._namesakes.notices(), *self._left_out]
        for path, book in self._odds.items():
            if path is not None:
                begin, end = self._files[path]
                found += between(book.notices(), max(begin, first), min(end, last))
        return between(found, first, last)

    def odds(self, day: date) -> OddsBook:
        """Return the lines of the date's season, and their problems.

        The names were matched with the players of that season.
        """
        path = self._file_of(day)
        if path not in self._odds:
            known = query(path, _PLAYERS) if path else []
            players = [
                (cast("int", number), name) for number, name in known if isinstance(name, str) and has_lookup(name)
            ]
            self._odds[path] = read_odds(self._folder, known=players)
        return self._odds[path]

    def _scheduled(self) -> dict[date, list[RawRow]]:
        if self._schedule is None:
            self._schedule = read_schedule(self._folder, seasons=tuple(self._files), notices=self._left_out)
        return self._schedule

    def _file_of(self, day: date) -> Path | None:
        return next((path for path, (begin, end) in self._files.items() if begin <= day <= end), None)

    def _season(self, path: Path) -> dict[date, list[RawRow]]:
        if path not in self._seasons:
            rows = _load(path)
            refused = refused_dates(rows, where=str(path))
            good = [row for row in rows if isinstance(row["game_date"], date) and row["game_date"] not in refused]
            self._namesakes.see(good)
            self._spoilt |= refused
            self._seasons[path] = _by_date(good, refused=refused)
        return self._seasons[path]


def _season_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(str(folder), problem="there is no such folder", fix="give the folder with --data or NBA_DATA")
    files = sorted(folder.glob(_PATTERN)) or sorted((folder / "nba").glob(_PATTERN))
    if not files:
        raise DataError(
            str(folder),
            problem=f"neither it nor its subfolder nba has a file {_PATTERN}",
            fix="give the folder with --data or NBA_DATA, or use --synthetic",
        )
    return files


def _date_range(path: Path) -> tuple[date, date]:
    present = {str(row[0]).upper() for row in query(path, "DESCRIBE SELECT * FROM read_parquet($path)")}
    for column in (*TRANSLATED, *SAME_VALUE):
        if column not in present:
            raise DataError(
                str(path), problem=f"column {column} is missing", fix="export LeagueGameLog with all its columns"
            )
    # The date that most lines of a game have: a wrong one must not stretch the season.
    [(begin, end)] = query(
        path,
        """
        WITH lines AS (SELECT GAME_ID, TRY_CAST(GAME_DATE AS DATE) AS day FROM read_parquet($path)),
        agreed AS (
            SELECT day FROM lines GROUP BY GAME_ID, day
            QUALIFY 2 * count(*) > sum(count(*)) OVER (PARTITION BY GAME_ID) AND day IS NOT NULL
        )
        SELECT coalesce(min(day), (SELECT min(day) FROM lines)), coalesce(max(day), (SELECT max(day) FROM lines))
        FROM agreed
        """,
    )
    if not (isinstance(begin, date) and isinstance(end, date)):
        raise DataError(str(path), problem="it has no game", fix="remove the file or export the season again")
    return begin, end


def _refuse_overlap(files: Mapping[Path, tuple[date, date]]) -> None:
    in_order = sorted(files.items(), key=lambda item: item[1])
    for (path, (_, end)), (other, (begin, _)) in pairwise(in_order):
        if begin <= end:
            raise DataError(str(other), problem=f"it has dates of {path.name} too", fix="keep one file for each season")


def _load(path: Path) -> list[RawRow]:
    columns = ("GAME_DATE", "WL", "SEASON_ID", *SAME_VALUE)
    listed = ", ".join(columns[1:])
    found = query(path, f"SELECT TRY_CAST(GAME_DATE AS DATE), GAME_DATE::VARCHAR, {listed} FROM read_parquet($path)")
    lines = [dict(zip(columns, (day or text, *rest), strict=True)) for day, text, *rest in found]
    return raw_rows(lines, updated_at=morning_after)


def _by_date(rows: Sequence[RawRow], *, refused: Iterable[date]) -> dict[date, list[RawRow]]:
    by_date: dict[date, list[RawRow]] = {day: [] for day in refused}
    for row in sorted(rows, key=row_order):
        by_date.setdefault(cast("date", row["game_date"]), []).append(row)
    return dict(sorted(by_date.items()))
