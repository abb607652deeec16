"""Reads any number of documents, page by page."""

from collections.abc import Iterator

from phasegate.store import Doc, Store

PAGE = 500
DUE_MAX = 1e300
LAST_KEY = "~"  # after every key: these begin with a letter


def scanned(
    store: Store, prefix: str, /, *, after: str = "", until: str | None = None, page: int = PAGE
) -> Iterator[Doc]:  # fmt: skip
    """Yield the documents with ``after < key < until`` and a prefix, by key.

    The next page is read when the last one is used up.
    """
    while docs := store.scan(prefix, after=after, until=until, limit=page):
        yield from docs
        after = docs[-1].key


def due(store: Store, now: float, /, *, prefix: str, page: int = PAGE) -> Iterator[Doc]:
    """Yield the documents that were due by ``now``, the longest due first."""
    yield from _between(store, now, prefix=prefix, after=None, page=page)


def later(store: Store, now: float, /, *, prefix: str, page: int = PAGE) -> Iterator[Doc]:
    """Yield the documents that are due after ``now``, however late."""
    yield from _between(store, DUE_MAX, prefix=prefix, after=(now, LAST_KEY), page=page)


def _between(
    store: Store, until: float, *, prefix: str, after: tuple[float, str] | None, page: int
) -> Iterator[Doc]:  # fmt: skip
    while docs := store.due(until, prefix=prefix, after=after, limit=page):
        yield from docs
        assert docs[-1].due is not None
        after = (docs[-1].due, docs[-1].key)
