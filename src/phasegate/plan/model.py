"""A pipeline as its plan declares it: phases, steps, gates.

Pure; reading it from TOML is in plan.load.
"""

import hashlib
from collections.abc import Mapping
from typing import Literal

import msgspec

from phasegate.base.dates import CASCADE_DAYS, local_time, shift
from phasegate.base.keys import Run
from phasegate.base.platform import Platform
from phasegate.base.table import Dependency, Table
from phasegate.dialects.engines import Engine
from phasegate.errors import BadInput
from phasegate.plan.gate import GOOD, Ack, Covers, Gate, Need, Receiver, Spec, Status, dated
from phasegate.plan.policy import Policy

SHRINK_MAX = 0.10
ATTEMPTS_MAX = 5
LATE_AFTER_S = 4 * 3600.0
RUN_MAX_S = 3600.0
MODE_DEFAULT = "daily"
StepKind = Literal["sql", "python", "command", "external"]

Anchors = Mapping[str, float]


class TimeRule(msgspec.Struct, frozen=True, kw_only=True):
    """A time that depends on the run's date.

    It counts from exactly one of ``local``, ``anchor`` and ``opening``. ``local``: "HH:MM" in the pipeline's zone,
    ``days`` after the run's date. ``anchor``: a time that the calendar has for the date, such as ``last_game_end``.
    ``opening``: when the run was opened. Then ``after_s`` later.
    """

    local: str | None = None
    days: int = 0
    anchor: str | None = None
    opening: bool = False
    after_s: float = 0.0

    def at(self, run: Run, *, timezone: str, opened_at: float, anchors: Anchors | None = None) -> float:
        """Return epoch seconds.

        A local time that does not exist moves forward, an ambiguous one is the later. Raises BadInput when the calendar
        has no such anchor for the date.
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

    ``message``: the first message about it. ``schedule``: the calendar, at a time of the date, or an earlier message.
    ``run``: only an operator command.
    """

    by: Literal["message", "schedule", "run"] = "message"
    at: TimeRule | None = None


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """The hours of the day in which a report without a mode is of this one.

    Times around the run's date, the end excluded.
    """

    first: TimeRule
    last: TimeRule


