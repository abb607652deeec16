"""What the messages on the bus say, and how a bad one is refused. Pure.

Three kinds: ``trigger`` (a phase fired), ``request`` (build this step of these inputs), ``completion`` (somebody
outside finished a step). Unknown fields are allowed; a missing or wrong one is named.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec.structs import replace

from phasegate.base import keys
from phasegate.base.platform import own_names
from phasegate.base.receipt import Stamp
from phasegate.errors import BadInput
from phasegate.plan.gate import Status

ORDER_MAX = 2.0**53
TIME_MAX = 1e11
CLOCK_SKEW_MAX_S = 300.0


class TriggerMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="trigger"):
    """A phase fired generation ``generation``; ``receiver`` is asked to begin with these stamps of its members."""

    id: str
    pipeline: str
    phase: str
    run: str
    generation: int
    receiver: str
    stamps: dict[str, Stamp]
    missing: tuple[str, ...] = ()


class RequestMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="request"):
    """A phase asks for a step to be built of exactly these inputs."""

    id: str
    pipeline: str
    phase: str
    step: str
    run: str
    inputs: dict[str, Stamp]
    allow_shrink: bool = False


class CompletionMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="completion"):
    """Somebody outside finished, or failed to finish, an external step.

    ``sequence`` (declared) or else ``completed_at`` says which of two completions is newer.
    ``execution_id`` stands for the content where there is no table to read. ``trigger_id`` echoes the trigger
    that the work was begun by, and acknowledges it; without ``step`` it does only that. ``run`` or ``date``
    (with ``mode``) names the run.
    """

    step: str = ""
    status: Status = "success"
    run: str = ""
    date: str = ""
    mode: str = ""
    rows: Annotated[int, msgspec.Meta(ge=0)] | None = None
    sequence: int | None = None
    completed_at: str | float | None = None
    execution_id: str = ""
    trigger_id: str = ""
    error: str = ""


AnyMessage = TriggerMessage | RequestMessage | CompletionMessage


def parse(body: Mapping[str, object], *, where: str) -> AnyMessage:
    """Read a message's body. Raises BadInput: one line that names the message, the field and what it should be."""
    kind = body.get("kind")
    kinds = {"trigger": TriggerMessage, "request": RequestMessage, "completion": CompletionMessage}
    if not isinstance(kind, str) or kind not in kinds:
        raise BadInput(f"{where}: kind is {kind!r}; it must be one of trigger, request, completion")
    try:
        return msgspec.convert(own_names(body), kinds[kind])  # type: ignore[no-any-return]
    except msgspec.ValidationError as e:
        raise BadInput(f"{where}: {kind} message: {e}") from None


def completion_order(said: CompletionMessage, *, where: str, now: float) -> float:
    """Return what orders two completions of one step: a sequence as it is, a time no later than now + 5 min.

    Raises BadInput for a time without a zone, or nonsense.
    """
    if said.sequence is not None:
        if not 0 <= said.sequence <= ORDER_MAX:
            raise BadInput(f"{where}: sequence {said.sequence} is out of bounds; use 0 to 2^53")
        return float(said.sequence)
    at = said.completed_at
    if at is None:
        return now
    if isinstance(at, str):
        try:
            moment = datetime.fromisoformat(at)
        except ValueError:
            raise BadInput(f"{where}: completed_at {at!r}: write ISO 8601, such as 2026-02-04T06:00:00+00:00") from None
        if moment.tzinfo is None:
            raise BadInput(f"{where}: completed_at {at!r} has no time zone; add +00:00 or Z")
        return min(moment.timestamp(), now + CLOCK_SKEW_MAX_S)
    if not 0 <= at <= TIME_MAX:
        raise BadInput(f"{where}: completed_at {at!r} is not a time in epoch seconds")
    return min(float(at), now + CLOCK_SKEW_MAX_S)


def completion_run(
    said: CompletionMessage,
    *,
    modes: tuple[str, ...],
    where: str,
    mode_at: Callable[[str, float], str | None] | None = None,
) -> keys.Run:
    """Return the run a completion speaks of.

    As it says; else that of the trigger that it echoes; else by ``mode_at``, the plan's rule on the message's own
    time. Never guessed from the clock at arrival. Raises BadInput.
    """
    if said.run:
        run = keys.parse_run(said.run)
    elif said.trigger_id:
        run = keys.parse_trigger(said.trigger_id)[2]
    elif said.date:
        day = keys.parse_date(said.date)
        mode = said.mode or (modes[0] if len(modes) == 1 else None)
        if mode is None and mode_at is not None and said.completed_at is not None:
            mode = mode_at(day, completion_order(replace(said, sequence=None), where=where, now=TIME_MAX))
        if mode is None:
            mend = "add one, or completed_at where the plan gives the modes hours (reports)"
            raise BadInput(f"{where}: names no mode and the plan has {len(modes)}: {', '.join(modes)}; {mend}")
        run = keys.Run(day, mode)
    else:
        raise BadInput(f"{where}: names no run; add run = DATE.MODE, or date")
    if run.mode not in modes:
        raise BadInput(f"{where}: unknown mode {run.mode!r}; the plan has {', '.join(modes)}")
    return run
