"""The messages on the bus: their fields, and the refusal of bad ones.

Pure. There are three kinds: ``trigger`` (a phase fired), ``request`` (build this step from these inputs),
``completion`` (an external step was finished). Unknown fields are allowed; a missing or wrong field is refused by name.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec.structs import replace

from phasegate.base import keys
from phasegate.base.codec import UNREADABLE_FIELD, offence
from phasegate.base.platform import (
    ANALYSIS_DATE,
    CORRELATION,
    GAME_DATE,
    PROCESSOR,
    SOURCE_TABLE,
    own_completion,
    own_names,
)
from phasegate.base.receipt import Stamp
from phasegate.build import BuildText
from phasegate.errors import BadInput, legible
from phasegate.plan.gate import Status
from phasegate.plan.model import Plan

ORDER_MAX = 2.0**53
TIME_MAX = 1e11
CLOCK_SKEW_MAX_S = 300.0
MISSING_MAX = 10_000
YEAR_MIN = 1971
ID_MAX = 1_000
BYTES_MAX = 200_000
TEXT_MAX = 80
WHY_MAX = 500
"""A text that fits a message must not fill the document that stores it: then nothing could be added to it."""


class TriggerMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="trigger"):
    """A trigger: a phase fired, and ``receiver`` is to begin.

    ``stamps``: those of the phase's members. ``more``: further messages of this trigger follow it, so that it does not
    acknowledge the trigger.
    """

    id: str
    pipeline: str
    phase: str
    run: str
    generation: int
    receiver: str
    stamps: dict[str, Stamp]
    missing: tuple[str, ...] = ()
    more: bool = False


class RequestMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="request"):
    """A request of a phase: build a step from exactly these inputs."""

    id: str
    pipeline: str
    phase: str
    step: str
    run: str
    inputs: dict[str, Stamp]
    allow_shrink: bool = False


class CompletionMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="completion"):
    """A completion: an external step was finished, or failed.

    ``sequence``, or else ``completed_at``, decides which of two completions is newer. ``execution_id`` stands for the
    content if there is no table to read. ``missing``: the keys of what a partial result lacks. ``trigger_id`` echoes
    the trigger that started the work, and acknowledges it; without ``step`` it does only that. ``run``, or ``date``
    with ``mode``, names the run. ``build``: the build of what did the work.
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
    missing: Annotated[tuple[str, ...], msgspec.Meta(max_length=MISSING_MAX)] = ()
    build: BuildText = ""

    @property
    def ordered(self) -> Literal["sequence", "time", "arrival"]:
        """Return the kind of its order."""
        if self.sequence is not None:
            return "sequence"
        return "arrival" if self.completed_at is None else "time"


AnyMessage = TriggerMessage | RequestMessage | CompletionMessage


def parse(body: Mapping[str, object], *, where: str, plan: Plan | None = None) -> AnyMessage:
    """Parse a message's body.

    With a plan also that of a completion in the platform's form. Raises BadInput. The error is one line that names the
    message, the field and what it should be.
    """
    if why := offence(body, "message"):
        raise BadInput(f"{where}: {why[:WHY_MAX]}")
    if UNREADABLE_FIELD in body:
        raise BadInput(f"{where}: {legible(str(body[UNREADABLE_FIELD]))[:WHY_MAX]}; publish a JSON object")
    body = body if plan is None else in_own_words(body, plan, where=where)
    kind = body.get("kind")
    kinds = {"trigger": TriggerMessage, "request": RequestMessage, "completion": CompletionMessage}
    if not isinstance(kind, str) or kind not in kinds:
        raise BadInput(f"{where}: kind is {repr(kind)[:80]}; it must be one of trigger, request, completion")
    if (size := len(msgspec.json.encode(dict(body)))) > BYTES_MAX:
        raise BadInput(f"{where}: the message has {size:,} bytes, at most {BYTES_MAX:,} are taken; shorten its texts")
    try:
        message = msgspec.convert(own_names(body), kinds[kind])
    except msgspec.ValidationError as e:
        raise BadInput(f"{where}: {kind} message: {legible(str(e))[:WHY_MAX]}") from None
    if isinstance(message, CompletionMessage) and len(message.execution_id) > ID_MAX:
        raise BadInput(
            f"{where}: execution_id has {len(message.execution_id):,} characters, at most {ID_MAX:,} are taken"
        )
    return message  # type: ignore[no-any-return]


