"""Checks of a schedule's end against an undisturbed run.

Tables, firings, builds, dead letters.
"""

from collections.abc import Iterator, Mapping, Sequence

from phasegate.base.dates import distance
from phasegate.base.keys import phase_of
from phasegate.base.receipt import Part, Stamp
from phasegate.bus import Message
from phasegate.gate.phase import Phase
from phasegate.gate.propagation import window_needs
from phasegate.plan.gate import Need
from phasegate.testing.simulator.invariants import Violation
from phasegate.testing.simulator.outside import Outside
from phasegate.testing.simulator.scenario import Scenario
from phasegate.testing.simulator.scene import document, lineage


def check_end(world: Scenario, outside: Outside) -> None:
    """Compare the end, after drift was refreshed, with an undisturbed run.

    Raises Violation.
    """
    _check_errors(world)
    undisturbed = world.scene.undisturbed(outside.final, codes=world.codes)
    for day in world.ending:
        for step in world.scene.needs:
            held = sorted(world.warehouse.rows(Part(f"sim.{step}", day)), key=lambda r: str(r["k"]))
            if held != undisturbed[step, day]:
                raise Violation(f"sim.{step}/{day} ends as {held}, an undisturbed run leaves {undisturbed[step, day]}")
            _check_builds(world, outside, step, day)
        for key in world.scene.documents(day):
            _check_phase(world, outside, key)
            if any(w.drifted for w in world.checker.phases[key].windows.values()):
                raise Violation(f"{key} has still drifted after it was refreshed")
        _check_modes(world, day)
    for operation in world.operations:
        for objection in operation.ended():
            raise Violation(objection)


def check_drift(world: Scenario) -> None:
    """Compare what each run has built of its windows with their content.

    And with the drift that it has recorded.
    """
    _check_errors(world)
    for day in world.ending:
        for key in world.scene.documents(day):
            _check_settled(world, key)
            for need in window_needs(world.checker.phases[key]).values():
                _check_window(world, key, need)


def followed(world: Scenario, outside: Outside, step: str, day: str) -> int:
    """Return how many changes the builds of a step and date follow, at most.

    Each batch of its own raw data; what must be followed of each window that it reads, itself or through another step
    (see ``Lookback``); and each run that an operator refreshes.
    """
    names = lineage(world.scene.needs, step)
    looks_back = any(need.back for name in names for need in world.scene.needs[name])
    windows = sum(world.checker.lookback.followed[name, day] for name in names)
    return len(outside.batches[day]) + windows + (outside.refreshes if looks_back else 0)


def _check_errors(world: Scenario) -> None:
    if world.sim.failures:
        raise Violation(f"unexpected error: {world.sim.failures[0]}")
    refused = [
        doc.key for doc in world.store.scan("quarantine:")
        if not any(each.refuses(str(doc.body["body"])) for each in world.operations)
    ]  # fmt: skip
    if refused:
        raise Violation(f"quarantined: {refused}")


def _check_builds(world: Scenario, outside: Outside, step: str, day: str) -> None:
    counts = world.observer.counts
    tries = counts.get("scraper tries again", 0) + counts.get("tries again", 0)
    takeovers = world.sim.pauses + world.sim.crashes + tries
    changes, builds = followed(world, outside, step, day), world.checker.commits[Part(f"sim.{step}", day)]
    more = sum(each.more_builds(step, day) for each in world.operations)
    if builds > changes + takeovers + more:
        raise Violation(f"{step}/{day} was built {builds} times for {changes} changes")


def _check_settled(world: Scenario, key: str) -> None:
    doc = world.checker.phases.get(key)
    if doc is None or not doc.firings:
        raise Violation(f"{key} never fired")
    if doc.due is not None or doc.requests:
        raise Violation(f"{key} is not settled: {story_of(doc)}")
    if any(entry.state == "dead" for entry in doc.outbox):
        raise Violation(f"{key} has dead letters")


