"""The Store: versioned JSON documents with compare-and-set. Pure."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

Body = Mapping[str, object]
# The prefix of every key.
ALL = ("",)


class Doc(msgspec.Struct, frozen=True):
    """One stored document.

    ``version`` is opaque. ``due`` (epoch seconds): when the document must be processed again; None: never.
    """

    key: str
    version: str
    body: Body
    due: float | None


class Store(Protocol):
    """Versioned JSON documents with compare-and-set on one document at a time."""

    def read(self, key: str, /) -> Doc | None:
        """Return the newest committed document, or None."""
        ...

    def write(self, key: str, body: Body, /, *, due: float | None, expect: str | None) -> str:
        """Store the body if ``expect`` is the newest version; return the new one.

        ``expect`` None: the document must not exist. Raises Conflict if that does not hold, Ambiguous if it is unknown
        whether the write happened, Unavailable if the store cannot be used.
        """
        ...

    def delete(self, key: str, /, *, expect: str) -> None:
        """Remove the document if ``expect`` is its version; raise as ``write``."""
        ...

    def scan(self, prefix: str, /, *, after: str = "", until: str | None = None, limit: int = 100) -> Sequence[Doc]:
        """Return up to ``limit`` documents with this prefix, in key order.

        Only those with ``after < key < until``.
        """
        ...

    def due(
        self, now: float, /, *, prefixes: Sequence[str] = ALL, after: tuple[float, str] | None = None, limit: int = 100
    ) -> Sequence[Doc]:
        """Return up to ``limit`` documents with ``due <= now``.

        Of those that have one of the prefixes, each once, in order of (due, key), only those beyond ``after``. It is
        one query of the database, however many prefixes.
        """
        ...

    def next_due(self, *, prefixes: Sequence[str] = ALL) -> float | None:
        """Return the earliest ``due`` of documents with a prefix, or None."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...
