"""Reads any number of documents, page by page."""

from collections.abc import Iterator, Sequence

from phasegate.store import Doc, Store

PAGE = 500
DUE_MAX = 1e300
LAST_KEY = "~"  # after every key: these begin with a letter


def scanned(
    store: Store, prefix: str, /, *, after: str = "", until: str | None = None, page: int = PAGE
) -> Iterator[Doc]:  # fmt: skip
    """Yield the documents with ``after < key < until`` and a prefix, by key.

    The next page is read when the last one is used up. One that is not full is the last.
    """
    docs: Sequence[Doc] | None = None
    while docs is None or len(docs) == page:
        docs = store.scan(prefix, after=after, until=until, limit=page)
        yield from docs
        after = docs[-1].key if docs else after


def due(store: Store, now: float, /, *, prefixes: Sequence[str], page: int = PAGE) -> Iterator[Doc]:
    """Yield the documents that were due by ``now``, the longest due first."""
    yield from _between(store, now, prefixes=prefixes, after=None, page=page)


def later(store: Store, now: float, /, *, prefixes: Sequence[str], page: int = PAGE) -> Iterator[Doc]:
    """Yield the documents that are due after ``now``, however late."""
    yield from _between(store, DUE_MAX, prefixes=prefixes, after=(now, LAST_KEY), page=page)


def _between(
    store: Store, until: float, *, prefixes: Sequence[str], after: tuple[float, str] | None, page: int
) -> Iterator[Doc]:  # fmt: skip
    docs: Sequence[Doc] | None = None
    # A page that is not full is the last one: what is written since then is for the next look.
    while docs is None or len(docs) == page:
        docs = store.due(until, prefixes=prefixes, after=after, limit=page)
        yield from docs
        if docs:
            assert docs[-1].due is not None
            after = (docs[-1].due, docs[-1].key)
