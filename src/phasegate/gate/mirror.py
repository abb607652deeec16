"""Mirrors: a run's state in the platform's form.

A mirror has the form of the platform's completion document. Old readers of that document go on working. A mirror is
derived whole from the phase's document after each change. If that write is lost, the next sweep repeats it: a mirror is
due again and again until two weeks after the run was opened. It is never read back, and refuses to decide anything.
"""

from datetime import UTC, datetime
from typing import Any

from phasegate.base import keys
from phasegate.base.backoff import is_ahead
from phasegate.base.codec import State, decode
from phasegate.base.keys import Run
from phasegate.base.platform import COUNT, MODE, TRIGGERED, TRIGGERED_AT, at_date
from phasegate.base.receipt import EXECUTION
from phasegate.gate.phase import Phase
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.store import Doc
from phasegate.transact import transact

LOOK_OPEN_S = 3600.0
LOOK_FIRED_S = 24 * 3600.0
KEPT_UP_S = 14 * 24 * 3600.0


class Mirrored(State, frozen=True):
    """The platform's document: its ``path`` there, and its body as ``data``.

    ``of``: the key of the phase's document. ``look_at``: when to compare the two again.
    """

    path: str
    of: str
    data: dict[str, Any]
    look_at: float | None = None

    @property
    def due(self) -> float | None:
        """Return when to compare it with the phase again."""
        return self.look_at


class Mirror:
    """Writes documents ``mirror:PIPELINE:COLLECTION:ID``.

    Only phases for which the plan names a mirror have one.
    """

    def __init__(self, plan: Plan, ports: Ports) -> None:
        self._plan, self._ports = plan, ports

    def keep(self, key: str) -> None:
        """Update the mirror of a phase's document, if it has one and differs."""
        _, name, run = keys.phase_of(key)
        path = self.path_of(name, run)
        if path is None or self._ports.store.read(key) is None:
            return
        now = self._ports.clock.now()

        def decide(old: Mirrored | None) -> tuple[Mirrored | None, None]:
            # Read after the mirror: a process with an older phase conflicts with a newer mirror, and decides again.
            doc = self._ports.store.read(key)
            if doc is None:
                return old, None
            phase = decode(Phase, doc.body, key=key)
            data = platform_body(phase, run=run)
            waits = old is not None and old.look_at is not None and now < old.look_at <= now + LOOK_FIRED_S
            if old is not None and old.data == data and (waits or old.look_at is None):
                return old, None
            return Mirrored(path=path, of=key, data=data, look_at=_look_at(phase, now=now)), None

        mirror_key = keys.mirror_key(self._plan.pipeline, path)
        transact(self._ports, mirror_key, kind=Mirrored, decide=decide, derived=True)

    def look(self, mirror_key: str) -> None:
        """Compare a mirror that is due with its phase."""
        doc = self._ports.store.read(mirror_key)
        if doc is not None:
            self.keep(decode(Mirrored, doc.body, key=mirror_key).of)

    @staticmethod
    def is_ahead(doc: Doc, now: float) -> bool:
        """Return whether a mirror waits for a time that a clock ahead has set."""
        return is_ahead(doc.due, now=now, bound_s=LOOK_FIRED_S)

    def path_of(self, name: str, run: Run) -> str | None:
        """Return the path of a run's mirror.

        None if the plan names none, or if it is another mode's.
        """
        phase = self._plan.phases.get(name)
        if phase is None or not phase.mirror or run.mode not in phase.modes:
            return None
        if "{mode}" not in phase.mirror and run.mode != next(iter(phase.modes)):
            return None
        return at_date(phase.mirror, run.date).replace("{mode}", run.mode)


def _look_at(phase: Phase, *, now: float) -> float | None:
    if now > phase.opened_at + KEPT_UP_S or phase.void is not None:
        return None
    return now + (LOOK_FIRED_S if phase.firings else LOOK_OPEN_S)


def platform_body(phase: Phase, *, run: Run) -> dict[str, object]:
    """Return the completion document of a run of a phase."""
    entries: dict[str, object] = {}
    for name in phase.gate.expect:
        result = phase.result_of(name)
        if result is None:
            continue
        entries[name] = {
            "completed_at": iso(result.at), "status": result.status, "rows": result.rows,
            "execution_id": result.write_id or result.stamp.fingerprint.removeprefix(EXECUTION),
        }  # fmt: skip
    fired = phase.firings[-1] if phase.firings else None
    return {
        **entries,
        COUNT: len(entries),
        TRIGGERED: fired is not None,
        TRIGGERED_AT: None if fired is None else iso(fired.at),
        MODE: run.mode,
    }


def iso(at: float, /) -> str:
    """Return a time as the platform writes it.

    >>> iso(1770185520.5)
    '2026-02-04T06:12:00.500000+00:00'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
