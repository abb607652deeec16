"""What one document per (phase, date) costs, against one per (phase, date, mode): the figures of decision 0029.

Run: python -m benchmarks.modes. The service code is the real one; a store puts the runs of a date into one document
and brings each result to the other modes in the same write, where relays bring it today. Synthetic nights of the
reference pipeline in three modes; then schedules of its shape on the simulator, with 2 to 4 workers at once; then how
many generations a document of 500 steps has room for.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from unittest.mock import patch

import msgspec

from benchmarks.one_document import Counted, OneDocument
from nba_props import PLAN
from nba_props.replay.runner import Runner
from nba_props.replay.scrapers import MODES
from nba_props.sources.synthetic import SyntheticSource
from phasegate import connect, read_plan
from phasegate.base.codec import encode
from phasegate.base.receipt import Stamp
from phasegate.bus import Message
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.phase import Attempt, Firing, Member, Phase, Result
from phasegate.gate.propagator import Herald
from phasegate.pipeline import Pipeline
from phasegate.plan.gate import Gate, Need, Spec
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.stores.rules import BODY_BYTES_MAX
from phasegate.testing.simulator import Faults, scene, world
from phasegate.testing.simulator.ports import SimStore
from phasegate.testing.simulator.scene import PHASES, Scene
from phasegate.testing.simulator.world import World

LAYOUTS = ("relays", "none", "one")
NIGHTS = (date(2026, 2, 1), date(2026, 2, 7))
CALM = Faults(crash=0, unanswered=0, pause=0, stall=0, lose=0, duplicate=0, broken=0, skew_s=(0.0,), wide=1.0)
SEEDS, WORKERS = 60, (2, 3, 4)
STEPS, NEEDS = 500, 3
WINDOW = Need("analytics", "team_offense_game_summary", 250)


@contextmanager
def layout(name: str) -> Iterator[list[OneDocument]]:
    """Have the service code tell other modes by relays, not at all, or within one document (the stores given)."""
    stores: list[OneDocument] = []
    flush = Gatekeeper._flush

    def flush_others(gatekeeper: Gatekeeper, key: str) -> tuple[int, list[str]]:
        gone, changed = flush(gatekeeper, key)
        return gone, changed + [other for store in stores for other in store.touched()]

    if name == "relays":
        yield stores
        return
    with (
        patch.object(Plan, "sister_modes", lambda *_, **__: ()),
        patch.object(Herald, "_relay", lambda *_, **__: False),
        patch.object(Gatekeeper, "_flush", flush_others),
    ):
        yield stores


class Relays:
    """A bus that counts the messages from one run to another mode's."""

    def __init__(self, inner: object) -> None:
        self._inner, self.count = inner, 0

    def publish(self, message: Message, /) -> None:
        self.count += message.id.startswith("relay.")
        self._inner.publish(message)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def nights(name: str, *, workers: int, first: date, last: date) -> dict[str, float]:
    """Replay nights in one layout; return what a date costs, and the digests of its tables as one number."""
    found, relays = list[Counted](), list[Relays]()
    with layout(name) as stores, tempfile.TemporaryDirectory() as state:

        def wrap(ports: Ports) -> Ports:
            found.append(Counted(ports.store))
            relays.append(Relays(ports.bus))
            ports = replace(ports, bus=relays[0])  # type: ignore[arg-type]
            if name == "one":
                stores.append(OneDocument(found[0], now=ports.clock.now))
                return replace(ports, store=stores[0])
            return replace(ports, store=found[0])

        def wrapped(*args: object, wrap: object, **kwargs: object) -> Pipeline:
            return connect(*args, wrap=lambda ports: wrap(within(ports)), **kwargs)  # type: ignore

        within = wrap
        with patch("nba_props.replay.runner.connect", wrapped):
            runner = Runner(SyntheticSource(), state=Path(state), modes=MODES, workers=workers)
        try:
            done = runner.run(first, last)
        finally:
            runner.close()
    store = found[0]
    return store.figures(dates=done.dates) | {
        "builds": sum(done.tally.builds.values()) / done.dates,
        "generations": sum(g for _, g in done.gates.values()) / done.dates,
        "relay messages": relays[0].count / done.dates,
        "unsettled or dead": len(done.unsettled) + done.dead_letters,
        "tables": hash(tuple(sorted(done.tables.items()))) % 10_000,
    }


def shape() -> Scene:
    """Return the reference pipeline's analytics and precompute as a scene: its steps, needs and modes."""
    plan, needs, homes = read_plan(PLAN), {"box": ()}, {"box": "raw"}
    for step in plan.steps.values():
        if step.kind != "external":
            needs[step.name] = tuple(dict.fromkeys(_need(plan, n) for n in step.needs if not n.back or n == WINDOW))  # type: ignore[assignment]
            homes[step.name] = step.phase
    modes = {
        phase: {mode: tuple(plan.members(phase, mode=mode)) for mode in plan.phases[phase].modes}
        for phase in PHASES[1:]
    }
    return Scene(needs=needs, homes=homes, modes={"raw": dict.fromkeys(modes[PHASES[1]], ("box",)), **modes})


def _need(plan: Plan, need: Need) -> Need:
    """Return a need with what is scraped as one step, and a short window."""
    external = plan.steps[need.step].kind == "external"
    return Need(need.phase, "box" if external else need.step, min(need.back, scene.BACK))


