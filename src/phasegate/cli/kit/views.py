"""A phase for several commands: as JSON, and as an exit code."""

from typing import TYPE_CHECKING

from phasegate.cli.kit.app import FAILED, FINDINGS, FINE
from phasegate.cli.kit.output import talk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from phasegate.cli.kit.times import Times
    from phasegate.errors import BadDocument
    from phasegate.explain.member_view import MemberView
    from phasegate.explain.phase_view import GenerationView, PhaseView
    from phasegate.steplog import LoggedAttempt


def needs_a_person(view: "PhaseView", /) -> bool:
    """Return whether a phase needs an operator command."""
    return view.state in ("dead", "degraded") or view.overdue or bool(view.drifted)


def held_back(view: "PhaseView", /) -> "list[tuple[GenerationView, str]]":
    """Return the generations and receivers of held triggers.

    A quiet backfill holds them back.
    """
    return [(generation, receiver) for generation in view.generations
            for receiver, state in generation.receivers.items() if state == "held"]  # fmt: skip


def exit_code(views: "Iterable[PhaseView]", /, *, broken: "Sequence[BadDocument]", found: int = 0) -> int:
    """Return the exit code of views, and report unreadable documents.

    An unreadable document wins over findings.
    """
    for error in broken:
        talk(str(error))
    if broken:
        return FAILED
    return FINDINGS if found or any(needs_a_person(view) for view in views) else FINE


def phase_json(view: "PhaseView", /, *, times: "Times") -> dict[str, object]:
    """Return one phase for programs, as status shows it."""
    return {
        "run": view.run,
        "phase": view.phase,
        "state": view.state,
        "overdue": view.overdue,
        "generation": view.generation,
        "missing": list(view.missing),
        "drifted": list(view.drifted),
        "since": times.iso(view.since),
        "reason": view.reason,
        "next": list(view.commands),
    }


def phase_json_full(
    view: "PhaseView", /, *, times: "Times", logs: "Mapping[str, LoggedAttempt]"
) -> dict[str, object]:  # fmt: skip
    """Return one phase for programs, as why shows it.

    ``logs``: the last attempt at each step that failed.
    """
    return {
        **phase_json(view, times=times),
        "opened_at": times.iso(view.opened_at),
        "due": times.iso(view.due),
        "inputs": dict(view.inputs),
        "waiting": dict(view.waiting),
        "last": view.last,
        "last_at": times.iso(view.last_at),
        "members": [_member_json(member, times=times, log=logs.get(member.name)) for member in view.members],
        "generations": [_generation_json(generation, times=times) for generation in view.generations],
    }


def attempt_json(attempt: "LoggedAttempt", /, *, times: "Times") -> dict[str, object]:
    """Return what an attempt at a step left, for programs."""
    return {
        "attempt": attempt.number,
        "request": attempt.request,
        "at": times.iso(attempt.at),
        "status": attempt.status,
        "error": attempt.error,
        "traceback": attempt.traceback,
        "output": attempt.output,
    }


def _member_json(
    member: "MemberView", /, *, times: "Times", log: "LoggedAttempt | None"
) -> dict[str, object]:  # fmt: skip
    return {
        "name": member.name,
        "state": member.state,
        "reason": member.reason,
        "since": times.iso(member.since),
        "rows": member.rows,
        "token": member.token,
        "stale_against": list(member.stale_against),
        "lacks": list(member.lacks),
        "last": member.last,
        "last_at": times.iso(member.last_at),
        "log": None if log is None else attempt_json(log, times=times),
    }


def _generation_json(generation: "GenerationView", /, *, times: "Times") -> dict[str, object]:
    return {
        "number": generation.number,
        "at": times.iso(generation.at),
        "made_by": list(generation.made_by),
        "missing": list(generation.missing),
        "receivers": dict(generation.receivers),
    }
