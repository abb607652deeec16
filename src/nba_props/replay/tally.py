"""The counts of a replay: while it runs, and at its end."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


@dataclass
class Tally:
    """An observer that counts events of a replay, from any thread."""

    duplicates_removed: int = 0
    refused_as_stale: int = 0
    inputs_changed: int = 0
    builds: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    _since: dict[int, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def event(self, name: str, /, **fields: object) -> None:
        """Count one event."""
        me = threading.get_ident()
        with self._lock:
            if name == "writing":
                self._since[me] = time.perf_counter()
            elif name == "written":
                step = str(fields["step"])
                took = time.perf_counter() - self._since.pop(me, time.perf_counter())
                self.builds[step] = self.builds.get(step, 0) + 1
                self.seconds[step] = self.seconds.get(step, 0.0) + took
                self.duplicates_removed += int(str(fields["duplicates"]))
                self.refused_as_stale += int(str(fields["refused"]))
            elif name == "step not built" and fields.get("status") == "inputs_changed":
                self.inputs_changed += 1


@dataclass(frozen=True)
class Replay:
    """The result of a replay.

    `tables`: name -> (rows, digest); `gates`: name -> (runs fired, generations in all). The log of fetches is not among
    the tables: it has times and ids, so it differs between any two replays. `drifted`: (date, text) of
    each phase with a window that changed too long before it to be rebuilt automatically.
    """

    dates: int
    games: int
    tables: dict[str, tuple[int, str]]
    gates: dict[str, tuple[int, int]]
    tally: Tally
    dead_letters: int
    crashes: int
    unsettled: tuple[str, ...]
    seconds: float
    drifted: tuple[tuple[str, str], ...] = ()
