"""What a check can find, and how it is reported.

A finding has a code, a severity, a subject, evidence, and the command that fixes it. A check found nothing, or
something, or only what is too young to judge (settling), or it could not be evaluated. The last two are not "nothing
found": each has an exit code of its own, and what was not evaluated resolves no incident. Pure.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from phasegate.base.dates import distance
from phasegate.base.keys import is_date

Severity = Literal["note", "warning", "error"]
Verdict = Literal["ok", "settling", "finding", "not evaluated"]

# Evidence younger than this may be work in progress.
GRACE_S = 300.0
# What has happened and cannot be fixed: notified once, and not checked again.
PAST = frozenset({"PG020"})
FINE, FOUND, UNCHECKED, SETTLING = 0, 1, 2, 3
# Findings of one cause are one line if no more days than this are between two of their dates.
APART_DAYS_MAX = 7
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


class Code(NamedTuple):
    """A kind of finding; each has a section in the reference."""

    title: str
    severity: Severity


CODES: Mapping[str, Code] = {
    "PG001": Code("the stored count differs from the members that are named", "warning"),
    "PG002": Code("complete, but not fired", "error"),
    "PG003": Code("fired, but the trigger was not sent", "error"),
    "PG004": Code("the trigger was sent, but the next phase did not begin", "error"),
    "PG005": Code("the rows were written, but not reported", "error"),
    "PG006": Code("reported, but the warehouse holds something else", "error"),
    "PG007": Code("an expected run is absent", "error"),
    "PG008": Code("a message was quarantined", "warning"),
    "PG009": Code("a lease expired and was not released", "warning"),
    "PG010": Code("duplicate keys in a table", "error"),
    "PG011": Code("one thing under two keys, or sums that differ", "error"),
    "PG012": Code("stale: its inputs have changed since", "warning"),
    "PG013": Code("a window changed beyond cascade_days", "warning"),
    "PG014": Code("the plan changed while the run was open", "note"),
    "PG015": Code("dead: it was given up", "error"),
    "PG016": Code("another store, or no fence", "error"),
    "PG017": Code("the calendar has no answer for the date", "warning"),
    "PG018": Code("a check could not be evaluated", "error"),
    "PG019": Code("a document cannot be handled or read", "error"),
    "PG020": Code("late", "warning"),
    "PG021": Code("never ran", "error"),
    "PG022": Code("past its deadline", "error"),
    "PG023": Code("the clock of this machine is off", "error"),
    "PG024": Code("little disk space is left", "error"),
    "PG025": Code("triggered before all were done", "error"),
    "PG026": Code("several kinds of run in one document", "warning"),
    "PG027": Code("rows that a table must cover are missing", "error"),
    "PG028": Code("an older build serves", "warning"),
    "PG029": Code("what serves is of no known commit", "error"),
    "PG030": Code("traffic goes to an older revision", "error"),
    "PG031": Code("two builds serve at once", "warning"),
    "PG032": Code("what serves has commits that are not desired", "warning"),
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong.

    ``subject`` names it as commands do: a run with its phase, a table with its partition. ``cause`` is the same for
    findings that one fix removes, and groups them into one incident. ``since``: the time of the evidence in Unix
    seconds, None if unknown. ``command``: what to type.
    """

    code: str
    subject: str
    text: str
    command: str
    cause: str = ""
    since: float | None = None
    evidence: Mapping[str, str] = {}

    @property
    def severity(self) -> Severity:
        """Return the severity of the finding's code."""
        return CODES[self.code].severity


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one check.

    ``error``: why it could not be evaluated; it may have findings all the same. ``settling``: what would be findings if
    their evidence were older than a grace period.
    """

    check: str
    findings: tuple[Finding, ...] = ()
    settling: tuple[Finding, ...] = ()
    error: str = ""
    evaluated: int = 0

    @property
    def verdict(self) -> Verdict:
        """Return the verdict; an error wins over findings."""
        if self.error:
            return "not evaluated"
        if self.findings:
            return "finding"
        return "settling" if self.settling else "ok"


def exit_code(outcomes: Iterable[CheckResult]) -> int:
    """Return 0 for fine, 1 for findings, 2 for not evaluated, 3 for settling.

    2 wins over 1, and 1 over 3. No check at all proves nothing: 2.
    """
    verdicts = {outcome.verdict for outcome in outcomes}
    if not verdicts or "not evaluated" in verdicts:
        return UNCHECKED
    if "finding" in verdicts:
        return FOUND
    return SETTLING if "settling" in verdicts else FINE


def merged(evaluations: Iterable[Iterable[CheckResult]]) -> tuple[CheckResult, ...]:
    """Return one outcome for each check of several evaluations.

    It has all their findings and errors, and the sum of what they evaluated.
    """
    checks: dict[str, CheckResult] = {}
    for outcome in [outcome for outcomes in evaluations for outcome in outcomes]:
        known = checks.get(outcome.check)
        checks[outcome.check] = outcome if known is None else replace(
            known, findings=(*known.findings, *outcome.findings),
            settling=(*known.settling, *outcome.settling), evaluated=known.evaluated + outcome.evaluated,
            error="; ".join(dict.fromkeys(filter(None, (known.error, outcome.error)))),
        )  # fmt: skip
    return tuple(checks.values())


def listed(outcomes: Sequence[CheckResult]) -> list[Finding]:
    """Return all findings, the worst first; a failed check is PG018.

    Those of one severity are sorted by age, oldest first, then by code and subject.
    """
    found = [finding for outcome in outcomes for finding in outcome.findings]
    found += [not_evaluated(outcome) for outcome in outcomes if outcome.error]
    return sorted(found, key=lambda f: (SEVERITIES.index(f.severity), f.since or 0.0, f.code, f.subject))


def settling_of(outcomes: Iterable[CheckResult]) -> list[Finding]:
    """Return what is too young to judge, the oldest first."""
    return sorted((one for outcome in outcomes for one in outcome.settling), key=lambda one: one.since or 0.0)


def not_evaluated(outcome: CheckResult) -> Finding:
    """Return the finding that stands for a check that could not be evaluated."""
    return Finding(
        code="PG018", subject=f"check {outcome.check}", text=f"not evaluated: {outcome.error}", cause=outcome.check,
        command="fix what the error names, then check again",
    )  # fmt: skip


def by_span(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings that differ by their date alone as one, with a range.

    Each is in the place of its oldest. A command that names a span is of the whole range; one that names a run becomes
    a ``reconcile`` of the range, since its fixes are the same commands.
    """
    spans: dict[tuple[str, ...], list[list[Finding]]] = {}
    found: list[list[Finding]] = []
    for finding in sorted(findings, key=lambda one: _date_of(one) or ""):
        on, alike = _date_of(finding), (finding.code, *map(_undated, (finding.cause, finding.subject, finding.command)))
        known = spans.setdefault(alike, []) if on else []
        if known and 0 < distance(_date_of(known[-1][-1]) or "", on or "") <= APART_DAYS_MAX:
            known[-1].append(finding)
        else:
            found.append([finding])
            known.append(found[-1])
    place = {id(finding): number for number, finding in enumerate(findings)}
    return [_joined(one) for one in sorted(found, key=lambda one: min(place[id(finding)] for finding in one))]


