"""The documents of the commands on plans."""

from collections.abc import Mapping
from typing import Literal

from phasegate.dialects.engines import Engine
from phasegate.plan.gate import Ack, Status
from phasegate.plan.model import StepKind
from phasegate.printed.parts import PrintedJson


class GateJson(PrintedJson, frozen=True, kw_only=True):
    """What a phase waits for in one mode.

    ``at_least``: null means all. ``deadline`` and ``reports``: null without one. ``receivers``: name to how it
    acknowledges.
    """

    expect: tuple[str, ...]
    critical: tuple[str, ...]
    at_least: int | None
    deadline: str | None
    accept: tuple[Status, ...]
    start: str
    any_date: bool
    await_windows: bool
    reports: str | None
    receivers: Mapping[str, Ack]


class PlannedPhaseJson(PrintedJson, frozen=True, kw_only=True):
    """A phase, with its gate in each mode."""

    name: str
    after: tuple[str, ...]
    settle_s: float
    modes: Mapping[str, GateJson]


class PlannedStepJson(PrintedJson, frozen=True, kw_only=True):
    """A step.

    ``table`` and ``write``: null without a table.
    """

    name: str
    phase: str
    kind: StepKind
    needs: tuple[str, ...]
    table: str | None
    write: Literal["replace", "merge"] | None


class ProblemJson(PrintedJson, frozen=True, kw_only=True):
    """What is wrong with the SELECT of a step.

    ``sql``: it cannot run. ``engine``: it does not run on the engine that was asked about, and ``line`` of its file is
    to be written as ``mend`` says; both are null for other kinds. ``needs``: it reads a table that is not in the needs
    of the step. ``note``: nothing to fix.
    """

    step: str
    kind: Literal["sql", "engine", "needs", "note"]
    text: str
    line: int | None
    mend: str | None


class CheckedPlanJson(PrintedJson, frozen=True, kw_only=True):
    """A plan.

    ``calendar``: its function, or null. ``hash``: of its whole content. ``engine``: what the SQL was checked for.
    ``steps``: in order. ``bytes_read``: by step with a SELECT, what it would read in BigQuery, null where a table of it
    is absent; null without ``--cost``.
    """

    pipeline: str
    timezone: str
    calendar: str | None
    cascade_days: int
    hash: str
    engine: Engine
    modes: tuple[str, ...]
    phases: tuple[PlannedPhaseJson, ...]
    steps: tuple[PlannedStepJson, ...]
    problems: tuple[ProblemJson, ...]
    bytes_read: Mapping[str, int | None] | None


class DrawnStepJson(PrintedJson, frozen=True, kw_only=True):
    """A step and its place, both counted from 0."""

    name: str
    phase: str
    column: int
    row: int
    needs: tuple[str, ...]


class DrawnJson(PrintedJson, frozen=True, kw_only=True):
    """The steps of a plan as they are drawn."""

    pipeline: str
    steps: tuple[DrawnStepJson, ...]
