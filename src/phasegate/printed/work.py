"""The documents of the commands that work, and of what waits for them."""

from phasegate.printed.parts import PrintedJson, Time, UndoneJson


class WorkedJson(PrintedJson, frozen=True, kw_only=True):
    """What a worker did.

    ``dead``: requests that died. ``stopped_by``: the signal, or null. ``next_due``: null if nothing is due. ``left``:
    what is left undone, with ``--until-idle``.
    """

    served: int
    quarantined: int
    dead: int
    stopped_by: str | None
    next_due: Time | None
    left: tuple[UndoneJson, ...]
    errors: tuple[str, ...]


class SweptJson(PrintedJson, frozen=True, kw_only=True):
    """What a sweep did.

    ``next_due``: null if nothing is due.
    """

    swept: int
    next_due: Time | None
    errors: tuple[str, ...]


class LeaseJson(PrintedJson, frozen=True, kw_only=True):
    """The lease of one partition.

    ``since``: null if it was never held. ``left_s``: negative once it has expired.
    """

    key: str
    warehouse: str
    table: str
    partition: str
    token: int
    held: bool
    purpose: str
    since: Time | None
    left_s: float


class LeasesJson(PrintedJson, frozen=True, kw_only=True):
    """The leases that are held, with ``--all`` also the free ones."""

    now: Time
    leases: tuple[LeaseJson, ...]
    errors: tuple[str, ...]


class DeadRowJson(PrintedJson, frozen=True, kw_only=True):
    """Something that is not retried without a command.

    ``kind``: request, trigger or message. ``run``: empty if none is known.
    """

    kind: str
    subject: str
    run: str
    reason: str
    at: Time
    next: str


class DeadJson(PrintedJson, frozen=True, kw_only=True):
    """What is not retried without a command."""

    now: Time
    dead: tuple[DeadRowJson, ...]
    errors: tuple[str, ...]


class RedrivenRowJson(PrintedJson, frozen=True, kw_only=True):
    """Something that was brought back.

    ``kind``: as ``dead`` shows it, or held: a trigger that a quiet backfill held back.
    """

    kind: str
    subject: str
    run: str


class RedrivenJson(PrintedJson, frozen=True, kw_only=True):
    """What was brought back."""

    redriven: tuple[RedrivenRowJson, ...]


class BackfillRowJson(PrintedJson, frozen=True, kw_only=True):
    """A phase of a run of the span.

    ``reasons``: why it is built. ``lacking``: steps without data.
    """

    run: str
    phase: str
    reasons: tuple[str, ...]
    lacking: tuple[str, ...]


class HeldTriggerJson(PrintedJson, frozen=True, kw_only=True):
    """A trigger that was not sent."""

    run: str
    receiver: str


class BackfilledJson(PrintedJson, frozen=True, kw_only=True):
    """What a backfill did, or would do with ``--dry-run``.

    ``build``: the code that it runs; ``warning``: why that should not build these tables, or empty. ``drifted``: runs
    built before earlier dates changed. ``stopped_by``: the signal, or null.
    """

    dry_run: bool
    build: str
    warning: str
    runs: tuple[BackfillRowJson, ...]
    unsettled: tuple[str, ...]
    drifted: tuple[str, ...]
    held: tuple[HeldTriggerJson, ...]
    stopped_by: str | None
    errors: tuple[str, ...]


class AuditEntryJson(PrintedJson, frozen=True, kw_only=True):
    """One act of a person.

    ``via``: command line, page or http. ``command``: what does the same. ``run``, ``first`` and ``last``: what it was
    about, else null. ``finished_at`` null: it works, or its process was killed.
    """

    key: str
    at: str
    by: str
    via: str
    command: str
    run: str | None
    first: str | None
    last: str | None
    finished_at: str | None
    outcome: str
    failed: bool


class AuditJson(PrintedJson, frozen=True, kw_only=True):
    """What people changed on some days (UTC), the newest first."""

    pipeline: str
    first: str
    last: str
    now: str
    entries: tuple[AuditEntryJson, ...]
    errors: tuple[str, ...]
