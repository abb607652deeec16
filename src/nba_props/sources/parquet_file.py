"""A query on one parquet file."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nba_props.errors import DataError


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Return the rows of a query over `read_parquet($path)`.

    Raises DataError naming the file when the query fails.
    """
    with _uninterrupted():
        import duckdb  # heavy vendor SDK: a pipeline on synthetic nights never loads it

    try:
        with duckdb.connect(":memory:") as connection:
            return connection.execute(sql, {"path": str(path)}).fetchall()
    except (duckdb.Error, OSError) as error:
        raise DataError(
            str(path), problem=f"it cannot be read as {_layout(path)} parquet ({error})", fix="fetch the file again"
        ) from error


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C take effect after the block.

    A KeyboardInterrupt inside the initialization of DuckDB's C++ module aborts the process.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    caught: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: caught.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught:
        before(caught[0], None)


def _layout(path: Path) -> str:
    return "LeagueGameLog" if path.name.startswith("player_game_") else path.parent.name
