"""Where events go. Data goes to standard output, talk to standard error: events are talk."""

import sys
from collections.abc import Mapping
from typing import Literal

QUIET = frozenset({"decided", "sent", "served", "writing", "written", "mended"})
Level = Literal["all", "notable", "none"]


class LogObserver:
    """Writes events to standard error through structlog: readable on a terminal, JSON elsewhere.

    ``notable`` leaves out the events of ordinary work.
    """

    def __init__(self, *, level: Level = "notable", json: bool | None = None) -> None:
        import structlog  # heavy; only a process that logs pays for it

        self._level = level
        plain = sys.stderr.isatty() if json is None else not json
        renderer = structlog.dev.ConsoleRenderer(colors=False) if plain else structlog.processors.JSONRenderer()
        self._logger = structlog.wrap_logger(
            structlog.PrintLogger(sys.stderr),
            processors=[structlog.processors.TimeStamper(fmt="iso", utc=True), renderer],
        )

    def event(self, name: str, /, **fields: object) -> None:
        """Report one event. Never raises."""
        if self._level == "none" or (self._level == "notable" and name in QUIET):
            return
        try:
            self._logger.msg(name, **_plain(fields))
        except Exception as e:  # noqa: BLE001  a full disk or a closed stream must not stop the work
            sys.stderr.write(f"event {name} could not be reported: {e}\n")


class CountingObserver:
    """Counts events by name, and passes them on: what summaries and tests read."""

    def __init__(self, inner: LogObserver | None = None) -> None:
        self.counts: dict[str, int] = {}
        self._inner = inner

    def event(self, name: str, /, **fields: object) -> None:
        """Count one event, then pass it on."""
        self.counts[name] = self.counts.get(name, 0) + 1
        if self._inner is not None:
            self._inner.event(name, **fields)


def _plain(fields: Mapping[str, object]) -> dict[str, object]:
    return {n: v if isinstance(v, str | int | float | bool | None) else str(v) for n, v in fields.items()}
