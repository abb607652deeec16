"""What checks found: of a date, or of a span of dates."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from phasegate.answers.times import Times
from phasegate.base.dates import local_date, shift
from phasegate.base.findings import (
    FOUND,
    UNCHECKED,
    CheckResult,
    Finding,
    exit_code,
    listed,
    merged,
    settling_of,
)
from phasegate.base.keys import parse_date
from phasegate.base.wording import count
from phasegate.errors import BadDocument, BadInput
from phasegate.explain import documents
from phasegate.explain.late_results import Coverage, LateResults
from phasegate.explain.successes import SHOWN_BY, UNITS, Success, successes
from phasegate.printed.checks import AppliedJson, HealthJson, MetricsJson, ReconciledJson, SuccessJson
from phasegate.printed.parts import CheckedJson, FoundJson, InTablesJson

if TYPE_CHECKING:
    from phasegate.check.fixes import Fix
    from phasegate.check.reconciler import Fixed
    from phasegate.pipeline import Pipeline

DAYS = 7
LEFT_MAX = 40


class Span(NamedTuple):
    """The first and the last date."""

    first: str
    last: str


def checked_json(outcomes: Iterable[CheckResult], /) -> tuple[CheckedJson, ...]:
    """Return checks; their findings are listed elsewhere."""
    return tuple(
        CheckedJson(
            check=outcome.check,
            verdict=outcome.verdict,
            evaluated=outcome.evaluated,
            findings=len(outcome.findings),
            settling=len(outcome.settling),
            error=outcome.error,
        )
        for outcome in outcomes
    )


def found_json(findings: Iterable[Finding], /, *, times: Times) -> tuple[FoundJson, ...]:
    """Return findings."""
    return tuple(
        FoundJson(
            code=finding.code,
            severity=finding.severity,
            subject=finding.subject,
            text=finding.text,
            since=times.iso(finding.since),
            evidence=dict(finding.evidence),
            command=finding.command,
        )
        for finding in findings
    )


def tables_json(outcomes: Sequence[CheckResult], /, *, times: Times) -> InTablesJson:
    """Return what only the tables of a run show."""
    return InTablesJson(
        checks=checked_json(outcomes),
        findings=found_json([one for outcome in outcomes for one in outcome.findings], times=times),
        settling=found_json(settling_of(outcomes), times=times),
    )


def health_json(pipeline: str, on: str, outcomes: Sequence[CheckResult], *, times: Times) -> HealthJson:
    """Return every check of a date."""
    return HealthJson(
        pipeline=pipeline,
        date=on,
        now=times.iso(times.now),
        checks=checked_json(outcomes),
        findings=found_json(listed(outcomes), times=times),
        settling=found_json(settling_of(outcomes), times=times),
    )


def alerted(pipeline: "Pipeline", outcomes: Sequence[CheckResult], *, on: str, started: float) -> dict[str, str]:
    """Store findings as incidents, notify; return the failed channels.

    The dates of open incidents are checked again too: another date without findings does not resolve them.
    """
    again = pipeline.checks.health.again(pipeline.alerts.open_dates() - {on})
    pipeline.alerts.take(merged([outcomes, *again]), started=started)
    return dict(pipeline.alerts.send().failed)


def span_of(
    times: Times, *, days: int | None, first: str | None, last: str | None, command: str = "reconcile"
) -> Span:  # fmt: skip
    """Return the span that a caller means.

    The last ``days`` dates, or from ``first``, up to ``last`` or today. Raises BadInput.
    """
    if days is not None and first is not None:
        raise BadInput(f"{command}: give only one of --days and --from")
    end = parse_date(last) if last is not None else local_date(times.now, timezone=times.timezone)
    begin = parse_date(first) if first is not None else shift(end, 1 - (days or DAYS))
    if begin > end:
        raise BadInput(f"{command}: --from {begin} is after {end}; swap them")
    return Span(begin, end)


def reconciled_json(
    pipeline: str, span: Span, outcomes: Sequence[CheckResult], *, fixes: "Sequence[Fix]", fixed: "Fixed | None",
    times: Times,
) -> ReconciledJson:  # fmt: skip
    """Return where documents, tables and calendar differ.

    ``left`` is null where nothing was fixed.
    """
    applied = () if fixed is None else fixed.applied
    return ReconciledJson(
        pipeline=pipeline,
        first=span.first,
        last=span.last,
        now=times.iso(times.now),
        checks=checked_json(outcomes),
        findings=found_json(listed(outcomes), times=times),
        settling=found_json(settling_of(outcomes), times=times),
        fixes=tuple(one.text for one in fixes),
        applied=tuple(AppliedJson(fix=one.text, error=one.error) for one in applied),
        left=None if fixed is None else found_json(listed(fixed.after), times=times),
        unchecked=() if fixed is None else checked_json(one for one in fixed.after if one.error),
        record=None if fixed is None else fixed.record,
        errors=() if fixed is None else fixed.errors,
    )


def fixed_text(fixed: "Fixed", *, stopped: bool) -> tuple[str, bool]:
    """Return for the audit log how a fix ended, and whether it failed.

    It has failed if a command or a worker has, if anything is left or could not be evaluated, or if it was stopped.
    """
    failed = [f"failed: {one.text}: {one.error}" for one in fixed.applied if one.error]
    left, code = listed(fixed.after), exit_code(fixed.after)
    lines = [
        "stopped before the end" if stopped else "",
        f"{count(len(fixed.applied), 'command')} run, recorded as {fixed.record}",
        f"{count(len(left), 'finding')} left" if left else "",
        *fixed.errors,
        *failed,
        *(f"left: {one.code} {one.subject}: {one.text}" for one in left[:LEFT_MAX]),
    ]
    is_failed = stopped or bool(failed) or bool(fixed.errors) or code in (FOUND, UNCHECKED)
    return "; ".join(filter(None, lines)), is_failed


def measured(pipeline: "Pipeline", span: Span, /) -> tuple[Span, tuple[Success, ...]]:
    """Count how many hand-offs of a span of dates went well.

    The span begins with the first date that has a run: before it there was no pipeline. Also returns that span.
    """
    plan, ports, broken = pipeline.plan, pipeline.ports, list[BadDocument]()
    book = documents.read(plan, ports, first=span.first, last=span.last, broken=broken)
    span = Span(min([*book.phases, *book.unreadable], default=span.first), span.last)
    counts = successes(
        plan,
        pipeline.checks.inspector.inspect(*span),
        cells=Coverage(plan, ports).cells(*span, broken=broken),
        expected=LateResults(plan, ports).rows(*span, broken=broken),
        phases=[phase for phases in book.phases.values() for phase in phases.values() if phase.void is None],
    )
    return span, counts


def shown_by(one: Success, span: Span) -> str:
    """Return the command that shows each case of a count."""
    return f"phasegate {SHOWN_BY[one.metric]} --from {span.first} --to {span.last}"


def metrics_json(pipeline: str, span: Span, counts: Sequence[Success], *, times: Times) -> MetricsJson:
    """Return the counts."""
    return MetricsJson(
        pipeline=pipeline,
        first=span.first,
        last=span.last,
        now=times.iso(times.now),
        metrics=tuple(
            SuccessJson(metric=one.metric, failed=one.failed, of=one.of, unit=UNITS[one.metric], share=one.share,
                        error=one.error, next=shown_by(one, span))
            for one in counts
        ),
    )  # fmt: skip
