"""Gates with other rules: they settle, have a deadline, wait for answers."""

import random
from collections import Counter
from collections.abc import Iterator
from functools import partial

from msgspec.structs import replace

from phasegate.base.keys import Run, phase_of
from phasegate.base.receipt import ABSENT
from phasegate.bus import Message
from phasegate.errors import PhasegateError
from phasegate.gate.phase import Phase, fresh_members
from phasegate.plan.model import Plan, Send, TimeRule
from phasegate.testing.simulator.operations.operation import Operation
from phasegate.testing.simulator.outside import Outside
from phasegate.testing.simulator.scene import MODE, document

MENDED_S = 3000.0
FIRED_S = 1800.0
ANSWERED_S = (0.0, 5.0, 100.0)
REDRIVEN_S = (10.0, 4000.0)  # at first some are not dead yet


class Settle(Operation):
    """The first phase fires only when its raw data has been quiet for a while.

    A change counts from when its report arrived, by the clock of the process that took it: that process may be paused
    before the document shows the change. A report cannot arrive before its content is in the table.
    """

    name = "settle"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._settle_s = rng.choice((100.0, 400.0))
        self._max_s = self._settle_s * rng.choice((1, 4))
        self._changed: dict[str, tuple[float, float]] = {}

    def planned(self, plan: Plan) -> Plan:
        """Let the first phase settle."""
        raw = replace(plan.phases["raw"], settle_s=self._settle_s, settle_max_s=self._max_s)
        return replace(plan, phases={**plan.phases, "raw": raw})

    def start(self, outside: Outside) -> None:
        """Start nothing: the scrapers correct themselves."""
        self._sim, self._skew_s, self._checker = outside.world.sim, outside.world.skew_s, outside.world.checker

    def wrote(self, key: str, *, old: Phase | None, new: Phase) -> Iterator[str]:
        """Check how long after reports of a change each firing is: last and first."""
        if phase_of(key)[1] != "raw":
            return
        now, result = self._sim.now, new.result_of("box")
        before = None if old is None else old.result_of("box")
        if result is not None and (before is None or before.stamp.fingerprint != result.stamp.fingerprint):
            arrived, appeared = result.at, self._checker.appeared.get(("box", result.stamp), now)
            if arrived < appeared - self._skew_s:
                yield f"{key}: a content of {appeared:.0f} counts as reported at {arrived:.0f}"
            first, last = self._changed.get(key, (arrived, arrived))
            self._changed[key] = first, max(last, arrived)
        if new.generation > (0 if old is None else old.generation):
            first, last = self._changed.pop(key)
            if now < min(last + self._settle_s, first + self._max_s) - self._skew_s:
                yield f"{key} fired {now - last:.0f} s after the last change, {now - first:.0f} s after the first"
        elif new.changed_at is None:  # contents that had changed are as they were fired
            self._changed.pop(key, None)


