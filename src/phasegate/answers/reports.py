"""A report of an external step, and its outcome."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from phasegate import messages
from phasegate.answers.runs import run_of
from phasegate.base import keys
from phasegate.base.findings import FINE, FOUND
from phasegate.base.keys import Run
from phasegate.base.platform import own_names
from phasegate.base.wording import count, were
from phasegate.errors import BadInput
from phasegate.printed.runs import CompletedJson

if TYPE_CHECKING:
    from phasegate.explain.member_view import MemberView
    from phasegate.explain.phase_view import PhaseView
    from phasegate.pipeline import Pipeline

REFUSED = ("older", "void")
WHERE = "complete"


class Reported:
    """A processed report, and the present state of its step and phase."""

    def __init__(self, pipeline: "Pipeline", run: Run, *, phase: str, step: str | None, outcome: str) -> None:
        self.step, self.run, self.outcome = step, run, outcome
        self.view: PhaseView = next(view for view in pipeline.views.why(run) if view.phase == phase)
        self.member: MemberView | None = next((one for one in self.view.members if one.name == step), None)

    @property
    def rows(self) -> int | None:
        """Return the rows of the step's newest accepted result."""
        return None if self.member is None else self.member.rows

    @property
    def exit_code(self) -> int:
        """Return 1 for a report that was refused."""
        return FOUND if self.outcome in REFUSED else FINE

    def differs(self, rows: int | None) -> str:
        """Return the difference between reported and stored rows, in words.

        "" if they are equal.
        """
        if rows is None or self.outcome not in ("accepted", "duplicate") or self.rows in (None, rows):
            return ""
        return f"{self.step} of {self.run}: {count(rows, 'row')} {were(rows)} reported, its table holds {self.rows:,}"

    def document(self) -> CompletedJson:
        """Return the report for programs."""
        return CompletedJson(
            run=str(self.run),
            phase=self.view.phase,
            step=self.step,
            outcome=self.outcome,
            refused=self.outcome in REFUSED,
            rows=self.rows,
            generation=self.view.generation,
            state=self.view.state,
            next=self.view.commands,
        )


def date_of(body: Mapping[str, object]) -> str | None:
    """Return the date of the run that a completion message is for.

    None if it names none.
    """
    body = own_names(body)
    text = str(body.get("run") or "")
    if not text and (trigger := body.get("trigger_id")):
        text = str(keys.parse_trigger(str(trigger))[2])
    day = (text or str(body.get("date") or "")).partition(".")[0]
    return day if keys.is_date(day) else None


def filled(pipeline: "Pipeline", body: Mapping[str, object], *, execution_id: str) -> dict[str, object]:
    """Return a completion message with what its sender may leave out.

    The run's mode, the status ``empty``, and the execution id for a step without a table. Raises BadInput.
    """
    body = messages.in_own_words(body, pipeline.plan, where=WHERE)
    step = pipeline.plan.steps.get(str(body.get("step")))
    if step is not None and step.kind != "external":
        raise BadInput(f"{WHERE}: {step.name} is built by Phasegate itself; see phasegate why RUN")
    if isinstance(rows := body.get("rows"), int) and rows < 0:
        raise BadInput(f"{WHERE}: rows is {rows}; it must be 0 or more")
    whole = dict(body)
    if isinstance(run := body.get("run"), str) and run and "." not in run:
        whole["run"] = str(run_of(pipeline.plan, run))
    if body.get("rows") == 0 and "status" not in body:
        whole["status"] = "empty"
    if step is not None and step.table is None and not body.get("execution_id"):
        whole["execution_id"] = execution_id
    return whole


def reported(pipeline: "Pipeline", body: Mapping[str, object], *, outcome: str) -> Reported:
    """Return a processed report and the present state of its phase.

    The phase is that of the step, or the one whose trigger was acknowledged.
    """
    report = messages.parse({"kind": "completion", **body}, where=WHERE, plan=pipeline.plan)
    assert isinstance(report, messages.CompletionMessage)
    if not report.step:
        _, phase, run, _, _ = keys.parse_trigger(report.trigger_id)
        return Reported(pipeline, run, phase=phase, step=None, outcome=outcome)
    run = messages.reported_run(report, pipeline.plan, where=WHERE)
    return Reported(pipeline, run, phase=pipeline.plan.steps[report.step].phase, step=report.step, outcome=outcome)
