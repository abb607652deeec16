"""The checks of deadlines, clock and disk. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from phasegate.base.dates import local_time, shift
from phasegate.base.disk import Disk
from phasegate.base.findings import GRACE_S, Finding
from phasegate.base.keys import parse_run
from phasegate.base.wording import listed
from phasegate.explain.coverage import PATIENCE_S
from phasegate.explain.phase_view import PhaseView
from phasegate.plan.model import Plan

# A write of a busy date takes some 10 MB; a database on a full disk stops at once.
DISK_MIN_BYTES = 1_000_000_000
DISK_MIN_SHARE = 0.05
GB = 1e9


class RecordedTime(msgspec.Struct, frozen=True, kw_only=True):
    """A time (epoch seconds) that was recorded, and where."""

    at: float
    where: str


def deadlines(views: Iterable[PhaseView]) -> tuple[Finding, ...]:
    """Return PG022 for each phase past its deadline that has never fired."""
    return tuple(
        Finding(
            code="PG022",
            subject=f"{view.phase} of {view.run}",
            text=f"past its deadline: {view.reason}",
            cause=f"{view.phase}:{view.run}",
            since=view.since,
            command=view.commands[0] if view.commands else f"bring what it waits for: phasegate why {view.run}",
            evidence={"missing": ", ".join(view.missing), "state": view.state},
        )
        for view in views
        if view.overdue
    )


def unwatched(plan: Plan, views: Iterable[PhaseView], *, on: str, now: float) -> str:
    """Return which phases wait for a report that nothing expects, "" for none.

    They have neither a deadline nor, for what is missing, ``expected_by``. A report may take PATIENCE_S.
    """
    if now <= local_time("00:00", shift(on, 1), timezone=plan.timezone) + PATIENCE_S:
        return ""
    found = []
    for view in views:
        mode = parse_run(view.run).mode
        gate = None if view.phase not in plan.phases else plan.phases[view.phase].modes.get(mode)
        waits = [one.name for one in view.members if one.state == "unreported" and one.name in view.missing]
        free = [name for name in waits if name in plan.steps and mode not in plan.steps[name].expected_by]
        if free and not view.generation and view.state == "waiting" and gate is not None and gate.deadline is None:
            found.append(f"{view.phase} of {view.run} waits for {listed(free)}, and nothing says until when: add "
                         f"expected_by to [step.{free[0]}], or a deadline to mode {mode}")  # fmt: skip
    return "; ".join(found)


def clock(moments: Iterable[RecordedTime], *, now: float) -> tuple[Finding, ...]:
    """Return PG023 if a recorded time is ahead of ``now``.

    It is ahead by more than the grace period.
    """
    newest = max(moments, key=lambda moment: moment.at, default=None)
    if newest is None or newest.at <= now + GRACE_S:
        return ()
    return (
        Finding(
            code="PG023",
            subject="clock",
            text=f"{newest.where} is from {newest.at - now:.0f} s ahead of this machine's clock",
            cause="clock",
            since=None,
            command="set the clocks of all machines right; timedatectl status shows this one",
            evidence={"written": _iso(newest.at), "now": _iso(now), "where": newest.where},
        ),
    )


def disk(there: Disk) -> tuple[Finding, ...]:
    """Return PG024 if less than 1 GB or 5 % is free, whichever is less."""
    enough = min(DISK_MIN_BYTES, there.total * DISK_MIN_SHARE)
    if there.free >= enough:
        return ()
    return (
        Finding(
            code="PG024",
            subject=there.path,
            text=f"{there.free / GB:.2f} GB are free of {there.total / GB:.2f} GB",
            cause=f"disk:{there.path}",
            command=f"make room; df -h {there.path} shows it",
            evidence={"free_bytes": str(there.free), "total_bytes": str(there.total)},
        ),
    )


def moments_of(views: Iterable[PhaseView]) -> Iterable[RecordedTime]:
    """Yield the times recorded in phases."""
    for view in views:
        yield RecordedTime(at=view.opened_at, where=f"the opening of {view.phase} of {view.run}")
        if view.last_at is not None:
            yield RecordedTime(at=view.last_at, where=f"the last command of {view.phase} of {view.run}")
        for generation in view.generations:
            yield RecordedTime(at=generation.at, where=f"generation {generation.number} of {view.phase} of {view.run}")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