def _check_phase(world: Scenario, outside: Outside, key: str) -> None:
    _check_settled(world, key)
    _, phase, run = phase_of(key)
    doc, checker = world.checker.phases[key], world.checker
    known = [step for step in doc.gate.members if step in world.scene.needs]
    changes = max(followed(world, outside, step, run.date) for step in known)
    changes += sum(each.more_firings(key) for each in world.operations)
    if checker.fired[key] > changes:
        raise Violation(f"{key} fired {checker.fired[key]} times for {changes} changes")
    for receiver in doc.gate.receivers:
        if receiver.ack != "begin":
            if doc.generation not in generations_sent(world.bus.published, key):
                raise Violation(f"the consumer was never sent generation {doc.generation} of {key}")
            continue
        begun = checker.phases[document(receiver.name, run.date, mode=run.mode)].inputs[phase]
        if begun.generation != doc.generation:
            raise Violation(f"{receiver.name} works on generation {begun.generation} of {phase}, not {doc.generation}")


def _check_modes(world: Scenario, day: str) -> None:
    """Check that all modes have the same result of a shared step."""
    for phase in world.scene.modes:
        docs = [world.checker.phases[key] for key, (name, _) in world.scene.documents(day).items() if name == phase]
        for step in world.scene.needs:
            results = [doc.members[step].result for doc in docs if step in doc.gate.members]
            if len({None if r is None else r.stamp for r in results}) > 1:
                raise Violation(f"the modes of {phase} on {day} hold different results of {step}: {results}")


def _check_window(world: Scenario, key: str, need: Need) -> None:
    """Check that what was built of a window is its content.

    Except for dates whose change was too far back. Where one date has drifted, others that changed and changed back may
    be recorded too.
    """
    doc, day, lookback = world.checker.phases[key], phase_of(key)[2].date, world.checker.lookback
    now = lookback.now(need, day)
    for stamp in _used(doc, need):
        used = lookback.window_facts(str(need), day, stamp) or {}
        differing = {on for on in {*used, *now} if used.get(on) != now.get(on)}
        drifted = set(doc.windows[str(need)].drifted)
        if differing - drifted:
            raise Violation(f"{key}: {need} has drifted on {sorted(differing)}, it records {sorted(drifted)}")
        if drifted and not differing:
            raise Violation(f"{key}: {need} has not drifted, it records {sorted(drifted)}")
        near = [on for on in differing if distance(on, day) <= world.scene.cascade_days]
        if near and not any(n.back for n in world.scene.needs[need.step]):
            raise Violation(f"{key}: {need} has drifted on {near}, near enough to be rebuilt")


def _used(doc: Phase, need: Need) -> Iterator[Stamp]:
    for name, spec in doc.gate.members.items():
        result = doc.result_of(name)
        if need in spec.needs and result is not None:
            yield result.built_from[str(need)]


def generations_sent(published: Sequence[Message], key: str) -> set[object]:
    """Return the generations of a document sent to the foreign consumer."""
    return {m.body["generation"] for m in published if m.topic == "consumer" and _sender(m) == key}


def unsettled(phases: Mapping[str, Phase]) -> str:
    """Return the documents that still wait, and for what."""
    return "; ".join(f"{key}: {story_of(phase)}" for key, phase in phases.items() if phase.due is not None)


def story_of(doc: Phase) -> str:
    """Return what a document waits for."""
    asked = {name: f"{r.state} {r.reason}" for name, r in doc.requests.items()}
    waiting = [f"{e.receiver} {e.state}" for e in doc.outbox if e.waiting]
    changes = f"notices {list(doc.notices)}, caught up {doc.catch_up_since is None}"
    return f"requests {asked}, outbox {waiting}, waiting {list(doc.waiting)}, {changes}, due {doc.due}"


def _sender(message: Message) -> str:
    body = message.body
    return f"phase:{body['pipeline']}:{body['phase']}:{body['run']}"
