"""Monitors that evaluate a pipeline, and a channel that fails at times."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

from msgspec.structs import replace

from phasegate.alerts import incident as incidents
from phasegate.alerts.grouping import grouped
from phasegate.alerts.incident import Incident
from phasegate.base.codec import decode
from phasegate.base.findings import CheckResult
from phasegate.channel import Note, Reply
from phasegate.plan.model import Plan
from phasegate.plan.policy import ChannelRule, Policy
from phasegate.testing.simulator.interleaver import Interleaver
from phasegate.testing.simulator.operations.operation import Operation
from phasegate.testing.simulator.outside import Outside

CHANNEL = "pager"
MENDED_S = (30.0, 700.0, 2000.0)
EVERY_S = (50.0, 200.0, 600.0)
GRACE_S = (0.0, 60.0)
MONITORS, TICKS, LAST_TICKS, LAST_EVERY_S = 2, 4, 4, 1000.0
FAILS = 0.3


class SimChannel:
    """Takes messages; it may fail, with the message sent or without."""

    def __init__(self, sim: Interleaver) -> None:
        self._sim = sim
        self.taken: list[Note] = []
        self.fails = FAILS

    def send(self, note: Note, /, *, ref: str) -> Reply:
        """Switch, then take a message, or fail."""
        del ref
        self._sim.step(f"send {note.id}")
        is_lost = self._sim.rng.random() < self.fails
        if not (is_lost and self._sim.rng.random() < 0.5):
            self.taken.append(note)
        self._sim.crash_after(f"send {note.id}")
        return Reply(error="no answer") if is_lost else Reply(ref=note.id)


class Alerts(Operation):
    """A step fails for a while; two monitors evaluate and send.

    Each incident is sent at least once, is reopened by an evaluation only, and is resolved in the end.
    """

    name = "alerts"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._step, self._mended_s = rng.choice(("team", "defense", "player")), rng.choice(MENDED_S)
        self._mended, self._found = False, defaultdict[str, set[float]](set)

    def planned(self, plan: Plan) -> Plan:
        """Give the plan a channel."""
        return replace(plan, alerts=Policy(channels=(ChannelRule(name=CHANNEL, kind="webhook", severity="warning"),)))

    def start(self, outside: Outside) -> None:
        """Start two monitors, and mend the step."""
        self._world = world = outside.world
        self._channel = SimChannel(world.sim)
        world.pipeline.alerts.reach({CHANNEL: self._channel})
        for number in range(MONITORS):
            every_s, grace_s = self.rng.choice(EVERY_S), self.rng.choice(GRACE_S)
            ticks = [(every_s * (tick + 1), partial(self._tick, grace_s)) for tick in range(TICKS)]
            outside.carry_out(f"monitor {number}", ticks)
        outside.carry_out("author of a step", [(self._mended_s, self._mend)])

    def _mend(self) -> None:
        self._mended = True

    def breaks(self, step: str, day: str) -> bool:
        """Return whether the step still fails."""
        del day
        return step == self._step and not self._mended

    def _tick(self, grace_s: float) -> None:
        alerts, days = self._world.pipeline.alerts, self._world.days
        started = alerts.start()
        outcomes = self._world.pipeline.checks.inspector.inspect(days[0], days[-1], grace_s=grace_s)
        self._note(outcomes, started=started)
        alerts.take(outcomes, started=started)
        alerts.send()

    def _note(self, outcomes: Sequence[CheckResult], *, started: float) -> None:
        for group in grouped(outcomes):
            self._found[incidents.key_of(self._world.pipeline.plan.pipeline, group.cause)].add(started)

    def ended(self) -> Iterator[str]:
        """Check that all is resolved and sent, after some more evaluations."""
        self._channel.fails = 0.0
        for _ in range(LAST_TICKS):
            self._world.sim.now += LAST_EVERY_S
            self._tick(0.0)
        taken = {(note.incident, note.kind) for note in self._channel.taken}
        for doc in self._world.store.scan("incident:", limit=1_000):
            one = decode(Incident, doc.body, key=doc.key)
            if one.state == "open" or one.has_pending:
                yield f"{doc.key} ends {one.state}: {one.findings[0].code} {one.findings[0].text}, {one.notifications}"
            if one.number > len(self._found[doc.key]):
                yield f"{doc.key} was opened {one.number} times, found by {len(self._found[doc.key])} evaluations"
            delivered = one.notifications[CHANNEL].delivered if CHANNEL in one.notifications else ""
            sent = {kind for incident, kind in taken if incident == doc.key}
            if delivered and delivered not in sent:
                yield f"{doc.key}: {delivered} counts as sent, the channel has {sorted(sent)}"
