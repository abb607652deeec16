"""What is lost and what is doubled when a hand-off is decided in one way or another.

Run: python -m benchmarks peers. Models of patterns that are in use (benchmarks/peer_handoffs.py, peer_writes.py) and
Phasegate get the same messages: five completions of a date, each up to three times, then a corrected one, with
stragglers in between; a process may crash at each step, and its message comes again. In the end all is given the time
to recover. The models are of the patterns, not of the products that use them. Exits with 1 if Phasegate loses or
doubles anything.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import cast

import phasegate
from benchmarks import peer_writes
from benchmarks.peer_handoffs import MEMBERS, MODELS, Crash, Delivery, Handoff, Rows
from phasegate.bus import Bus, Message
from phasegate.ports import Ports
from phasegate.testing import Crashes

PLAN = f"""
pipeline = "bench"
timezone = "UTC"
[phase.build]
sends = [{{ topic = "starts", ack = "publish" }}]
{"".join(f'[step.{name}]{chr(10)}phase = "build"{chr(10)}external = true{chr(10)}' for name in MEMBERS)}
"""
SETTLES_S = 600.0


@dataclass
class Score:
    """What went wrong in all seeds."""

    first: int = 0
    change: int = 0
    doubled: int = 0
    early: int = 0
    crashes: int = 0

    def add(self, played: Handoff, *, first: Rows, change: Rows) -> None:
        """Compare the starts of a date with the contents that had to be handed on."""
        full = [tuple(sorted(rows.items())) for rows in played.starts if len(rows) == len(MEMBERS)]
        self.first += tuple(sorted(first.items())) not in full
        self.change += tuple(sorted(change.items())) not in full
        self.doubled += len(full) - len(set(full))
        self.early += len(played.starts) - len(full)
        self.crashes += played.crashes

    def line(self, name: str) -> str:
        """Return the line of the table."""
        return f"{name:<42}{self.first:>12}{self.change:>14}{self.doubled:>10}{self.early:>8}{self.crashes:>10}"


class Played(Handoff):
    """A date on Phasegate: all dates share one pipeline, whose processes crash at calls of store and bus."""

    name = "Phasegate"

    def __init__(self, pipeline: phasegate.Pipeline, process: Crashes, *, day: str) -> None:
        super().__init__(random.Random(), crash=0.0)
        self._pipeline, self._process, self._day, self._before = pipeline, process, day, process.count

    def report(self, one: Delivery, /) -> None:
        """Report a completion."""
        member, version = one
        body = {"step": member, "game_date": self._day, "execution_id": f"{member}-{version}", "sequence": version}
        self._run(lambda: self._pipeline.complete(body))

    def recover(self) -> None:
        """Do one thing of what a worker does."""
        self._run(self._pipeline.work_one)

    def calm(self) -> None:
        """Work until nothing is due soon."""
        clock = cast("phasegate.SkippingClock", self._pipeline.ports.clock)
        ends = clock.now() + SETTLES_S
        self._pipeline.work_until_idle()
        while (due := self._pipeline.next_due()) is not None and due < ends:
            clock.skip_to(due)
            self._pipeline.work_until_idle()

    def _run(self, body: Callable[[], object]) -> None:
        ended = self._process.run(body)
        self.crashes = self._process.count - self._before
        if not ended:
            raise Crash


class Recording:
    """A bus that shows the starts to the date that is played."""

    def __init__(self, bus: Bus) -> None:
        self._bus, self.played = bus, list[Played]()

    def __getattr__(self, name: str) -> object:
        return getattr(self._bus, name)

    def publish(self, message: Message, /) -> None:
        """Publish a message; of a start the receiver drops an id that it knows."""
        self._bus.publish(message)
        if message.topic == "starts":
            self.played[-1].start(message.id)


def play(played: Handoff, rng: random.Random, *, copies: int) -> tuple[Rows, Rows]:
    """Play a date; return the contents that must be handed on: the first, and the corrected one."""
    given = [(member, 1) for member in MEMBERS for _ in range(rng.randint(1, copies))]
    rng.shuffle(given)
    stragglers = [one for n, one in enumerate(given) if one in given[:n] and rng.random() < 1 / 3]
    for one in stragglers:
        given.remove(one)
    deliver(played, given, rng=rng)
    first = dict.fromkeys(MEMBERS, 1)
    corrected = rng.choice(MEMBERS)
    again = [*stragglers, *[(corrected, 2)] * rng.randint(1, copies)]
    rng.shuffle(again)
    deliver(played, again, rng=rng)
    return first, {**first, corrected: 2}


def deliver(played: Handoff, deliveries: list[Delivery], *, rng: random.Random) -> None:
    """Deliver messages until each is acknowledged, then let it settle."""
    waiting = list(deliveries)
    while waiting:
        one = waiting.pop(0)
        member, version = one
        played.rows[member] = max(version, played.rows.get(member, 0))
        try:
            played.report(one)
            played.recover()
        except Crash:
            waiting.insert(rng.randint(0, len(waiting)), one)
    played.calm()


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 seeds")
    parser.add_argument("--seeds", type=int, default=200, metavar="N")
    parser.add_argument("--copies", type=int, default=3, metavar="N", help="deliveries of a message at most")
    parser.add_argument("--crash", type=float, default=0.05, metavar="P", help="how probable a crash is at each step")
    given = parser.parse_args(argv)
    seeds = 5 if given.quick else given.seeds
    print(f"{seeds} dates, a message is delivered 1 to {given.copies} times, crashes with {given.crash} at each step")
    print(f"{'handed on':<42}{'first lost':>12}{'change lost':>14}{'doubled':>10}{'early':>8}{'crashes':>10}")
    for model in MODELS:
        print(scored(model, seeds=seeds, copies=given.copies, crash=given.crash).line(model.name))
    ours = on_phasegate(seeds, copies=given.copies, crash=given.crash)
    print(ours.line("Phasegate"))
    written = peer_writes.main(seeds=seeds)
    if (ours.first, ours.change, ours.doubled, ours.early) != (0, 0, 0, 0) or not written:
        sys.exit(1)


def scored(model: type[Handoff], *, seeds: int, copies: int, crash: float) -> Score:
    """Play the dates of all seeds on a model."""
    score = Score()
    for seed in range(seeds):
        played = model(random.Random(f"crashes {seed}"), crash=crash)
        first, change = play(played, random.Random(seed), copies=copies)
        score.add(played, first=first, change=change)
    return score


def on_phasegate(seeds: int, *, copies: int, crash: float) -> Score:
    """Play the dates on SQLite; a process crashes at calls of store and bus."""
    score = Score()
    crashes = Crashes(random.Random("crashes"), probability=crash)
    buses: list[Recording] = []

    def wrap(ports: Ports) -> Ports:
        buses.append(Recording(ports.bus))
        return crashes.wrap(replace(ports, bus=cast("Bus", buses[0])))

    plan = phasegate.load_plan(PLAN)
    with (
        tempfile.TemporaryDirectory() as state,
        closing(
            phasegate.connect(plan, state=state, clock=phasegate.SkippingClock(), wrap=wrap, log_level="none")
        ) as pipeline,
    ):
        for seed in range(seeds):
            day = (date(2026, 1, 1) + timedelta(days=seed)).isoformat()
            played = Played(pipeline, crashes, day=day)
            buses[0].played.append(played)
            first, change = play(played, random.Random(seed), copies=copies)
            score.add(played, first=first, change=change)
    return score
