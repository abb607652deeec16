"""The other raw tables: schedule, prop lines, shots, log of fetches.

Each is one `RawTable`: columns, key, how it is written, which columns may be NULL. `check_table` refuses rows that do
not fit; like `nba_props.raw`, it corrects nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Literal, NamedTuple

from nba_props.errors import DataError
from nba_props.raw import PYTHON_TYPES, RawRow


class RawTable(NamedTuple):
    """A raw table, partitioned by game_date.

    `columns`: name -> DuckDB type, in order; `version` only where `write` is merge. TIMESTAMP is UTC in the table; rows
    have a datetime with its zone.
    """

    name: str
    key: tuple[str, ...]
    write: Literal["merge", "replace"]
    columns: Mapping[str, str]
    nullable: frozenset[str] = frozenset()
    version: str | None = None


SCHEDULE = RawTable(
    "nba_raw.nbac_schedule",
    ("game_date", "game_id"),
    "replace",
    MappingProxyType(
        {
            "game_date": "DATE",  # the league's own date (US Eastern), not that of the tip-off in UTC
            "game_id": "VARCHAR",
            "season": "VARCHAR",  # '2024-25'
            "team_a_abbr": "VARCHAR",  # the two teams in alphabetical order: known even where home and away are not
            "team_b_abbr": "VARCHAR",
            "home_team_abbr": "VARCHAR",
            "away_team_abbr": "VARCHAR",
            "neutral_site": "BOOLEAN",
            "tipoff_at": "TIMESTAMP",
            "postponed": "BOOLEAN",  # not played on this date; a game that was has a second row, on its new date
            "source": "VARCHAR",
        }
    ),
    nullable=frozenset({"home_team_abbr", "away_team_abbr", "neutral_site", "tipoff_at"}),
)
"""Regular-season games by date. No status and no score: the rows are the same before and after the game."""

PROPS = RawTable(
    "nba_raw.odds_api_player_points_props",
    ("game_date", "player_lookup", "bookmaker"),
    "merge",
    MappingProxyType(
        {
            "game_date": "DATE",
            "player_lookup": "VARCHAR",
            "bookmaker": "VARCHAR",
            "player_name": "VARCHAR",  # as the bookmaker spells it
            "points_line": "DOUBLE",  # the newest
            "over_price": "INTEGER",  # American odds
            "under_price": "INTEGER",
            "line_first": "DOUBLE",
            "line_moves": "INTEGER",  # how often the line differed from the one captured before it
            "captured_at": "TIMESTAMP",
        }
    ),
    nullable=frozenset({"over_price", "under_price"}),
    version="captured_at",
)
"""Lines for a player's points in the game of a date, one for each bookmaker."""

SHOTS = RawTable(
    "nba_raw.nbac_shot_chart",
    ("game_date", "game_id", "event_number"),
    "replace",
    MappingProxyType(
        {
            "game_date": "DATE",
            "game_id": "VARCHAR",
            "event_number": "INTEGER",
            "player_lookup": "VARCHAR",
            "player_id": "BIGINT",
            "player_name": "VARCHAR",
            "team_abbr": "VARCHAR",
            "zone": "VARCHAR",  # 'Restricted Area', 'Left Corner 3', ...: SHOT_ZONE_BASIC
            "distance_ft": "INTEGER",
            "is_three": "BOOLEAN",
            "made": "BOOLEAN",
        }
    ),
)
"""Field goal attempts with their zone, where a source has recorded them."""

SCRAPES = RawTable(
    "nba_raw.scraper_execution_log",
    ("game_date", "execution_id"),
    "merge",
    MappingProxyType(
        {
            "execution_id": "VARCHAR",
            "scraper_name": "VARCHAR",
            "workflow": "VARCHAR",
            "game_date": "DATE",
            "status": "VARCHAR",  # success, no_data or failed
            "triggered_at": "TIMESTAMP",
            "completed_at": "TIMESTAMP",
            "duration_seconds": "DOUBLE",
            "source": "VARCHAR",
            "record_count": "INTEGER",
            "error_type": "VARCHAR",
            "error_message": "VARCHAR",
            "retry_count": "INTEGER",
        }
    ),
    nullable=frozenset({"error_type", "error_message"}),
    version="completed_at",
)
"""One row for each fetch, whatever its result."""

TABLES = (SCHEDULE, PROPS, SHOTS, SCRAPES)


def check_table(table: RawTable, rows: Sequence[RawRow], *, where: str) -> None:
    """Accept rows of a table, or refuse the first that does not fit.

    Raises DataError naming row and column. Holds afterwards: exactly the table's columns in each row, the declared
    types, NULL only where it is allowed, no empty text, times with a zone, finite numbers, no key twice.
    """
    seen: set[tuple[object, ...]] = set()
    for number, row in enumerate(rows, start=1):
        for column, problem in _problems(table, row):
            raise DataError(
                where,
                problem=f"{table.name}, row {number}, column {column}: {problem}",
                fix="correct the row at its source and load it again",
            )
        key = tuple(row[column] for column in table.key)
        if key in seen:
            raise DataError(
                where,
                problem=f"{table.name}, row {number}: the key {', '.join(map(str, key))} occurs twice",
                fix="keep one row for each key at the source",
            )
        seen.add(key)


def in_order(table: RawTable, rows: Sequence[RawRow]) -> list[RawRow]:
    """Return the rows sorted by key.

    Their columns are in the order of the table.
    """
    ordered = [{column: row[column] for column in table.columns} for row in rows]
    return sorted(ordered, key=lambda row: tuple(_sortable(row[column]) for column in table.key))


def _sortable(value: object) -> str:
    return f"{value:012d}" if isinstance(value, int) else str(value)


def _problems(table: RawTable, row: RawRow) -> Iterator[tuple[str, str]]:
    for column in sorted(row.keys() - table.columns.keys()):
        yield column, "is no column of the table"
    for column, kind in table.columns.items():
        value = row.get(column)
        if column not in row:
            yield column, "is missing"
        elif value is None:
            if column not in table.nullable:
                yield column, "has no value"
        # `type(...) is`, because True is an int and a datetime is a date.
        elif type(value) is not PYTHON_TYPES[kind]:
            yield column, f"is {value!r}, not {kind}"
        elif value == "":
            yield column, "has no value"
        elif isinstance(value, datetime) and value.utcoffset() is None:
            yield column, f"is {value.isoformat()} without a time zone"
        elif isinstance(value, float) and not abs(value) < float("inf"):
            yield column, f"is {value!r}, no number"
