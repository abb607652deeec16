"""The observer that writes events to standard error, through structlog."""

import sys
from collections.abc import Mapping
from typing import Literal

QUIET = frozenset({
    "answered", "decided", "result accepted", "fired", "sent", "served", "writing", "written", "attempt begun",
    "attempt ended", "lease held", "swept", "fixed", "command begun", "command ended",
})  # fmt: skip
Level = Literal["all", "notable", "none"]
# The words of the setting log_format, as LogObserver takes them.
AS_JSON: dict[str, bool | None] = {"auto": None, "json": True, "text": False}


class LogObserver:
    """Writes events to standard error, as text on a terminal, else as JSON.

    ``level`` "notable" leaves out the events of ordinary work.
    """

    def __init__(self, *, level: Level = "notable", json: bool | None = None) -> None:
        import structlog  # slow to import; only a process that logs pays for it

        self._level = level
        plain = sys.stderr.isatty() if json is None else not json
        renderer = structlog.dev.ConsoleRenderer(colors=False) if plain else structlog.processors.JSONRenderer()
        self._logger = structlog.wrap_logger(
            structlog.PrintLogger(sys.stderr),
            processors=[structlog.processors.TimeStamper(fmt="iso", utc=True), renderer],
        )

    def event(self, name: str, /, **fields: object) -> None:
        """Report one event; never raise."""
        if self._level == "none" or (self._level == "notable" and name in QUIET):
            return
        try:
            self._logger.msg(name, **_plain(fields))
        except Exception as e:  # noqa: BLE001  a full disk or a closed stream must not stop the work
            sys.stderr.write(f"event {name} could not be reported: {e}\n")


def _plain(fields: Mapping[str, object]) -> dict[str, object]:
    return {n: v if isinstance(v, str | int | float | bool | None) else str(v) for n, v in fields.items()}
