"""The documents of the commands that show runs, or change one."""

from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from phasegate.explain.member_view import MemberState
from phasegate.explain.phase_view import PhaseState
from phasegate.plan.gate import Status as Reported
from phasegate.printed.parts import InTablesJson, PrintedJson, Time


class PhaseRowJson(PrintedJson, frozen=True, kw_only=True):
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


class StatusJson(PrintedJson, frozen=True, kw_only=True):
    """Every run and phase.

    ``counts``: state to number of phases. ``errors``: documents that could not be read.
    """

    pipeline: str
    timezone: str
    now: Time
    phases: tuple[PhaseRowJson, ...]
    counts: Mapping[str, int]
    overdue: int
    quarantined: int
    errors: tuple[str, ...]


class AttemptJson(PrintedJson, frozen=True, kw_only=True):
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


class MemberJson(PrintedJson, frozen=True, kw_only=True):
    """One step of a phase.

    ``since``: null before its first report. ``rows``: null if unknown. ``token``: null without a table. ``last`` and
    ``last_at``: the newest report, empty and null before it. ``log``: the last attempt that failed, or null.
    """

    name: str
    state: MemberState
    reason: str
    since: Time | None
    rows: int | None
    token: int | None
    stale_against: tuple[str, ...]
    lacks: tuple[str, ...]
    last: str
    last_at: Time | None
    log: AttemptJson | None


class GenerationJson(PrintedJson, frozen=True, kw_only=True):
    """One firing.

    ``missing``: the members it fired without. ``receivers``: name to state of the trigger.
    """

    number: int
    at: Time
    made_by: tuple[str, ...]
    missing: tuple[str, ...]
    receivers: Mapping[str, str]


class PhaseWholeJson(PhaseRowJson, frozen=True, kw_only=True):
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
    members: tuple[MemberJson, ...]
    generations: tuple[GenerationJson, ...]


class WhyJson(PrintedJson, frozen=True, kw_only=True):
    """One run, explained.

    ``not_open``: phases that have not begun. ``tables``: only there with ``--tables``.
    """

    run: str
    timezone: str
    now: Time
    phases: tuple[PhaseWholeJson, ...]
    not_open: tuple[str, ...]
    errors: tuple[str, ...]
    tables: InTablesJson | UnsetType = UNSET


class WhyDateJson(PrintedJson, frozen=True, kw_only=True):
    """All runs of a date, in a plan of several modes."""

    runs: tuple[WhyJson, ...]


class StepAttemptJson(AttemptJson, frozen=True, kw_only=True):
    """What an attempt left, with its step."""

    step: str


class LogsJson(PrintedJson, frozen=True, kw_only=True):
    """The stored attempts at the steps of a run, the oldest first."""

    run: str
    attempts: tuple[StepAttemptJson, ...]


class BegunJson(PrintedJson, frozen=True, kw_only=True):
    """The root phases of a run, when it was opened."""

    run: str
    opened: tuple[str, ...]
    already_open: tuple[str, ...]
    next: tuple[str, ...]


class CompletedJson(PrintedJson, frozen=True, kw_only=True):
    """The outcome of a report.

    ``step``: null if only a trigger was acknowledged. ``rows``: of the newest accepted result, null if unknown.
    ``generation``, ``state`` and ``next``: of its phase, now.
    """

    run: str
    phase: str
    step: str | None
    outcome: str
    refused: bool
    rows: int | None
    generation: int
    state: PhaseState
    next: tuple[str, ...]


class HeldJson(CompletedJson, frozen=True, kw_only=True):
    """The outcome of a step that was held while its command ran.

    ``exit_code``: of the command.
    """

    exit_code: int


class RerunJson(PrintedJson, frozen=True, kw_only=True):
    """The outcome of building a step now.

    ``rows``: null if unknown. ``log``: the attempt, if it failed, else null.
    """

    run: str
    phase: str
    step: str
    outcome: str
    state: MemberState
    reason: str
    rows: int | None
    next: tuple[str, ...]
    log: AttemptJson | None


class PausedJson(PrintedJson, frozen=True, kw_only=True):
    """The phases of a run that were paused."""

    run: str
    paused: tuple[str, ...]


class ResumedJson(PrintedJson, frozen=True, kw_only=True):
    """The phases of a run that go on, with ``--resume``."""

    run: str
    resumed: tuple[str, ...]


class CancelledJson(PrintedJson, frozen=True, kw_only=True):
    """The phases of a run that were declared void."""

    run: str
    cancelled: tuple[str, ...]


class RestoredJson(PrintedJson, frozen=True, kw_only=True):
    """The phases of a run that take place after all, with ``--undo``."""

    run: str
    restored: tuple[str, ...]


class ReplannedPhaseJson(PrintedJson, frozen=True, kw_only=True):
    """A phase that follows the present plan.

    ``changed``: whether it followed another one before.
    """

    phase: str
    changed: bool


class ReplannedJson(PrintedJson, frozen=True, kw_only=True):
    """The open phases of a run that follow the present plan."""

    run: str
    phases: tuple[ReplannedPhaseJson, ...]
