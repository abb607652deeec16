"""The findings of one evaluation, grouped by cause. Pure.

They are bounded, so that a group fits into a document and a message.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from phasegate.base.findings import SEVERITIES, CheckResult, Finding, Severity, not_evaluated

FINDINGS_MAX = 10
TEXT_MAX = 500
EVIDENCE_MAX = 10
EVIDENCE_CHARS_MAX = 200


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of one evaluation with one cause, and their checks."""

    cause: str
    findings: tuple[Finding, ...]
    checks: tuple[str, ...]

    @property
    def severity(self) -> Severity:
        """Return the worst severity of the findings."""
        return min((one.severity for one in self.findings), key=SEVERITIES.index)

    def since(self, started: float, /) -> float:
        """Return the time of the oldest evidence.

        A finding without a time counts from when the evaluation ``started``.
        """
        return min([started, *(one.since for one in self.findings if one.since is not None)])


def grouped(outcomes: Iterable[CheckResult], /) -> list[Group]:
    """Return the findings of checks, grouped by cause.

    A check that could not be evaluated is a cause of its own.
    """
    found: dict[str, list[Finding]] = {}
    checks: dict[str, dict[str, None]] = {}
    for outcome in outcomes:
        given = [(one.cause or f"{one.code} {one.subject}", one) for one in outcome.findings]
        if outcome.error:
            given.append((f"not evaluated: {outcome.check}", not_evaluated(outcome)))
        for cause, finding in given:
            found.setdefault(cause, []).append(_bounded(finding))
            checks.setdefault(cause, {})[outcome.check] = None
    return [Group(cause=cause, findings=distinct(found[cause]), checks=tuple(checks[cause])) for cause in sorted(found)]


def distinct(findings: Iterable[Finding], /) -> tuple[Finding, ...]:
    """Return each different finding once, the worst first, then the oldest."""
    kept: list[Finding] = []
    for finding in sorted(findings, key=_rank):
        if finding not in kept[-1:]:
            kept.append(finding)
    return tuple(kept)


def _rank(finding: Finding) -> tuple[int, float, tuple[str, ...], list[tuple[str, str]]]:
    texts = (finding.code, finding.subject, finding.text, finding.command)
    return SEVERITIES.index(finding.severity), finding.since or 0.0, texts, sorted(finding.evidence.items())


def _bounded(finding: Finding) -> Finding:
    """Return a finding cut to the limits of documents and messages."""
    evidence = {name[:80]: text[:EVIDENCE_CHARS_MAX] for name, text in list(finding.evidence.items())[:EVIDENCE_MAX]}
    return replace(finding, subject=finding.subject[:TEXT_MAX], text=finding.text[:TEXT_MAX],
                   command=finding.command[:TEXT_MAX], evidence=evidence)  # fmt: skip
