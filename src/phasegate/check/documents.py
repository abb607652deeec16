"""The checks of phase documents that need nothing but the documents. Pure.

A document is wrong if evaluating it now would change it and no process has done so, if what it sent did not arrive, or
if it waits for a person. Work under way is no finding: see ``aged``.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from phasegate.base import keys
from phasegate.base.backoff import is_ahead
from phasegate.base.findings import CODES, Finding
from phasegate.base.keys import Run, phase_of
from phasegate.base.wording import days_ahead, deliver, listed, times
from phasegate.errors import BadDocument
from phasegate.explain.phase_view import WORK, command_of, explain
from phasegate.gate.evaluate import evaluate, without_times_ahead
from phasegate.gate.phase import Phase, fresh_members, settle_at, settled
from phasegate.gate.records import Entry
from phasegate.plan.gate import Receiver

# The time that consumers outside have for their completion, and external steps for their next report.
ANSWER_S = 1800.0
LISTED_MAX = 5
# Findings at any age. The evidence of all others must be older than a grace period.
AGELESS = frozenset({"PG008", "PG010", "PG011", "PG013", "PG014", "PG015", "PG016", "PG017", "PG019"})


class StoredPhase(msgspec.Struct, frozen=True, kw_only=True):
    """One phase of one run as it is stored.

    ``due``: the store's, which may be later than the document's. ``failures``: how often processing it has raised.
    """

    key: str
    run: Run
    phase: Phase
    due: float | None = None
    failures: int = 0

    @property
    def name(self) -> str:
        """Return the name of the phase."""
        return phase_of(self.key)[1]


def aged(findings: Iterable[Finding], *, now: float, grace_s: float) -> tuple[Finding, ...]:
    """Return findings that are ageless or older than the grace period.

    The others are settling: a worker may be about to do what is missing.
    """
    return tuple(
        f
        for f in findings
        if f.code in AGELESS or f.since is None or now - f.since >= grace_s or is_ahead(f.since, now=now)
    )


def reconcile_command(*dates: str) -> str:
    """Return the command that fixes a span of dates."""
    return f"phasegate reconcile --from {min(dates)} --to {max(dates)} --fix"


def found(code: str, one: StoredPhase, text: str, *, since: float | None, step: str = "", command: str = "",
          **evidence: str) -> Finding:  # fmt: skip
    """Return a finding about a run of a phase, or one step of it."""
    assert code in CODES, code
    name = one.name
    subject = f"{one.run} {name}.{step}" if step else f"{name} of {one.run}"
    shared = {"phase": name, "run": str(one.run), "step": step, **evidence}
    return Finding(code=code, subject=subject, text=text, since=since, cause=f"{name}:{one.run}",
                   command=command or reconcile_command(one.run.date),
                   evidence={n: value for n, value in shared.items() if value})  # fmt: skip


def unfired(one: StoredPhase, *, now: float) -> Iterator[Finding]:
    """Find a phase that would fire if it was evaluated now (PG002).

    A paused phase is no finding: it is held on purpose.
    """
    phase = one.phase
    if settled(phase) or phase.paused is not None or phase.void is not None:
        return
    evaluated = _evaluated(one, now=now)
    if evaluated.generation == phase.generation:
        return
    without = evaluated.firings[-1].missing
    moments = [m.result.at for n, m in phase.members.items() if n in phase.gate.expect and m.result is not None]
    moments += [at for at in (settle_at(phase), phase.gate.deadline if without else None) if at is not None]
    there = len(phase.gate.expect) - len(without)
    lacking = f" (without {listed(without, most=LISTED_MAX)})" if without else ""
    text = f"{there} of {len(phase.gate.expect)} expected members are fresh{lacking}, and it has not fired"
    if phase.firings:
        text += f" since generation {phase.generation}"
    yield found("PG002", one, text, since=max((at for at in moments if at <= now), default=phase.opened_at),
                members=", ".join(phase.gate.expect), missing=", ".join(without))  # fmt: skip


def unsent(one: StoredPhase) -> Iterator[Finding]:
    """Find triggers that were never put on the bus (PG003)."""
    for entry in _open_entries(one.phase):
        if entry.state == "unsent":
            text = f"generation {entry.generation} was fired, and its trigger for {entry.receiver} was not sent"
            yield found("PG003", one, text, since=entry.at, receiver=entry.receiver, topic=_to(one, entry).topic,
                        generation=str(entry.generation))  # fmt: skip


def unbegun(one: StoredPhase, *, after: Mapping[str, Phase | None], now: float) -> Iterator[Finding]:
    """Find sent triggers without an answer, or whose effect is gone (PG004).

    ``after``: the downstream phases of the same run, None for one that is not open, without unreadable ones.
    """
    for entry in _open_entries(one.phase):
        firing = next((f for f in one.phase.firings if f.generation == entry.generation), None)
        since = entry.at if firing is None else firing.at
        if entry.state != "sent" or (_to(one, entry).ack != "begin" and abs(now - since) < ANSWER_S):
            continue
        verb = {"begin": "begun", "post": "taken it"}.get(_to(one, entry).ack, "reported a completion")
        sends = times(entry.sends)
        text = f"the trigger of generation {entry.generation} was sent {sends}, and {entry.receiver} has not {verb}"
        yield _unbegun(one, entry, text, since=since)
    if one.phase.void is None:
        yield from _forgotten(one, after=after)


def _forgotten(one: StoredPhase, *, after: Mapping[str, Phase | None]) -> Iterator[Finding]:
    """Find acknowledged triggers that the receiving phase has no record of.

    Its document was lost, or restored from an older copy.
    """
    for entry in one.phase.outbox:
        if entry.state != "acked" or entry.generation != one.phase.generation or entry.receiver not in after:
            continue
        there = after[entry.receiver]
        if there is not None and there.void is not None:
            continue
        begun = None if there is None else there.waiting.get(one.name) or there.inputs.get(one.name)
        if begun is None or begun.generation < entry.generation:
            state = "is not open" if there is None else "has no record of it"
            text = f"generation {entry.generation} was acknowledged, and {entry.receiver} of this run {state}"
            yield _unbegun(one, entry, text, since=entry.at)


def _unbegun(one: StoredPhase, entry: Entry, text: str, *, since: float) -> Finding:
    to = _to(one, entry)
    trigger = keys.trigger_id(one.key, entry.generation, receiver=entry.receiver)
    by_hand = f"have {entry.receiver} do its work, then: phasegate complete --trigger-id {trigger}"
    return found("PG004", one, text, since=since, receiver=entry.receiver, topic=to.topic, ack=to.ack,
                 generation=str(entry.generation), sends=str(entry.sends),
                 command=by_hand if to.ack == "completion" else "")  # fmt: skip


def _to(one: StoredPhase, entry: Entry) -> Receiver:
    """Return the receiver of an entry that is still waited for."""
    receiver = next((r for r in one.phase.gate.receivers if r.name == entry.receiver), None)
    assert receiver is not None, f"{one.key}: {entry.receiver} is no receiver, and its trigger is {entry.state}"
    return receiver


def _open_entries(phase: Phase) -> Sequence[Entry]:
    return () if phase.paused is not None or phase.void is not None else phase.outbox


def stale(one: StoredPhase, *, busy: Collection[str], now: float) -> Iterator[Finding]:
    """Find results of older inputs (PG012) and unanswered requests (PG004).

    ``busy``: steps whose partition is held now; they are skipped, as are steps that wait for another one, and dead ones
    (see ``dead``).
    """
    if settled(one.phase) or one.phase.paused is not None or one.phase.void is not None:
        return
    evaluated = _evaluated(one, now=now)
    fresh = fresh_members(evaluated)
    views = {view.name: view for view in explain(evaluated, name=one.name, run=one.run, now=now).members}
    for name, spec in evaluated.gate.members.items():
        view, request, stored = views[name], evaluated.requests.get(name), one.phase.requests.get(name)
        if name in fresh or name in busy or view.state in ("dead", "blocked"):
            continue
        result = evaluated.result_of(name)
        command = command_of(evaluated, view, name=one.name, run=one.run, now=now)
        command = "" if command == WORK else command
        ages = [begun.begun_at for begun in evaluated.inputs.values()] + ([] if result is None else [result.at])
        since = max(ages, default=one.phase.opened_at) if stored is None else stored.opened_at
        if result is None:
            if request is not None:
                text = "it was never requested" if stored is None else (
                    f"requested {times(request.sends)}, and not built"
                )  # fmt: skip
                yield found("PG004", one, text, since=since, step=name, reason=request.reason, command=command)
            continue
        if not spec.asks and now - since < ANSWER_S:
            continue
        against = listed(view.stale_against, most=LISTED_MAX) or "inputs"
        command = command if spec.asks else deliver(name, one.run)
        yield found("PG012", one, f"its result is not of the present {against}: {view.reason}", since=since, step=name,
                    command=command, stale_against=", ".join(view.stale_against),
                    asks="yes" if spec.asks else "no")  # fmt: skip


def drifted(one: StoredPhase) -> Iterator[Finding]:
    """Find windows with a change too old for an automatic rebuild (PG013)."""
    if one.phase.void is not None:
        return
    days = sorted({day for window in one.phase.windows.values() for day in window.drifted})
    if days:
        text = f"built before {listed(days, most=LISTED_MAX)} changed"
        span = f"--from {one.run.date} --to {one.run.date} --mode {one.run.mode}"
        yield found("PG013", one, text, since=None, dates=", ".join(days),
                    command=f"phasegate backfill {span} --cascade")  # fmt: skip


def replanned(one: StoredPhase, *, pinned_now: str) -> Iterator[Finding]:
    """Find an open run whose gate differs from the plan's of today (PG014).

    A settled run keeps its gate.
    """
    phase = one.phase
    if phase.gate.hash != pinned_now and phase.void is None and not settled(phase):
        text = "it follows the plan as it was when it opened, and the plan has changed since"
        yield found("PG014", one, text, since=phase.opened_at, pinned=phase.gate.hash, plan=pinned_now,
                    command=f"phasegate replan {one.run} --phase {one.name}")  # fmt: skip


def dead(one: StoredPhase, *, now: float) -> Iterator[Finding]:
    """Find requests and triggers that were given up (PG015)."""
    phase = one.phase
    if phase.void is not None:
        return
    for name in [name for name, request in phase.requests.items() if request.state == "dead"]:
        (view,) = (v for v in explain(phase, name=one.name, run=one.run, now=now).members if v.name == name)
        yield found("PG015", one, f"given up: {view.reason}", since=view.since, step=name,
                    command=command_of(phase, view, name=one.name, run=one.run, now=now))  # fmt: skip
    for entry in phase.outbox:
        if entry.state == "dead":
            text = f"the trigger of generation {entry.generation} for {entry.receiver} was never acknowledged"
            yield found("PG015", one, text, since=entry.at, receiver=entry.receiver, sends=str(entry.sends),
                        command=f"phasegate redrive {one.run} --step {entry.receiver}")  # fmt: skip


def postponed(one: StoredPhase, *, now: float) -> Iterator[Finding]:
    """Find a document that is postponed because processing it raises (PG019).

    Its ``due`` in the store is then later than its own. The same for one that waits for a time that only a clock ahead
    can have set.
    """
    righted = without_times_ahead(one.phase, now=now)
    if one.phase.due is not None and righted.due != one.phase.due:
        text = f"it would be processed {days_ahead(one.phase.due, now=now)}: a clock was ahead"
        yield found("PG019", one, text, since=None, key=one.key, command="phasegate sweep")
    due = one.phase.due
    if one.failures and due is not None and one.due is not None and one.due > due:
        text = f"processing it has failed {times(one.failures)}, and is postponed"
        yield found("PG019", one, text, since=due, failures=str(one.failures), key=one.key)


def unreadable_ledger(error: BadDocument, *, step: str, first: str, last: str) -> Finding:
    """Return the finding about a ledger that cannot be read (PG019).

    One that a newer version wrote is left to that version.
    """
    if error.newer:
        return Finding(code="PG019", subject="store", text=str(error), cause=str(error),
                       command="upgrade phasegate, or restore the document from a backup")  # fmt: skip
    return Finding(code="PG019", subject=error.key, cause=error.key,
                   text="it cannot be read, and is derived again from the documents of its month's runs",
                   command=reconcile_command(first, last), evidence={"ledger": error.key, "step": step})  # fmt: skip


def unlike(
    one: StoredPhase, *, path: str, derived: Mapping[str, object], stored: Mapping[str, object]
) -> Iterator[Finding]:
    """Find a mirror that differs from its phase (PG001).

    A mirror is the document that older readers read; a differing count is named above all.
    """
    names = sorted(n for n in {*derived, *stored} if derived.get(n) != stored.get(n))
    if names:
        shown = names[0] if "_completed_count" not in names else "_completed_count"
        there, here = (_shown(body.get(shown)) for body in (stored, derived))
        text = f"{path} has {shown} = {there}, and the phase has {here}"
        times = [m.result.at for m in one.phase.members.values() if m.result is not None]
        times += [firing.at for firing in one.phase.firings]
        yield found("PG001", one, text, since=max(times, default=one.phase.opened_at), path=path,
                    differs=", ".join(names))  # fmt: skip


def behind(one: StoredPhase, *, path: str, since: float | None) -> Iterator[Finding]:
    """Find a mirror that could not be written where its readers look (PG001)."""
    if since is not None:
        text = f"{path} could not be written; it is tried again, and old readers see an older state"
        yield found("PG001", one, text, since=since, path=path)


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def _evaluated(one: StoredPhase, *, now: float) -> Phase:
    """Return the document as an evaluation now would leave it."""
    righted = without_times_ahead(one.phase, now=now)
    seen = replace(righted, looked_at=max(righted.looked_at, now))
    return evaluate(seen, key=one.key, now=now, by="inspection")
