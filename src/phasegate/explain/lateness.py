"""Judges whether a step's result arrived in time.

On time, late, never, nothing expected, or unknown. What counts is when a result *with rows* was first accepted. An
empty report or a failure delivered nothing; a later result, with the same content or another, does not make an early
one late. It does not guess: a date for which the calendar has no answer is not evaluated. Pure.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, get_args

import msgspec
from msgspec.structs import replace

from phasegate.base.findings import CheckResult, Finding
from phasegate.base.keys import Run
from phasegate.calendar.month import Day
from phasegate.errors import BadInput
from phasegate.explain.member_view import lacking, member_view, redrive_command
from phasegate.gate.phase import Phase
from phasegate.gate.records import Member
from phasegate.plan.model import Plan, Step

CHECK = "lateness"

Punctuality = Literal["never", "late", "unknown", "awaited", "on time", "void", "no work"]
VERDICTS: tuple[Punctuality, ...] = get_args(Punctuality)
FOUND: tuple[Punctuality, ...] = ("never", "late")


class DateFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored about one date.

    ``day``: the calendar's answer, None if unknown. ``calendar`` False: the plan has none, so every date is expected.
    ``phases``: the phases' documents; ``unreadable``: those that cannot be read. ``calendar_error``: why the calendar
    has no answer; ``refused``: its source gave one that cannot be used.
    """

    day: Day | None
    calendar: bool
    phases: Mapping[tuple[str, str], Phase] = {}
    unreadable: frozenset[tuple[str, str]] = frozenset()
    calendar_error: str = ""
    refused: bool = False


class Lateness(msgspec.Struct, frozen=True, kw_only=True):
    """One step of one run that was expected by a time.

    All times are epoch seconds. ``arrived_at``: when rows were first accepted. ``late_s``: how long after
    ``expected_at`` that was, negative for early; for what never arrived, the time since ``expected_at``.
    """

    run: str
    phase: str
    step: str
    verdict: Punctuality
    reason: str
    expected_at: float | None = None
    late_at: float | None = None
    arrived_at: float | None = None
    late_s: float | None = None
    rows: int | None = None
    last: str = ""
    last_at: float | None = None
    command: str = ""


def judge(plan: Plan, *, on: str, known: DateFacts, now: float) -> list[Lateness]:
    """Return the verdict on every expectation of one date, in plan order."""
    return [
        _judge(plan, step, run=Run(on, mode), known=known, now=now)
        for step in plan.steps.values()
        for mode in step.expected_by
    ]


def late_at(plan: Plan, step: Step, *, run: Run, day: Day | None) -> tuple[float, float]:
    """Return when a step is expected, and from when on it is late.

    Raises BadInput for an anchor that the calendar does not give.
    """
    zone = step.expected_zone or plan.timezone
    anchors = None if day is None else day.anchors
    at = step.expected_by[run.mode].at(run, timezone=zone, opened_at=0.0, anchors=anchors)
    return at, at + step.late_after_s


def _judge(plan: Plan, step: Step, *, run: Run, known: DateFacts, now: float) -> Lateness:
    """Return the verdict: first whether it is expected, then if it arrived."""
    phase = known.phases.get((step.phase, run.mode))
    row = Lateness(run=str(run), phase=step.phase, step=step.name, verdict="unknown", reason="")
    quiet = _quiet(row, known, run=run, asks=known.calendar and plan.asks_calendar(step.phase, mode=run.mode))
    if quiet is not None:
        return quiet
    try:
        expected, late = late_at(plan, step, run=run, day=known.day)
    except BadInput as e:
        return replace(row, reason=str(e), command=f"phasegate why {run}")
    row = replace(row, expected_at=expected, late_at=late)
    member = Member() if phase is None else phase.members.get(step.name, Member())
    arrived = _arrived(plan, step, run=run, member=member, known=known)
    if arrived is not None:
        return _arrival(row, member, run=run, arrived=arrived, expected=expected, is_late=arrived > late)
    row = replace(_last(row, member), reason=_absence(phase, step.name, member))
    if now <= late:
        return replace(row, verdict="awaited")
    return replace(row, verdict="never", late_s=now - expected, command=_command(step, run=run, phase=phase))


def _arrival(row: Lateness, member: Member, *, run: Run, arrived: float, expected: float, is_late: bool) -> Lateness:
    """Return the row of a result that arrived, in time or late."""
    row = replace(_last(row, member), rows=None if member.result is None else member.result.rows)
    row = replace(row, arrived_at=arrived, late_s=arrived - expected)
    return replace(row, verdict="late", command=f"phasegate why {run}") if is_late else replace(row, verdict="on time")


