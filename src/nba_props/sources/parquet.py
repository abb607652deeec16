"""Raw rows from a folder of parquet files in the layout of stats.nba.com's LeagueGameLog (player games).

A file is one season, `player_game_<season>.parquet`, in the folder or in its subfolder `nba`. A season is read once,
checked whole and kept in memory by date. Home and away are not read: five neutral-site games of 2024-25 have no
'vs.' row, so the opponent is the game's other team.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import cast

from nba_props.errors import DataError
from nba_props.names import player_lookup
from nba_props.raw import COLUMNS, RawRow, check_rows
from nba_props.sources import morning_after, row_order, season_label

_PATTERN = "player_game_*.parquet"

_SAME_VALUE: Mapping[str, str] = MappingProxyType(
    {
        "GAME_ID": "game_id",
        "PLAYER_ID": "player_id",
        "PLAYER_NAME": "player_name",
        "TEAM_ABBREVIATION": "team_abbr",
        "MIN": "minutes",
        "PTS": "points",
        "FGM": "field_goals_made",
        "FGA": "field_goals_attempted",
        "FG3M": "three_pointers_made",
        "FG3A": "three_pointers_attempted",
        "FTM": "free_throws_made",
        "FTA": "free_throws_attempted",
        "OREB": "offensive_rebounds",
        "DREB": "defensive_rebounds",
        "REB": "total_rebounds",
        "AST": "assists",
        "STL": "steals",
        "BLK": "blocks",
        "TOV": "turnovers",
        "PF": "personal_fouls",
        "PLUS_MINUS": "plus_minus",
    }
)
_TRANSLATED = ("SEASON_ID", "GAME_DATE", "WL")


class ParquetSource:
    """Serve the games of a folder by date; the files are opened when they are first needed.

    Raises DataError, from the constructor for a folder that is missing or holds no such file, a file that is not
    parquet or lacks a column, or two files that hold the same dates; from `batch` and `dates` for rows that cannot
    be true.
    """

    def __init__(self, folder: Path) -> None:
        self._files = {path: _date_range(path) for path in _season_files(folder)}
        _refuse_overlap(self._files)
        self._seasons: dict[Path, dict[date, list[RawRow]]] = {}

    def dates(self, first: date, last: date) -> list[date]:
        """Give the dates with games from `first` to `last`, both included, ascending."""
        found: list[date] = []
        for path, (begin, end) in self._files.items():
            if begin <= last and first <= end:
                found += [day for day in self._season(path) if first <= day <= last]
        return sorted(found)

    def batch(self, day: date) -> list[RawRow]:
        """Give all raw rows of the date by game, team and player; none for a date without games."""
        for path, (begin, end) in self._files.items():
            if begin <= day <= end:
                return [dict(row) for row in self._season(path).get(day, [])]
        return []

    def updated_at(self, day: date) -> datetime:
        """Give the version of the date's rows: the layout has none, so it is 06:00 UTC of the next day."""
        return morning_after(day)

    def _season(self, path: Path) -> dict[date, list[RawRow]]:
        if path not in self._seasons:
            self._seasons[path] = _load(path)
        return self._seasons[path]


def _season_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(str(folder), problem="there is no such folder", mend="give the folder with --data or NBA_DATA")
    files = sorted(folder.glob(_PATTERN)) or sorted((folder / "nba").glob(_PATTERN))
    if not files:
        raise DataError(
            str(folder),
            problem=f"neither it nor its subfolder nba holds a file {_PATTERN}",
            mend="give the folder with --data or NBA_DATA, or use --synthetic",
        )
    return files


def _date_range(path: Path) -> tuple[date, date]:
    present = {str(row[0]).upper() for row in _query(path, "DESCRIBE SELECT * FROM read_parquet($path)")}
    for column in (*_TRANSLATED, *_SAME_VALUE):
        if column not in present:
            raise DataError(
                str(path), problem=f"column {column} is missing", mend="export LeagueGameLog with all its columns"
            )
    [(begin, end)] = _query(
        path, "SELECT min(CAST(GAME_DATE AS DATE)), max(CAST(GAME_DATE AS DATE)) FROM read_parquet($path)"
    )
    if not (isinstance(begin, date) and isinstance(end, date)):
        raise DataError(str(path), problem="it holds no game", mend="remove the file or export the season again")
    return begin, end