def in_own_words(body: Mapping[str, object], plan: Plan, *, where: str) -> Mapping[str, object]:
    """Return a message's body in our words.

    That of a completion in the platform's form is translated: its ``correlation_id`` is the trigger that started the
    work, if it is the id of one that the step's phase begins by. Raises BadInput for a processor that the plan does not
    have.
    """
    if PROCESSOR not in body or body.get("step") or body.get("kind", "completion") != "completion":
        return body
    processor = body[PROCESSOR]
    if not isinstance(processor, str) or not processor:
        raise BadInput(f"{where}: {PROCESSOR} is {repr(processor)[:80]}; it must be the name of a processor")
    shown = legible(processor)[:80]
    if plan.platform is None:
        fix = "add the table [platform] to it, then redrive this message"
        raise BadInput(
            f"{where}: processor {shown} reports in the platform's form, which the plan does not take; {fix}"
        )
    step = plan.platform.step_of(processor, steps=plan.steps)
    if step is None:
        fix = f'name its step under [platform] processors, such as {shown} = "STEP", then redrive this message'
        raise BadInput(f"{where}: the plan has no step for processor {shown}; {fix}")
    found = own_completion(body, step=step)
    trigger = _trigger_in(found, plan, step=step)
    return found if not trigger or found.get("trigger_id") else {**found, "trigger_id": trigger}


def meant_by_platform(body: Mapping[str, object], plan: Plan, *, step: str | None, where: str) -> str:
    """Return what a trigger in the platform's form means.

    It is the id of the trigger that its ``correlation_id`` is, if that begins the phase of ``step``, else the run of
    its date and mode; "" for any other message. Raises BadInput.
    """
    if "kind" in body or not (ANALYSIS_DATE in body or SOURCE_TABLE in body):
        return ""
    if plan.platform is None:
        fix = "add the table [platform] to it, or send a run"
        raise BadInput(f"{where}: the trigger is in the platform's form, which the plan does not take; {fix}")
    named = plan.steps.get(step or "")
    dates = {str(body[name])[:TEXT_MAX] for name in (ANALYSIS_DATE, GAME_DATE) if body.get(name) is not None}
    if len(dates) != 1:
        given = " and ".join(sorted(dates)) or "none"
        raise BadInput(f"{where}: {ANALYSIS_DATE} and {GAME_DATE} must name one date, and give {given}; name one")
    date = keys.parse_date(dates.pop())
    number = body.get(CORRELATION)
    try:
        pipeline, _, run, _, receiver = keys.parse_trigger(number if isinstance(number, str) else "")
    except BadInput:
        pass
    else:
        begins = receiver in plan.phases and (named is None or named.phase == receiver)
        if (pipeline, run.date) == (plan.pipeline, date) and begins:
            return str(number)
    modes = plan.modes if named is None else tuple(plan.phases[named.phase].modes)
    mode = body.get("mode") or (modes[0] if len(modes) == 1 else None)
    if mode not in modes:
        wrong = "names no mode" if mode is None else f"unknown mode {str(mode)[:TEXT_MAX]!r}"
        raise BadInput(f"{where}: {wrong}; the plan has {', '.join(modes)}")
    return f"{date}.{mode}"


