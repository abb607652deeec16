"""The Store: versioned JSON documents with compare-and-set. Pure: a contract and its values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Doc:
    """One stored document. ``version`` is opaque; ``due`` (epoch seconds) is when somebody must look again."""

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
        """Store the body if ``expect`` is still the newest version (None: must not exist); return the new version.

        Raises Conflict if it is not, Ambiguous when nobody can tell, Unavailable when the store cannot be used.
        """
        ...

    def delete(self, key: str, /, *, expect: str) -> None:
        """Remove the document if ``expect`` is still its version; raises as write does."""
        ...

    def scan(self, prefix: str, /, *, after: str = "", until: str | None = None, limit: int = 100) -> Sequence[Doc]:
        """Return up to ``limit`` documents whose key starts with ``prefix``, ``after < key < until``, in key order."""
        ...

    def due(
        self, now: float, /, *, prefix: str = "", after: tuple[float, str] | None = None, limit: int = 100
    ) -> Sequence[Doc]:
        """Return documents with ``due <= now``, in order of (due, key), those beyond ``after`` only."""
        ...

    def next_due(self, *, prefix: str = "") -> float | None:
        """Return the earliest ``due`` of all documents with this prefix, or None when nothing is due ever."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...