def _refuse_overlap(files: Mapping[Path, tuple[date, date]]) -> None:
    in_order = sorted(files.items(), key=lambda item: item[1])
    for (path, (_, end)), (other, (begin, _)) in pairwise(in_order):
        if begin <= end:
            raise DataError(
                str(other), problem=f"it holds dates of {path.name} too", mend="keep one file for each season"
            )


def _load(path: Path) -> dict[date, list[RawRow]]:
    listed = ", ".join(_SAME_VALUE)
    found = _query(path, f"SELECT CAST(GAME_DATE AS DATE), WL, SEASON_ID, {listed} FROM read_parquet($path)")
    others = _other_teams(path, ((line[3], line[6]) for line in found))
    lookups: dict[object, str] = {}
    try:
        rows = [_raw_row(line, others=others, lookups=lookups) for line in found]
    except DataError as error:  # a name without a lookup: say in which file
        raise DataError(str(path), problem=f"{error.where}: {error.problem}", mend=error.mend) from error
    check_rows(rows, where=str(path))
    by_date: dict[date, list[RawRow]] = {}
    for row in sorted(rows, key=row_order):
        by_date.setdefault(cast("date", row["game_date"]), []).append(row)
    return dict(sorted(by_date.items()))


def _other_teams(path: Path, sides: Iterable[tuple[object, object]]) -> dict[tuple[object, object], object]:
    """Give (game, team) -> the game's other team; needs both columns filled and two teams in each game."""
    games: dict[object, set[object]] = {}
    for number, (game, team) in enumerate(sides, start=1):
        if game is None or team is None:
            column = "GAME_ID" if game is None else "TEAM_ABBREVIATION"
            raise DataError(
                str(path), problem=f"row {number}, column {column}: has no value", mend="export the season again"
            )
        games.setdefault(game, set()).add(team)
    others: dict[tuple[object, object], object] = {}
    for game, teams in games.items():
        if len(teams) != 2:
            raise DataError(
                str(path),
                problem=f"game {game} has {len(teams)} team(s) ({', '.join(sorted(map(str, teams)))}), not two",
                mend="export the season again when the game is final",
            )
        one, two = teams
        others |= {(game, one): two, (game, two): one}
    return others


def _raw_row(
    line: Sequence[object], *, others: Mapping[tuple[object, object], object], lookups: dict[object, str]
) -> RawRow:
    day, outcome, season_id, *same = line
    value: RawRow = {name: _whole(cell) for name, cell in zip(_SAME_VALUE.values(), same, strict=True)}
    name = value["player_name"]
    if isinstance(name, str) and name not in lookups:
        lookups[name] = player_lookup(name)
    value["game_date"] = day
    value["player_lookup"] = lookups.get(name)
    value["opponent_team_abbr"] = others[value["game_id"], value["team_abbr"]]
    value["season"] = _season(season_id)
    value["win_flag"] = {"W": True, "L": False}.get(str(outcome))
    value["source_updated_at"] = morning_after(day) if isinstance(day, date) else None
    return {column: value[column] for column in COLUMNS}


def _whole(cell: object) -> object:
    """Give a whole number stored as a float (a frame that once held nulls) as an int; leave the rest to the check."""
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


def _season(season_id: object) -> str | None:
    """Give '2024-25' for 22024: the league's season ids are a kind of season (2: regular) and its first year."""
    digits = str(_whole(season_id))
    if len(digits) != 5 or not digits.isdecimal():
        return None
    return season_label(int(digits[1:]))


def _query(path: Path, sql: str) -> list[tuple[object, ...]]:
    import duckdb  # heavy vendor SDK: a pipeline on synthetic nights never loads it

    try:
        with duckdb.connect(":memory:") as connection:
            return connection.execute(sql, {"path": str(path)}).fetchall()
    except (duckdb.Error, OSError) as error:
        raise DataError(
            str(path), problem=f"it cannot be read as LeagueGameLog parquet ({error})", mend="fetch the file again"
        ) from error
