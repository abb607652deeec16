"""The steps in plain DuckDB, as any warehouse adapter would run them, and small games made by hand."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import cast
from zlib import crc32

import duckdb
import pyarrow as pa

from nba_props import PLAN
from nba_props.names import player_lookup
from nba_props.raw import COLUMNS, TABLE, RawRow
from phasegate import read_plan
from phasegate.warehouses.duckdb.dialect import text
from tests.support.sql_engines import SqlEngine

SUMMARIES = {
    "team_offense_game_summary": "nba_analytics.team_offense_game_summary",
    "team_defense_game_summary": "nba_analytics.team_defense_game_summary",
    "player_game_summary": "nba_analytics.player_game_summary",
}
"""What happened on a date."""
FORECASTS = {
    "upcoming_team_game_context": "nba_analytics.upcoming_team_game_context",
    "upcoming_player_game_context": "nba_analytics.upcoming_player_game_context",
    "player_daily_cache": "nba_precompute.player_daily_cache",
    "team_defense_zone_analysis": "nba_precompute.team_defense_zone_analysis",
    "player_shot_zone_analysis": "nba_precompute.player_shot_zone_analysis",
    "player_composite_factors": "nba_precompute.player_composite_factors",
    "ml_feature_store_v2": "nba_precompute.ml_feature_store_v2",
}
"""What was known before the games of a date."""
TABLES = SUMMARIES | FORECASTS
"""Step -> its table, each after what it reads."""
KEYS = {
    "team_offense_game_summary": ("game_date", "team_abbr"),
    "team_defense_game_summary": ("game_date", "defending_team_abbr"),
    "player_game_summary": ("game_date", "player_lookup"),
    "upcoming_team_game_context": ("game_date", "team_abbr"),
    "upcoming_player_game_context": ("game_date", "player_lookup"),
    "player_daily_cache": ("cache_date", "player_lookup"),
    "team_defense_zone_analysis": ("analysis_date", "team_abbr"),
    "player_shot_zone_analysis": ("analysis_date", "player_lookup"),
    "player_composite_factors": ("game_date", "player_lookup"),
    "ml_feature_store_v2": ("game_date", "player_lookup"),
}
SCHEDULE, PROPS, SHOTS = "nba_raw.nbac_schedule", "nba_raw.odds_api_player_points_props", "nba_raw.nbac_shot_chart"
OTHER_RAW = {
    SCHEDULE: {
        "game_date": "DATE", "game_id": "VARCHAR", "season": "VARCHAR", "team_a_abbr": "VARCHAR",
        "team_b_abbr": "VARCHAR", "home_team_abbr": "VARCHAR", "away_team_abbr": "VARCHAR",
        "neutral_site": "BOOLEAN", "tipoff_at": "TIMESTAMP", "postponed": "BOOLEAN", "source": "VARCHAR",
    },
    PROPS: {
        "game_date": "DATE", "player_lookup": "VARCHAR", "bookmaker": "VARCHAR", "player_name": "VARCHAR",
        "points_line": "DOUBLE", "over_price": "INTEGER", "under_price": "INTEGER", "line_first": "DOUBLE",
        "line_moves": "INTEGER", "captured_at": "TIMESTAMP",
    },
    SHOTS: {
        "game_date": "DATE", "game_id": "VARCHAR", "event_number": "INTEGER", "player_lookup": "VARCHAR",
        "player_id": "BIGINT", "player_name": "VARCHAR", "team_abbr": "VARCHAR", "zone": "VARCHAR",
        "distance_ft": "INTEGER", "is_three": "BOOLEAN", "made": "BOOLEAN",
    },
}  # fmt: skip
SCALED = {name: step.table for name, step in read_plan(PLAN).steps.items()}
DAY = date(2025, 1, 10)


def step_sql(step: str) -> str:
    return (files("nba_props") / "sql" / f"{step}.sql").read_text()


def as_written(step: str, sql: str) -> str:
    """Give the SELECT with the columns rounded that the plan's scales round when they are written."""
    table = SCALED[step]
    assert table is not None
    cells = (f"CAST({text(name, 'DOUBLE', scale=scale)} AS DOUBLE) AS {name}" for name, scale in table.scales.items())
    return f"SELECT * REPLACE ({', '.join(cells)}) FROM (\n{sql}\n)"


