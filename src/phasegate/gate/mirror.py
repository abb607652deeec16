"""Mirrors: a run's state in the platform's form.

A mirror has the form of the platform's completion document. Old readers of that document go on working. A mirror is
derived whole from the phase's document after each change, and written where the port of foreign documents has it;
without that port, into the mirror's own document in the store. If that write is lost, the next sweep repeats it: a
mirror is due again and again until two weeks after the run was opened, and soon after a write that failed. It is never
read back, and refuses to decide anything.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from phasegate.base import keys
from phasegate.base.backoff import contention_s, is_ahead
from phasegate.base.codec import State, decode
from phasegate.base.keys import Run
from phasegate.base.platform import (
    CORRELATION,
    COUNT,
    LAST_UPDATE,
    MODE,
    NO_DATA,
    RECORDS,
    TRIGGER_REASON,
    TRIGGERED,
    TRIGGERED_AT,
    at_date,
)
from phasegate.base.receipt import EXECUTION
from phasegate.errors import Ambiguous, BadDocument, Conflict, Contended, PhasegateError, Unavailable
from phasegate.foreign import ForeignDoc, ForeignDocuments
from phasegate.gate.phase import Phase
from phasegate.gate.records import Result
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.store import Doc
from phasegate.transact import transact

LOOK_OPEN_S = 3600.0
LOOK_FIRED_S = 24 * 3600.0
KEPT_UP_S = 14 * 24 * 3600.0
# After a write elsewhere that failed: how long all such writes of this process wait, and the longest wait of one.
RETRY_FIRST_S, RETRY_MAX_S = 60.0, 3600.0
TRIES_MAX = 12


class Mirrored(State, frozen=True):
    """The platform's document: its ``path`` there, and its body as ``data``.

    ``of``: the key of the phase's document. ``data``: {} where the document is elsewhere. ``look_at``: when to compare
    the two again. ``behind_since``: since when the one elsewhere could not be written; None: it is up to date.
    """

    path: str
    of: str
    data: dict[str, Any]
    look_at: float | None = None
    behind_since: float | None = None

    @property
    def due(self) -> float | None:
        """Return when to compare it with the phase again."""
        return self.look_at


class Mirror:
    """Writes mirrors, and documents ``mirror:PIPELINE:COLLECTION:ID`` of them.

    Only phases for which the plan names a mirror have one.
    """

    def __init__(self, plan: Plan, ports: Ports) -> None:
        self._plan, self._ports = plan, ports
        # Until when nothing is written elsewhere, so that a place without an answer delays no decision twice.
        self._waits_until = float("-inf")

    def keep(self, key: str) -> None:
        """Update the mirror of a phase's document, if it has one and differs.

        Of a mirror elsewhere that cannot be written is remembered that it is behind: the sweep tries again.
        """
        _, name, run = keys.phase_of(key)
        path = self.path_of(name, run)
        if path is None:
            return
        elsewhere = self._ports.foreign
        is_behind = elsewhere is not None and not self._write(elsewhere, path, key=key)
        now = self._ports.clock.now()

        def decide(old: Mirrored | None) -> tuple[Mirrored | None, None]:
            # Read after the mirror: a process with an older phase conflicts with a newer mirror, and decides again.
            phase = self._phase(key)
            if phase is None:
                return old, None
            since = (now if old is None or old.behind_since is None else old.behind_since) if is_behind else None
            look_at = _look_at(phase, now=now) if since is None else now + _retry_s(now - since)
            new = Mirrored(path=path, of=key, data=self.data_here(phase, key=key), look_at=look_at, behind_since=since)
            if old is None or replace(new, look_at=old.look_at) != old:
                return new, None
            waits = old.look_at is not None and now < old.look_at <= now + LOOK_FIRED_S
            return (old if waits or old.look_at is None else new), None

        mirror_key = keys.mirror_key(self._plan.pipeline, path)
        transact(self._ports, mirror_key, kind=Mirrored, decide=decide, derived=True)

    def _write(self, foreign: ForeignDocuments, path: str, *, key: str) -> bool:
        """Write a mirror elsewhere if it differs; return whether it is up to date.

        Raises only what reading the phase raises.
        """
        clock = self._ports.clock
        if clock.monotonic() < self._waits_until:
            return False
        try:
            for attempt in range(TRIES_MAX):
                # First what is there, then the phase: a process with an older phase writes over an older version, and
                # is refused.
                there, phase = foreign.read(path), self._phase(key)
                body = None if phase is None else body_for(foreign, phase, key=key)
                if body is None or (there is not None and there.body == body):
                    return True
                try:
                    foreign.write(path, body, over=there)
                except Conflict:
                    clock.sleep(contention_s(path, attempt))
                else:
                    return True
            raise Contended(path, TRIES_MAX)
        except BadDocument:
            raise
        except PhasegateError as e:
            if isinstance(e, Unavailable | Ambiguous):
                self._waits_until = clock.monotonic() + RETRY_FIRST_S
            self._ports.observer.event("mirror not written", key=key, path=path, error=str(e))
            return False

    def stored(self, path: str, here: Mirrored | None) -> Mapping[str, object]:
        """Return the mirror as its readers see it, {} for none.

        ``here``: its document in the store.
        """
        if self._ports.foreign is None:
            return {} if here is None else here.data
        there: ForeignDoc | None = self._ports.foreign.read(path)
        return {} if there is None else there.body

    def derived(self, phase: Phase, *, key: str) -> Mapping[str, object]:
        """Return what ``stored`` should be."""
        foreign = self._ports.foreign
        return spelled(platform_body(phase, key=key)) if foreign is None else body_for(foreign, phase, key=key)

    def data_here(self, phase: Phase, *, key: str) -> dict[str, object]:
        """Return the body that is kept in the store: {} if it is elsewhere."""
        return dict(self.derived(phase, key=key)) if self._ports.foreign is None else {}

    def _phase(self, key: str) -> Phase | None:
        doc = self._ports.store.read(key)
        return None if doc is None else decode(Phase, doc.body, key=key)

    def look(self, mirror_key: str) -> None:
        """Compare a mirror that is due with its phase.

        One that is not that of its phase by the present plan is settled.
        """
        doc = self._ports.store.read(mirror_key)
        if doc is None:
            return
        known = decode(Mirrored, doc.body, key=mirror_key)
        _, name, run = keys.phase_of(known.of)
        self.keep(known.of)
        if self.path_of(name, run) != known.path or self._ports.store.read(known.of) is None:
            transact(self._ports, mirror_key, kind=Mirrored, decide=_settled, derived=True)

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


def _settled(old: Mirrored | None) -> tuple[Mirrored | None, None]:
    return (None if old is None else replace(old, look_at=None, behind_since=None)), None


def _look_at(phase: Phase, *, now: float) -> float | None:
    if now > phase.opened_at + KEPT_UP_S or phase.void is not None:
        return None
    return now + (LOOK_FIRED_S if phase.firings else LOOK_OPEN_S)


def _retry_s(behind_s: float) -> float:
    """Return how long to wait: as long as it has lasted, within bounds."""
    return min(max(behind_s, RETRY_FIRST_S), RETRY_MAX_S)


def body_for(foreign: ForeignDocuments, phase: Phase, *, key: str) -> dict[str, object]:
    """Return the completion document as this place has times."""
    body = platform_body(phase, key=key)
    return body if foreign.has_times else spelled(body)


def platform_body(phase: Phase, *, key: str) -> dict[str, object]:
    """Return the completion document of a run, with datetimes as times."""
    results = {name: result for name in phase.gate.expect if (result := phase.result_of(name)) is not None}
    correlation = _correlation(phase, key=key)
    fired = phase.firings[-1] if phase.firings else None
    times = [phase.opened_at, *(result.at for result in results.values()), *(firing.at for firing in phase.firings)]
    reason = None
    if fired is not None:
        reason = f"without {', '.join(fired.missing)}" if fired.missing else "all_complete"
    return {
        **{name: _entry(result, correlation) for name, result in results.items()},
        COUNT: len(results),
        LAST_UPDATE: moment(max(times)),
        TRIGGERED: fired is not None,
        TRIGGERED_AT: None if fired is None else moment(fired.at),
        TRIGGER_REASON: reason,
        MODE: keys.phase_of(key)[2].mode,
    }


def _entry(result: Result, correlation: str) -> dict[str, object]:
    return {
        "completed_at": moment(result.at),
        "status": NO_DATA if result.status == "empty" else result.status,
        RECORDS: result.rows,
        CORRELATION: correlation,
        "execution_id": result.write_id or result.stamp.fingerprint.removeprefix(EXECUTION),
    }


def _correlation(phase: Phase, *, key: str) -> str:
    """Return the id of the trigger that a phase builds on.

    The run, if it is a first phase.
    """
    pipeline, name, run = keys.phase_of(key)
    for upstream, begun in sorted(phase.inputs.items()):
        return keys.trigger_id(keys.phase_key(pipeline, upstream, run=run), begun.generation, receiver=name)
    return str(run)


def spelled(body: Mapping[str, object], /) -> dict[str, object]:
    """Return a body with times as text, as the platform has them in JSON.

    >>> spelled({"a": {"completed_at": moment(1770185520.5)}})
    {'a': {'completed_at': '2026-02-04T06:12:00.500000+00:00'}}
    """
    return {name: _spelled(value) for name, value in body.items()}


def _spelled(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    return spelled(value) if isinstance(value, dict) else value


def moment(at: float, /) -> datetime:
    """Return a time as clients of the platform give it."""
    return datetime.fromtimestamp(at, UTC)
