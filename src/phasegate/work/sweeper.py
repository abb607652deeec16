"""The sweeper: handles every document that is due.

It is the only recovery path. Several sweepers may run at once: their handlers are idempotent.
"""

from collections.abc import Callable, Iterable, Mapping

from phasegate.base.backoff import AHEAD_EVERY_S, postpone_s
from phasegate.base.codec import FAILURES_FIELD
from phasegate.errors import Conflict, PhasegateError
from phasegate.ports import Ports
from phasegate.scan import due, later
from phasegate.store import Doc

PAGE = 100


class Sweeper:
    """Calls the handler of each document that is due.

    ``handlers``: by kind and pipeline, such as ``phase:nba``, the first two words of a key. A document whose handler
    raises is postponed, counted and reported as an event. ``ahead``: for each kind, whether a
    document that is due later waits for a time that only a clock ahead can have set.
    """

    def __init__(
        self,
        ports: Ports,
        *,
        handlers: Mapping[str, Callable[[str], object]],
        ahead: Mapping[str, Callable[[Doc, float], bool]] | None = None,
    ) -> None:
        self._ports, self._handlers, self._ahead = ports, handlers, ahead or {}
        self._looked_ahead: float | None = None

    def sweep(self) -> int:
        """Handle all documents that are due now, page by page; return how many.

        Also those that a clock ahead has put off: looked for by the first sweep of a process, when its clock was set
        back, and every AHEAD_EVERY_S.
        """
        now, begun, handled = self._ports.clock.now(), self._ports.clock.monotonic(), 0
        for doc in due(self._ports.store, now, prefixes=_prefixes(self._handlers), page=PAGE):
            self._handle(doc, self._handlers[_kind(doc.key)])
            handled += 1
        last = self._looked_ahead
        if last is None or not last <= now < last + AHEAD_EVERY_S:
            self._looked_ahead = now
            handled += self._sweep_ahead(now)
        self._ports.observer.event("swept", handled=handled, took_s=self._ports.clock.monotonic() - begun)
        return handled

    def _sweep_ahead(self, now: float) -> int:
        """Handle the documents that a clock ahead has put off; return how many."""
        handled = 0
        for doc in later(self._ports.store, now, prefixes=_prefixes(self._ahead), page=PAGE):
            kind = _kind(doc.key)
            if self._ahead[kind](doc, now):
                self._ports.observer.event("clock was ahead", key=doc.key, due=doc.due)
                self._handle(doc, self._handlers[kind])
                handled += 1
        return handled

    def next_due(self, *, ignoring: str = "") -> float | None:
        """Return when the next document is due (epoch seconds), or None.

        ``ignoring``: a kind of document to leave out.
        """
        kinds = [kind for kind in self._handlers if kind.partition(":")[0] != ignoring]
        return self._ports.store.next_due(prefixes=_prefixes(kinds))

    def _handle(self, doc: Doc, handle: Callable[[str], object]) -> None:
        try:
            handle(doc.key)
        except Exception as e:  # noqa: BLE001  one bad document must not stop the others; it is reported and postponed
            self._ports.observer.event("sweep failed", key=doc.key, error=f"{type(e).__name__}: {e}")
            self._postpone(doc)

    def _postpone(self, doc: Doc) -> None:
        """Postpone a document whose handler raised.

        Only its count of failures changes.
        """
        current = self._ports.store.read(doc.key)
        is_later = current is not None and current.due is not None and current.due > self._ports.clock.now()
        if current is None or current.due is None or (is_later and current.version != doc.version):
            return  # deleted, settled or handled by another sweeper
        failures = current.body.get(FAILURES_FIELD, 0)
        count = (failures if isinstance(failures, int) else 0) + 1
        due = self._ports.clock.now() + postpone_s(doc.key, count)
        body = {**current.body, FAILURES_FIELD: count}
        try:
            self._ports.store.write(doc.key, body, due=due, expect=current.version)
        except Conflict:
            return
        except PhasegateError as e:
            self._ports.observer.event("postpone failed", key=doc.key, error=str(e))


def _prefixes(kinds: Iterable[str]) -> list[str]:
    return [f"{kind}:" for kind in kinds]


def _kind(key: str) -> str:
    """Return the kind and pipeline of a key.

    >>> _kind("phase:nba:analytics:2026-02-03.overnight")
    'phase:nba'
    """
    return ":".join(key.split(":", 2)[:2])