class Both:
    """Shows a witness the modes of a document one by one."""

    def __init__(self, witness: object) -> None:
        self._witness, self._known = witness, dict[str, object]()

    def wrote(self, key: str, body: dict[str, dict[str, dict[str, object]]]) -> None:
        if not key.startswith("date:"):
            self._witness.wrote(key, body)  # type: ignore[attr-defined]
            return
        for mode, one in body["modes"].items():
            there = f"phase{key[4:]}.{mode}"
            if self._known.get(there) != one["body"]:
                self._known[there] = one["body"]
                self._witness.wrote(there, one["body"])  # type: ignore[attr-defined]


def schedule(
    name: str, seed: int, *, workers: int, faults: Faults, wide: Scene
) -> tuple[world.Outcome, Counter[str], int]:
    """Play a seed in one layout; return its outcome, what the store counted, and how many dates it had."""
    found: list[Counted] = []
    with layout(name) as stores:

        def store(sim: object, witness: object) -> object:
            inner = SimStore(sim, Both(witness) if name == "one" else witness)  # type: ignore[arg-type]
            found.append(Counted(inner))
            if name == "one":
                stores.append(OneDocument(found[0], now=lambda: sim.now))  # type: ignore[attr-defined]
                return stores[0]
            return found[0]

        class Shaped(World):
            def _wide(self) -> Scene:
                return wide

        with patch.object(world, "SimStore", store), patch.object(world, "TASKS_MAX", workers):
            played = Shaped(seed, faults=faults)
            outcome = played.run()
    return outcome, found[0].counts, len(played.days)


def schedules(name: str, *, seeds: int, workers: int, faults: Faults, wide: Scene) -> dict[str, float]:
    """Play seeds in one layout; return what a date costs, and how many seeds broke a promise."""
    total, dates, broken = Counter[str](), 0, 0
    for seed in range(seeds):
        outcome, counts, days = schedule(name, seed, workers=workers, faults=faults, wide=wide)
        total.update(counts)
        dates += days
        broken += bool(outcome.violation)
    return {n: total[n] / dates for n in ("reads", "writes", "conflicts")} | {"promises broken": broken}


def size(*, steps: int, firings: int) -> tuple[int, int]:
    """Return the bytes of a run's document with so many steps, all of them built, and of its members alone."""
    names = [f"player_summary_step_{number:03d}" for number in range(steps)]
    stamps = {name: Stamp("350-705c7f7f6bcd1c8298551ada5ed8cd0a", 1_770_000_000) for name in names}
    needs = {n: tuple(Need("precompute", other) for other in names[max(0, i - NEEDS) : i]) for i, n in enumerate(names)}
    members = {
        name: Member(
            result=Result(status="success", stamp=stamps[name], order=1_770_000_000.0, rows=350, at=1_770_000_000.5,
                          built_from={str(need): stamps[need.step] for need in needs[name]}, code="0123456789abcdef",
                          write_id="0123456789abcdef0123", request=f"request.nba.precompute.2026-02-03.daily.{name}.1"),
            attempt=Attempt(status="success", at=1_770_000_000.5), delivered_at=1_770_000_000.5,
        )
        for name in names
    }  # fmt: skip
    specs = {name: Spec(needs=needs[name], topic="nba.precompute.requests", code="0123456789abcdef") for name in names}
    fired = tuple(Firing(generation=n + 1, stamps=stamps, at=1_770_000_000.5, by="id") for n in range(firings))
    gate = Gate(members=specs, expect=tuple(names), hash="0123456789abcdef")
    phase = Phase(name="precompute", gate=gate, opened_at=0.5, looked_at=0.5, members=members, firings=fired)
    return len(msgspec.json.encode(encode(phase))), len(msgspec.json.encode(members))


def show(title: str, rows: dict[str, dict[str, float]]) -> None:
    print(f"{title:40}" + "".join(f"{name:>12}" for name in rows))
    for label in next(iter(rows.values())):
        print(f"{label:40}" + "".join(f"{row[label]:>12.1f}" for row in rows.values()))
    print(flush=True)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks modes", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--last", type=date.fromisoformat, default=NIGHTS[1])
    given = parser.parse_args(argv)
    for workers in (1, 2, 4):
        rows = {name: nights(name, workers=workers, first=NIGHTS[0], last=given.last) for name in LAYOUTS}
        show(f"a night, {workers} worker(s)", rows)
    two = scene.wide(over=scene.TEAM, early=True, chain=True)
    for title, wide, share in (("two modes", two, 1), ("the reference pipeline's shape", shape(), 8)):
        for workers in WORKERS:
            rows = {
                name: schedules(name, seeds=given.seeds // share, workers=workers, faults=CALM, wide=wide)
                for name in ("relays", "one")
            }
            show(f"a date of {title}, {workers} workers", rows)
    hostile = {
        name: schedules(name, seeds=given.seeds, workers=5, faults=Faults(wide=1.0), wide=two)
        for name in ("relays", "one")
    }
    show("a date of two modes, disturbed", hostile)
    whole, members = size(steps=STEPS, firings=0)
    firing = size(steps=STEPS, firings=1)[0] - whole
    print(f"{STEPS} steps: {whole / 1000:.0f} kB a run, {firing / 1000:.0f} kB more for each generation; "
          f"three modes {3 * whole / 1000:.0f} kB, with members once {(3 * whole - 2 * members) / 1000:.0f} kB; "
          f"at most {BODY_BYTES_MAX / 1000:.0f} kB fit")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
