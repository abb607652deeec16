"""Ports for tests of buses: real ones, only quick."""


class ManualClock:
    """Stands still, except while somebody sleeps."""

    def __init__(self, start: float = 1_770_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float, /) -> None:
        self._now += seconds


class Recorder:
    """Remembers every event."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def event(self, name: str, /, **fields: object) -> None:
        self.events.append((name, fields))
