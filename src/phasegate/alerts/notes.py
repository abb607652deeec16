"""The content of messages, before a channel formats it. Pure.

A message holds no more than fits: an incident's worst findings, the evidence of the worst, and the commands that fix
them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from phasegate.alerts.incident import Incident
from phasegate.base.findings import CODES, SEVERITIES, Finding
from phasegate.base.wording import times
from phasegate.channel import Note, NoteKind

_KINDS: Mapping[str, NoteKind] = {"opened": "opened", "escalated": "escalated", "resolved": "resolved"}
LINES_MAX = 30
COMMANDS_MAX = 5


def of_incident(incident: Incident, kind: str, /, *, pipeline: str, timezone: str, key: str) -> Note:
    """Return the message that an incident was opened, escalated or resolved."""
    findings = incident.findings
    return Note(
        id=f"{key.replace(':', '.')}.{incident.number}.{kind}",
        kind=_KINDS[kind],
        pipeline=pipeline,
        timezone=timezone,
        title=title(incident),
        severity=incident.severity,
        incident=key,
        lines=tuple(f"{one.code} {one.subject}: {one.text}" for one in findings),
        evidence=dict(findings[0].evidence) if findings else {},
        commands=commands(findings),
        more=max(0, incident.found - len(findings)),
        count=incident.count,
        since=incident.since,
        first_at=incident.first_at,
        last_at=incident.last_at,
        resolved_at=incident.resolved_at,
    )


def of_several(cases: Sequence[tuple[str, Incident]], kind: str, /, *, pipeline: str, timezone: str) -> Note:
    """Return one message about several incidents of the same kind of change.

    ``cases``: their keys and the incidents; they were opened, escalated or resolved at the same time.
    """
    ordered = [one for _, one in sorted(cases, key=lambda case: rank(case[1]))]
    ids = " ".join(sorted(f"{key}.{one.number}" for key, one in cases))
    lines = [f"{one.severity}: {title(one)}, since {moment(one.since, timezone=timezone)}" for one in ordered]
    return Note(
        id=f"several.{pipeline}.{hashlib.sha256(ids.encode()).hexdigest()[:20]}.{kind}",
        kind=_KINDS[kind],
        pipeline=pipeline,
        timezone=timezone,
        title=f"{len(ordered)} incidents, the first: {title(ordered[0])}",
        severity=ordered[0].severity,
        lines=tuple(lines[:LINES_MAX]),
        commands=("phasegate alerts", *commands([finding for one in ordered for finding in one.findings])),
        more=max(0, len(lines) - LINES_MAX),
        since=min(one.since for one in ordered),
        resolved_at=max((one.resolved_at for one in ordered if one.resolved_at is not None), default=None),
    )


def title(incident: Incident, /) -> str:
    """Return an incident as one line: its worst finding, how many more."""
    worst = incident.findings[0]
    more = f" (+{incident.found - 1})" if incident.found > 1 else ""
    return f"{worst.subject}: {CODES[worst.code].title}{more}" if worst.code in CODES else f"{worst.subject}{more}"


def commands(findings: Sequence[Finding], /) -> tuple[str, ...]:
    """Return the distinct commands that fix the findings, the worst first."""
    return tuple(dict.fromkeys(one.command for one in findings if one.command))[:COMMANDS_MAX]


def of_digest(
    date: str, *, opened: Sequence[Incident], resolved: Sequence[Incident], pipeline: str, timezone: str
) -> Note:
    """Return a date's digest: open incidents, and those resolved within a day."""
    lines = [f"{one.severity}: {title(one)}, since {moment(one.since, timezone=timezone)}, found {times(one.count)}"
             for one in sorted(opened, key=rank)]  # fmt: skip
    lines += [f"resolved: {title(one)}" for one in sorted(resolved, key=rank)]
    return Note(
        id=f"digest.{pipeline}.{date}", kind="digest", pipeline=pipeline, timezone=timezone,
        title=f"{date}: {len(opened)} open, {len(resolved)} resolved", lines=tuple(lines[:LINES_MAX]),
        more=max(0, len(lines) - LINES_MAX), commands=("phasegate alerts",) if opened else (),
        severity=min((one.severity for one in opened), key=SEVERITIES.index, default=None),
    )  # fmt: skip


def of_test(channel: str, *, pipeline: str, timezone: str, number: str, now: float) -> Note:
    """Return the message that ``phasegate alerts test`` sends."""
    return Note(id=f"test.{pipeline}.{channel}.{number}", kind="test", pipeline=pipeline, timezone=timezone,
                title=f"test of channel {channel}: nothing is wrong", lines=("Alerts will look like this.",),
                evidence={"channel": channel}, commands=("phasegate alerts",), count=1, since=now)  # fmt: skip


def rank(incident: Incident, /) -> tuple[int, float, str]:
    """Return the sort key of incidents: the worst first, then the oldest."""
    return SEVERITIES.index(incident.severity), incident.since, incident.cause


def moment(at: float, /, *, timezone: str) -> str:
    """Return a moment as local time.

    >>> moment(1770120000.0, timezone="America/New_York")
    '2026-02-03 07:00 EST'
    """
    return f"{datetime.fromtimestamp(at, ZoneInfo(timezone)):%Y-%m-%d %H:%M %Z}"


def plain(note: Note, /) -> str:
    """Return a message's body as text: findings, times, evidence, commands."""
    lines = [*note.lines, *([f"and {note.more} more"] if note.more else [])]
    lines += facts(note)
    lines += [f"{name}: {text}" for name, text in note.evidence.items()]
    if note.kind != "resolved":
        lines += [f"next: {command}" for command in note.commands]
    return "\n".join(lines)


def facts(note: Note, /) -> list[str]:
    """Return in one line: since when, resolved when, found how often."""
    found = [] if note.since is None else [f"since {moment(note.since, timezone=note.timezone)}"]
    if note.resolved_at is not None:
        found.append(f"resolved {moment(note.resolved_at, timezone=note.timezone)}")
    if note.count > 1:
        found.append(f"found {times(note.count)}")
    return [", ".join(found)] if found else []


def headline(note: Note, /) -> str:
    """Return the first line of a message.

    >>> headline(of_test("ops", pipeline="nba", timezone="UTC", number="1", now=0.0))
    'nba test: test of channel ops: nothing is wrong'
    """
    word = {"opened": (note.severity or "").upper(), "escalated": f"STILL {(note.severity or '').upper()}"}
    return f"{note.pipeline} {word.get(note.kind, note.kind)}: {note.title}"
