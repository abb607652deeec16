"""How well the hand-offs of a span of dates went, in five counts.

Each is made of what the checks, the expectations and the documents already say, so no count can disagree with them: the
commands that show the single cases are named beside it. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from phasegate.base.findings import CheckResult, Finding
from phasegate.explain.coverage import GAPS, Cell
from phasegate.explain.lateness import FOUND, Lateness
from phasegate.gate.phase import Phase
from phasegate.plan.model import Plan

Measure = Literal["complete", "accurate", "handed on", "without duplicates", "in time"]
# Of each count: what it counts, the findings that are its failures, the checks that find them, and what shows them.
UNITS: Mapping[Measure, str] = {
    "complete": "runs of a phase",
    "accurate": "runs of a phase",
    "handed on": "hand-offs",
    "without duplicates": "rows",
    "in time": "expected results",
}
CODES: Mapping[Measure, frozenset[str]] = {
    "accurate": frozenset({"PG001", "PG002", "PG005", "PG006"}),
    "handed on": frozenset({"PG003", "PG004", "PG015"}),
    "without duplicates": frozenset({"PG010"}),
}
CHECKS: Mapping[Measure, tuple[str, ...]] = {
    "complete": ("documents",),
    "accurate": ("documents", "mirrors", "firing", "receipts"),
    "handed on": ("documents", "triggers", "dead letters"),
    "without duplicates": ("documents", "duplicates"),
    "in time": ("documents",),
}
SHOWN_BY: Mapping[Measure, str] = {
    "complete": "calendar",
    "accurate": "reconcile",
    "handed on": "reconcile",
    "without duplicates": "reconcile",
    "in time": "late",
}


class Success(msgspec.Struct, frozen=True, kw_only=True):
    """One count: how many of how many went wrong.

    ``error``: why it could not be counted, or not wholly.
    """

    metric: Measure
    failed: int
    of: int
    error: str = ""

    @property
    def share(self) -> float | None:
        """Return the share that went well, from 0 to 1.

        None if there was nothing, or it was not counted.
        """
        return None if self.error or not self.of else 1.0 - min(self.failed, self.of) / self.of


def successes(
    plan: Plan,
    outcomes: Sequence[CheckResult],
    *,
    cells: Sequence[Cell],
    expected: Sequence[Lateness],
    phases: Sequence[Phase],
) -> tuple[Success, ...]:
    """Return the five counts.

    ``outcomes``: of every check. ``cells``: the state of each phase of each run; ``expected``: of each expectation;
    ``phases``: the documents. Runs that go on, are void or have no work count for nothing.
    """
    found = [finding for outcome in outcomes for finding in outcome.findings]
    judged = [cell for cell in cells if cell.state in ("COMPLETE", *GAPS)]
    unknown = sum(1 for cell in cells if cell.state == "UNKNOWN")
    of_lateness = [one for one in expected if one.verdict in (*FOUND, "on time")]
    counts: Mapping[Measure, tuple[int, int, str]] = {
        "complete": (
            sum(1 for cell in judged if cell.state != "COMPLETE"),
            len(judged),
            f"{unknown} are not known: the calendar has no answer" if unknown else "",
        ),
        "accurate": (len(_places(_of("accurate", found))), len(phases), ""),
        "handed on": (
            len(_places(one for one in _of("handed on", found) if "receiver" in one.evidence)),
            sum(phase.generation * len(phase.gate.receivers) for phase in phases),
            "",
        ),
        "without duplicates": (
            sum(_repeated(one) for one in _of("without duplicates", found)),
            sum(_rows(plan, phase) for phase in phases),
            "",
        ),
        "in time": (
            sum(1 for one in of_lateness if one.verdict in FOUND),
            len(of_lateness),
            "" if any(step.expected_by for step in plan.steps.values()) else "no step of the plan has expected_by",
        ),
    }
    errors = {outcome.check: outcome.error for outcome in outcomes if outcome.error}
    return tuple(
        Success(metric=metric, failed=failed, of=of,
                error="; ".join(filter(None, (error, *(errors.get(check, "") for check in CHECKS[metric])))))
        for metric, (failed, of, error) in counts.items()
    )  # fmt: skip


def _of(metric: Measure, found: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.code in CODES[metric]]


def _places(found: Iterable[Finding]) -> set[tuple[str, str, str]]:
    """Return the phase, run and receiver of some findings, each once."""
    return {
        (one.evidence.get("phase", ""), one.evidence.get("run", one.subject), one.evidence.get("receiver", ""))
        for one in found
    }


def _repeated(finding: Finding) -> int:
    """Return how many rows repeat a key.

    Or how many keys have rows of which none is the newest.
    """
    evidence = finding.evidence
    if "undecided" in evidence:
        return int(evidence["undecided"])
    return int(evidence["rows"]) - int(evidence["keys"])


def _rows(plan: Plan, phase: Phase) -> int:
    """Return the rows of a phase's accepted results in tables."""
    results = {
        name: member.result
        for name, member in phase.members.items()
        if name in plan.steps and plan.steps[name].table is not None
    }
    return sum(result.rows or 0 for result in results.values() if result is not None)
