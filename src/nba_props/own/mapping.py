"""Reads the TOML file that says which column of a CSV file is which.

It reads and checks the mapping alone; whether the CSV file has its columns is asked when that is opened.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias, cast, get_args
from zoneinfo import ZoneInfo

from nba_props.errors import DataError
from nba_props.own.rows import FILLED_BOX, FILLED_SCHEDULE
from nba_props.raw import COLUMNS
from nba_props.raw_tables import SCHEDULE
from nba_props.teams import TEAMS

MinutesFormat: TypeAlias = Literal["whole", "clock", "decimal"]
Table: TypeAlias = Literal["box_scores", "schedule"]

HOME_FIELDS = ("home_team_abbr", "matchup")
"""Fields of a box-score line that are no column of the raw table: each may say who is at home."""

FIELDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"box_scores": {**COLUMNS, **dict.fromkeys(HOME_FIELDS, "VARCHAR")}, "schedule": SCHEDULE.columns}
)
"""Table of the mapping -> its fields with their types."""

OPTIONAL: Mapping[str, frozenset[str]] = MappingProxyType(
    {"box_scores": frozenset((*FILLED_BOX, *HOME_FIELDS)), "schedule": frozenset(FILLED_SCHEDULE)}
)
"""Table of the mapping -> the fields that need no column."""

TABLE_KEYS = ("file", "delimiter", "date_format", "minutes_format", "timezone", "ignored", "columns")
"""The keys of `[box_scores]` and `[schedule]`; the latter has no minutes."""

_TEAM_PAIRS = (("home_team_abbr", "away_team_abbr"), ("team_a_abbr", "team_b_abbr"))
_SAMPLE = date(2024, 10, 22)


@dataclass(frozen=True, slots=True)
class TableMapping:
    """How the lines of one CSV file become rows.

    `columns`: field -> column of the file. `date_format`: of strptime, None for ISO 8601. `timezone`: of times without
    an offset. `ignored`: columns that are known to be of no use.
    """

    table: Table
    path: Path
    columns: Mapping[str, str]
    teams: Mapping[str, str]
    delimiter: str = ","
    date_format: str | None = None
    minutes_format: MinutesFormat = "whole"
    timezone: ZoneInfo | None = None
    ignored: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SourceMapping:
    """A mapping file.

    `schedule` is None where the schedule is that of the box scores.
    """

    path: Path
    box_scores: TableMapping
    schedule: TableMapping | None


def read_mapping(path: Path) -> SourceMapping:
    """Return the mapping of a TOML file.

    File names in it are relative to its folder. Raises DataError, naming file and key, for what cannot be read, is
    unknown or missing.
    """
    where = str(path)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(where, problem=f"it cannot be read ({error})", fix="name a mapping file in TOML") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(where, problem=f"it is no TOML ({error})", fix="correct that line") from error
    _refuse_unknown(found, known=("box_scores", "schedule", "teams"), where=where)
    teams = _texts(found.get("teams", {}), key="teams", where=where)
    for code, team in teams.items():
        if team not in TEAMS:
            problem = f"teams.{code}: {team!r} is the code of no NBA team"
            raise DataError(where, problem=problem, fix=f"use one of {', '.join(TEAMS)}")
    if "box_scores" not in found:
        raise DataError(where, problem="it has no table [box_scores]", fix="add one with file and columns")
    box = _table("box_scores", found["box_scores"], path=path, teams=teams)
    schedule = _table("schedule", found["schedule"], path=path, teams=teams) if "schedule" in found else None
    return SourceMapping(path, box, schedule)


def _table(table: Table, found: object, *, path: Path, teams: Mapping[str, str]) -> TableMapping:
    where = f"{path}, [{table}]"
    if not isinstance(found, dict):
        raise DataError(where, problem="it is no table", fix=f"write [{table}] and its keys below it")
    keys = [key for key in TABLE_KEYS if table == "box_scores" or key != "minutes_format"]
    _refuse_unknown(found, known=keys, where=where)
    if "file" not in found:
        raise DataError(where, problem="file is missing", fix='write file = "games.csv"')
    zone = found.get("timezone")
    return TableMapping(
        table=table,
        path=path.parent / _text(found["file"], key="file", where=where),
        columns=_columns(table, found.get("columns", {}), where=where),
        teams=teams,
        delimiter=_delimiter(found.get("delimiter", ","), where=where),
        date_format=_date_format(found.get("date_format"), where=where),
        minutes_format=_minutes_format(found.get("minutes_format", "whole"), where=where),
        timezone=None if zone is None else _zone(_text(zone, key="timezone", where=where), where=where),
        ignored=_ignored(found.get("ignored", []), where=where),
    )


def _columns(table: Table, found: object, *, where: str) -> dict[str, str]:
    columns = _texts(found, key="columns", where=where)
    fields = FIELDS[table]
    for field in columns:
        if field not in fields:
            problem = f"columns.{field} is no field"
            raise DataError(where, problem=problem, fix=f"use {', '.join(fields)}")
    lacking = [field for field in fields if field not in columns and field not in OPTIONAL[table]]
    if lacking:
        raise DataError(
            where,
            problem=f"columns lacks {', '.join(lacking)}",
            fix=f'write {lacking[0]} = "the column" in [{table}.columns]',
        )
    if table == "schedule" and not any(columns.keys() >= {*pair} for pair in _TEAM_PAIRS):
        choices = ", or ".join(" and ".join(pair) for pair in _TEAM_PAIRS)
        raise DataError(where, problem="columns does not say which two teams play", fix=f"give {choices}")
    return columns


def _refuse_unknown(found: Mapping[str, object], *, known: Iterable[str], where: str) -> None:
    unknown = [key for key in found if key not in known]
    if unknown:
        raise DataError(where, problem=f"unknown key {unknown[0]!r}", fix=f"use {', '.join(known)}")


def _text(found: object, *, key: str, where: str) -> str:
    if not isinstance(found, str) or not found:
        raise DataError(where, problem=f"{key} is {found!r}, and no text", fix="write it in quotation marks")
    return found


def _texts(found: object, *, key: str, where: str) -> dict[str, str]:
    if not isinstance(found, dict):
        raise DataError(where, problem=f"{key} is {found!r}, and no table", fix='write lines such as name = "text"')
    return {name: _text(value, key=f"{key}.{name}", where=where) for name, value in found.items()}


def _delimiter(found: object, *, where: str) -> str:
    delimiter = _text(found, key="delimiter", where=where)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise DataError(where, problem=f"delimiter is {delimiter!r}", fix='write one character, such as ";"')
    return delimiter


def _date_format(found: object, *, where: str) -> str | None:
    if found is None:
        return None
    form = _text(found, key="date_format", where=where)
    try:
        is_whole = datetime.strptime(_SAMPLE.strftime(form), form).date() == _SAMPLE  # noqa: DTZ007  a date has no zone
    except ValueError:
        is_whole = False
    if not is_whole:
        raise DataError(where, problem=f"date_format {form!r} gives no whole date", fix='write one such as "%m/%d/%Y"')
    return form


def _minutes_format(found: object, *, where: str) -> MinutesFormat:
    formats = get_args(MinutesFormat)
    if found not in formats:
        raise DataError(where, problem=f"minutes_format is {found!r}", fix=f"use {', '.join(formats)}")
    return cast("MinutesFormat", found)


def _zone(name: str, *, where: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        problem = f"timezone {name!r} is unknown"
        raise DataError(where, problem=problem, fix='write one such as "America/New_York"') from None


def _ignored(found: object, *, where: str) -> frozenset[str]:
    if not isinstance(found, list):
        raise DataError(where, problem=f"ignored is {found!r}, and no list", fix='write ignored = ["column"]')
    return frozenset(_text(name, key="ignored", where=where) for name in found)
