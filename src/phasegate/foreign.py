"""Foreign documents: those of another system, where its readers look.

The platform's completion documents are such. A path is ``COLLECTION/ID``. Nothing of Phasegate's own state is there:
that is in the store. Pure.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from phasegate.base.exported import Exported, Unread


class ForeignDoc(msgspec.Struct, frozen=True):
    """One document as it was read.

    ``version`` is opaque, and another one after each change of any writer.
    """

    path: str
    version: str
    body: Mapping[str, object]


class ForeignDocuments(Protocol):
    """Documents by path, with compare-and-set on one at a time."""

    @property
    def has_times(self) -> bool:
        """Return whether a datetime is stored as a time; else it is refused."""
        ...

    def read(self, path: str, /) -> ForeignDoc | None:
        """Return the newest document, or None; raise Unavailable."""
        ...

    def write(self, path: str, body: Mapping[str, object], /, *, over: ForeignDoc | None) -> None:
        """Replace the whole document if it is still as it was read.

        ``over`` None: it must not exist. Raises Conflict if that does not hold, Ambiguous if it is unknown whether the
        write happened, Unavailable if the place cannot be used.
        """
        ...

    def documents(self, *, first: str = "", last: str = "") -> "Iterator[Exported | Unread]":
        """Yield the completion documents whose ids begin with these dates.

        From ``first`` to ``last``, "" for no bound. Where each is read anyway, also others. Raises as ``read``.
        """
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...
