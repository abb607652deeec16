"""The observer that counts events."""

from phasegate.ports import Observer


class CountingObserver:
    """Counts events by name, for summaries and tests, and passes them on."""

    def __init__(self, inner: Observer | None = None) -> None:
        self.counts: dict[str, int] = {}
        self._inner = inner

    def event(self, name: str, /, **fields: object) -> None:
        """Count one event, then pass it on."""
        self.counts[name] = self.counts.get(name, 0) + 1
        if self._inner is not None:
            self._inner.event(name, **fields)
