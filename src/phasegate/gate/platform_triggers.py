"""Triggers in the platform's form: one for each table of the phase.

Pure. Each has the fields of ours too, so that whoever takes ours takes it. A message has an id of its own, the trigger
in it has one id. Only the last acknowledges it, which is published after all others: if one could not be published, all
are sent again.
"""

from collections.abc import Mapping

from phasegate.base.keys import parse_run
from phasegate.base.platform import ANALYSIS_DATE, CORRELATION, GAME_DATE, SOURCE_TABLE
from phasegate.bus import Message
from phasegate.gate.outbox import Outgoing
from phasegate.plan.model import Plan

TRIGGER_SOURCE = "phasegate"


def messages_of(outgoing: Outgoing, plan: Plan, /) -> list[Message]:
    """Return the messages to publish for one that is due.

    For a receiver in the platform's form: one for each table whose content the firing carries, or one without a table.
    For any other: itself.
    """
    body = outgoing.body
    if outgoing.kind != "trigger" or not _is_asked_for(outgoing, plan):
        return [Message(outgoing.id, outgoing.topic, body)]
    tables = _tables(body, plan)
    if not tables:
        return [Message(outgoing.id, outgoing.topic, _spelled(body, None, more=False))]
    last = next(reversed(tables))
    return [
        Message(f"{outgoing.id}.{step}", outgoing.topic, _spelled(body, table, more=step != last))
        for step, table in tables.items()
    ]


def _is_asked_for(outgoing: Outgoing, plan: Plan) -> bool:
    phase = plan.phases.get(str(outgoing.body["phase"]))
    sends = () if phase is None else phase.sends
    return any(send.form == "platform" and (send.phase or send.topic) == outgoing.subject for send in sends)


def _tables(body: Mapping[str, object], plan: Plan) -> dict[str, str]:
    """Return the table of each step that has new content, without the missing."""
    stamps, missing = body["stamps"], body["missing"]
    assert isinstance(stamps, dict)
    assert isinstance(missing, list)
    carried = [plan.steps[name] for name in stamps if name in plan.steps and name not in missing]
    return {step.name: step.table.name for step in carried if step.table is not None}


def _spelled(body: Mapping[str, object], table: str | None, *, more: bool) -> dict[str, object]:
    run = parse_run(str(body["run"]))
    return {
        **body,
        SOURCE_TABLE: table,
        ANALYSIS_DATE: run.date,
        GAME_DATE: run.date,
        CORRELATION: body["id"],
        "trigger_source": TRIGGER_SOURCE,
        "mode": run.mode,
        "more": more,
    }
