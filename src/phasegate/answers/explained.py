"""What a run waits for, and what was sent of an incident, in words."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from phasegate.answers.times import Times, age
from phasegate.base.keys import Run
from phasegate.base.receipt import Part, Receipt
from phasegate.base.wording import count
from phasegate.explain.member_view import MemberView
from phasegate.explain.phase_view import RECEIVERS, PhaseView
from phasegate.plan.model import Plan

if TYPE_CHECKING:
    from phasegate.alerts.delivery import Notification
    from phasegate.alerts.evaluations import Watch
    from phasegate.alerts.incident import Incident
    from phasegate.explain.coverage import Cell
    from phasegate.pipeline import Pipeline

CLOSE = "phasegate alerts close"


class NotOpen(NamedTuple):
    """Phases of a run that are not open yet, and why.

    ``command``: what opens them, "" where another phase must fire.
    """

    phases: str
    why: str
    command: str = ""

    @property
    def text(self) -> str:
        """Return all of it as one line."""
        return f"{self.phases}: not open{self.why}{self.command}"


def closed_phases(plan: Plan, run: Run, *, views: Iterable[PhaseView], phase: str | None = None) -> list[str]:
    """Return the phases of the plan that are not open yet.

    ``phase``: only this one.
    """
    there = {view.phase for view in views}
    wanted = [name for name, p in plan.phases.items() if run.mode in p.modes and phase in (None, name)]
    return [name for name in wanted if name not in there]


def not_open(
    plan: Plan, run: Run, closed: Collection[str], *, views: Collection[PhaseView],
    gaps: "Mapping[str, Cell]" = MappingProxyType({}),
) -> list[NotOpen]:  # fmt: skip
    """Return why phases are not open; those that never begin together, last.

    ``gaps``: the phases of the run that lack something, where that was read.
    """
    void = {view.phase for view in views if view.state == "void"}
    fired = {view.phase: view.generations[-1] for view in views if view.generations}
    found, never = list[NotOpen](), list[str]()
    for name in closed:
        after = plan.phases[name].after
        if after and void.issuperset(after):
            void.add(name)  # the phases after it do not begin either
            never.append(name)
        elif (up := next((one for one in after if one in fired), None)) and name in gaps:
            found.append(NotOpen(name, f"; {gaps[name].reason}: ", gaps[name].command))
        elif up:
            sent = RECEIVERS[fired[up].receivers[name]].format(name) if name in fired[up].receivers else "not handed on"
            found.append(NotOpen(name, f"; {up} fired, {sent}"))
        elif after:
            found.append(NotOpen(name, f"; it begins when {' or '.join(after)} fires"))
        else:
            found.append(NotOpen(name, "; open it: ", f"phasegate begin {run}"))
    if never:
        found.append(NotOpen(", ".join(never), ", since the phase before is void"))
    return found


def works_on(view: PhaseView, /) -> str:
    """Return which generations a phase builds on, and which wait; "" for none."""
    if not view.inputs:
        return ""
    inputs = ", ".join(f"{name} generation {number}" for name, number in view.inputs.items())
    waiting = ", ".join(f"{name} generation {number}" for name, number in view.waiting.items())
    return f"works on {inputs}" + (f"; {waiting} waits until that is done" if waiting else "")


def checked_again(view: PhaseView, /, *, times: Times) -> str:
    """Return when a phase is checked again, "" for never."""
    if view.due is None or view.state in ("paused", "void"):
        return ""
    ahead = "now" if view.due <= times.now else f"at {times.moment(view.due)}, in {age(view.due - times.now)}"
    return f"checked again {ahead}, or when a report arrives"


def reason_of(member: MemberView, /, *, times: Times) -> str:
    """Return the reason, what it is stale against, and the last report.

    Each only where it adds something.
    """
    stale = f"stale against {', '.join(member.stale_against)}"
    reason = member.reason if not member.stale_against or stale in member.reason else f"{stale}; {member.reason}"
    if member.last_at is None or member.last_at == member.since:
        return reason
    return f"{reason}; last report {times.moment(member.last_at)}: {member.last}"


def receipts_of(pipeline: "Pipeline", run: Run, /) -> Sequence[Receipt]:
    """Read the newest receipt of each partition of a run."""
    parts = [Part(step.table.name, run.date) for step in pipeline.plan.steps.values()
             if step.table is not None and run.mode in pipeline.plan.phases[step.phase].modes]  # fmt: skip
    with pipeline.ports.warehouse.snapshot() as reader:
        found = reader.receipts(parts)
    return [found[part] for part in parts if part in found]


def delivered(post: "Notification", /, *, times: Times) -> str:
    """Return what was delivered to a channel, and what is still pending."""
    known = post.delivered and post.at is not None
    sent = f"{post.delivered} delivered at {times.moment(post.at or 0.0)}" if known else "nothing delivered"
    if not post.pending:
        return sent
    due = times.now if post.due is None else post.due
    when = f"next at {times.moment(due)}" if due > times.now else "due now"
    why = f"{count(post.tries, 'try', 'tries')}: {post.error or 'no answer yet'}, " if post.tries else ""
    return f"{sent}; {post.pending} pending ({why}{when})"


def neglected_text(incident: "Incident", /, *, watched: "Watch", times: Times) -> str:
    """Return the checks of an incident that were not evaluated lately.

    While they are not, no evaluation resolves it. "" for none.
    """
    from phasegate.alerts.evaluations import neglected  # `why` reads this module, and no incident

    gone = neglected(watched, incident.seen)
    if incident.state != "open" or not gone:
        return ""
    return f"{', '.join(gone)} was not evaluated since {times.since(min(gone.values()))}: if that check is gone"
