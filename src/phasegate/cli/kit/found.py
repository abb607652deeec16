"""The output of checks and findings, as text."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from phasegate.base.wording import count
from phasegate.cli.kit.output import paint, table, talk

if TYPE_CHECKING:
    from phasegate.answers.times import Times
    from phasegate.base.findings import CheckResult, Finding

WORDS = {"ok": "OK", "settling": "SETTLING", "finding": "FINDING", "not evaluated": "NOT EVALUATED"}


def check_lines(outcomes: "Sequence[CheckResult]", /) -> list[str]:
    """Return one line for each check: what it evaluated and found."""
    rows = [(o.check, paint(WORDS[o.verdict]), f"{o.evaluated:,}", _detail(o)) for o in outcomes]
    return table(("check", "verdict", "evaluated", "found"), rows)


def finding_lines(findings: "Sequence[Finding]", /, *, times: "Times", verbose: bool) -> list[str]:
    """Return each finding with the command that fixes it.

    Those that differ by their date alone are one. ``verbose``: each apart, with its evidence.
    """
    from phasegate.base.findings import by_span

    lines: list[str] = []
    for finding in findings if verbose else by_span(findings):
        since = f", since {times.since(finding.since)}" if finding.since is not None else ""
        first, *evidence = bare_lines(finding, verbose=verbose)
        lines += [f"{first}{since}", *evidence, f"    next: {finding.command}"]
    return lines


def bare_lines(finding: "Finding", /, *, verbose: bool) -> list[str]:
    """Return a finding without its time and its command.

    ``verbose``: with its evidence.
    """
    lines = [f"{finding.code} {finding.severity}: {finding.subject}: {finding.text}"]
    return [*lines, *(f"    {name}: {value}" for name, value in finding.evidence.items() if value and verbose)]


def settling_lines(outcomes: "Sequence[CheckResult]", /, *, times: "Times") -> list[str]:
    """Return one line for each finding that is too young to judge."""
    from phasegate.base.findings import settling_of

    return [f"settling: {bare_lines(one, verbose=False)[0]}, since {times.since(one.since)}; check again later"
            for one in settling_of(outcomes)]  # fmt: skip


def talk_unsent(failed: Mapping[str, str], /) -> int:
    """Report the channels that could not be notified; return how many.

    Their notifications are stored.
    """
    for channel, error in failed.items():
        talk(f"notifications to {channel} are stored and retried: {error}")
    return len(failed)


def tables_lines(outcomes: "Sequence[CheckResult] | None", /, *, times: "Times") -> list[str]:
    """Return what only the tables of a run show; nothing for None."""
    if outcomes is None:
        return []
    errors = dict.fromkeys(outcome.error for outcome in outcomes if outcome.error)
    findings = [finding for outcome in outcomes for finding in outcome.findings]
    young = settling_lines(outcomes, times=times)
    lines = [f"tables: {paint('NOT EVALUATED')}: {error}" for error in errors]
    lines += [*finding_lines(findings, times=times, verbose=False), *young]
    return ["", *(lines or ["tables: they hold what was reported"])]


def _detail(outcome: "CheckResult") -> str:
    found = count(len(outcome.findings), "finding") if outcome.findings else ""
    young = f"{len(outcome.settling)} settling" if outcome.settling else ""
    return "; ".join(part for part in (outcome.error, found, young) if part)
