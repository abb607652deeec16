"""Which run and which step a caller means, and opening a run."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from phasegate.base.dates import shift
from phasegate.base.keys import Run, parse_run
from phasegate.errors import BadInput, NotFound
from phasegate.plan.model import Plan, Step
from phasegate.printed.runs import BegunJson

if TYPE_CHECKING:
    from phasegate.pipeline import Pipeline

FAR_DAYS = 366


def run_of(plan: Plan, text: str, /) -> Run:
    """Return the run that a text names.

    The mode may be left out where the plan has one. Raises BadInput.
    """
    if "." not in text:
        if len(plan.modes) != 1:
            raise BadInput(f"run {text!r}: add the mode, such as {text}.{plan.modes[0]}; the plan has "
                           f"{', '.join(plan.modes)}")  # fmt: skip
        text = f"{text}.{plan.modes[0]}"
    run = parse_run(text)
    if run.mode not in plan.modes:
        raise BadInput(f"run {text!r}: unknown mode {run.mode!r}; the plan has {', '.join(plan.modes)}")
    return run


def is_near(pipeline: "Pipeline", date: str) -> bool:
    """Return whether a date is less than a year away, or is meant anyway.

    One on which the calendar has work is meant, as is one within a year of a run that is open.
    """
    first, last = shift(date, -FAR_DAYS), shift(date, FAR_DAYS)
    if first <= datetime.fromtimestamp(pipeline.ports.clock.now(), UTC).date().isoformat() <= last:
        return True
    if pipeline.plan.calendar is not None:
        day = pipeline.calendar.foresee(date)
        if day is not None and day.state == "work":
            return True
    prefixes = [f"phase:{pipeline.plan.pipeline}:{phase}:" for phase in pipeline.plan.phases]
    return any(pipeline.ports.store.scan(one, after=one + first, until=f"{one}{last}~", limit=1) for one in prefixes)


def check_near(pipeline: "Pipeline", *dates: str, where: str, mend: str) -> None:
    """Refuse a date that is not near; raise BadInput.

    ``mend``: how a caller says that it is meant.
    """
    for date in dates:
        if not is_near(pipeline, date):
            wrong = f"{where}: {date} is more than a year from today, and no run is open within a year of it"
            raise BadInput(f"{wrong}; if it is no typo, {mend}")


def external_step(plan: Plan, name: str, run: Run) -> Step:
    """Return an external step of a run.

    Raises NotFound.
    """
    external = [step.name for step in plan.steps.values() if step.kind == "external"]
    step = plan.steps.get(name)
    if step is None or step.kind != "external":
        raise NotFound(f"begin: {name!r} is not an external step; choose one of {', '.join(external) or 'none'}")
    if run.mode not in plan.phases[step.phase].modes or name not in plan.members(step.phase, mode=run.mode):
        raise NotFound(f"begin: {name} is not a step of {step.phase} in mode {run.mode}")
    return step


def opened(pipeline: "Pipeline", run: Run) -> BegunJson:
    """Open a run in every root phase."""
    first = root_phases(pipeline.plan, run)
    new: list[str] = []
    known: list[str] = []
    for phase in first:
        (new if pipeline.runs.read(phase, run) is None else known).append(phase)
        pipeline.runs.open(phase, run, by="operator")
    views = [view for view in pipeline.views.why(run) if view.phase in first]
    commands = dict.fromkeys(command for view in views for command in view.commands)
    return BegunJson(run=str(run), opened=tuple(new), already_open=tuple(known), next=tuple(commands))


def root_phases(plan: Plan, run: Run) -> list[str]:
    """Return the phases of a run that come after no other."""
    return [phase.name for phase in plan.phases.values() if not phase.after and run.mode in phase.modes]