class Warehouse:
    """An empty warehouse; `build` runs one step for one date, the way a replace of its partition would.

    `season_start`: the first date of windows of a season; None: the first of July before the date.
    """

    def __init__(self, *, season_start: date | None = None) -> None:
        self.season_start = season_start
        self.db = duckdb.connect(":memory:")
        for schema in ("nba_raw", "nba_analytics", "nba_precompute"):
            self.db.execute(f"CREATE SCHEMA {schema}")
        columns = ", ".join(f"{name} {kind} NOT NULL" for name, kind in COLUMNS.items())
        self.db.execute(f"CREATE TABLE {TABLE} ({columns})")
        for table, kinds in OTHER_RAW.items():
            self.db.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in kinds.items())})")

    def play(self, *rows: RawRow) -> None:
        """Load box scores and their games' schedule, and build the summaries of their dates."""
        if rows:
            self.load(rows)
        self.add(SCHEDULE, schedule_of(rows))
        for day in sorted({cast("date", row["game_date"]) for row in rows}) or [DAY]:
            for step in SUMMARIES:
                self.build(step, day)

    def add(self, table: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Add rows to a raw table other than the box scores'; what a row does not name is NULL."""
        kinds = OTHER_RAW[table]
        full = [{name: row.get(name) for name in kinds} for row in rows]
        if full:
            self.db.register("batch", pa.Table.from_pylist(full))
            cells = ", ".join(f"CAST({name} AS {kind})" for name, kind in kinds.items())
            self.db.execute(f"INSERT INTO {table} SELECT {cells} FROM batch")
            self.db.unregister("batch")

    def load(self, rows: Sequence[RawRow]) -> None:
        moment = "source_updated_at"
        naive = [{**row, moment: cast("datetime", row[moment]).astimezone(UTC).replace(tzinfo=None)} for row in rows]
        # Through Arrow: bound values took 0.4 ms a row, eleven seconds of a season.
        self.db.register("batch", pa.Table.from_pylist(naive))
        self.db.execute(f"INSERT INTO {TABLE} SELECT {', '.join(COLUMNS)} FROM batch")
        self.db.unregister("batch")

    def build(self, step: str, day: date, *, sql: str | None = None) -> None:
        """Replace a date of a step's table, by the step's own SELECT unless another is given."""
        sql, table, run_date = as_written(step, sql or step_sql(step)), TABLES[step], {"run_date": day}
        start = self.season_start or date(int(season_of(day)[:4]), 7, 1)
        params = run_date | ({"season_start": start} if "$season_start" in sql else {})
        schema, name = table.split(".")
        found = self.db.execute(
            "SELECT 1 FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?", [schema, name]
        ).fetchall()
        if found:
            self.db.execute(f"DELETE FROM {table} WHERE {KEYS[step][0]} = $run_date", run_date)
            self.db.execute(f"INSERT INTO {table} {sql}", params)
        else:
            self.db.execute(f"CREATE TABLE {table} AS {sql}", params)

    def build_all(self, day: date) -> None:
        for step in TABLES:
            self.build(step, day)

    def forecast(self, day: date) -> None:
        for step in FORECASTS:
            self.build(step, day)

    def rows(self, step: str, where: str = "true") -> list[dict[str, object]]:
        found = self.db.execute(f"SELECT * FROM {TABLES[step]} WHERE {where} ORDER BY {', '.join(KEYS[step])}")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def one(self, step: str, where: str = "true") -> dict[str, object]:
        [row] = self.rows(step, where)
        return row

    def copy_to(self, engine: SqlEngine) -> None:
        """Put every table into another engine."""
        for (table,) in self.db.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()").fetchall():
            found = self.db.execute(f"DESCRIBE {table}").fetchall()
            rows = self.db.execute(f"SELECT * FROM {table}").fetchall()
            engine.put(table, {name: kind for name, kind, *_ in found}, rows)

    def number(self, sql: str) -> object:
        [(value,)] = self.db.execute(sql).fetchall()
        return value


def schedule_of(rows: Iterable[RawRow]) -> list[dict[str, object]]:
    """Give one schedule row a game, as if from the box scores alone: no tip-off, no home side."""
    games: dict[object, dict[str, object]] = {}
    for row in rows:
        one, two = sorted((str(row["team_abbr"]), str(row["opponent_team_abbr"])))
        games[row["game_id"]] = {
            "game_date": row["game_date"],
            "game_id": row["game_id"],
            "season": row["season"],
            "team_a_abbr": one,
            "team_b_abbr": two,
            "postponed": False,
            "source": "box scores",
        }
    return list(games.values())


def upcoming(day: date, *teams: str, **changes: object) -> dict[str, object]:
    """Give the schedule row of a game between two teams."""
    one, two = sorted(teams)
    row: dict[str, object] = {
        "game_date": day,
        "game_id": f"{day:%m%d}-{one}-{two}",
        "season": season_of(day),
        "team_a_abbr": one,
        "team_b_abbr": two,
        "postponed": False,
        "source": "made by hand",
    }
    return row | changes


def season_of(day: date) -> str:
    first = day.year if day.month >= 7 else day.year - 1
    return f"{first}-{(first + 1) % 100:02d}"


def line(name: str, day: date, *teams: str, **changes: object) -> RawRow:
    """Give a player's row of a game of `teams[0]`, his, against `teams[1]`; his id follows from his name."""
    mine, other = teams
    game: dict[str, object] = {
        "game_date": day,
        "game_id": upcoming(day, *teams)["game_id"],
        "season": season_of(day),
        "team_abbr": mine,
        "opponent_team_abbr": other,
        "player_id": crc32(name.encode()) % 1_000_000,
        "minutes": 30,
    }
    return raw_row(name, **(game | changes))


def raw_row(name: str = "Blorabbix Fneeyvvik", **changes: object) -> RawRow:
    """Give a row that holds, all counts 0 but for `changes`; points and rebounds follow from the shots."""
    row: RawRow = {column: 0 for column, kind in COLUMNS.items() if kind == "INTEGER"}
    row |= {
        "game_date": DAY,
        "game_id": "g1",
        "player_id": 1,
        "player_name": name,
        "player_lookup": player_lookup(name),
        "team_abbr": "BOS",
        "opponent_team_abbr": "NYK",
        "season": "2024-25",
        "win_flag": True,
        "source_updated_at": datetime(2025, 1, 11, 6, tzinfo=UTC),
    }
    row |= changes
    count = cast("dict[str, int]", row)
    shots = 2 * count["field_goals_made"] + count["three_pointers_made"] + count["free_throws_made"]
    if "points" not in changes:
        row["points"] = shots
    if "total_rebounds" not in changes:
        row["total_rebounds"] = count["offensive_rebounds"] + count["defensive_rebounds"]
    return {column: row[column] for column in COLUMNS} | {name: row[name] for name in changes}


def loser(**changes: object) -> RawRow:
    """Give the other side's one player, who lost 0 to whatever."""
    other: dict[str, object] = {"player_id": 2, "team_abbr": "NYK", "opponent_team_abbr": "BOS", "win_flag": False}
    return raw_row(**{"name": "Qued Zwetommuz", "minutes": 10, **other, **changes})  # type: ignore[arg-type]
