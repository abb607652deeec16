"""Documents as lines of a file: their format, and its checks. Pure.

The first line names the pipeline, the last one the number of documents, so a file that was cut off is noticed. Newer
schemas, other pipelines and unreadable documents are refused.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from phasegate import ledger
from phasegate.alerts import evaluations
from phasegate.alerts import incident as incidents
from phasegate.base.codec import SCHEMA, SCHEMA_FIELD, State, decode
from phasegate.base.keys import phase_of
from phasegate.calendar import month as calendar
from phasegate.errors import BadInput, PhasegateError
from phasegate.gate.phase import Phase
from phasegate.plan.model import Plan
from phasegate.write.lease import Lease

FORM = 1
# Leases are last in a file: no lease is older than a document that has its token.
KINDS = ("calendar", "ledger", "phase", "backfill", "quarantine", "incident", "watch", "audit", "message", "lease")
MEANINGS: Mapping[str, type[State]] = {
    "calendar": calendar.Month, "ledger": ledger.Ledger, "phase": Phase, "incident": incidents.Incident,
    "watch": evaluations.Watch, "lease": Lease,
}  # fmt: skip


class Parcel(NamedTuple):
    """One document as it was read, with its line in the file."""

    line: int
    key: str
    body: dict[str, object]
    due: float | None

    @property
    def kind(self) -> str:
        """Return the kind of the document."""
        return self.key.partition(":")[0]


class Head(NamedTuple):
    """The first line of a file: the origin of its documents."""

    pipeline: str
    store_id: str
    at: float


def spell_head(head: Head, /) -> str:
    """Return the first line of a file."""
    return _line({"phasegate": "export", "form": FORM, "schema": SCHEMA, **head._asdict()})


def spell_end(documents: int, /) -> str:
    """Return the last line of a file."""
    return _line({"phasegate": "end", "documents": documents})


def spell(key: str, body: Mapping[str, object], due: float | None) -> str:
    """Return the line of one document."""
    return _line({"key": key, "due": due, "body": body})


def read_head(text: bytes, /, *, pipeline: str) -> Head:
    """Read the first line.

    Raises BadInput for another program's file, a newer form, and another pipeline.
    """
    fields = _object(text, line=1)
    if fields.get("phasegate") != "export":
        raise BadInput("line 1: not the first line of a phasegate export; the platform's documents are imported "
                       "with --from-platform")  # fmt: skip
    form, schema = fields.get("form"), fields.get("schema")
    if form != FORM or not isinstance(schema, int) or schema > SCHEMA:
        raise BadInput(f"line 1: form {form!r} with schema {schema!r}, this build reads form {FORM} with schemas up to "
                       f"{SCHEMA}: upgrade phasegate")  # fmt: skip
    if fields.get("pipeline") != pipeline:
        raise BadInput(f"line 1: documents of pipeline {fields.get('pipeline')!r}, the plan is of {pipeline!r}; "
                       "name the right plan with --plan")  # fmt: skip
    at = fields.get("at")
    return Head(pipeline, str(fields.get("store_id", "")), float(at) if isinstance(at, int | float) else 0.0)


def read_end(text: bytes, /) -> int | None:
    """Return the number of documents in the last line; None for another line."""
    if not text.startswith(b'{"documents":'):
        return None
    fields = _object(text, line=0)
    documents = fields.get("documents")
    return documents if fields.get("phasegate") == "end" and isinstance(documents, int) else None


def read_line(
    text: bytes, /, *, line: int, plan: Plan, warehouse: str, meanings: Mapping[str, type[State]]
) -> Parcel:  # fmt: skip
    """Read a document and check it against the plan and this build.

    ``meanings``: kind -> type of its bodies, in addition to MEANINGS. Raises BadInput naming line and key.
    """
    fields = _object(text, line=line)
    key, body, due = fields.get("key"), fields.get("body"), fields.get("due")
    if not isinstance(key, str) or not isinstance(body, dict) or isinstance(due, bool):
        raise BadInput(f"line {line}: wanted an object with key, due and body")
    if due is not None and not isinstance(due, int | float):
        raise BadInput(f"line {line}: {key}: due is {due!r}, wanted a time or null")
    parcel = Parcel(line, key, body, due)
    kind, _, rest = key.partition(":")
    if kind == "credential":
        raise BadInput(f"line {line}: {key}: a file must not say who may call; leave it out, and add callers here: "
                       "phasegate tokens add")  # fmt: skip
    if kind not in KINDS:
        raise BadInput(f"line {line}: {key}: unknown kind of document; this build knows {', '.join(KINDS)}")
    scope, wanted = rest.partition(":")[0], warehouse if kind == "lease" else plan.pipeline
    if scope != wanted:
        of = "warehouse" if kind == "lease" else "pipeline"
        raise BadInput(f"line {line}: {key}: of {of} {scope!r}, here it is {wanted!r}")
    schema = body.get(SCHEMA_FIELD, SCHEMA)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise BadInput(f"line {line}: {key}: schema {schema!r}, this build knows up to {SCHEMA}: upgrade phasegate")
    meaning = {**MEANINGS, **meanings}.get(kind)
    if meaning is None:
        return parcel
    try:
        state = decode(meaning, body, key=key)
    except PhasegateError as e:
        raise BadInput(f"line {line}: {e}") from None
    if kind == "phase":
        _check_phase(parcel, plan)
    return parcel._replace(due=state.due)


def _check_phase(parcel: Parcel, plan: Plan) -> None:
    """Refuse a run of a phase or mode that the plan lacks."""
    try:
        _, phase, run = phase_of(parcel.key)
    except (ValueError, PhasegateError):
        raise BadInput(f"line {parcel.line}: {parcel.key}: wanted phase:PIPELINE:PHASE:DATE.MODE") from None
    known = plan.phases.get(phase)
    if known is None or run.mode not in known.modes:
        raise BadInput(f"line {parcel.line}: {parcel.key}: the plan has no phase {phase} with mode {run.mode}; "
                       "import with the plan that the documents were made by, then replan")  # fmt: skip


def is_wanted(key: str, plan: Plan, *, first: str, last: str, phase: str | None) -> bool:
    """Return whether a document belongs to an export.

    ``first`` and ``last``: its dates, "" for no bound. ``phase``: its only phase, None for all.
    """
    kind, _, name, rest = [*key.split(":", 3), "", "", ""][:4]
    everything = not first and not last and phase is None
    if kind == "phase":
        return phase in (None, name) and _is_within(rest[:10], first, last)
    if kind in ("lease", "ledger"):
        steps = [step for step in plan.steps.values() if phase in (None, step.phase)]
        names = {step.name for step in steps} | {step.table.name for step in steps if step.table is not None}
        return everything or (name in names and _is_within(rest, first, last))
    if kind == "calendar":
        return phase is None and _is_within(rest, first, last)
    return everything


def _is_within(text: str, first: str, last: str) -> bool:
    """Return whether a date or month is within bounds; any other text is."""
    if not text[:4].isdigit():
        return True
    size = 7 if len(text) == len("2026-02") else 10
    return (not first or text[:size] >= first[:size]) and (not last or text[:size] <= last[:size])


def compare(key: str, here: Mapping[str, object], there: Mapping[str, object]) -> str:
    """Return in words how the stored document differs from the file's."""
    if not key.startswith("phase:"):
        return "the store's differs, and was kept"
    try:
        mine, theirs = decode(Phase, here, key=key), decode(Phase, there, key=key)
    except PhasegateError as e:
        return f"the store's cannot be read, and was kept: {e}"
    times = [max([p.looked_at, p.opened_at, *(seen.at for seen in p.seen)]) for p in (mine, theirs)]
    newer = "newer" if times[0] > times[1] else "older" if times[0] < times[1] else "another, as old"
    return f"the store's is {newer} (generation {mine.generation}, the file's {theirs.generation}), and was kept"


def _object(text: bytes, *, line: int) -> dict[str, object]:
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError) as e:
        raise BadInput(f"line {line}: not a JSON object ({e})") from None


def _line(fields: Mapping[str, object]) -> str:
    return msgspec.json.encode(fields, order="sorted").decode()
