"""Reads more documents than one page holds: the one loop over pages of each kind. It decides nothing."""

from collections.abc import Iterator

from phasegate.store import Doc, Store

PAGE = 500


def scanned(
    store: Store, prefix: str, /, *, after: str = "", until: str | None = None, page: int = PAGE
) -> Iterator[Doc]:  # fmt: skip
    """Give the documents whose key begins with ``prefix``, by key: those after ``after`` and before ``until``.

    The next page is read when this one was used up.
    """
    while docs := store.scan(prefix, after=after, until=until, limit=page):
        yield from docs
        after = docs[-1].key


def due(store: Store, now: float, /, *, prefix: str, page: int = PAGE) -> Iterator[Doc]:
    """Give the documents that were due by ``now``, the longest due first."""
    after: tuple[float, str] | None = None
    while docs := store.due(now, prefix=prefix, after=after, limit=page):
        yield from docs
        assert docs[-1].due is not None
        after = (docs[-1].due, docs[-1].key)