class ModeGate(msgspec.Struct, frozen=True, kw_only=True):
    """The rule of when a phase fires in one mode.

    ``at_least``: how many of ``expect`` suffice (None: all). ``any_date``: its runs are accepted on every date, without
    asking the calendar. ``await_windows`` False: it does not wait for dates of a window that are expected and missing.
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
    """A topic that a phase sends its triggers to.

    ``phase``: the phase of this plan that starts on it, if one does. ``form``: in whose form they are.
    """

    topic: str
    ack: Ack
    phase: str | None = None
    form: Literal["phasegate", "platform"] = "phasegate"


class PhasePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One phase.

    ``after``: the upstream phases whose triggers start it. ``mirror``: path of the document that is kept for old
    readers.
    """

    name: str
    after: tuple[str, ...] = ()
    modes: dict[str, ModeGate]
    sends: tuple[Send, ...] = ()
    settle_s: float = 0.0
    settle_max_s: float = 0.0
    catch_up_max_s: float = 600.0
    mirror: str = ""


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of a column that must equal those of another step's column.

    By the values of ``by``, within the run's date.
    """

    column: str
    by: tuple[str, ...]
    step: str
    other: str

    @property
    def text(self) -> str:
        """Return it as the plan spells it."""
        return f"{self.column} by {', '.join(self.by)} = {self.step}.{self.other}"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step.

    ``sql``: the SELECT's text, of ``sql_file``, in ``dialect``'s SQL; ``python`` names ``module:function``.
    ``kind`` external: another system builds it and reports; with ``topic`` Phasegate sends requests for it there.
    ``kind`` command: a worker has a shell run ``command``, for ``run_max_s`` at most; the command writes its own rows.
    ``reads`` unattested: the step reads past ``run.read()``, shown as such. ``code`` is a hash of what it runs.
    ``expected_by``: mode -> when its result should arrive, local times in ``expected_zone`` ("": the pipeline's);
    ``late_after_s`` later it is late. No gate uses it: it changes what is shown, not what is done.
    ``identity``: columns that name the thing itself; with the partition they must be as unique as the key is.
    ``determines`` and ``sums``: identities of the table; a write that would break one is partial.
    ``covers``: the rows of another table that its table must have too, or its result is partial.
    """

    name: str
    phase: str
    kind: StepKind
    needs: tuple[Need, ...] = ()
    sql: str = ""
    sql_file: str = ""
    dialect: Engine = "duckdb"
    python: str = ""
    command: str = ""
    run_max_s: float = RUN_MAX_S
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
    determines: tuple[Dependency, ...] = ()
    sums: tuple[Total, ...] = ()
    covers: Covers | None = None

    @property
    def need(self) -> Need:
        """Return how other steps name this one."""
        return Need(self.phase, self.name)

    @property
    def of_its_date(self) -> tuple[Need, ...]:
        """Return the steps of its own date that its result depends on.

        Its needs without the windows, and the step that it covers.
        """
        needs = tuple(need for need in self.needs if not need.back)
        return needs if self.covers is None or self.covers.need in needs else (*needs, self.covers.need)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A whole pipeline.

    ``phases`` and ``steps`` are in an order in which needs come first. ``calendar``: ``module:function`` that returns
    which dates have work. ``cascade_days``: for so many days after a changed date, runs whose windows hold it are
    rebuilt automatically.
    """

    pipeline: str
    timezone: str
    phases: dict[str, PhasePlan]
    steps: dict[str, Step]
    calendar: str | None = None
    cascade_days: int = CASCADE_DAYS
    alerts: Policy = Policy()
    platform: Platform | None = None
    hash: str = ""

    @property
    def modes(self) -> tuple[str, ...]:
        """Return the modes of all phases, in the plan's order."""
        return tuple(dict.fromkeys(mode for phase in self.phases.values() for mode in phase.modes))

    @property
    def main_mode(self) -> str:
        """Return the mode with the most steps, the first of several.

        It is the mode that a date has unless another is named.
        """
        counts = {
            mode: sum(len(self.members(name, mode=mode)) for name, phase in self.phases.items() if mode in phase.modes)
            for mode in self.modes
        }
        return max(counts, key=lambda mode: counts[mode])

    def downstream(self, phase: str) -> tuple[str, ...]:
        """Return the phases that start on this phase's triggers."""
        return tuple(p.name for p in self.phases.values() if phase in p.after)

    def upstream(self, phase: str, *, mode: str) -> tuple[str, ...]:
        """Return the phases that come before this one in a mode, first ones first."""
        found = set(self.phases[phase].after)
        for name in reversed(self.phases):
            found |= set(self.phases[name].after) if name in found else set()
        return tuple(name for name, plan in self.phases.items() if name in found and mode in plan.modes)

    def members(self, phase: str, *, mode: str) -> dict[str, Step]:
        """Return the steps that a phase has in a mode.

        The expected ones, and those that they need or cover within the phase.
        """
        wanted = set(self.phases[phase].modes[mode].expect)
        for step in reversed(self.steps.values()):
            if step.name in wanted:
                wanted |= {need.step for need in step.of_its_date if need.phase == phase}
        return {name: step for name, step in self.steps.items() if step.phase == phase and name in wanted}

    def asks_calendar(self, phase: str, *, mode: str) -> bool:
        """Return whether the calendar decides a phase's dates in a mode."""
        return self.calendar is not None and not self.phases[phase].modes[mode].any_date

    def sibling_modes(self, step: str, *, mode: str) -> tuple[str, ...]:
        """Return the other modes of a step's phase that have the step too.

        Their runs share its table.
        """
        home = self.steps[step]
        if home.table is None:
            return ()
        modes = self.phases[home.phase].modes
        return tuple(other for other in modes if other != mode and step in self.members(home.phase, mode=other))

    def windows_on(self, step: str) -> dict[str, int]:
        """Return the phases with a window over a step.

        Each with its longest such window, in days.
        """
        found: dict[str, int] = {}
        for reader in self.steps.values():
            for need in reader.needs:
                if need.back and need.step == step:
                    found[reader.phase] = max(need.back, found.get(reader.phase, 0))
        return found

    def gate(self, phase: str, *, run: Run, opened_at: float, anchors: Anchors | None = None) -> Gate:
        """Return the gate to pin when a run opens at ``opened_at``.

        Raises BadInput for an anchor that the calendar does not give.
        """
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
                    covers=self._covers(step),
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
        # The rules of deadline and windows, not their dates: the gate of one plan has one hash on every date.
        rule = None if deadline is None else (deadline, self.timezone)
        body = msgspec.to_builtins(msgspec.structs.replace(gate, deadline=None))
        if gate.await_windows:  # the default is left out, so that gates from before this field keep their hash
            del body["await_windows"]
        for spec in body["members"].values():
            if spec["covers"] is None:
                del spec["covers"]
        gate = msgspec.structs.replace(gate, hash=digest((body, rule)))
        return dated(gate, date=run.date, timezone=self.timezone, anchors=anchors)

    def _covers(self, step: Step) -> Covers | None:
        """Return what a member must cover; a worker compares for others."""
        if step.covers is None or step.kind != "external":
            return step.covers
        return msgspec.structs.replace(step.covers, topic=requests_topic(self.pipeline, step.phase))

    def is_alone(self, phase: str, *, run: Run) -> bool:
        """Return whether a run of a phase gets nothing from other runs.

        It has no windows and no sibling runs.
        """
        members = self.members(phase, mode=run.mode)
        return not any(
            any(need.back for need in step.needs) or self.sibling_modes(name, mode=run.mode)
            for name, step in members.items()
        )

    def mode_at(self, day: str, at: float) -> str | None:
        """Return the mode whose hours contain a time; None for no such rule."""
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
        """Return the receivers of a phase's triggers.

        The phases after it, and the topics it sends to.
        """
        sends = self.phases[phase].sends
        topics = {send.phase: send.topic for send in sends if send.phase is not None}
        inner = tuple(
            Receiver(name, topics.get(name, begin_topic(self.pipeline, name)), "begin")
            for name in self.downstream(phase)
            if mode in self.phases[name].modes
        )
        return inner + tuple(Receiver(send.topic, send.topic, send.ack) for send in sends if send.phase is None)

    def topics(self) -> tuple[str, ...]:
        """Return every topic that a worker of this pipeline listens on."""
        found = [completions_topic(self.pipeline)]
        for phase in self.phases.values():
            found.append(requests_topic(self.pipeline, phase.name))
            for mode in phase.modes:
                found += [r.topic for r in self.receivers(phase.name, mode=mode) if r.ack in ("begin", "post")]
        return tuple(dict.fromkeys(found))


def requests_topic(pipeline: str, phase: str) -> str:
    """Return the topic that carries requests for the steps of a phase."""
    return f"{pipeline}.{phase}.requests"


def begin_topic(pipeline: str, phase: str) -> str:
    """Return the topic of triggers that start a phase, if sends names none."""
    return f"{pipeline}.{phase}.begin"


def completions_topic(pipeline: str) -> str:
    """Return the topic on which external steps report."""
    return f"{pipeline}.completions"


def digest(value: object, /) -> str:
    """Return a short hash of a plan's part: equal parts, equal hashes."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]
