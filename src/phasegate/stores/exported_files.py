"""Documents exported to files: a .json or .jsonl file, or a folder.

Only reads. A file that cannot be read as documents is reported with its place, and the others are read.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from phasegate.base.exported import Exported, Unread, documents
from phasegate.base.wording import decoded
from phasegate.errors import BadInput, NotFound

SUFFIXES = (".json", ".jsonl", ".ndjson")
FILES_MAX = 200_000
BYTES_MAX = 500_000_000


def read_exports(path: Path, /) -> Iterator[Exported | Unread]:
    """Yield the documents of a file, or of all files below a folder, by name.

    Raises NotFound, BadInput.
    """
    if not path.exists():
        raise NotFound(f"{path}: does not exist; name the file or folder of your exported documents")
    if not path.is_dir():
        yield from _of_file(path, name=path.name, collection="")
        return
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise NotFound(f"{path}: no .json or .jsonl file in it; name the folder of your exported documents")
    if len(files) > FILES_MAX:
        raise BadInput(f"{path}: {len(files):,} files, at most {FILES_MAX:,} are read; name a smaller folder")
    for file in files:
        yield from _of_file(file, name=str(file.relative_to(path)), collection=file.parent.name)


def _of_file(file: Path, *, name: str, collection: str) -> Iterator[Exported | Unread]:
    try:
        if file.stat().st_size > BYTES_MAX:
            yield Unread(place=name, why=f"more than {BYTES_MAX:,} bytes; split it")
            return
        raw = file.read_bytes()
    except OSError as e:
        yield Unread(place=name, why=f"cannot be read ({e.strerror})")
        return
    try:
        raw = decoded(raw).encode()
    except BadInput as e:
        yield Unread(place=name, why=str(e))
        return
    if file.suffix.lower() == ".json":
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.DecodeError, RecursionError) as e:
            if not _is_lines(raw):
                yield Unread(place=name, why=f"not JSON: {e}")
                return
        else:
            yield from documents(value, place=name, collection=collection, name=file.stem)
            return
    yield from _of_lines(raw, name=name, collection=collection)


def _is_lines(raw: bytes) -> bool:
    """Return whether a file that is not one JSON value has one per line."""
    first = raw.lstrip().partition(b"\n")[0]
    try:
        return isinstance(msgspec.json.decode(first), dict)
    except (msgspec.DecodeError, RecursionError):
        return False


def _of_lines(raw: bytes, *, name: str, collection: str) -> Iterator[Exported | Unread]:
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        place = f"{name}:{number}"
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError) as e:
            yield Unread(place=place, why=f"not JSON: {e}")
        else:
            yield from documents(value, place=place, collection=collection)
