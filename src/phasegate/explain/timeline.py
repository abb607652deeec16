"""What happened to a run, in the order of time. Pure.

It says what is stored and invents nothing: what the bounded documents no longer hold is not in it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, get_args

from phasegate.base.receipt import Receipt
from phasegate.base.wording import count, counted_rows, times
from phasegate.explain.phase_view import RECEIVERS, generations
from phasegate.gate.phase import Phase
from phasegate.gate.records import Member, Request

# Of what happened in one phase at the same time, in the order of cause and effect.
TimelineKind = Literal[
    "opened", "act", "request", "lease", "attempt", "write", "report", "command", "result", "fired", "trigger"
]  # fmt: skip
KINDS: tuple[TimelineKind, ...] = get_args(TimelineKind)


class TimelineEntry(NamedTuple):
    """One thing that happened at a time (epoch seconds), in words.

    ``phase`` and ``step``: what it is about; "" for a run as a whole, or a phase as a whole.
    """

    at: float
    kind: TimelineKind
    phase: str
    step: str
    text: str


def timeline(phases: Mapping[str, Phase], /, *, more: Iterable[TimelineEntry] = ()) -> list[TimelineEntry]:
    """Return what happened to the phases of a run, the newest first.

    ``more``: what other documents say about it. Where it has attempts at a step, they are all that is said of them.
    """
    found = list(more)
    logged = {entry.step for entry in found if entry.kind == "attempt"}
    found += [entry for name, phase in phases.items() for entry in _of_phase(name, phase, logged=logged)]
    place = {name: number for number, name in enumerate(phases)}
    return sorted(found, key=lambda one: (one.at, place.get(one.phase, -1), KINDS.index(one.kind)), reverse=True)


def written(receipt: Receipt, /, *, phase: str) -> TimelineEntry:
    """Return the write that a receipt proves."""
    changes = {"inserted": receipt.inserted, "updated": receipt.updated, "deleted": receipt.deleted}
    changed = ", ".join(f"{number:,} {what}" for what, number in changes.items() if number)
    text = f"{count(receipt.rows, 'row')} in {receipt.table}/{receipt.partition}, token {receipt.token}"
    text += f" ({changed})" if changed else ""
    text += f", by build {receipt.build}" if receipt.build else ""
    return TimelineEntry(receipt.committed_at, "write", phase, receipt.step, f"{text}, for {receipt.run}")


def _of_phase(name: str, phase: Phase, *, logged: Collection[str]) -> Iterator[TimelineEntry]:
    yield TimelineEntry(phase.opened_at, "opened", name, "", "opened")
    for seen in phase.seen:
        kind: TimelineKind = "report" if seen.what == "report" else "command"
        step = seen.subject if seen.subject in phase.gate.members else ""
        subject = f" of {seen.subject}" if seen.subject else ""
        yield TimelineEntry(seen.at, kind, name, step, f"{seen.what}{subject}: {seen.outcome}")
    for generation in generations(phase):
        without = f", without {', '.join(generation.missing)}" if generation.missing else ""
        text = f"generation {generation.number}{without}: {', '.join(generation.made_by)}"
        yield TimelineEntry(generation.at, "fired", name, "", text)
    for entry in phase.outbox:
        again = f", sent {times(entry.sends)}" if entry.sends > 1 else ""
        text = f"generation {entry.generation} {RECEIVERS[entry.state].format(entry.receiver)}{again}"
        yield TimelineEntry(entry.at, "trigger", name, "", text)
    for step, request in phase.requests.items():
        yield TimelineEntry(request.opened_at, "request", name, step, _requested(request))
    for step, member in phase.members.items():
        yield from _of_member(name, step, member, is_logged=step in logged)


def _of_member(phase: str, step: str, member: Member, *, is_logged: bool) -> Iterator[TimelineEntry]:
    attempt, result = member.attempt, member.result
    if attempt is not None and attempt.error and not is_logged:
        yield TimelineEntry(attempt.at, "attempt", phase, step, f"{attempt.status}: {attempt.error}")
    if result is not None:
        token = f", token {result.stamp.token}" if result.stamp.token else ""
        text = f"accepted: {result.status}, {counted_rows(result.rows)}{token}"
        yield TimelineEntry(result.at, "result", phase, step, text)


def _requested(request: Request) -> str:
    sent = f"asked for {times(request.sends)}" if request.sends else "to be asked for"
    reason = f": {request.reason}" if request.reason else ""
    return f"{sent}, {request.state}{reason}" if request.state != "open" else f"{sent}, not answered yet"
