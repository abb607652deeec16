"""A query on one parquet file."""

from __future__ import annotations

from pathlib import Path

from nba_props.errors import DataError


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Return the rows of a query over `read_parquet($path)`.

    Raises DataError naming the file when the query fails.
    """
    import duckdb  # heavy vendor SDK: a pipeline on synthetic nights never loads it

    try:
        with duckdb.connect(":memory:") as connection:
            return connection.execute(sql, {"path": str(path)}).fetchall()
    except (duckdb.Error, OSError) as error:
        raise DataError(
            str(path), problem=f"it cannot be read as {_layout(path)} parquet ({error})", fix="fetch the file again"
        ) from error


def _layout(path: Path) -> str:
    return "LeagueGameLog" if path.name.startswith("player_game_") else path.parent.name
