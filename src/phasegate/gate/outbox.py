"""The outbox of a phase's document.

Pure. It holds the messages to send, until they are acknowledged. A firing and its entries, one per receiver, are stored
in one write, so a crash cannot lose a trigger. An entry goes ``unsent -> sent -> acked | dead``, and is sent again
under the same id until it is acknowledged; a newer generation supersedes it. Requests are sent from here too. A publish
that the bus accepted is refused as an acknowledgement, unless the receiver's ``ack`` is ``publish``.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeVar

import msgspec
from msgspec.structs import replace

from phasegate.base import backoff, keys
from phasegate.base.codec import Decision
from phasegate.base.platform import ANALYSIS_DATE, CORRELATION, GAME_DATE, SOURCE_TABLE
from phasegate.base.receipt import Stamp
from phasegate.bus import Message
from phasegate.gate.phase import Phase, unanswered
from phasegate.gate.records import Entry, Firing
from phasegate.plan.gate import Ack, Receiver
from phasegate.plan.model import Plan

SENDS_MAX = 12
TRIGGER_SOURCE = "phasegate"
A = TypeVar("A")


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message to publish."""

    id: str
    topic: str
    body: Mapping[str, object]
    kind: Literal["trigger", "request"]
    subject: str
    generation: int = 0


def entries(receivers: Iterable[Receiver], *, generation: int, now: float, quiet: bool = False) -> tuple[Entry, ...]:
    """Return one unsent entry of a generation for each receiver.

    ``quiet``: entries for receivers outside the plan are ``held``.
    """
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
    """Return the messages that are due now: triggers, then requests.

    Requests with the longest chain of waiting members come first.
    """
    if phase.paused is not None or phase.void is not None:
        return []
    receivers = _receivers(phase)
    waiting = [e for e in phase.outbox if e.due <= now and e.receiver in receivers and e.waiting]
    triggers = [_trigger(phase, e, topic=receivers[e.receiver].topic, key=key) for e in waiting]
    requested = [name for name, request in phase.requests.items() if unanswered(request) and request.due <= now]
    if len(requested) > 1:
        chains = _chains(phase)
        requested.sort(key=lambda name: -chains[name])
    return triggers + [_request(phase, name, key=key) for name in requested]


def messages_of(outgoing: Outgoing, plan: Plan, /) -> list[Message]:
    """Return the messages to publish for one that is due.

    For a receiver in the platform's form: one for each table whose content the firing carries, or one without a table,
    each with the fields of ours too. Only the last acknowledges the trigger, which is published after all others: if
    one could not be published, all are sent again. For any other receiver: one.
    """
    body = outgoing.body
    if outgoing.kind != "trigger" or not _is_asked_for(outgoing, plan):
        return [Message(outgoing.id, outgoing.topic, body)]
    tables = _tables(body, plan)
    if not tables:
        return [Message(outgoing.id, outgoing.topic, _spelled(body, None, more=False))]
    last = next(reversed(tables))
    return [
        Message(f"{outgoing.id}.{step}", outgoing.topic, _spelled(body, table, more=step != last))
        for step, table in tables.items()
    ]


def _is_asked_for(outgoing: Outgoing, plan: Plan) -> bool:
    phase = plan.phases.get(str(outgoing.body["phase"]))
    sends = () if phase is None else phase.sends
    return any(send.form == "platform" and (send.phase or send.topic) == outgoing.subject for send in sends)


def _tables(body: Mapping[str, object], plan: Plan) -> dict[str, str]:
    """Return the table of each step that has new content, without the missing."""
    stamps, missing = body["stamps"], body["missing"]
    assert isinstance(stamps, dict)
    assert isinstance(missing, list)
    carried = [plan.steps[name] for name in stamps if name in plan.steps and name not in missing]
    return {step.name: step.table.name for step in carried if step.table is not None}


def _spelled(body: Mapping[str, object], table: str | None, *, more: bool) -> dict[str, object]:
    run = keys.parse_run(str(body["run"]))
    return {
        **body,
        SOURCE_TABLE: table,
        ANALYSIS_DATE: run.date,
        GAME_DATE: run.date,
        CORRELATION: body["id"],
        "trigger_source": TRIGGER_SOURCE,
        "mode": run.mode,
        "more": more,
    }


