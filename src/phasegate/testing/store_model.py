"""Models and data of the contracts.

A store without a database, bodies to try, and threads that start at the same instant.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from phasegate.store import Body, Doc

T = TypeVar("T")
THREADS = 8
# Bodies that must be read back unchanged, and values that no body may contain.
BODIES: tuple[dict[str, object], ...] = (
    {},
    {"text": 'Nikola Jokić 🏀 \u0000\t"\\/ \u2028', "": "an empty name", "ключ": "имя"},
    {"nested": {"list": [1, [2, {"three": [None, True, False]}], {}, []]}},
    {"int": 1, "float": 1.0, "small": 5e-324, "large": 1.7976931348623157e308, "third": 0.1 + 0.2, "minus": -0.0},
    {"largest": 2**63 - 1, "smallest": -(2**63), "beyond_a_double": 2**53 + 1},
    {"long": "x" * 100_000},
)
NOT_JSON: tuple[tuple[str, object], ...] = (
    ("a set", {1, 2}),
    ("NaN", float("nan")),
    ("infinity", float("inf")),
    ("bytes", b"x"),
    ("an integer of more than 64 bits", 2**63),
    ("half a surrogate pair", "\ud800"),
    ("a number as a name", {1: 2}),
)


class StoreModel:
    """The behavior of a store, without any database.

    Versions are those that the store under test returned.
    """

    def __init__(self) -> None:
        self.docs: dict[str, Doc] = {}
        self.versions: dict[str, list[str]] = {}

    def fits(self, key: str, expect: str | None) -> bool:
        """Return whether a write that expects this version must succeed."""
        return (self.docs[key].version if key in self.docs else None) == expect

    def put(self, key: str, version: str, value: tuple[Body, float | None]) -> None:
        """Record a write that succeeded."""
        self.docs[key] = Doc(key, version, *value)
        self.versions.setdefault(key, []).append(version)

    def delete(self, key: str, expect: str) -> bool:
        """Delete, and return whether the store must have done so too."""
        return self.fits(key, expect) and bool(self.docs.pop(key))

    def scan(self, after: str) -> list[Doc]:
        """Return what a scan beyond ``after`` must return."""
        return sorted((doc for key, doc in self.docs.items() if key > after), key=lambda doc: doc.key)

    def due(self, now: float) -> list[Doc]:
        """Return what must be due."""
        found = [(doc.due, doc.key, doc) for doc in self.docs.values() if doc.due is not None and doc.due <= now]
        return [doc for _, _, doc in sorted(found, key=lambda one: one[:2])]


def together(work: Callable[[int], T]) -> list[T]:
    """Run ``work(0)`` to ``work(THREADS - 1)`` at the same instant.

    Each runs in its own thread. Return their results in order.
    """
    ready = threading.Barrier(THREADS)

    def run(who: int) -> T:
        ready.wait()
        return work(who)

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(run, range(THREADS)))
