"""What people changed, of some days or of one run."""

from collections.abc import Sequence

from phasegate.answers.checks import Span, span_of
from phasegate.answers.times import Times
from phasegate.audit import AuditEntry, entries
from phasegate.errors import BadDocument
from phasegate.plan.model import Plan
from phasegate.ports import ReadPorts
from phasegate.printed.work import AuditEntryJson, AuditJson


def audited(
    plan: Plan, ports: ReadPorts, *, times: Times, days: int | None, first: str | None, last: str | None,
    broken: list[BadDocument],
) -> tuple[Span, list[tuple[str, AuditEntry]]]:  # fmt: skip
    """Return the days that a caller means, and their entries by key.

    The newest first. Raises BadInput.
    """
    span = span_of(Times("UTC", now=times.now), days=days, first=first, last=last, command="audit")
    return span, entries(ports, plan.pipeline, first=span.first, last=span.last, broken=broken)


def ended(entry: AuditEntry, /) -> str:
    """Return how an act ended, and why it may not have."""
    return entry.ended + (": it works, or its process was killed" if entry.finished_at is None else "")


def audit_json(
    pipeline: str, span: Span, found: Sequence[tuple[str, AuditEntry]], *, times: Times, broken: Sequence[BadDocument]
) -> AuditJson:
    """Return the entries for programs."""
    return AuditJson(
        pipeline=pipeline, first=span.first, last=span.last, now=times.iso(times.now),
        entries=tuple(
            AuditEntryJson(key=key, at=times.iso(one.at), by=one.by, via=one.via, command=one.command,
                           run=one.run or None, first=one.first or None, last=one.last or None,
                           finished_at=times.iso(one.finished_at), outcome=one.outcome, failed=one.failed)
            for key, one in found
        ),
        errors=tuple(str(error) for error in broken),
    )  # fmt: skip
