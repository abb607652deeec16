"""The page Findings: what all checks find on some dates, by cause."""

from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from phasegate.answers.checks import span_of
from phasegate.base.dates import shift
from phasegate.base.findings import CODES, Finding, by_cause, by_span, exit_code, listed, settling_of
from phasegate.check.fixes import Fix, fixes_for
from phasegate.web.callers import Caller
from phasegate.web.page.frame import Frame
from phasegate.web.page.grid import SEVERITY, VERDICTS

CAUSES_MAX, LINES_MAX = 100, 20


class CauseShown(NamedTuple):
    """One cause: its findings, and what ``reconcile --fix`` would do about it.

    ``more``: how many of either are not shown.
    """

    findings: list[Finding]
    fixes: list[Fix]
    more: tuple[int, int]


def findings(frame: Frame, request: Request, caller: Caller) -> Response:
    """Show what is wrong on some dates, why, and what to type."""
    pipeline, times = frame.service.pipeline, frame.service.times()
    first, last = (request.query_params.get(name) or None for name in ("from", "to"))
    span = span_of(times, days=None, first=first, last=last, command="findings")
    outcomes = pipeline.checks.health.evaluate(span.first, last=span.last)
    groups = by_cause(listed(outcomes))
    phases = tuple(pipeline.plan.phases)
    return frame.page(
        "findings.html", caller=caller, span=span, outcomes=outcomes, code=exit_code(outcomes),
        causes=[_shown(group, phases) for group in groups[:CAUSES_MAX]], found=len(groups),
        fixes=len(pipeline.checks.reconciler.fixes_for(outcomes)), settling=settling_of(outcomes)[:CAUSES_MAX],
        codes=CODES, severity=SEVERITY, verdicts=VERDICTS,
        earlier=(shift(span.first, -7), shift(span.first, -1)), later=(shift(span.last, 1), shift(span.last, 7)),
    )  # fmt: skip


def _shown(group: list[Finding], phases: tuple[str, ...]) -> CauseShown:
    lines, fixes = by_span(group), fixes_for(group, phases=phases)
    more = (max(0, len(lines) - LINES_MAX), max(0, len(fixes) - LINES_MAX))
    return CauseShown(lines[:LINES_MAX], fixes[:LINES_MAX], more)