def by_cause(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Return the findings of each cause together.

    Causes that differ by their date alone are one if they show by the same codes: another fault of another date is
    another cause. A group is in the place of its first finding, and keeps their order.
    """
    alike: dict[str, list[Finding]] = {}
    for finding in findings:
        alike.setdefault(finding.cause or f"{finding.code} {finding.subject}", []).append(finding)
    groups: dict[tuple[str, frozenset[str]], list[Finding]] = {}
    for cause, found in alike.items():
        groups.setdefault((_undated(cause), frozenset(one.code for one in found)), []).extend(found)
    return list(groups.values())


def _date_of(finding: Finding) -> str | None:
    """Return the one date that a finding's subject names, else None."""
    dates = set(_DATE.findall(finding.subject))
    return dates.pop() if len(dates) == 1 and all(map(is_date, dates)) else None


def _undated(text: str) -> str:
    return _DATE.sub("DATE", text)


def _joined(alike: Sequence[Finding]) -> Finding:
    if len(alike) == 1:
        return alike[0]
    first, last = alike[0], alike[-1]
    begin, end = _date_of(first) or "", _date_of(last) or ""
    (ends,) = [word for word in last.subject.split() if end in word]
    subject = re.sub(rf"(\S*{begin}\S*)", rf"\1 to {ends}, {len(alike)} dates", first.subject)
    texts = {_undated(one.text) for one in alike}
    command, span = first.command, f"--from {begin} --to {begin}"
    if span in command:
        command = command.replace(span, f"--from {begin} --to {end}")
    elif begin in command and command.startswith("phasegate "):
        command = f"phasegate reconcile --from {begin} --to {end} --fix"
    elif begin in command:
        command += f"; and so on until {end}"
    text = first.text if len(texts) == 1 else f"the first: {first.text}"
    known = [one.since for one in alike if one.since is not None]
    return replace(first, subject=subject, text=text, command=command, since=min(known, default=None))
