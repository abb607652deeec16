"""The end of a schedule against what an undisturbed run leaves: tables, firings, builds, dead letters."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from phasegate.core.keys import Run, phase_key
from phasegate.core.phase import Phase
from phasegate.core.receipt import Part
from phasegate.ports import Message
from phasegate.testing.simulator.invariants import Violation
from phasegate.testing.simulator.scene import MODE, NEEDS, NEXT, PHASES, undisturbed

if TYPE_CHECKING:
    from phasegate.testing.simulator.world import World


def reckon(world: "World") -> None:
    """Compare. Raises Violation."""
    if world.sim.failures:
        raise Violation(f"unexpected error: {world.sim.failures[0]}")
    if refused := [doc.key for doc in world.store.scan("quarantine:")]:
        raise Violation(f"quarantined: {refused}")
    for day in world.days:
        _reckon_tables(world, day)
        for phase in PHASES:
            _reckon_phase(world, phase, day)


def _reckon_tables(world: "World", day: str) -> None:
    for step, rows in undisturbed(day, world.final[day]).items():
        held = sorted(world.warehouse.rows(Part(f"sim.{step}", day)), key=lambda r: str(r["k"]))
        if held != rows:
            raise Violation(f"sim.{step}/{day} ends as {held}, an undisturbed run leaves {rows}")
    changes = len(world.batches[day])
    takeovers = world.sim.pauses + world.sim.crashes + world.observer.counts.get("scraper tries again", 0)
    for step in NEEDS:
        builds = world.witness.commits[Part(f"sim.{step}", day)]
        if builds > changes + takeovers:
            raise Violation(f"{step}/{day} was built {builds} times for {changes} changes")


def _reckon_phase(world: "World", phase: str, day: str) -> None:
    key, changes = document(phase, day), len(world.batches[day])
    doc = world.witness.phases.get(key)
    if doc is None or not doc.firings:
        raise Violation(f"{key} never fired")
    if doc.due is not None or doc.requests:
        raise Violation(f"{key} is not settled: {story_of(doc)}")
    if world.witness.fired[key] > changes:
        raise Violation(f"{key} fired {world.witness.fired[key]} times for {changes} changes")
    if any(entry.state == "dead" for entry in doc.outbox):
        raise Violation(f"{key} has dead letters")
    if phase in NEXT:
        begun = world.witness.phases[document(NEXT[phase], day)].inputs[phase]
        if begun.generation != doc.generation:
            raise Violation(f"{NEXT[phase]} works on generation {begun.generation} of {phase}, not {doc.generation}")
    elif doc.generation not in told(world.bus.published, key):
        raise Violation(f"the consumer was never sent generation {doc.generation} of {key}")


def document(phase: str, day: str) -> str:
    """Return the key of the one document that a phase has on a day."""
    return phase_key("sim", phase, run=Run(day, MODE))


def told(published: Sequence[Message], key: str) -> set[object]:
    """Return the generations of a document that were sent to the foreign consumer."""
    return {m.body["generation"] for m in published if m.topic == "consumer" and _sender(m) == key}


def unsettled(phases: Mapping[str, Phase]) -> str:
    """Name the documents that still wait for something, and for what."""
    return "; ".join(f"{key}: {story_of(phase)}" for key, phase in phases.items() if phase.due is not None)


def story_of(doc: Phase) -> str:
    """Return what a document waits for."""
    asked = {name: f"{r.state} {r.reason}" for name, r in doc.requests.items()}
    waiting = [f"{e.receiver} {e.state}" for e in doc.outbox if e.waiting]
    return f"requests {asked}, outbox {waiting}, waiting {list(doc.waiting)}, due {doc.due}"


def _sender(message: Message) -> str:
    body = message.body
    return f"phase:{body['pipeline']}:{body['phase']}:{body['run']}"
