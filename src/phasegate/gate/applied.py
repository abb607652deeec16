"""Applies decisions to phases' documents, and reports what they changed."""

from collections.abc import Collection, Iterator
from typing import TypeVar

from phasegate.base import keys
from phasegate.base.codec import Decision
from phasegate.gate.decisions import Answer
from phasegate.gate.phase import Phase, served_by
from phasegate.gate.records import Firing
from phasegate.ports import Ports, bound
from phasegate.transact import AtHand, transact

A = TypeVar("A")


def apply(
    ports: Ports, key: str, *, decide: Decision[Phase, A], known: AtHand
) -> tuple[A, Phase | None]:  # fmt: skip
    """Apply a decision; return its answer, and the document as it is then.

    See ``transact``. Events report each result that was accepted, each firing, and each request or trigger that became
    dead: once, by the process that wrote it, also if the store did not answer the write at first; but none that dies
    right after it.
    """
    after: Phase | None = None
    change: tuple[Phase | None, Phase] | None = None

    def watched(phase: Phase | None) -> tuple[Phase | None, A]:
        nonlocal after, change
        after, answer = decide(phase)
        if change is None or phase != change[1]:  # else the unanswered write had its effect
            change = None if after is None or after is phase else (phase, after)
        return after, answer

    answer = transact(ports, key, kind=Phase, decide=watched, known=known)
    if change is not None:
        with bound(run=str(keys.phase_of(key)[2])):
            _report(ports, key, old=change[0], new=change[1])
    return answer, after


def by_build(
    decide: Decision[Phase, Answer], *, build: str, attempt: str, unless: Collection[str] = ()
) -> Decision[Phase, Answer]:  # fmt: skip
    """Return a command that also records which build handled it.

    ``unless``: outcomes that say nothing of a build. Deciding it again on its own result changes nothing: the time is
    that of the stored attempt.
    """

    def decided(phase: Phase | None) -> tuple[Phase | None, Answer]:
        after, answer = decide(phase)
        last = after.seen[-1] if after is not None and after.seen else None
        if after is None or last is None or last.attempt != attempt or answer.outcome in unless:
            return after, answer
        return served_by(after, build, at=last.at, what=f"{last.what} {last.subject}"), answer

    return decided


def _report(ports: Ports, key: str, *, old: Phase | None, new: Phase) -> None:
    _, name, run = keys.phase_of(key)
    fired = [firing for firing in new.firings if firing.generation > (0 if old is None else old.generation)]
    generation = fired[0].generation if fired else new.generation + 1
    for step, member in new.members.items():
        before = None if old is None else old.result_of(step)
        result = member.result
        if result is None or (
            before is not None and (before.stamp, before.built_from) == (result.stamp, result.built_from)
        ):
            continue
        ports.observer.event(
            "result accepted", step=step, phase=name, run=str(run), generation=generation, status=result.status,
            rows=result.rows, fingerprint=result.stamp.fingerprint, token=result.stamp.token, request=result.request,
            at=result.at,
        )  # fmt: skip
    for firing in fired:
        ports.observer.event(
            "fired", phase=name, run=str(run), generation=firing.generation, members=firing.stamps,
            missing=firing.missing, inputs={other: given.generation for other, given in new.inputs.items()},
            since=_since(new, firing), at=firing.at,
        )  # fmt: skip
    was_dead = set() if old is None else set(_dead(old, key=key))
    for kind, subject, number in _dead(new, key=key):
        if (kind, subject, number) not in was_dead:
            with bound(**{kind: number}):
                ports.observer.event("dead letter", key=key, kind=kind, subject=subject)


def _since(phase: Phase, firing: Firing) -> float:
    """Return when the work for a firing began.

    The first generation begins when the run is opened, a later one with the first change after the firing before it.
    """
    before = [one.at for one in phase.firings if one.generation < firing.generation]
    if not before:
        return min(phase.opened_at, firing.at)
    changes = [given.begun_at for given in phase.inputs.values()]
    changes += [member.result.at for member in phase.members.values() if member.result is not None]
    return min((at for at in changes if before[-1] < at <= firing.at), default=firing.at)


def _dead(phase: Phase, *, key: str) -> Iterator[tuple[str, str, str]]:
    """Give kind, subject and id of what is dead in a document."""
    for name, request in phase.requests.items():
        if request.state == "dead":
            yield "request", name, request.id
    for entry in phase.outbox:
        if entry.state == "dead":
            yield "trigger", entry.receiver, keys.trigger_id(key, entry.generation, receiver=entry.receiver)
