"""Foreign documents as files: ``COLLECTION/ID.json`` below a folder.

A file is replaced whole, under a lock of the folder that ends with the process. One that is no JSON object is read as
an empty document, and reported where documents are listed.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from phasegate.base.exported import Exported, Unread
from phasegate.errors import Conflict, Unavailable
from phasegate.foreign import ForeignDoc
from phasegate.stores.exported_files import read_exports

LOCK = ".phasegate-lock"


class FileDocuments:
    """Documents of others as JSON files in a folder, which is made."""

    has_times = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str, /) -> ForeignDoc | None:
        """Return the document, or None."""
        with _reachable(self._folder):
            return _doc(path, self._file(path))

    def write(self, path: str, body: Mapping[str, object], /, *, over: ForeignDoc | None) -> None:
        """Replace the whole document if it is still as it was read."""
        file = self._file(path)
        raw = msgspec.json.format(msgspec.json.encode(body, order="sorted"), indent=2) + b"\n"
        with _reachable(self._folder):
            file.parent.mkdir(parents=True, exist_ok=True)
            with (self._folder / LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # held for one write: its end, also by a kill, releases it
                there = _doc(path, file)
                if (there and there.version) != (over and over.version):
                    raise Conflict(f"document {path} changed under us: read it again, decide again")
                new = file.with_suffix(".new")
                with new.open("wb") as writing:
                    writing.write(raw)
                    writing.flush()
                    os.fsync(writing.fileno())
                new.replace(file)

    def documents(self, *, first: str = "", last: str = "") -> Iterator[Exported | Unread]:
        """Yield the documents of the folder, or of the file; all dates."""
        del first, last
        yield from read_exports(self._folder)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _file(self, path: str) -> Path:
        return self._folder / f"{path}.json"


@contextmanager
def _reachable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise Unavailable(f"{folder}: {e.strerror}; make it a folder that this account can write to") from e


def _doc(path: str, file: Path) -> ForeignDoc | None:
    try:
        with file.open("rb") as reading:
            raw, found = reading.read(), os.fstat(reading.fileno())
    except FileNotFoundError:
        return None
    try:
        body = msgspec.json.decode(raw, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        body = {}
    return ForeignDoc(path, f"{found.st_ino}.{found.st_mtime_ns}.{hashlib.sha256(raw).hexdigest()}", body)
