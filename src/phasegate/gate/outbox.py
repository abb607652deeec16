"""What a phase's document has to send, and what follows when it was sent or acknowledged. Pure.

One entry per (generation, receiver): ``unsent -> sent -> acked | dead``; a newer generation supersedes a waiting
older one. Requests are sent from here too. An entry is forgotten only after its receiver is known to have it.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeVar

import msgspec
from msgspec.structs import replace

from phasegate.base import backoff, keys
from phasegate.base.codec import Decision
from phasegate.gate.phase import Phase, unanswered
from phasegate.gate.records import Entry
from phasegate.plan.gate import Ack, Receiver

SENDS_MAX = 12
A = TypeVar("A")


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message to publish: its id, its topic, what it says."""

    id: str
    topic: str
    body: Mapping[str, object]
    kind: Literal["trigger", "request"]
    subject: str
    generation: int = 0


def entries(receivers: Iterable[Receiver], *, generation: int, now: float, quiet: bool = False) -> tuple[Entry, ...]:
    """Return one unsent entry of a generation for each receiver; ``quiet`` holds those for outsiders."""
    return tuple(
        Entry(
            generation=generation,
            receiver=r.name,
            state="held" if quiet and r.ack != "begin" else "unsent",
            due=now,
            at=now,
        )
        for r in receivers
    )


def outgoing(phase: Phase, *, key: str, now: float) -> list[Outgoing]:
    """Return the messages that are due now: triggers, then requests, the one that most others wait for first."""
    if phase.paused is not None or phase.void is not None:
        return []
    receivers = _receivers(phase)
    waiting = [e for e in phase.outbox if e.due <= now and e.receiver in receivers and e.waiting]
    entries = [_trigger(phase, e, topic=receivers[e.receiver].topic, key=key) for e in waiting]
    asked = [name for name, request in phase.requests.items() if unanswered(request) and request.due <= now]
    if len(asked) > 1:
        behind = _behind(phase)
        asked.sort(key=lambda name: -behind[name])
    return entries + [_request(phase, name, key=key) for name in asked]


def _behind(phase: Phase) -> dict[str, int]:
    """Return for each member the length of the longest chain of members that wait for it.

    With two or more workers a phase takes as long as its longest chain, so the head of that chain must start first.
    """
    behind = dict.fromkeys(phase.gate.members, 0)
    for _ in behind:  # as many rounds as a chain can be long
        for name, spec in phase.gate.members.items():
            for need in spec.needs:
                if need.step in behind and not need.back:
                    behind[need.step] = max(behind[need.step], behind[name] + 1)
    return behind


def trigger_of(phase: Phase, generation: int, *, receiver: str, key: str) -> Mapping[str, object] | None:
    """Return the body of a trigger, sent or not; None when the phase no longer remembers it."""
    known = any(f.generation == generation for f in phase.firings)
    entry = next((e for e in phase.outbox if e.receiver == receiver and e.generation == generation), None)
    return None if entry is None or not known else _trigger(phase, entry, topic="", key=key).body


def _trigger(phase: Phase, entry: Entry, *, topic: str, key: str) -> Outgoing:
    pipeline, name, run = keys.phase_of(key)
    firing = next(f for f in phase.firings if f.generation == entry.generation)
    number = keys.trigger_id(key, entry.generation, receiver=entry.receiver)
    body = {
        "kind": "trigger",
        "id": number,
        "pipeline": pipeline,
        "phase": name,
        "run": str(run),
        "date": run.date,
        "generation": entry.generation,
        "receiver": entry.receiver,
        "stamps": {n: {"fingerprint": s.fingerprint, "token": s.token} for n, s in sorted(firing.stamps.items())},
        "missing": list(firing.missing),
    }
    return Outgoing(id=number, topic=topic, body=body, kind="trigger", subject=entry.receiver,
                    generation=entry.generation)  # fmt: skip


def _request(phase: Phase, step: str, *, key: str) -> Outgoing:
    pipeline, name, run = keys.phase_of(key)
    request = phase.requests[step]
    body = {
        "kind": "request",
        "id": request.id,
        "pipeline": pipeline,
        "phase": name,
        "step": step,
        "run": str(run),
        "allow_shrink": request.allow_shrink,
        "inputs": {n: {"fingerprint": s.fingerprint, "token": s.token} for n, s in sorted(request.inputs.items())},
    }
    return Outgoing(id=request.id, topic=phase.gate.members[step].topic, body=body, kind="request", subject=step)


def sent(messages: list[Outgoing], *, key: str, now: float) -> Decision[Phase, None]:
    """Note that the bus has these messages. What is answered already, or no longer requested, stays as it is."""
    triggers = {(m.generation, m.subject) for m in messages if m.kind == "trigger"}
    requests = {m.id for m in messages if m.kind == "request"}

    def decide(phase: Phase | None) -> tuple[Phase | None, None]:
        if phase is None:
            return None, None
        acks = {name: receiver.ack for name, receiver in _receivers(phase).items()}
        outbox = tuple(
            _sent(e, ack=acks.get(e.receiver), key=key, now=now)
            if (e.generation, e.receiver) in triggers and e.waiting and e.due <= now
            else e
            for e in phase.outbox
        )
        asked = {
            name: replace(r, sends=r.sends + 1, due=now + backoff.resend_s(r.id, r.sends + 1))
            if r.id in requests and r.state == "open" and r.due <= now
            else replace(r, sends=r.sends + 1, due=now + backoff.RESEND_MAX_S)
            if r.id in requests and r.state == "parked" and r.due <= now
            else r
            for name, r in phase.requests.items()
        }
        return replace(phase, outbox=outbox, requests=asked), None

    return decide


def _sent(entry: Entry, *, ack: Ack | None, key: str, now: float) -> Entry:
    """``publish`` is done once the bus has it; ``completion`` gives up after SENDS_MAX; ``begin`` never gives up."""
    sends = entry.sends + 1
    if ack == "publish":
        return replace(entry, state="acked", sends=sends, at=now)
    if ack == "completion" and sends >= SENDS_MAX:
        return replace(entry, state="dead", sends=sends, at=now)
    wait = backoff.resend_s(f"{key}/{entry.receiver}/{entry.generation}", sends)
    return replace(entry, state="sent", sends=sends, due=now + wait, at=now)


def acknowledged(generation: int, *, receiver: str, ack: Ack, now: float) -> Decision[Phase, bool]:
    """Note that a receiver has a generation and all older ones; answer whether the document knows it.

    Only triggers that are acknowledged in this way count: a completion does not stand for a ``begin``.
    """

    def decide(phase: Phase | None) -> tuple[Phase | None, bool]:
        if phase is None:
            return None, False
        to = _receivers(phase).get(receiver)
        ours = [] if to is None or to.ack != ack else [e for e in phase.outbox if e.receiver == receiver]
        if not any(e.generation == generation for e in ours):
            return phase, False
        outbox = tuple(
            replace(e, state="acked" if e.generation == generation else "superseded", at=now)
            if e.receiver == receiver and e.generation <= generation and e.state in ("unsent", "sent", "dead", "held")
            else e
            for e in phase.outbox
        )
        return replace(phase, outbox=outbox), True

    return decide


def _receivers(phase: Phase) -> dict[str, Receiver]:
    """Return the receivers that the gate has, by name."""
    return {receiver.name: receiver for receiver in phase.gate.receivers}
