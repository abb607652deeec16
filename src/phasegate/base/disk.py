"""A file system, how full it is, and the errors of a full one.

Pure.
"""

import msgspec

FULL = "the disk is full; free space and try again"
# As the operating system, SQLite and DuckDB (also of the folder of its temporary files) say it.
_SAID = ("no space left on device", "disk quota exceeded", "disk is full", "max_temp_directory_size")


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """A file system: ``free`` and ``total`` in bytes."""

    path: str
    free: int
    total: int


def is_full(text: str, /) -> bool:
    """Return whether the text of an error says that a disk is full.

    >>> is_full("[Errno 28] No space left on device: 'spool'"), is_full("File too large")
    (True, False)
    """
    return any(said in text.lower() for said in _SAID)
