"""A pipeline as its owner declares it: phases, steps, gates. Pure; how it is read from TOML is plan.load's."""

import hashlib
from collections.abc import Mapping
from typing import Literal

import msgspec

from phasegate.base.dates import CASCADE_DAYS, local_time, shift
from phasegate.base.keys import Run
from phasegate.base.table import Table
from phasegate.errors import BadInput
from phasegate.plan.gate import GOOD, Ack, Gate, Need, Receiver, Spec, Status
from phasegate.plan.policy import Policy

SHRINK_MAX = 0.10
ATTEMPTS_MAX = 5
LATE_AFTER_S = 4 * 3600.0
MODE_DEFAULT = "daily"


Anchors = Mapping[str, float]


class TimeRule(msgspec.Struct, frozen=True, kw_only=True):
    """A time that belongs to a run. Exactly one of ``local``, ``anchor`` and ``opening`` says what it counts from.

    ``local``: "HH:MM" in the pipeline's zone, ``days`` after the run's date. ``anchor``: a time that the calendar
    knows of the date, such as ``last_game_end``. ``opening``: when the run was opened. Then ``after_s`` later.
    """

    local: str | None = None
    days: int = 0
    anchor: str | None = None
    opening: bool = False
    after_s: float = 0.0

    def at(self, run: Run, *, timezone: str, opened_at: float, anchors: Anchors | None = None) -> float:
        """Return epoch seconds. A local time that does not exist moves forward, an ambiguous one is the later.

        Raises BadInput when the calendar has no such anchor for the date.
        """
        if self.opening:
            return opened_at + self.after_s
        if self.anchor is not None:
            if anchors is None or self.anchor not in anchors:
                known = ", ".join(sorted(anchors or ())) or "none"
                raise BadInput(f"{run.date}: the calendar gives no {self.anchor} (it gives {known}); it must, or "
                               "the plan must name another time")  # fmt: skip
            return anchors[self.anchor] + self.after_s
        assert self.local is not None
        return local_time(self.local, shift(run.date, self.days), timezone=timezone) + self.after_s


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What opens a run.

    ``message``: the first that speaks of it. ``schedule``: the calendar, at a time of the date, or a message before.
    ``run``: only somebody who says so.
    """

    by: Literal["message", "schedule", "run"] = "message"
    at: TimeRule | None = None


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when a report that names no mode is of this one: times around the run's date, the end excluded."""

    first: TimeRule
    last: TimeRule


class ModeGate(msgspec.Struct, frozen=True, kw_only=True):
    """When a phase fires in one mode. ``at_least``: how many of ``expect`` suffice (None: all).

    ``any_date``: its runs are taken whatever the calendar says of their date. ``await_windows`` False: dates of a
    window that are expected and not there yet are not waited for.
    """

    expect: tuple[str, ...]
    critical: tuple[str, ...] = ()
    at_least: int | None = None
    deadline: TimeRule | None = None
    accept: tuple[Status, ...] = GOOD
    start: Start = Start()
    reports: Hours | None = None
    any_date: bool = False
    await_windows: bool = True


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """A topic that a phase's trigger goes to. ``phase``: the Phasegate phase that begins by it, if one does."""

    topic: str
    ack: Ack
    phase: str | None = None


class PhasePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One phase. ``after``: the upstream phases whose triggers begin it. ``mirror``: path of its old document."""

    name: str
    after: tuple[str, ...] = ()
    modes: dict[str, ModeGate]
    sends: tuple[Send, ...] = ()
    settle_s: float = 0.0
    settle_max_s: float = 0.0
    catch_up_max_s: float = 600.0
    mirror: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step. ``sql`` holds the SELECT's text, ``python`` names ``module:function``.

    ``kind`` external: somebody else builds it and reports; with ``topic`` Phasegate asks for it there.
    ``reads`` unattested: the step reads past ``run.read()``, shown as such. ``code`` is a hash of what it runs.
    ``expected_by``: mode -> when its result should be there, local times in ``expected_zone`` ("": the pipeline's);
    ``late_after_s`` later it is late. No gate knows of it: it changes what is said, not what is done.
    ``identity``: columns that name the thing itself; with the partition they must be as unique as the key is.
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
    expected_by: dict[str, TimeRule] = {}
    expected_zone: str = ""
    late_after_s: float = LATE_AFTER_S
    identity: tuple[str, ...] = ()

    @property
    def need(self) -> Need:
        """Return how other steps name this one."""
        return Need(self.phase, self.name)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A whole pipeline. ``phases`` and ``steps`` stand in an order in which needs come first.

    ``calendar``: ``module:function`` that says which dates have work. ``cascade_days``: how far a changed date asks
    later ones, whose windows hold it, to be built again by themselves.
    """

    pipeline: str
    timezone: str
    phases: dict[str, PhasePlan]
    steps: dict[str, Step]
    calendar: str | None = None
    cascade_days: int = CASCADE_DAYS
    alerts: Policy = Policy()
    hash: str = ""

    @property
    def modes(self) -> tuple[str, ...]:
        """Return every mode that some phase knows, in the plan's order."""
        return tuple(dict.fromkeys(mode for phase in self.phases.values() for mode in phase.modes))

    @property
    def main_mode(self) -> str:
        """Return the mode that has the most steps, the first of the plan's if several have: what a date is to be."""
        counts = {
            mode: sum(len(self.members(name, mode=mode)) for name, phase in self.phases.items() if mode in phase.modes)
            for mode in self.modes
        }
        return max(counts, key=lambda mode: counts[mode])

    def downstream(self, phase: str) -> tuple[str, ...]:
        """Return the phases that begin by this one's triggers."""
        return tuple(p.name for p in self.phases.values() if phase in p.after)

    def members(self, phase: str, *, mode: str) -> dict[str, Step]:
        """Return the steps that a phase has in this mode: the expected ones and what they need within the phase."""
        wanted = set(self.phases[phase].modes[mode].expect)
        for step in reversed(self.steps.values()):
            if step.name in wanted:
                wanted |= {need.step for need in step.needs if need.phase == phase and not need.back}
        return {name: step for name, step in self.steps.items() if step.phase == phase and name in wanted}

    def asks_calendar(self, phase: str, *, mode: str) -> bool:
        """Tell whether the calendar says on which dates a phase has runs in a mode."""
        return self.calendar is not None and not self.phases[phase].modes[mode].any_date

    def sibling_modes(self, step: str, *, mode: str) -> tuple[str, ...]:
        """Return the other modes of a step's phase that have the step too: its table is theirs as well."""
        home = self.steps[step]
        if home.table is None:
            return ()
        modes = self.phases[home.phase].modes
        return tuple(other for other in modes if other != mode and step in self.members(home.phase, mode=other))

    def windows_on(self, step: str) -> dict[str, int]:
        """Return the phases with a step whose window holds this one, and the longest such window in days."""
        found: dict[str, int] = {}
        for reader in self.steps.values():
            for need in reader.needs:
                if need.back and need.step == step:
                    found[reader.phase] = max(need.back, found.get(reader.phase, 0))
        return found

    def gate(self, phase: str, *, run: Run, opened_at: float, anchors: Anchors | None = None) -> Gate:
        """Return the gate to pin when a run opens at ``opened_at``. Raises BadInput for an anchor that is not there."""
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
                    shared=bool(self.sibling_modes(name, mode=run.mode) or self.windows_on(name)),
                )
                for name, step in self.members(phase, mode=run.mode).items()
            },
            expect=mode.expect,
            critical=mode.critical,
            at_least=mode.at_least,
            deadline=None
            if deadline is None
            else deadline.at(run, timezone=self.timezone, opened_at=opened_at, anchors=anchors),
            accept=mode.accept,
            receivers=self.receivers(phase, mode=run.mode),
            settle_s=plan.settle_s,
            settle_max_s=plan.settle_max_s,
            catch_up_max_s=plan.catch_up_max_s,
            await_windows=mode.await_windows,
        )
        # The rule of the deadline, not the moment: the gate of one plan has one hash on every date.
        rule = None if deadline is None else (deadline, self.timezone)
        body = msgspec.to_builtins(msgspec.structs.replace(gate, deadline=None))
        if gate.await_windows:  # a part that says nothing new has the hash that it had before there was such a part
            del body["await_windows"]
        return msgspec.structs.replace(gate, hash=digest((body, rule)))

    def is_alone(self, phase: str, *, run: Run) -> bool:
        """Tell whether a run of a phase has nothing to hear from others: no windows, no sister runs."""
        members = self.members(phase, mode=run.mode)
        return not any(
            any(need.back for need in step.needs) or self.sibling_modes(name, mode=run.mode)
            for name, step in members.items()
        )

    def mode_at(self, day: str, at: float) -> str | None:
        """Return the mode whose hours a time falls into; None when no rule of the plan says so."""
        for phase in self.phases.values():
            for mode, gate in phase.modes.items():
                if gate.reports is not None:
                    run = Run(day, mode)
                    first = gate.reports.first.at(run, timezone=self.timezone, opened_at=at)
                    last = gate.reports.last.at(run, timezone=self.timezone, opened_at=at)
                    if first <= at < last:
                        return mode
        return None

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
