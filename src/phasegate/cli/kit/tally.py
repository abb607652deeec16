"""Counts the events of a command, and logs those that matter."""

import threading

from phasegate.observe.log import AS_JSON, QUIET, Level, LogObserver
from phasegate.settings import LogFormat


class Tally:
    """An observer with counts that a command reads when it is done.

    The log is opened by the first event that is written to it.
    """

    def __init__(self, *, level: Level = "notable", form: LogFormat = "auto") -> None:
        self._level, self._form = level, form
        self._log: LogObserver | None = None
        self._lock = threading.Lock()
        self.counts: dict[str, int] = {}
        self.errors: list[str] = []

    def event(self, name: str, /, **fields: object) -> None:
        """Count one event; store the error of a failed sweep."""
        with self._lock:
            self.counts[name] = self.counts.get(name, 0) + 1
            if name == "decided" and fields.get("outcome") == "dead":
                self.counts["dead"] = self.counts.get("dead", 0) + 1
            if name == "sweep failed":
                self.errors.append(f"{fields.get('error')}")
                return
            if self._level == "none" or (self._level == "notable" and name in QUIET):
                return
            if self._log is None:
                self._log = LogObserver(level=self._level, json=AS_JSON[self._form])
            log = self._log
        log.event(name, **fields)
