"""A file of fetch lines that are not in the log yet.

A process that is killed leaves them to the next one.
"""

from __future__ import annotations

import fcntl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
from msgspec.structs import asdict

from nba_props.errors import DataError
from nba_props.raw import PYTHON_TYPES, RawRow
from nba_props.raw_tables import SCRAPES

_Line = msgspec.defstruct(
    "_Line",
    [
        (name, PYTHON_TYPES[kind] | None if name in SCRAPES.nullable else PYTHON_TYPES[kind])
        for name, kind in SCRAPES.columns.items()
    ],
)
"""A row of SCRAPES, as it is read back."""


class Spool:
    """Stores lines in a folder until they are written elsewhere.

    For one thread at a time, several processes at once. A process adds to its own file, locked while it runs; it takes
    over the files that no process has locked. Each line is stored when `add` returns, even if the process is killed
    then. Lines that are written elsewhere and not dropped yet are returned again: a log accepts a line once.
    `unreadable`: files with the lines that could not be read, except for a last line that was cut off.

    Raises DataError where the folder cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: list[RawRow] = []
        self._files: list[BinaryIO] = []
        self._own: BinaryIO | None = None
        self.unreadable: list[Path] = []
        with self._on_disk():
            for path in sorted(folder.glob("*.jsonl")):
                self._take(path)

    def add(self, line: RawRow) -> None:
        """Store a line."""
        self._lines.append(line)
        self._append(line)

    def held(self, until: float) -> dict[date, list[RawRow]]:
        """Return the stored lines by date, those of other processes first.

        Lines written after `until`, epoch seconds, are left out.
        """
        by_date: dict[date, list[RawRow]] = {}
        for line in self._lines:
            if _written_at(line) <= until:
                by_date.setdefault(cast("date", line["game_date"]), []).append(line)
        return by_date

    def newest(self) -> float:
        """Return when the newest stored line was written, in epoch seconds.

        0 where there is none.
        """
        return max(map(_written_at, self._lines), default=0.0)

    def drop(self, lines: list[RawRow]) -> None:
        """Remove lines: they are written elsewhere."""
        gone = {line["execution_id"] for line in lines}
        self._lines = [line for line in self._lines if line["execution_id"] not in gone]
        old, self._files, self._own = self._files, [], None
        for line in self._lines:
            self._append(line)
        with self._on_disk():
            for file in old:
                Path(file.name).unlink(missing_ok=True)
                file.close()

    def close(self) -> None:
        """Close the files; the next process takes over their lines."""
        for file in self._files:
            file.close()

    def _append(self, line: RawRow) -> None:
        with self._on_disk():
            while self._own is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                if (file := _lock(self._folder / f"{uuid.uuid4().hex}.jsonl", mode="ab")) is not None:
                    self._own = file
                    self._files.append(file)
            self._own.write(msgspec.json.encode(line) + b"\n")
            self._own.flush()

    def _take(self, path: Path) -> None:
        """Take over a file that no running process has locked."""
        file = _lock(path, mode="rb") if path.is_file() else None
        if file is None:
            return
        *lines, _cut_off = file.read().split(b"\n")
        bad = []
        for line in lines:
            try:
                self._lines.append(asdict(msgspec.json.decode(line, type=_Line)))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                bad.append(line)
        if bad:
            self.unreadable.append(path.with_suffix(".unreadable"))
            self.unreadable[-1].write_bytes(b"\n".join(bad) + b"\n")
        self._files.append(file)

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as e:
            fix = "free space, or correct its permissions, and start again"
            raise DataError(str(self._folder), problem=f"{e.strerror or e}: lines of fetches are stored there",
                            fix=fix) from None  # fmt: skip


def _lock(path: Path, *, mode: str) -> BinaryIO | None:
    """Open a file for its one user, with a lock.

    None where another process has locked it, or has just removed it.
    """
    try:
        file = cast("BinaryIO", path.open(mode))
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _written_at(line: RawRow) -> float:
    return cast("datetime", line["completed_at"]).timestamp()
