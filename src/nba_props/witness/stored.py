"""The player rows that a state has stored."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import cast

from nba_props import PLAN
from nba_props.errors import DataError
from nba_props.raw import COLUMNS, TABLE, VERSION, RawRow
from nba_props.witness.compare import Span
from phasegate import connect, read_plan


def read_stored(state: Path, *, dates: Span) -> dict[date, list[RawRow]]:
    """Return date -> the rows of the raw table in a state, ascending.

    Without their version. It only reads. Raises DataError for a folder that is no state or has no such table.
    """
    if not state.is_dir() or not any(state.iterdir()):
        raise DataError(str(state), problem="there is no such state", fix="name the folder that run wrote with --state")
    listed = ", ".join(column for column in COLUMNS if column != VERSION)
    schema, name = TABLE.split(".")
    pipeline = connect(read_plan(PLAN), state=state)
    try:
        there = pipeline.query(
            "SELECT 1 AS there FROM information_schema.tables WHERE table_schema = $schema AND table_name = $name",
            {"schema": schema, "name": name},
        )
        if not there:
            raise DataError(str(state), problem=f"it has no table {TABLE}", fix="run nba-props run on it first")
        rows = pipeline.query(
            f"""SELECT {listed} FROM {TABLE}
            WHERE game_date BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
            ORDER BY game_date, game_id, team_abbr, player_lookup, player_id""",
            {"first": dates[0].isoformat(), "last": dates[1].isoformat()},
        )
    finally:
        pipeline.close()
    by_date: dict[date, list[RawRow]] = {}
    for row in rows:
        by_date.setdefault(cast("date", row["game_date"]), []).append(dict(row))
    return by_date
