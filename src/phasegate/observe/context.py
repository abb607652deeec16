"""The observer that adds what is bound to each event."""

from phasegate.ports import Observer, bound_fields


class ContextObserver:
    """Passes events on, with the fields of their unit of work.

    An event's own field wins over a bound one.
    """

    def __init__(self, inner: Observer) -> None:
        self._inner = inner

    def event(self, name: str, /, **fields: object) -> None:
        """Report one event; never raise."""
        self._inner.event(name, **{**bound_fields(), **fields})