def _chains(phase: Phase) -> dict[str, int]:
    """Return for each member the length of the longest chain waiting for it.

    With two or more workers a phase takes as long as its longest chain, so the head of that chain must start first.
    """
    chains = dict.fromkeys(phase.gate.members, 0)
    for _ in chains:  # a chain is at most as long as there are members
        for name, spec in phase.gate.members.items():
            for need in spec.needs:
                if need.step in chains and not need.back:
                    chains[need.step] = max(chains[need.step], chains[name] + 1)
    return chains


def trigger_of(phase: Phase, generation: int, *, receiver: str, key: str) -> Mapping[str, object] | None:
    """Return the body of a trigger, sent or not; None if no longer stored."""
    fired = any(f.generation == generation for f in phase.firings)
    entry = next((e for e in phase.outbox if e.receiver == receiver and e.generation == generation), None)
    return None if entry is None or not fired else _trigger(phase, entry, topic="", key=key).body


def awaited(phase: Phase, generation: int, *, receiver: str) -> Firing | None:
    """Return the firing that a receiver has not acknowledged; None if it has.

    Or if a newer one superseded it.
    """
    entry = next((e for e in phase.outbox if e.receiver == receiver and e.generation == generation), None)
    if entry is None or entry.state in ("acked", "superseded"):
        return None
    return next(firing for firing in phase.firings if firing.generation == generation)  # only the last is awaited


def has_fired(phase: Phase, generation: int, *, stamps: Mapping[str, Stamp]) -> bool:
    """Return whether the phase has fired this, as far as that is stored.

    One that is not was lost when the store went back to a backup: the phase fires the same number again.
    """
    firing = next((f for f in phase.firings if f.generation == generation), None)
    if firing is None:
        return generation <= phase.generation  # older than all that are stored
    return not firing.stamps or firing.stamps == stamps


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
    return Outgoing(
        id=request.id, topic=request.topic or phase.gate.members[step].topic, body=body, kind="request", subject=step
    )


def sent(messages: list[Outgoing], *, key: str, now: float) -> Decision[Phase, None]:
    """Record that the bus has these messages, and when to send each again.

    Entries acknowledged and requests answered or withdrawn since are left as they are.
    """
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
        standing = {
            name: replace(r, sends=r.sends + 1, due=now + backoff.resend_s(r.id, r.sends + 1))
            if r.id in requests and r.state == "open" and r.due <= now
            else replace(r, sends=r.sends + 1, due=now + backoff.RESEND_MAX_S)
            if r.id in requests and r.state == "parked" and r.due <= now
            else r
            for name, r in phase.requests.items()
        }
        return replace(phase, outbox=outbox, requests=standing), None

    return decide


def _sent(entry: Entry, *, ack: Ack | None, key: str, now: float) -> Entry:
    """Return an entry after it was published.

    ``publish`` is acknowledged by that. ``completion`` and ``post`` are dead after SENDS_MAX. ``begin`` is sent until
    acknowledged.
    """
    sends = entry.sends + 1
    if ack == "publish":
        return replace(entry, state="acked", sends=sends, at=now)
    if ack in ("completion", "post") and sends >= SENDS_MAX:
        return replace(entry, state="dead", sends=sends, at=now)
    wait = backoff.resend_s(f"{key}/{entry.receiver}/{entry.generation}", sends)
    return replace(entry, state="sent", sends=sends, due=now + wait, at=now)


def acknowledged(generation: int, *, receiver: str, ack: Ack, now: float) -> Decision[Phase, bool]:
    """Record that a receiver has a generation; answer whether it was sent it.

    Older generations for that receiver are superseded. Only receivers whose ``ack`` is this one count: a completion
    does not acknowledge a trigger that waits for a ``begin``.
    """

    def decide(phase: Phase | None) -> tuple[Phase | None, bool]:
        if phase is None:
            return None, False
        to = _receivers(phase).get(receiver)
        sent_to = [] if to is None or to.ack != ack else [e for e in phase.outbox if e.receiver == receiver]
        if not any(e.generation == generation for e in sent_to):
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
    """Return the receivers of the gate by name."""
    return {receiver.name: receiver for receiver in phase.gate.receivers}