class Degraded(Operation):
    """A step fails until it is mended long after a deadline.

    Its phase fires without it, and without nothing else; then once more with it.
    """

    name = "degraded"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._step, self._after_s = rng.choice(("defense", "player")), rng.choice((60.0, 600.0, 3000.0))
        self._mended, self._late, self._fired, self._stale = False, list[str](), Counter[str](), set[str]()

    def planned(self, plan: Plan) -> Plan:
        """Give the phase a deadline, with all its other steps critical."""
        phase = plan.phases["analytics"]
        gate = phase.modes[MODE]
        critical = tuple(name for name in gate.expect if name != self._step)
        deadline = TimeRule(opening=True, after_s=self._after_s)
        phase = replace(phase, modes={MODE: replace(gate, critical=critical, deadline=deadline)})
        return replace(plan, phases={**plan.phases, "analytics": phase})

    def start(self, outside: Outside) -> None:
        """Mend the step in the end."""
        self._world, self._skew_s = outside.world, outside.world.skew_s
        outside.carry_out("author of a step", [(self._after_s + MENDED_S, self._mend)])

    def _mend(self) -> None:
        for day in self._world.days:
            phase = self._world.checker.phases.get(document("analytics", day))
            if phase is None or set(phase.gate.expect) - {self._step} - set(fresh_members(phase)):
                continue
            newest = max(m.result.at for m in phase.members.values() if m.result is not None)
            deadline = phase.gate.deadline or 0.0
            if not phase.firings and max(newest, deadline) + FIRED_S < self._world.sim.now:
                self._late.append(f"analytics of {day} never fired without {self._step} after its deadline")
        self._mended = True

    def may_mix(self, step: str, day: str) -> bool:
        """Return whether cache was given a stale content, named as missing."""
        return step == "cache" and day in self._stale

    def breaks(self, step: str, day: str) -> bool:
        """Return whether the step still fails."""
        del day
        return step == self._step and not self._mended

    def may_lack(self, key: str) -> tuple[str, ...]:
        """Return the step that fails."""
        return (self._step,) if phase_of(key)[1] == "analytics" else ()

    def wrote(self, key: str, *, old: Phase | None, new: Phase) -> Iterator[str]:
        """Check that a firing without the step was due, and names it."""
        if phase_of(key)[1] != "analytics" or new.generation == (0 if old is None else old.generation):
            return
        firing, deadline = new.firings[-1], new.gate.deadline or 0.0
        is_absent, lacks = firing.stamps[self._step] == ABSENT, bool(firing.missing)
        self._fired[phase_of(key)[2].date] += lacks
        if lacks and not is_absent:
            self._stale.add(phase_of(key)[2].date)
        if is_absent != lacks and (is_absent or not self._mended):
            yield f"{key} fired with {firing.missing} missing, {self._step} absent: {is_absent}"
        if lacks and (firing.at < deadline or self._world.sim.now < deadline - self._skew_s):
            yield f"{key} fired with {firing.missing} missing at {firing.at}, before its deadline {deadline}"

    def more_firings(self, key: str) -> int:
        """Return how often it fires once more when the step was mended."""
        _, phase, run = phase_of(key)
        return self._fired[run.date] if phase != "raw" else 0

    def more_builds(self, step: str, day: str) -> int:
        """Return how often what reads the step is built once more."""
        return self._fired[day] if step == "cache" else 0

    def ended(self) -> Iterator[str]:
        """Check that it fired in time."""
        yield from self._late


class Consumer(Operation):
    """A foreign receiver completes what the last phase triggers.

    In some schedules it is out of order at first: its triggers die, an operator sends them again.
    """

    name = "completion"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._from_s = rng.choice((0.0, 0.0, 1000.0, 6000.0, 9000.0))
        self._died = 0

    def planned(self, plan: Plan) -> Plan:
        """Let the last phase wait for a completion."""
        last = replace(plan.phases["precompute"], sends=(Send(topic="consumer", ack="completion"),))
        return replace(plan, phases={**plan.phases, "precompute": last})

    def start(self, outside: Outside) -> None:
        """Redrive what died once the consumer is back."""
        self._world = world = outside.world
        self._back = world.sim.now + self._from_s
        redrives = [partial(world.pipeline.runs.redrive, "precompute", Run(day, MODE), step=None) for day in world.days]
        if self._from_s:
            todo = [(self._from_s + after_s, redrive) for after_s in REDRIVEN_S for redrive in redrives]
            outside.carry_out("operator of a consumer", todo)

    def published(self, message: Message) -> None:
        """Complete a trigger some time later, perhaps.

        Only one that the bus has taken: what was never sent has no consumer.
        """
        sim = self._world.sim
        if message.topic == "consumer" and sim.now >= self._back and sim.rng.random() >= sim.faults.lose:
            sim.spawn("consumer", partial(self._complete, str(message.body["id"])))

    def _complete(self, trigger: str) -> None:
        self._world.sim.sleep(self._world.sim.rng.choice(ANSWERED_S))
        body = {"kind": "completion", "trigger_id": trigger, "status": "success"}
        try:
            if self._world.sim.rng.random() < 0.5:
                self._world.bus.publish(Message(f"done.{trigger}", "sim.completions", body))
            else:
                self._world.pipeline.complete(body)
        except PhasegateError as e:
            self._world.observer.event("consumer gave up", error=str(e))

    def wrote(self, key: str, *, old: Phase | None, new: Phase) -> Iterator[str]:
        """Check that only the newest trigger waits, or is dead."""
        if phase_of(key)[1] != "precompute":
            return
        before = {} if old is None else {e.generation: e.state for e in old.outbox}
        self._died += sum(e.state == "dead" and before.get(e.generation) != "dead" for e in new.outbox)
        left = [e for e in new.outbox if e.generation < new.generation and (e.waiting or e.state == "dead")]
        if left:
            yield f"{key} fired generation {new.generation}, older triggers are {left[0].state}"

    def ended(self) -> Iterator[str]:
        """Check that the newest trigger is completed."""
        for day in self._world.ending:
            phase = self._world.checker.phases[document("precompute", day)]
            if phase.outbox[-1].state != "acked":
                yield f"the trigger of {day} ends {phase.outbox[-1].state}"
