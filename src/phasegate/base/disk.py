"""The file system that holds the state, and how full it is.

Pure.
"""

import msgspec


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """A file system: ``free`` and ``total`` in bytes."""

    path: str
    free: int
    total: int
