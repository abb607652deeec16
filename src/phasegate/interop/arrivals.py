"""Completion messages made of the platform's completion documents. Pure.

They are ordinary messages for a plan's external steps: its rules of modes, unknown names and order hold for them too.
Nothing is guessed: a time that names no moment is left out, and the receiver of the message decides what follows.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from phasegate.base.platform import STATUSES
from phasegate.interop.platform import GOOD, Completed, ProcessorEntry
from phasegate.plan.model import Plan, completions_topic


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """The message of one entry.

    ``sent``: it is published. ``problem``: why it is not, or will be quarantined; "" if neither.
    """

    subject: str
    id: str
    topic: str
    body: dict[str, object]
    problem: str = ""
    sent: bool = True


def arrivals(one: Completed, plan: Plan, /) -> list[Arrival]:
    """Return a message for each entry of a document.

    The same entry always has the same id.
    """
    return [_arrival(one, report, plan) for report in one.reports]


def _arrival(one: Completed, report: ProcessorEntry, plan: Plan) -> Arrival:
    name = report.name
    if plan.platform is not None:
        name = plan.platform.step_of(report.spelled, steps=plan.steps) or name
    step = plan.steps.get(name)
    status = STATUSES.get(report.status, report.status)
    body: dict[str, object] = {
        "kind": "completion",
        "step": name,
        "status": "empty" if status == "success" and report.rows == 0 else status,
        "date": one.date,
        "rows": report.rows,
        "completed_at": report.completed.at,
    }
    if mode := report.mode or one.mode:
        body["mode"] = mode
    body = {name: value for name, value in body.items() if value is not None}
    body["execution_id"] = report.execution_id or f"platform-{_digest(body)}"
    subject = f"{one.subject} {report.spelled}"
    problem, sent = "", True
    if not one.date:
        problem, sent = "the document names no date", False
    elif report.instead:
        problem, sent = f"its entry is {report.instead}, not a map with a report: complete the step by hand", False
    elif step is None:
        problem = f"the plan has no step {name}: it goes to quarantine"
    elif step.kind != "external":
        problem, sent = f"{step.name} is built by Phasegate, which asks for it itself", False
    elif "completed_at" not in body and report.status in GOOD:
        problem = f"its time names no moment ({report.completed.form}): it goes to quarantine"
    return Arrival(subject=subject, id=f"platform.{_digest(body)}", topic=completions_topic(plan.pipeline), body=body,
                   problem=problem, sent=sent)  # fmt: skip


def _digest(body: Mapping[str, object]) -> str:
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()[:20]
