"""The documents of the commands that check."""

from collections.abc import Mapping

from msgspec import field

from phasegate.explain.coverage import Cover
from phasegate.explain.lateness import Punctuality
from phasegate.explain.successes import Measure
from phasegate.printed.parts import CheckedJson, Date, FoundJson, PrintedJson, Time


class HealthJson(PrintedJson, frozen=True, kw_only=True):
    """Every check of a date.

    ``settling``: findings that are too young to judge.
    """

    pipeline: str
    date: Date
    now: Time
    checks: tuple[CheckedJson, ...]
    findings: tuple[FoundJson, ...]
    settling: tuple[FoundJson, ...]


class ProofJson(PrintedJson, frozen=True, kw_only=True):
    """A planted fault, and whether its check found it."""

    fault: str
    code: str
    found: bool
    text: str


class SelfTestJson(PrintedJson, frozen=True, kw_only=True):
    """The faults that ``--self-test`` planted."""

    proofs: tuple[ProofJson, ...]


class AppliedJson(PrintedJson, frozen=True, kw_only=True):
    """A fix that was run.

    ``error``: why it failed, or empty.
    """

    fix: str
    error: str


class ReconciledJson(PrintedJson, frozen=True, kw_only=True):
    """Where documents, tables and calendar differ.

    ``fixes``: what ``--fix`` runs. ``left``: what is found after it, and ``record``: its document; both null where
    nothing was fixed. ``unchecked``: checks that could not be evaluated after it. ``errors``: of the workers that ran.
    """

    pipeline: str
    first: Date
    last: Date
    now: Time
    checks: tuple[CheckedJson, ...]
    findings: tuple[FoundJson, ...]
    settling: tuple[FoundJson, ...]
    fixes: tuple[str, ...]
    applied: tuple[AppliedJson, ...]
    left: tuple[FoundJson, ...] | None
    unchecked: tuple[CheckedJson, ...]
    record: str | None
    errors: tuple[str, ...]


class SuccessJson(PrintedJson, frozen=True, kw_only=True):
    """How many of how many went wrong.

    ``share``: the part that went well, from 0 to 1; null if there was nothing, or it could not be counted. ``unit``:
    what is counted. ``error``: why it could not be counted, or empty. ``next``: the command that shows each case.
    """

    metric: Measure
    failed: int
    of: int
    unit: str
    share: float | None
    error: str
    next: str


class MetricsJson(PrintedJson, frozen=True, kw_only=True):
    """How well the hand-offs of some dates went."""

    pipeline: str
    first: Date
    last: Date
    now: Time
    metrics: tuple[SuccessJson, ...]


class ExpectationJson(PrintedJson, frozen=True, kw_only=True):
    """One step of one run that was expected by a time.

    ``expected_at`` and ``late_at``: null if they are not known. ``arrived_at`` and ``rows``: null if it has not
    arrived. ``late_s``: null if there is nothing to compare. ``last`` and ``last_at``: the newest report, empty and
    null before it.
    """

    run: str
    phase: str
    step: str
    verdict: Punctuality
    reason: str
    expected_at: Time | None
    late_at: Time | None
    arrived_at: Time | None
    late_s: int | None
    rows: int | None
    last: str
    last_at: Time | None
    next: str


class LateJson(PrintedJson, frozen=True, kw_only=True):
    """What was expected, and whether it came.

    ``counts``: verdict to number. ``error``: why it could not be evaluated, or empty.
    """

    pipeline: str
    timezone: str
    now: Time
    first: Date = field(name="from")
    last: Date = field(name="to")
    expectations: tuple[ExpectationJson, ...]
    counts: Mapping[str, int]
    error: str


class CellJson(PrintedJson, frozen=True, kw_only=True):
    """One phase of one run.

    ``next``: what to type, or empty.
    """

    date: Date
    phase: str
    mode: str
    state: Cover
    reason: str
    next: str


class GapJson(PrintedJson, frozen=True, kw_only=True):
    """Dates of one mode that have the same gap.

    ``dates``: how many. ``phases``: those that lack something, to their state.
    """

    first: Date = field(name="from")
    last: Date = field(name="to")
    mode: str
    state: Cover
    dates: int
    phases: Mapping[str, Cover]
    reason: str
    next: str


class CalendarJson(PrintedJson, frozen=True, kw_only=True):
    """Which dates are complete.

    ``counts``: state to number of cells. ``errors``: documents that could not be read.
    """

    pipeline: str
    timezone: str
    now: Time
    first: Date = field(name="from")
    last: Date = field(name="to")
    cells: tuple[CellJson, ...]
    counts: Mapping[str, int]
    gaps: tuple[GapJson, ...]
    errors: tuple[str, ...]


class AwaitedJson(PrintedJson, frozen=True, kw_only=True):
    """The processors that documents of one collection and mode wait for.

    ``seen_in``: the number of documents. ``given``: by ``--expect``, else inferred. ``rare``: not waited for.
    """

    collection: str
    mode: str
    seen_in: int
    given: bool
    processors: tuple[str, ...]
    rare: tuple[str, ...]


class DiagnosedJson(PrintedJson, frozen=True, kw_only=True):
    """What the doctor found.

    ``store`` and ``warehouse``: null where none was given. ``first`` and ``last``: empty if nothing has a date.
    """

    store: str | None
    warehouse: str | None
    first: str
    last: str
    documents: int
    left_out: int
    expected: tuple[AwaitedJson, ...]
    tables: tuple[str, ...]
    without_date: tuple[str, ...]
    checks: tuple[CheckedJson, ...]
    findings: tuple[FoundJson, ...]
