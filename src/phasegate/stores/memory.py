"""A store in the memory of this process, for tests and the simulator.

Nothing survives the process. Bodies are stored as text, so no caller shares mutable state with another. The lock is
held inside one verb only, around plain dict operations that never switch: threads are safe, and greenlets cannot block
each other.
"""

import itertools
import threading
from collections.abc import Iterable, Sequence

from phasegate.errors import Conflict
from phasegate.store import ALL, Body, Doc
from phasegate.stores.rules import check_key, check_limit, checked_due, decode, encode


class MemoryStore:
    """Documents in a dict.

    Versions are the numbers of one counter, so no version is used twice.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions = itertools.count(1)
        self._docs: dict[str, tuple[str, bytes]] = {}
        # Unsettled documents only: settled ones cost a sweep nothing.
        self._due: dict[str, float] = {}

    def read(self, key: str, /) -> Doc | None:
        """Return the newest document, or None."""
        with self._lock:
            found = self._docs.get(key)
            due = self._due.get(key)
        return None if found is None else Doc(key, found[0], decode(found[1]), due)

    def write(self, key: str, body: Body, /, *, due: float | None, expect: str | None) -> str:
        """Store the body if ``expect`` is its version; see ports.Store."""
        check_key(key)
        text, when = encode(key, body), checked_due(key, due)
        with self._lock:
            self._compare(key, expect)
            version = str(next(self._versions))
            self._docs[key] = (version, text)
            if when is None:
                self._due.pop(key, None)
            else:
                self._due[key] = when
        return version

    def delete(self, key: str, /, *, expect: str) -> None:
        """Remove the document if ``expect`` is still its version; see ports.Store."""
        with self._lock:
            self._compare(key, expect)
            del self._docs[key]
            self._due.pop(key, None)

    def scan(self, prefix: str, /, *, after: str = "", until: str | None = None, limit: int = 100) -> Sequence[Doc]:
        """Return documents by key order; see ports.Store."""
        check_limit(limit)
        with self._lock:
            keys = [k for k in self._docs if k.startswith(prefix) and k > after and (until is None or k < until)]
            return self._page(sorted(keys)[:limit])

    def due(
        self, now: float, /, *, prefixes: Sequence[str] = ALL, after: tuple[float, str] | None = None, limit: int = 100
    ) -> Sequence[Doc]:
        """Return the documents that are due, the oldest first; see ports.Store."""
        check_limit(limit)
        starts = tuple(prefixes)
        with self._lock:
            found = [
                (due, key)
                for key, due in self._due.items()
                if due <= now and key.startswith(starts) and (after is None or (due, key) > after)
            ]
            return self._page(key for _, key in sorted(found)[:limit])

    def next_due(self, *, prefixes: Sequence[str] = ALL) -> float | None:
        """Return the earliest ``due``, or None; see ports.Store."""
        starts = tuple(prefixes)
        with self._lock:
            return min((due for key, due in self._due.items() if key.startswith(starts)), default=None)

    def close(self) -> None:
        """Release nothing: there is nothing to release."""

    def _compare(self, key: str, expect: str | None) -> None:
        found = self._docs.get(key)
        if (None if found is None else found[0]) != expect:
            raise Conflict(f"document {key} changed under us: read it again, decide again")

    def _page(self, keys: Iterable[str]) -> list[Doc]:
        return [Doc(k, self._docs[k][0], decode(self._docs[k][1]), self._due.get(k)) for k in keys]
