"""Lines of fetches on their way into the log, in a file: whoever is killed leaves them to whoever comes next."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TypedDict, cast

import msgspec

from nba_props.raw import RawRow


class _Line(TypedDict):
    """A row of `raw_tables.SCRAPES`, as it is read back."""

    execution_id: str
    scraper_name: str
    workflow: str
    game_date: date
    status: str
    triggered_at: datetime
    completed_at: datetime
    duration_seconds: float
    source: str
    record_count: int
    error_type: str | None
    error_message: str | None
    retry_count: int


class Spool:
    """Keeps lines in a folder until they are written elsewhere; one thread at a time, several processes at once.

    A process adds to a file of its own. Each line is there when `add` returns, though the process is killed then; a
    half-written one is left out. Two processes may both hold what a third has left: a log takes a line once.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{uuid.uuid4().hex}.jsonl"
        self._left = sorted(folder.glob("*.jsonl"))
        self._lines: list[RawRow] = [line for path in self._left for line in _read(path)]

    def add(self, line: RawRow) -> None:
        """Keep a line."""
        self._lines.append(line)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")

    def held(self) -> dict[date, list[RawRow]]:
        """Give what is kept, by date: what others have left first."""
        by_date: dict[date, list[RawRow]] = {}
        for line in self._lines:
            by_date.setdefault(cast("date", line["game_date"]), []).append(line)
        return by_date

    def newest(self) -> float:
        """Give when the newest of what is kept was written, in epoch seconds; 0 where nothing is."""
        return max((cast("datetime", line["completed_at"]).timestamp() for line in self._lines), default=0.0)

    def clear(self) -> None:
        """Let go of all that is kept."""
        for path in (self._path, *self._left):
            path.unlink(missing_ok=True)
        self._lines, self._left = [], []


def _read(path: Path) -> Iterator[RawRow]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:  # another process has just written them elsewhere
        return
    for line in lines:
        try:
            yield cast("RawRow", msgspec.json.decode(line, type=_Line))
        except msgspec.MsgspecError:
            continue