def _trigger_in(body: Mapping[str, object], plan: Plan, *, step: str) -> str:
    """Return the trigger whose id is the correlation id; "" for none.

    The platform passes that id on from phase to phase, so one of an earlier phase, or of another run, is none.
    """
    number = body.get(CORRELATION)
    try:
        pipeline, phase, run, _, _ = keys.parse_trigger(number if isinstance(number, str) else "")
    except BadInput:
        return ""
    begins = pipeline == plan.pipeline and phase in plan.phases[plan.steps[step].phase].after
    return str(number) if begins and body.get("date", run.date) == run.date else ""


def completion_order(message: CompletionMessage, *, where: str, now: float) -> float:
    """Return the order of a completion among those of its step.

    It is the sequence, else the time, at most five minutes after now. Raises BadInput for a sequence out of bounds, for
    a time without a zone, and for one that cannot be parsed.
    """
    if message.sequence is not None:
        if not 0 <= message.sequence <= ORDER_MAX:
            raise BadInput(f"{where}: sequence {message.sequence} is out of bounds; use 0 to 2^53")
        return float(message.sequence)
    at = message.completed_at
    if at is None:
        return now
    if isinstance(at, str):
        try:
            moment = datetime.fromisoformat(at)
        except ValueError:
            raise BadInput(f"{where}: completed_at {at!r}: write ISO 8601, such as 2026-02-04T06:00:00+00:00") from None
        if moment.tzinfo is None:
            raise BadInput(f"{where}: completed_at {at!r} has no time zone; add +00:00 or Z")
        if moment.year < YEAR_MIN:
            raise BadInput(f"{where}: completed_at {at!r} is before {YEAR_MIN}; give the time of the completion")
        return min(moment.timestamp(), now + CLOCK_SKEW_MAX_S)
    if not 0 <= at <= TIME_MAX:
        raise BadInput(f"{where}: completed_at {at!r} is not a time in epoch seconds")
    return min(float(at), now + CLOCK_SKEW_MAX_S)


def completion_run(
    message: CompletionMessage,
    *,
    modes: tuple[str, ...],
    where: str,
    mode_at: Callable[[str, float], str | None] | None = None,
) -> keys.Run:
    """Return the run that a completion belongs to.

    It is the ``run`` of the message, else the run of the echoed trigger, else its ``date`` in its ``mode``. Without a
    mode: the only one, else that of ``mode_at``, the plan's rule on the time in the message. It is never guessed from
    the time of arrival. Raises BadInput.
    """
    if message.run:
        run = keys.parse_run(message.run)
    elif message.trigger_id:
        run = keys.parse_trigger(message.trigger_id)[2]
    elif message.date:
        date = keys.parse_date(message.date)
        mode = message.mode or (modes[0] if len(modes) == 1 else None)
        if mode is None and mode_at is not None and message.completed_at is not None:
            mode = mode_at(date, completion_order(replace(message, sequence=None), where=where, now=TIME_MAX))
        if mode is None:
            fix = "add one, or completed_at where the plan gives the modes hours (reports)"
            raise BadInput(f"{where}: names no mode and the plan has {len(modes)}: {', '.join(modes)}; {fix}")
        run = keys.Run(date, mode)
    else:
        raise BadInput(f"{where}: names no run; add run = DATE.MODE, or date")
    if run.mode not in modes:
        raise BadInput(f"{where}: unknown mode {run.mode!r}; the plan has {', '.join(modes)}")
    return run


def possible_runs(message: CompletionMessage, plan: Plan) -> Iterator[keys.Run]:
    """Yield the runs that a completion of any step may belong to."""
    for mode in {mode for phase in plan.phases.values() for mode in phase.modes}:
        with suppress(BadInput):
            yield completion_run(message, modes=(mode,), where="")


def reported_run(message: CompletionMessage, plan: Plan, *, where: str) -> keys.Run:
    """Return the run that a completion of a step of the plan belongs to.

    Of the modes of the step's phase; see ``completion_run``.
    """
    modes = tuple(plan.phases[plan.steps[message.step].phase].modes)
    return completion_run(message, modes=modes, where=where, mode_at=plan.mode_at)
