"""The endpoints that take a caller: what each takes, does and answers.

Each handler runs in a thread, checks what its caller may do, calls the library, and answers the type that the command
prints. Routes and the OpenAPI document are made from the list at the end.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from msgspec.structs import asdict, replace

from phasegate import messages
from phasegate.answers.checks import alerted, fixed_text, health_json, reconciled_json, span_of
from phasegate.answers.rebuilt import Rebuilt, buildable
from phasegate.answers.reports import WHERE, date_of, filled, reported
from phasegate.answers.runs import check_near, external_step, opened, run_of
from phasegate.audit import About
from phasegate.base.findings import FINE, FOUND, SETTLING, UNCHECKED, exit_code
from phasegate.base.keys import Run, parse_date
from phasegate.credentials import Role
from phasegate.errors import BadInput, Busy
from phasegate.gcp.envelope import PushBody
from phasegate.plan.model import Plan, Step
from phasegate.printed.parts import PrintedJson
from phasegate.web.bodies import (
    BeginBody,
    BuiltAnswer,
    CompletedAnswer,
    EmptyBody,
    Extras,
    HealthAnswer,
    HealthBody,
    HeldAnswer,
    InputJson,
    OpenedAnswer,
    ReconcileBody,
    ReconciledAnswer,
    RunBody,
    SweptAnswer,
    body_of,
    read_json,
)
from phasegate.web.bounds import BODY_BYTES_MAX, PUSH_BYTES_MAX
from phasegate.web.callers import Caller
from phasegate.web.push import take
from phasegate.web.service import Service
from phasegate.work.external import TRIGGER
from phasegate.work.remote import Begun

MEANT = 'send "yes": true'
DONE, NOTHING, REFUSED, UNFIT = 200, 204, 409, 503


class Call(NamedTuple):
    """One request: its caller, its body, and the step that its path names."""

    caller: Caller
    raw: bytes
    step: str = ""


class Answered(NamedTuple):
    """A status, and the body; None for no body."""

    status: int
    body: PrintedJson | None


class Endpoint(NamedTuple):
    """One endpoint.

    ``role``: the least that its caller needs; what it needs for more is in ``text``. ``answers``: by status, besides
    the errors that all have. ``bytes_max``: of its body.
    """

    path: str
    role: Role
    title: str
    text: str
    body: type
    answers: Mapping[int, tuple[type[PrintedJson], ...]]
    handle: Callable[[Service, Call], Answered]
    bytes_max: int = BODY_BYTES_MAX


def complete(service: Service, call: Call) -> Answered:
    """Report the outcome of an external step, or acknowledge a trigger."""
    pipeline = service.pipeline
    body = read_json(call.raw)
    extras = body_of(body, Extras)
    body = {"kind": "completion", **{name: one for name, one in body.items() if name not in ("lease", "yes")}}
    call.caller.check_report(_completion(body, pipeline.plan), pipeline.plan)
    # nothing is drawn: the same report, sent again, must have the same id
    body = filled(pipeline, body, execution_id=f"lease-{extras.lease}" if extras.lease else "")
    message = _completion(body, pipeline.plan)
    if not message.step and not message.trigger_id:
        raise BadInput(f"{WHERE}: names no step; add step, or the trigger_id that is acknowledged")
    if not extras.yes and (date := date_of(body)) is not None:
        check_near(pipeline, date, where=WHERE, mend=MEANT)
    if extras.lease:
        answer = pipeline.remote.complete(message, lease=extras.lease, where=WHERE)
    else:
        answer = pipeline.complete(body, where=WHERE)
    found = reported(pipeline, body, outcome=answer.outcome)
    differs = found.differs(message.rows)
    document = CompletedAnswer(
        **asdict(found.document()), differs=differs, exit_code=FOUND if differs else found.exit_code
    )
    return Answered(REFUSED if document.refused else DONE, document)


def _completion(body: Mapping[str, object], plan: Plan) -> messages.CompletionMessage:
    message = messages.parse(body, where=WHERE, plan=plan)
    if not isinstance(message, messages.CompletionMessage):
        raise BadInput(f"{WHERE}: kind is {str(body['kind'])[:80]!r}; it must be completion, or left out")
    return message


def begin(service: Service, call: Call) -> Answered:
    """Open a run, or take or extend the lease of an external step."""
    pipeline, caller = service.pipeline, call.caller
    body = body_of(read_json(call.raw), BeginBody)
    if body.message is not None:
        return Answered(DONE, _held_by_message(service, caller, body))
    if not body.run:
        raise BadInput('begin: name the run: {"run": "DATE.MODE"}, or send the message that you received')
    run = run_of(pipeline.plan, body.run)
    if body.step is None:
        caller.check("operator")
        _check_near(service, body, run)
        with service.acting(f"phasegate begin {run}", by=caller, about=About(run=str(run))) as act:
            begun = opened(pipeline, run)
            act.outcome = f"opened: {', '.join(begun.opened) or 'nothing new'}"
        return Answered(DONE, OpenedAnswer(**asdict(begun), exit_code=FINE))
    caller.check("reporter", step=body.step)
    step = external_step(pipeline.plan, body.step, run)
    if body.lease:
        return Answered(DONE, _held(service, pipeline.remote.extend(run, step=step, lease=body.lease,
                                                                    ttl_s=body.ttl_s)))  # fmt: skip
    _check_near(service, body, run)
    held = pipeline.remote.begin(str(run), step=step.name, by=caller.name, ttl_s=body.ttl_s)
    return Answered(DONE, _held(service, held))


def _check_near(service: Service, body: BeginBody, run: Run) -> None:
    if not body.yes:
        check_near(service.pipeline, run.date, where="begin", mend=MEANT)


def _held_by_message(service: Service, caller: Caller, body: BeginBody) -> HeldAnswer:
    """Hold the step that a trigger or request is about.

    Its step is named before the trigger is begun, for a caller that may report some steps only.
    """
    assert body.message is not None
    if body.lease or body.run:
        raise BadInput("begin: message stands in place of run and lease; to extend a lease, send run, step and lease")
    plan, step = service.pipeline.plan, body.step
    meant = messages.meant_by_platform(body.message, plan, step=step, where="begin")
    if not meant:
        parsed = messages.parse(body.message, where="begin", plan=plan)
        step = parsed.step if isinstance(parsed, messages.RequestMessage) else step
    elif not meant.startswith(TRIGGER):
        _check_near(service, body, run_of(plan, meant))
    if step is None and caller.steps is not None and caller.role != "operator":
        raise BadInput("begin: name the step beside the trigger")
    caller.check("reporter", step=step)
    begun = service.pipeline.remote.begin(meant or body.message, step=step, by=caller.name, ttl_s=body.ttl_s)
    return _held(service, begun)


def _held(service: Service, begun: Begun) -> HeldAnswer:
    return HeldAnswer(
        run=str(begun.run), step=begun.step.name, date=begun.run.date, mode=begun.run.mode, lease=begun.lease,
        token=begun.token, until=service.times().iso(begun.until), needed=begun.needed,
        inputs={name: InputJson(fingerprint=one.fingerprint, token=one.token) for name, one in begun.inputs.items()},
        trigger_id=begun.trigger_id, exit_code=FINE,
    )  # fmt: skip


def run_step(service: Service, call: Call) -> Answered:
    """Build a step of a run now."""
    pipeline = service.pipeline
    body = body_of(read_json(call.raw), RunBody)
    run = run_of(pipeline.plan, body.run)
    step: Step = buildable(pipeline, call.step, run)
    with service.acting(f"phasegate rerun {run} --step {step.name}", by=call.caller, about=About(run=str(run))) as act:
        outcome = pipeline.rerun(step.name, run)
        if outcome == "busy":
            raise Busy(f"{step.name} of {run} is being built by another process; ask again later")
        done = Rebuilt(pipeline, step, run, outcome=outcome)
        act.outcome, act.failed = f"{step.name}: {outcome}", not done.built
    document = BuiltAnswer(**asdict(done.document(times=service.times())), exit_code=done.exit_code)
    return Answered(DONE if done.built else REFUSED, document)


def sweep(service: Service, call: Call) -> Answered:
    """Process every due document once, then work on messages."""
    body_of(read_json(call.raw), EmptyBody)
    with service.observer.errors() as errors:
        swept = service.pipeline.sweep()
        service.work_within(service.settings.serve_work_s)
    due = service.times().iso(service.pipeline.next_due())
    code = UNCHECKED if errors else FINE
    document = SweptAnswer(swept=swept, next_due=due, errors=tuple(errors), exit_code=code)
    return Answered(UNFIT if errors else DONE, document)


def reconcile(service: Service, call: Call) -> Answered:
    """Compare documents, tables and calendar; fix what differs if asked."""
    pipeline, times = service.pipeline, service.times()
    body = body_of(read_json(call.raw), ReconcileBody)
    if body.fix:
        call.caller.check("operator")
    span = span_of(times, days=body.days, first=body.first, last=body.last)
    outcomes = pipeline.checks.inspector.inspect(*span, phase=body.phase)
    fixes = pipeline.checks.reconciler.fixes_for(outcomes)
    done, errors = None, list[str]()
    if body.fix and fixes:
        of_phase = f" --phase {body.phase}" if body.phase else ""
        command = f"phasegate reconcile --from {span.first} --to {span.last}{of_phase} --fix"
        with service.acting(command, by=call.caller, about=About(first=span.first, last=span.last)) as act:
            done = pipeline.checks.reconciler.fix(
                outcomes, first=span.first, last=span.last, phase=body.phase,
                work=lambda: errors.extend(pipeline.run_workers(until_idle=True, stop=service.stopping)),
            )  # fmt: skip
            done = replace(done, errors=tuple(errors))
            act.outcome, act.failed = fixed_text(done, stopped=service.stopping())
    code = exit_code(outcomes if done is None else done.after)
    found = reconciled_json(pipeline.plan.pipeline, span, outcomes, fixes=fixes, fixed=done, times=times)
    return Answered(UNFIT if code == UNCHECKED else DONE, ReconciledAnswer(**asdict(found), exit_code=code))


def health(service: Service, call: Call) -> Answered:
    """Run every check on a date."""
    pipeline = service.pipeline
    body = body_of(read_json(call.raw), HealthBody)
    if body.alert:
        call.caller.check("operator")
    on = parse_date(body.date) if body.date is not None else pipeline.checks.health.yesterday()
    started = pipeline.alerts.start() if body.alert else 0.0
    outcomes = pipeline.checks.health.evaluate(on)
    unsent = alerted(pipeline, outcomes, on=on, started=started) if body.alert else {}
    found = health_json(pipeline.plan.pipeline, on, outcomes, times=service.times())
    code = UNCHECKED if unsent else exit_code(outcomes)
    document = HealthAnswer(**asdict(found), unsent=unsent, exit_code=code)
    return Answered(DONE if code in (FINE, SETTLING) else UNFIT, document)


def push(service: Service, call: Call) -> Answered:
    """Store a message that Pub/Sub pushes, then work."""
    if take(service.pipeline, call.raw, caller=call.caller):
        service.work_within(service.settings.serve_work_s)
    return Answered(NOTHING, None)


_RECONCILE = Endpoint(
    "/reconcile", "reader", "Compare documents, tables and calendar",
    "As `phasegate reconcile`. With `fix` it needs an operator. Findings are answered with 200; what could not be "
    "evaluated with 503.",
    ReconcileBody, {DONE: (ReconciledAnswer,), UNFIT: (ReconciledAnswer,)}, reconcile,
)  # fmt: skip
_HEALTH = Endpoint(
    "/health", "reader", "Check a date",
    "As `phasegate health`. With `alert` it needs an operator. 503 if there is a finding, or something could not be "
    "evaluated, so that a scheduler notices it; 200 if nothing was found, or only what is younger than five minutes.",
    HealthBody, {DONE: (HealthAnswer,), UNFIT: (HealthAnswer,)}, health,
)  # fmt: skip
ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "/complete", "reporter", "Report that an external step is done, or has failed",
        "As `phasegate complete`: the body is a completion message. Sent again, it answers `duplicate`. 409 if the "
        "report is refused, because a newer one was accepted or the run is void, and if the lease was lost.",
        messages.CompletionMessage, {DONE: (CompletedAnswer,), REFUSED: (CompletedAnswer,)}, complete,
    ),
    Endpoint(
        "/begin", "reporter", "Hold an external step, extend its lease, or open a run",
        "With `step`: takes the lease of the step, which ends after `ttl_s` unless it is extended; 409 while another "
        "caller holds it. Without `step`: as `phasegate begin RUN`, which needs an operator.",
        BeginBody, {DONE: (HeldAnswer, OpenedAnswer)}, begin,
    ),
    Endpoint(
        "/steps/{step}/run", "operator", "Build a step of a run now",
        "As `phasegate rerun`. 409 if it failed or cannot start now, or another process builds it.",
        RunBody, {DONE: (BuiltAnswer,), REFUSED: (BuiltAnswer,)}, run_step,
    ),
    Endpoint(
        "/sweep", "operator", "Process every due document once, then work on messages",
        "As `phasegate sweep`; then messages are worked on for `serve_work_s` at most, as a worker would. "
        "503 if a document could not be handled; it is put off, and the others are handled.",
        EmptyBody, {DONE: (SweptAnswer,), UNFIT: (SweptAnswer,)}, sweep,
    ),
    _RECONCILE,
    _HEALTH,
    _RECONCILE._replace(path="/reconcile-phase3", text="Another name of `/reconcile`, as the NBA platform has it."),
    _HEALTH._replace(path="/health-check-phase3", text="Another name of `/health`, as the NBA platform has it."),
    Endpoint(
        "/pubsub/push", "reporter", "Take a message that Pub/Sub pushes",
        "The message is stored under an id from its own `ce-id`, or else its `messageId`, and its content, so that a "
        "redelivery is the same message, then worked on for `serve_work_s` at most. 204 once it is stored, also in "
        "quarantine if it cannot be understood.",
        PushBody, {NOTHING: ()}, push, PUSH_BYTES_MAX,
    ),
)  # fmt: skip
