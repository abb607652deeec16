"""Turns the platform's completion documents into completion messages for a plan's external steps. Pure.

The messages are ordinary ones: whatever a plan says of modes, unknown names and order holds for them too. It refuses
to guess: a time that names no moment is left out, and who takes the message in says what follows.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from phasegate.interop.platform import GOOD, Completed, ProcessorEntry
from phasegate.plan.model import Plan, completions_topic

_STATUS: Mapping[str, str] = {
    "empty": "empty", "no_data": "empty", "error": "failed", "failure": "failed", "failed": "failed",
    "partial": "partial", "skipped": "skipped",
}  # fmt: skip


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """One entry on its way to the plan. ``told``: why it is not sent, or will not be understood; "" when all is well.

    ``sent``: it goes to the bus.
    """

    subject: str
    id: str
    topic: str
    body: dict[str, object]
    told: str = ""
    sent: bool = True


def arrivals(one: Completed, plan: Plan, /) -> list[Arrival]:
    """Return a message for each entry of a document, under an id that the same entry always has."""
    return [_arrival(one, report, plan) for report in one.reports]


def _arrival(one: Completed, report: ProcessorEntry, plan: Plan) -> Arrival:
    step = plan.steps.get(report.name)
    status = _STATUS.get(report.status, "success" if report.good else report.status)
    body: dict[str, object] = {
        "kind": "completion",
        "step": report.name,
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
    told, sent = "", True
    if not one.date:
        told, sent = "the document names no date", False
    elif step is None:
        told = f"the plan has no step {report.name}: it goes to quarantine"
    elif step.kind != "external":
        told, sent = f"{step.name} is built by Phasegate, which asks for it itself", False
    elif "completed_at" not in body and report.status in GOOD:
        told = f"its time names no moment ({report.completed.form}): it goes to quarantine"
    return Arrival(subject=subject, id=f"platform.{_digest(body)}", topic=completions_topic(plan.pipeline), body=body,
                   told=told, sent=sent)  # fmt: skip


def _digest(body: Mapping[str, object]) -> str:
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()[:20]
