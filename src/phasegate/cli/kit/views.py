"""A phase for several commands: as JSON, and as an exit code."""

from typing import TYPE_CHECKING, NamedTuple

from phasegate.base.dates import shift
from phasegate.cli.kit.app import FAILED, FINDINGS, FINE
from phasegate.cli.kit.output import talk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from phasegate.answers.times import Times
    from phasegate.errors import BadDocument
    from phasegate.explain.member_view import MemberView
    from phasegate.explain.phase_view import GenerationView, PhaseView
    from phasegate.pipeline import Pipeline
    from phasegate.plan.model import Plan
    from phasegate.printed.runs import GenerationJson, MemberJson, PhaseRowJson, PhaseWholeJson
    from phasegate.steplog import LoggedAttempt

LATE_DAYS = 3_000


class Left(NamedTuple):
    """What is left undone, and what to type next."""

    text: str
    command: str


def needs_a_person(view: "PhaseView", /) -> bool:
    """Return whether a phase needs an operator command."""
    return view.state in ("dead", "degraded") or view.overdue or bool(view.drifted)


def left_undone(pipeline: "Pipeline", /) -> "list[Left]":
    """Return what is left undone where a worker has nothing to do.

    That is what needs a person, what is late, and what is retried later. What waits for a report that is not late yet,
    or for an acknowledgement from outside the plan, is not.
    """
    from phasegate.base.keys import parse_run

    broken: list[BadDocument] = []  # a sweep reports it
    views = [view for view in pipeline.views.phases(broken=broken) if view.state not in ("void", "paused")]
    found = [left for view in views if (left := _left(view, plan=pipeline.plan)) is not None]
    waiting = {view.run for view in views if view.state in ("waiting", "building")}
    if waiting and pipeline.views.lateness.expects:
        dates = sorted(parse_run(run).date for run in waiting)
        rows = pipeline.views.lateness.rows(max(dates[0], shift(dates[-1], -LATE_DAYS)), dates[-1], broken=broken)
        found += [Left(f"{row.phase}.{row.step} of {row.run} is late: {row.reason}", row.command)
                  for row in rows if row.verdict == "never" and row.run in waiting]  # fmt: skip
    letters = pipeline.views.quarantined(broken=broken)
    return found + [Left(f"a message is in quarantine: {one.reason}", one.command) for one in letters]


def _left(view: "PhaseView", /, *, plan: "Plan") -> "Left | None":
    own = [member.name for member in view.members if member.state in ("asked", "parked")
           and member.name in plan.steps and plan.steps[member.name].kind != "external"]  # fmt: skip
    unsent = [name for generation in view.generations for name, state in generation.receivers.items()
              if state == "unsent" or (state == "sent" and name in plan.phases)]  # fmt: skip
    if needs_a_person(view):
        why = f"is {'overdue' if view.overdue else view.state}: {view.reason}"
    elif own:
        why = f"is {view.state}: {view.reason}"
    elif unsent:
        why = f"has not reached {', '.join(dict.fromkeys(unsent))}"
    else:
        return None
    return Left(f"{view.phase} of {view.run} {why}", view.commands[0] if view.commands else f"phasegate why {view.run}")


def exit_code(views: "Iterable[PhaseView]", /, *, broken: "Sequence[BadDocument]", found: int = 0) -> int:
    """Return the exit code of views, and report unreadable documents.

    An unreadable document wins over findings.
    """
    for error in broken:
        talk(str(error))
    if broken:
        return FAILED
    return FINDINGS if found or any(needs_a_person(view) for view in views) else FINE


def phase_json(view: "PhaseView", /, *, times: "Times") -> "PhaseRowJson":
    """Return one phase for programs, as status shows it."""
    from phasegate.printed.runs import PhaseRowJson

    return PhaseRowJson(
        run=view.run,
        phase=view.phase,
        state=view.state,
        overdue=view.overdue,
        generation=view.generation,
        missing=view.missing,
        drifted=view.drifted,
        since=times.iso(view.since),
        reason=view.reason,
        next=view.commands,
    )


def phase_json_full(
    view: "PhaseView", /, *, times: "Times", logs: "Mapping[str, LoggedAttempt]"
) -> "PhaseWholeJson":  # fmt: skip
    """Return one phase for programs, as why shows it.

    ``logs``: the last attempt at each step that failed.
    """
    from msgspec.structs import asdict

    from phasegate.printed.runs import PhaseWholeJson

    return PhaseWholeJson(
        **asdict(phase_json(view, times=times)),
        opened_at=times.iso(view.opened_at),
        due=times.iso(view.due),
        inputs=view.inputs,
        waiting=view.waiting,
        last=view.last,
        last_at=times.iso(view.last_at),
        members=tuple(_member_json(member, times=times, log=logs.get(member.name)) for member in view.members),
        generations=tuple(_generation_json(generation, times=times) for generation in view.generations),
    )


def _member_json(
    member: "MemberView", /, *, times: "Times", log: "LoggedAttempt | None"
) -> "MemberJson":  # fmt: skip
    from phasegate.answers.rebuilt import attempt_json
    from phasegate.printed.runs import MemberJson

    return MemberJson(
        name=member.name,
        state=member.state,
        reason=member.reason,
        since=times.iso(member.since),
        rows=member.rows,
        token=member.token,
        stale_against=member.stale_against,
        lacks=member.lacks,
        last=member.last,
        last_at=times.iso(member.last_at),
        log=None if log is None else attempt_json(log, times=times),
    )


def _generation_json(generation: "GenerationView", /, *, times: "Times") -> "GenerationJson":
    from phasegate.printed.runs import GenerationJson

    return GenerationJson(
        number=generation.number,
        at=times.iso(generation.at),
        made_by=generation.made_by,
        missing=generation.missing,
        receivers=generation.receivers,
    )
