"""The documents of the commands that show runs, or change one."""

from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from phasegate.cli.printed.parts import Document, InTables, Rows, Time
from phasegate.explain.member_view import MemberState
from phasegate.explain.phase_view import PhaseState
from phasegate.plan.gate import Status as Reported


class PhaseRow(Document, frozen=True, kw_only=True):
    """One phase of one run.

    ``generation``: how often it has fired. ``missing``: members that are not fresh. ``drifted``: members that were
    built before earlier dates changed. ``next``: the commands to type.
    """

    run: str
    phase: str
    state: PhaseState
    overdue: bool
    generation: int
    missing: tuple[str, ...]
    drifted: tuple[str, ...]
    since: Time
    reason: str
    next: tuple[str, ...]


class Status(Document, frozen=True, kw_only=True):
    """Every run and phase.

    ``counts``: state to number of phases. ``errors``: documents that could not be read.
    """

    pipeline: str
    timezone: str
    now: Time
    phases: tuple[PhaseRow, ...]
    counts: Mapping[str, int]
    overdue: int
    quarantined: int
    errors: tuple[str, ...]


class Attempt(Document, frozen=True, kw_only=True):
    """What an attempt at a step left.

    ``attempt``: of those at the same request, from 1. ``error``, ``traceback``, ``output``: empty if there is none.
    """

    attempt: int
    request: str
    at: Time
    status: Reported
    error: str
    traceback: str
    output: str


class Member(Document, frozen=True, kw_only=True):
    """One step of a phase.

    ``since``: null before its first report. ``rows``: null if unknown. ``token``: null without a table. ``last`` and
    ``last_at``: the newest report, empty and null before it. ``log``: the last attempt that failed, or null.
    """

    name: str
    state: MemberState
    reason: str
    since: Time | None
    rows: Rows | None
    token: int | None
    stale_against: tuple[str, ...]
    lacks: tuple[str, ...]
    last: str
    last_at: Time | None
    log: Attempt | None


class Generation(Document, frozen=True, kw_only=True):
    """One firing.

    ``missing``: the members it fired without. ``receivers``: name to state of the trigger.
    """

    number: int
    at: Time
    made_by: tuple[str, ...]
    missing: tuple[str, ...]
    receivers: Mapping[str, str]


class PhaseWhole(PhaseRow, frozen=True, kw_only=True):
    """One phase of one run, with its members and firings.

    ``due``: when it is checked again, null if only a report changes it. ``inputs`` and ``waiting``: phase to
    generation. ``last`` and ``last_at``: the newest event, empty and null before it.
    """

    opened_at: Time
    due: Time | None
    inputs: Mapping[str, int]
    waiting: Mapping[str, int]
    last: str
    last_at: Time | None
    members: tuple[Member, ...]
    generations: tuple[Generation, ...]


class Why(Document, frozen=True, kw_only=True):
    """One run, explained.

    ``not_open``: phases that have not begun. ``tables``: only there with ``--tables``.
    """

    run: str
    timezone: str
    now: Time
    phases: tuple[PhaseWhole, ...]
    not_open: tuple[str, ...]
    errors: tuple[str, ...]
    tables: InTables | UnsetType = UNSET


class WhyDate(Document, frozen=True, kw_only=True):
    """All runs of a date, in a plan of several modes."""

    runs: tuple[Why, ...]


class StepAttempt(Attempt, frozen=True, kw_only=True):
    """What an attempt left, with its step."""

    step: str


class Logs(Document, frozen=True, kw_only=True):
    """The stored attempts at the steps of a run, the oldest first."""

    run: str
    attempts: tuple[StepAttempt, ...]


class Begun(Document, frozen=True, kw_only=True):
    """The root phases of a run, when it was opened."""

    run: str
    opened: tuple[str, ...]
    already_open: tuple[str, ...]
    next: tuple[str, ...]


class Completed(Document, frozen=True, kw_only=True):
    """The outcome of a report.

    ``step``: null if only a trigger was acknowledged. ``rows``: of the newest accepted result, null if unknown.
    ``generation``, ``state`` and ``next``: of its phase, now.
    """

    run: str
    phase: str
    step: str | None
    outcome: str
    refused: bool
    rows: Rows | None
    generation: int
    state: PhaseState
    next: tuple[str, ...]


class Held(Completed, frozen=True, kw_only=True):
    """The outcome of a step that was held while its command ran.

    ``exit_code``: of the command.
    """

    exit_code: int


class Rerun(Document, frozen=True, kw_only=True):
    """The outcome of building a step now.

    ``rows``: null if unknown. ``log``: the attempt, if it failed, else null.
    """

    run: str
    phase: str
    step: str
    outcome: str
    state: MemberState
    reason: str
    rows: Rows | None
    next: tuple[str, ...]
    log: Attempt | None


class Paused(Document, frozen=True, kw_only=True):
    """The phases of a run that were paused."""

    run: str
    paused: tuple[str, ...]


class Resumed(Document, frozen=True, kw_only=True):
    """The phases of a run that go on, with ``--resume``."""

    run: str
    resumed: tuple[str, ...]


class Cancelled(Document, frozen=True, kw_only=True):
    """The phases of a run that were declared void."""

    run: str
    cancelled: tuple[str, ...]


class Restored(Document, frozen=True, kw_only=True):
    """The phases of a run that take place after all, with ``--undo``."""

    run: str
    restored: tuple[str, ...]


class ReplannedPhase(Document, frozen=True, kw_only=True):
    """A phase that follows the present plan.

    ``changed``: whether it followed another one before.
    """

    phase: str
    changed: bool


class Replanned(Document, frozen=True, kw_only=True):
    """The open phases of a run that follow the present plan."""

    run: str
    phases: tuple[ReplannedPhase, ...]
