"""Building one step of a run now."""

from typing import TYPE_CHECKING

from phasegate.answers.times import Times
from phasegate.base.findings import FINE, FOUND
from phasegate.base.keys import Run
from phasegate.errors import BadInput, NotFound
from phasegate.plan.model import Step
from phasegate.printed.runs import AttemptJson, RerunJson
from phasegate.steplog import LoggedAttempt

if TYPE_CHECKING:
    from phasegate.explain.member_view import MemberView
    from phasegate.explain.phase_view import PhaseView
    from phasegate.pipeline import Pipeline

BUILT = ("accepted", "confirmed", "duplicate", "not asked for")


class Rebuilt:
    """A step that was to be built, and its present state.

    ``built``: whether it has a result. ``failure``: what the attempt left, if there is none.
    """

    def __init__(self, pipeline: "Pipeline", step: Step, run: Run, *, outcome: str) -> None:
        self.step, self.run, self.outcome = step, run, outcome
        self.view: PhaseView = next(view for view in pipeline.views.why(run) if view.phase == step.phase)
        self.member: MemberView = next(one for one in self.view.members if one.name == step.name)
        log = pipeline.views.log(run, step.name)
        self.built = outcome in BUILT and self.member.state in ("fresh", "partial")
        self.failure: LoggedAttempt | None = log[-1] if log and not self.built and outcome != "blocked" else None

    @property
    def exit_code(self) -> int:
        """Return 1 for a step that failed, or cannot be built now."""
        return FINE if self.built else FOUND

    def document(self, *, times: Times) -> RerunJson:
        """Return the outcome for programs."""
        return RerunJson(
            run=str(self.run), phase=self.step.phase, step=self.step.name, outcome=self.outcome,
            state=self.member.state, reason=self.member.reason, rows=self.member.rows, next=self.view.commands,
            log=None if self.failure is None else attempt_json(self.failure, times=times),
        )  # fmt: skip


def buildable(pipeline: "Pipeline", name: str, run: Run) -> Step:
    """Return a step of a run, if it can be built here now.

    Raises NotFound, and BadInput with what to type in its place.
    """
    step = pipeline.plan.steps.get(name)
    if step is None:
        raise NotFound(f"rerun: unknown step {name!r}; the plan has {', '.join(pipeline.plan.steps)}")
    if step.kind == "external":
        fix = f"phasegate begin {run} --step {name} -- COMMAND, or report it: phasegate complete {name} --run {run}"
        raise BadInput(f"rerun: {name} is external, its own system builds it; type: {fix}")
    phase = pipeline.runs.read(step.phase, run)
    if phase is None:
        raise NotFound(f"rerun: {step.phase} of {run} is not open; see phasegate why {run}")
    if name not in phase.gate.members:
        raise NotFound(f"rerun: {name} is no member of {step.phase} in run {run}; try: phasegate replan {run}")
    if phase.void is not None:
        raise BadInput(f"rerun: {run} is void ({phase.void}); to bring it back: phasegate cancel {run} --undo")
    if phase.paused is not None:
        raise BadInput(f"rerun: {run} is paused ({phase.paused}); first: phasegate pause {run} --resume")
    return step


def attempt_json(attempt: LoggedAttempt, /, *, times: Times) -> AttemptJson:
    """Return what an attempt at a step left."""
    return AttemptJson(
        attempt=attempt.number,
        request=attempt.request,
        at=times.iso(attempt.at),
        status=attempt.status,
        error=attempt.error,
        traceback=attempt.traceback,
        output=attempt.output,
    )
