"""A step without a table, whose reports have orders of several kinds."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from phasegate.base.keys import phase_of
from phasegate.base.receipt import Stamp, execution_stamp
from phasegate.bus import Message
from phasegate.errors import BadInput
from phasegate.gate.phase import Phase
from phasegate.gate.records import Ordered, Result
from phasegate.plan.model import Plan, Step
from phasegate.testing.simulator.operations.of_reports import BACK_S, COMPLETIONS
from phasegate.testing.simulator.operations.operation import Operation
from phasegate.testing.simulator.outside import Outside
from phasegate.testing.simulator.scene import MODE

KINDS: tuple[Ordered, ...] = ("sequence", "sequence", "time", "arrival")
LAST_S = 4000.0


@dataclass(frozen=True)
class OrderedReport:
    """One report: its execution id, its date, and its order."""

    mark: str
    day: str
    ordered: Ordered
    order: float

    @property
    def body(self) -> dict[str, object]:
        """Return the body of the report."""
        body: dict[str, object] = {"step": "source", "run": f"{self.day}.{MODE}", "execution_id": self.mark}
        body |= {"sequence": int(self.order)} if self.ordered == "sequence" else {}
        return body | ({"completed_at": self.order} if self.ordered == "time" else {})

    def is_no_newer(self, accepted: Result) -> bool:
        """Return whether an accepted result of its kind is as new.

        A report by hand counts as of the time when it arrived.
        """
        kinds = ("time", "arrival") if self.ordered == "time" else (self.ordered,)
        return accepted.ordered in kinds and accepted.order >= self.order


class Orders(Operation):
    """A step without a table is reported by sequence, by time, and by hand.

    Each report is accepted, is no newer than one of its own kind, or is in quarantine, from where an operator may bring
    it back. In some schedules there are more of them than a document stores.
    """

    name = "orders"

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._count = rng.choice((2, 4, 4, 6, 8, 60))
        self._sent: dict[str, OrderedReport] = {}
        self._accepted: dict[str, list[Result]] = {}
        self._back: set[Stamp] = set()

    def planned(self, plan: Plan) -> Plan:
        """Add the step to the first phase."""
        raw = plan.phases["raw"]
        gate = replace(raw.modes[MODE], expect=(*raw.modes[MODE].expect, "source"))
        source = Step(name="source", phase="raw", kind="external")
        phases = {**plan.phases, "raw": replace(raw, modes={MODE: gate})}
        return replace(plan, phases=phases, steps={"source": source, **plan.steps})

    def start(self, outside: Outside) -> None:
        """Report it by bus and by hand, the last time by hand."""
        self._world = outside.world
        for day in self._world.days:
            times = sorted(self.rng.choice((0.0, 5.0, 60.0, 300.0, 1000.0)) for _ in range(self._count))
            todo: list[tuple[float, Callable[[], object]]] = [
                (at_s, partial(self._report, day, number, self.rng.choice(KINDS))) for number, at_s in enumerate(times)
            ]
            if self.rng.random() < 0.5:
                todo.append((LAST_S - BACK_S, partial(self._redrive, day)))
            todo.append((LAST_S, partial(self._report, day, self._count, "arrival")))
            outside.carry_out(f"reporter of {day}", todo)

    def _report(self, day: str, number: int, ordered: Ordered) -> None:
        world, mark = self._world, f"x{day[8:]}-{number}"
        sequence = float(max(0, number - self.rng.choice((0, 0, 1, 3))))
        at = world.sim.now - self.rng.choice((0.0, 10.0, 400.0))
        order = {"sequence": sequence, "time": at, "arrival": world.sim.now}[ordered]
        sent = self._sent.setdefault(mark, OrderedReport(mark, day, ordered, order))
        world.checker.content["source", execution_stamp(mark)] = frozenset()
        if ordered != "arrival" and world.sim.rng.random() < 0.6:
            world.bus.publish(Message(mark, COMPLETIONS, {"kind": "completion", **sent.body}))
            return
        try:
            world.pipeline.complete(sent.body)
        except BadInput as e:  # it is in quarantine
            world.observer.event("refused", mark=mark, error=str(e))

    def _redrive(self, day: str) -> None:
        for key, text in self._kept():
            if f"'x{day[8:]}-" in text:
                self._back |= {execution_stamp(mark) for mark in self._sent if f"'{mark}'" in text}
                self._world.pipeline.runs.quarantine.redrive(key)

    def _kept(self) -> list[tuple[str, str]]:
        return [(doc.key, str(doc.body["body"])) for doc in self._world.store.scan("quarantine:", limit=1_000)]

    def refuses(self, text: str) -> bool:
        """Return whether a quarantined message is one of these."""
        return any(f"'{mark}'" in text for mark in self._sent)

    def more_firings(self, key: str) -> int:
        """Return how many results of the step were accepted."""
        return len(self._accepted.get(key, ()))

    def wrote(self, key: str, *, old: Phase | None, new: Phase) -> Iterator[str]:
        """Check that only what was brought back changes the kind of order."""
        result, before = new.result_of("source"), None if old is None else old.result_of("source")
        if result is None or result == before:
            return
        self._accepted.setdefault(key, []).append(result)
        kinds = {result.ordered, None if before is None else before.ordered}
        if kinds == {"sequence", "time"} and result.stamp not in self._back:
            yield f"{key}: {before} was replaced by {result}, of another kind"

    def ended(self) -> Iterator[str]:
        """Check that no report was dropped for one of another kind."""
        elsewhere = [text for _, text in self._kept()] + [str(message.body) for message in self._world.bus.lost]
        by_day = {phase_of(key)[2].date: accepted for key, accepted in self._accepted.items()}
        for sent in self._sent.values():
            accepted = by_day.get(sent.day, [])
            is_taken = any(r.stamp == execution_stamp(sent.mark) or sent.is_no_newer(r) for r in accepted)
            if not is_taken and not any(f"'{sent.mark}'" in text for text in elsewhere):
                yield f"{sent} was neither accepted, nor no newer than one of its kind, nor quarantined"
