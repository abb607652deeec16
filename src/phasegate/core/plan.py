"""A pipeline as its owner declares it: phases, steps, gates. Pure; how it is read from TOML is core.plan_toml's."""

import hashlib
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from phasegate.core.keys import Run
from phasegate.core.phase import GOOD, Ack, Gate, Need, Receiver, Spec, Status
from phasegate.core.table import Table

SHRINK_MAX = 0.10
ATTEMPTS_MAX = 5
MODE_DEFAULT = "daily"


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """When a gate opens without the rest: a local time ``days`` after the run's date, or a time after opening.

    Exactly one of ``local`` ("HH:MM") and ``after_open_s`` is set.
    """

    local: str | None = None
    days: int = 0
    after_open_s: float | None = None

    def at(self, run: Run, *, timezone: str, opened_at: float) -> float:
        """Return epoch seconds. A local time that does not exist moves forward, an ambiguous one is the later."""
        if self.after_open_s is not None:
            return opened_at + self.after_open_s
        assert self.local is not None
        hour, minute = map(int, self.local.split(":"))
        day = date.fromisoformat(run.date) + timedelta(days=self.days)
        zone = ZoneInfo(timezone)
        readings = [
            datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=f).timestamp() for f in (0, 1)
        ]
        return max(readings)


class ModeGate(msgspec.Struct, frozen=True, kw_only=True):
    """When a phase fires in one mode. ``at_least``: how many of ``expect`` suffice (None: all)."""

    expect: tuple[str, ...]
    critical: tuple[str, ...] = ()
    at_least: int | None = None
    deadline: Deadline | None = None
    accept: tuple[Status, ...] = GOOD


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """A topic that a phase's trigger goes to. ``phase``: the Phasegate phase that begins by it, if one does."""

    topic: str
    ack: Ack
    phase: str | None = None


class PhasePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One phase. ``after``: the upstream phases whose triggers begin it."""

    name: str
    after: tuple[str, ...] = ()
    modes: dict[str, ModeGate]
    sends: tuple[Send, ...] = ()
    settle_s: float = 0.0
    settle_max_s: float = 0.0
    catch_up_max_s: float = 600.0


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step. ``sql`` holds the SELECT's text, ``python`` names ``module:function``.

    ``kind`` external: somebody else builds it and reports; with ``topic`` Phasegate asks for it there.
    ``reads`` unattested: the step reads past ``run.read()``, shown as such. ``code`` is a hash of what it runs.
    """

    name: str
    phase: str
    kind: Literal["sql", "python", "external"]
    needs: tuple[Need, ...] = ()
    sql: str = ""
    python: str = ""
    topic: str = ""
    table: Table | None = None
    reads: Literal["attested", "unattested"] = "attested"
    shrink_max: float = SHRINK_MAX
    attempts_max: int = ATTEMPTS_MAX
    code: str = ""

    @property
    def need(self) -> Need:
        """Return how other steps name this one."""
        return Need(self.phase, self.name)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A whole pipeline. ``phases`` and ``steps`` stand in an order in which needs come first."""

    pipeline: str
    timezone: str
    phases: dict[str, PhasePlan]
    steps: dict[str, Step]
    calendar: str | None = None
    hash: str = ""

    @property
    def modes(self) -> tuple[str, ...]:
        """Return every mode that some phase knows, in the plan's order."""
        return tuple(dict.fromkeys(mode for phase in self.phases.values() for mode in phase.modes))

    def downstream(self, phase: str) -> tuple[str, ...]:
        """Return the phases that begin by this one's triggers."""
        return tuple(p.name for p in self.phases.values() if phase in p.after)

    def members(self, phase: str, *, mode: str) -> dict[str, Step]:
        """Return the steps that a phase has in this mode: the expected ones and what they need within the phase."""
        wanted = set(self.phases[phase].modes[mode].expect)
        for step in reversed(self.steps.values()):
            if step.name in wanted:
                wanted |= {need.step for need in step.needs if need.phase == phase}
        return {name: step for name, step in self.steps.items() if step.phase == phase and name in wanted}

    def gate(self, phase: str, *, run: Run, opened_at: float) -> Gate:
        """Return the gate to pin when a run opens at ``opened_at``."""
        plan, mode = self.phases[phase], self.phases[phase].modes[run.mode]
        deadline = mode.deadline
        gate = Gate(
            members={
                name: Spec(
                    needs=step.needs,
                    asks=step.kind != "external" or bool(step.topic),
                    topic=step.topic or requests_topic(self.pipeline, phase),
                    attempts_max=step.attempts_max,
                    code=step.code if step.kind != "external" else "",
                    attested=step.reads == "attested",
                )
                for name, step in self.members(phase, mode=run.mode).items()
            },
            expect=mode.expect,
            critical=mode.critical,
            at_least=mode.at_least,
            deadline=None if deadline is None else deadline.at(run, timezone=self.timezone, opened_at=opened_at),
            accept=mode.accept,
            receivers=self.receivers(phase, mode=run.mode),
            settle_s=plan.settle_s,
            settle_max_s=plan.settle_max_s,
            catch_up_max_s=plan.catch_up_max_s,
        )
        # The rule of the deadline, not the moment: the gate of one plan has one hash on every date.
        rule = None if deadline is None else (deadline, self.timezone)
        return msgspec.structs.replace(gate, hash=digest((msgspec.structs.replace(gate, deadline=None), rule)))

    def receivers(self, phase: str, *, mode: str) -> tuple[Receiver, ...]:
        """Return who gets this phase's triggers: the phases after it, and the topics it sends to."""
        sends = self.phases[phase].sends
        topics = {send.phase: send.topic for send in sends if send.phase is not None}
        inner = tuple(
            Receiver(name, topics.get(name, begin_topic(self.pipeline, name)), "begin")
            for name in self.downstream(phase)
            if mode in self.phases[name].modes
        )
        return inner + tuple(Receiver(send.topic, send.topic, send.ack) for send in sends if send.phase is None)

    def topics(self) -> tuple[str, ...]:
        """Return every topic that a worker of this pipeline listens to."""
        found = [completions_topic(self.pipeline)]
        for phase in self.phases.values():
            found.append(requests_topic(self.pipeline, phase.name))
            for mode in phase.modes:
                found += [r.topic for r in self.receivers(phase.name, mode=mode) if r.ack == "begin"]
        return tuple(dict.fromkeys(found))


def requests_topic(pipeline: str, phase: str) -> str:
    """Return the topic that carries requests for the steps of a phase."""
    return f"{pipeline}.{phase}.requests"


def begin_topic(pipeline: str, phase: str) -> str:
    """Return the topic that carries the triggers by which a phase begins, unless ``sends`` names another."""
    return f"{pipeline}.{phase}.begin"


def completions_topic(pipeline: str) -> str:
    """Return the topic on which external steps report."""
    return f"{pipeline}.completions"


def digest(value: object, /) -> str:
    """Return a short hash of a plan's part: equal parts, equal hashes."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]