def _quiet(row: Lateness, known: DateFacts, *, run: Run, asks: bool) -> Lateness | None:
    """Return the row of a step that is not expected, or unknown.

    None where it is expected. ``asks``: the calendar decides.
    """
    place = (row.phase, run.mode)
    phase = known.phases.get(place)
    if phase is not None and phase.void is not None:
        return replace(row, verdict="void", reason=phase.void)
    if asks and known.day is None:
        reason = no_answer(run.date, error=known.calendar_error)
        return replace(row, reason=reason, command=ask_calendar(run.date, known))
    if asks and known.day is not None and known.day.state != "work":
        verdict: Punctuality = "void" if known.day.state == "void" else "no work"
        return replace(row, verdict=verdict, reason=known.day.reason or f"the calendar answers {verdict}")
    if place in known.unreadable:
        reason = f"the document of {row.phase} in {run} cannot be read"
        return replace(row, reason=reason, command=f"phasegate why {run}")
    return None


def no_answer(on: str, *, error: str) -> str:
    """Return the reason for a date without an answer of the calendar."""
    return f"the calendar has no answer for {on}" + (f" ({error})" if error else "")


def ask_calendar(on: str, known: DateFacts) -> str:
    """Return the command that asks the calendar.

    A sweep asks a source that failed again.
    """
    return (
        "phasegate sweep"
        if known.calendar_error and not known.refused
        else f"phasegate reconcile --from {on} --to {on} --fix"
    )


def arrived_at(member: Member) -> float | None:
    """Return when a member first had rows; None if it never had."""
    if member.delivered_at is not None:
        return member.delivered_at
    result = member.result  # of a document from before the first time was stored
    return result.at if result is not None and result.status == "success" else None


def _arrived(plan: Plan, step: Step, *, run: Run, member: Member, known: DateFacts) -> float | None:
    """Return when the rows of a run's step arrived.

    Its sibling runs share the table, and may have had them earlier.
    """
    own = arrived_at(member)
    if own is None:
        return None
    for mode in plan.sibling_modes(step.name, mode=run.mode):
        sibling = known.phases.get((step.phase, mode))
        at = None if sibling is None else arrived_at(sibling.members.get(step.name, Member()))
        own = own if at is None else min(own, at)
    return own


def _last(row: Lateness, member: Member) -> Lateness:
    """Return the row with the member's newest attempt, in words, and its time."""
    tried = member.attempt
    if tried is None:
        return row
    return replace(row, last=tried.status + (f": {tried.error}" if tried.error else ""), last_at=tried.at)


def _absence(phase: Phase | None, name: str, member: Member) -> str:
    """Return why there is no result."""
    if phase is None:
        return "its run was never opened"
    if member.attempt is None:
        return "it was not reported"
    tried = member.attempt
    if member.result is not None and member.result.status == "partial" and tried.status == "partial":
        return lacking(phase, name)
    if tried.status == "empty":
        return "reported empty: no rows of this date"
    word = "failed" if tried.status in ("failed", "transient") else f"was {tried.status}"
    return f"the last try {word}" + (f": {tried.error}" if tried.error else "")


def _command(step: Step, *, run: Run, phase: Phase | None) -> str:
    """Return the command that brings a missing result."""
    asked = None if phase is None else phase.requests.get(step.name)
    if asked is not None and asked.state == "dead":
        assert phase is not None
        return redrive_command(member_view(phase, step.name, phase.gate.members[step.name]), run=run)
    if step.kind == "external" and not step.topic:
        return f"phasegate complete {step.name} --run {run}"
    if phase is None:
        return f"phasegate backfill --from {run.date} --to {run.date} --mode {run.mode}"
    return f"phasegate why {run}"


def outcome(rows: Sequence[Lateness], *, unreadable: Sequence[str] = ()) -> CheckResult:
    """Return the check: late and missing results as findings.

    What is unknown is its error.
    """
    unknown = list(dict.fromkeys(row.reason for row in rows if row.verdict == "unknown"))
    errors = [*unreadable, *unknown]
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    return CheckResult(
        check=CHECK,
        findings=tuple(_finding(row) for row in rows if row.verdict in FOUND),
        error="; ".join(errors[:3]) + more,
        evaluated=sum(row.verdict != "unknown" for row in rows),
    )


def _finding(row: Lateness) -> Finding:
    assert row.expected_at is not None
    assert row.late_s is not None
    never = row.verdict == "never"
    text = f"never arrived: {row.reason}" if never else f"arrived {hours(row.late_s)} after it was expected"
    if never:
        text = f"expected {hours(row.late_s)} ago and {text}"
    moments = {"expected_at": row.expected_at, "late_at": row.late_at, "arrived_at": row.arrived_at}
    evidence = {name: _iso(at) for name, at in moments.items() if at is not None}
    if row.last:
        evidence["last"] = row.last
    return Finding(
        code="PG021" if never else "PG020", subject=f"{row.run} {row.phase}.{row.step}", text=text,
        command=row.command, cause=f"{row.verdict} {row.phase}.{row.step}", since=row.expected_at,
        evidence=evidence,
    )  # fmt: skip


def _iso(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def hours(seconds: float, /) -> str:
    """Return a duration in hours and minutes, without its sign.

    >>> hours(4 * 3600 + 60), hours(59.0), hours(-3600.0), hours(50 * 3600)
    ('4 h 01', '0 min', '1 h 00', '2 d 02 h')
    """
    minutes = int(abs(seconds)) // 60
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d}"
    return f"{minutes // 1440} d {minutes // 60 % 24:02d} h"
