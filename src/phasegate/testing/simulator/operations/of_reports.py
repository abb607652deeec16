"""What reporters send that Phasegate must refuse, or cannot order."""

import random
from collections.abc import Iterator, Mapping
from functools import partial

from phasegate.bus import Message
from phasegate.testing.simulator.operations.of_operators import AT_S
from phasegate.testing.simulator.operations.operation import Operation
from phasegate.testing.simulator.outside import Outside
from phasegate.testing.simulator.scene import MODE

COMPLETIONS = "sim.completions"
BACK_S = 900.0


class BadMessages(Operation):
    """Messages that nothing can be done with, among the good ones.

    Each must be in quarantine at the end, also those that an operator brought back.
    """

    name = "quarantine"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._marks = [f"bad-{number}" for number in range(rng.choice((1, 2, 4)))]

    def start(self, outside: Outside) -> None:
        """Send the messages, and redrive some of them later."""
        self._world = world = outside.world
        for mark in self._marks:
            topic, body = self._bad(mark, day=self.rng.choice(world.days))
            at_s = self.rng.choice(AT_S)
            todo = [(at_s, partial(world.bus.publish, Message(mark, topic, body)))]
            if self.rng.random() < 0.4:
                todo.append((at_s + BACK_S, partial(self._redrive, mark)))
            outside.carry_out(f"sender of {mark}", todo)

    def _bad(self, mark: str, *, day: str) -> tuple[str, Mapping[str, object]]:
        good: dict[str, object] = {
            "kind": "completion", "step": "box", "date": day, "completed_at": self._world.sim.now, "execution_id": mark,
        }  # fmt: skip
        other = {"id": mark, "pipeline": "other", "phase": "raw", "run": f"{day}.{MODE}"}
        return self.rng.choice((
            (COMPLETIONS, {"kind": mark}),
            (COMPLETIONS, {**good, "step": "nosuch"}),
            (COMPLETIONS, {**good, "step": "team"}),
            (COMPLETIONS, {**good, "date": "2026-13-40"}),
            (COMPLETIONS, {**good, "mode": "nosuch"}),
            (COMPLETIONS, {**good, "status": "great"}),
            (COMPLETIONS, {**good, "rows": float("nan")}),
            (COMPLETIONS, {**good, "run": [day]}),
            ("sim.raw.requests", {"kind": "request", **other, "step": "box", "inputs": {}}),
            ("sim.analytics.begin", {"kind": "trigger", **other, "generation": 1, "receiver": "raw", "stamps": {}}),
        ))  # fmt: skip

    def _redrive(self, mark: str) -> None:
        for key in self._kept(mark):
            self._world.pipeline.runs.quarantine.redrive(key)

    def _kept(self, mark: str) -> list[str]:
        return [doc.key for doc in self._world.store.scan("quarantine:") if f"'{mark}'" in str(doc.body["body"])]

    def refuses(self, text: str) -> bool:
        """Return whether a quarantined message is one of these."""
        return any(f"'{mark}'" in text for mark in self._marks)

    def ended(self) -> Iterator[str]:
        """Check that each is in quarantine once, unless the bus lost it."""
        lost = [str(message.body) for message in self._world.bus.lost]
        for mark in self._marks:
            kept = self._kept(mark)
            if len(kept) > 1 or (not kept and not any(f"'{mark}'" in text for text in lost)):
                yield f"{mark} is in quarantine {len(kept)} times: {kept}"
