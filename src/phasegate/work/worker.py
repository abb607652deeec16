"""The worker: takes messages off the bus and serves them.

It acknowledges a message only after its effect is stored, so a crash never loses one.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from phasegate import messages
from phasegate.base import keys
from phasegate.base.backoff import retry_s
from phasegate.base.keys import Run
from phasegate.base.receipt import Stamp, execution_stamp
from phasegate.base.table import KEYS_MAX
from phasegate.bus import Delivery, Message
from phasegate.errors import OUTAGES, BadDocument, BadInput, Busy, Fenced, LeaseLost, NotFound, words
from phasegate.gate.decisions import OTHER_ORDER, Answer, Report
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.outbox import has_fired
from phasegate.gate.records import Input, Lacks
from phasegate.plan.gate import GOOD, Status
from phasegate.plan.model import Plan, Step, completions_topic
from phasegate.ports import Ports, bind, bound
from phasegate.quarantine import REDRIVEN, Quarantine
from phasegate.transact import AtHand
from phasegate.work.commands import CommandSteps
from phasegate.work.poster import Poster
from phasegate.write.builder import Builder, RequestOutcome, attempted
from phasegate.write.reports import TableReporter

TRIES_MAX = 50
KEY_CHARS_MAX = 200
OwnBuilder = Callable[[Run], bool]
"""Builds an external step of a run and reports it; False: another process holds it."""


class OtherOrder(BadInput):
    """A report whose order is of another kind than the accepted one."""


class Worker:
    """Handles the messages of one pipeline, one at a time."""

    def __init__(
        self,
        plan: Plan,
        ports: Ports,
        *,
        gatekeeper: Gatekeeper,
        builder: Builder,
        tables: TableReporter,
        quarantine: Quarantine,
        commands: CommandSteps,
    ) -> None:
        self._plan, self._ports, self._gatekeeper = plan, ports, gatekeeper
        self._builder, self._commands, self._tables, self._quarantine = builder, commands, tables, quarantine
        self.poster = Poster(ports, gatekeeper=gatekeeper)
        self._outside: dict[str, OwnBuilder] = {}

    @property
    def pipeline(self) -> str:
        """Return the name of the pipeline."""
        return self._plan.pipeline

    def build_with(self, builders: Mapping[str, OwnBuilder]) -> None:
        """Build these external steps here when they are requested.

        Raises BadInput for a step that is not external.
        """
        for name in builders:
            if self._step(name, runs=(), where="build_with").kind != "external":
                raise BadInput(f"build_with: step {name} is built by Phasegate")
        self._outside = dict(builders)

    def work(self) -> bool:
        """Handle one message, if there is one; return whether there was."""
        for delivery in self._ports.bus.receive(self._plan.topics()):
            self.handle(delivery)
            return True
        return False

    def handle(self, delivery: Delivery) -> None:
        """Serve a delivery, then acknowledge it.

        A message that fails is postponed, and quarantined after TRIES_MAX tries, but not for an outage. One that cannot
        be understood is quarantined at once.
        """
        with bound(message=delivery.message.id):
            self._handle(delivery)

    def _handle(self, delivery: Delivery) -> None:
        message, ports, begun = delivery.message, self._ports, self._ports.clock.monotonic()
        try:
            outcome = self._served(message)
        except Exception as e:  # noqa: BLE001  one bad message must not stop the others; it is reported and postponed
            error = words(e)
            ports.observer.event("message failed", message=message.id, tries=delivery.tries, error=error)
            if delivery.tries < TRIES_MAX or isinstance(e, OUTAGES):
                ports.bus.postpone(delivery, delay_s=retry_s(message.id, delivery.tries))
                return
            self._quarantine.put(message.topic, message.body, reason=f"gave up after {delivery.tries} tries: {error}")
            outcome = "quarantined"
        ports.bus.ack(delivery)
        ports.observer.event("served", message=message.id, outcome=outcome, took_s=ports.clock.monotonic() - begun)

    def take(self, message: Message) -> str:
        """Serve a message that is on no bus; return the outcome.

        One that cannot be understood is quarantined. Any other error is raised: then it was not served.
        """
        with bound(message=message.id):
            begun = self._ports.clock.monotonic()
            outcome = self._served(message)
            took_s = self._ports.clock.monotonic() - begun
            self._ports.observer.event("served", message=message.id, outcome=outcome, took_s=took_s)
            return outcome

    def _served(self, message: Message) -> str:
        try:
            return self._dispatch(message)
        except (BadInput, BadDocument, NotFound) as e:
            self._quarantine.put(message.topic, message.body, reason=str(e))
            return "quarantined"

    def _dispatch(self, given: Message) -> str:
        where = f"message {given.id}"
        message = messages.parse(given.body, where=where, plan=self._plan)
        if not isinstance(message, messages.CompletionMessage) and message.pipeline != self._plan.pipeline:
            raise BadInput(f"{where}: is of pipeline {message.pipeline!r}, this is {self._plan.pipeline!r}")
        match message:
            case messages.TriggerMessage():
                bind(trigger=message.id, run=message.run)
                if message.receiver not in self._plan.phases and given.topic == message.receiver:
                    return self.poster.post(message, given.body)
                return self.begin(message).outcome
            case messages.RequestMessage():
                bind(request=message.id, step=message.step, run=message.run)
                run = keys.parse_run(message.run)
                step = self._step(message.step, runs=[run], where=where)
                return self.build(step, run, request_id=message.id)
            case messages.CompletionMessage():
                self._check_ordered(message, where=where)
                redriven = given.id.startswith(REDRIVEN)
                return self._completed(message, where=where, redriven=redriven).outcome

    def build(self, step: Step, run: Run, *, request_id: str) -> RequestOutcome:
        """Serve the standing request for a step; return the outcome.

        See ``Builder.serve`` and ``CommandSteps.serve``; ``busy`` is also that of an external step.
        """
        if step.name in self._outside:
            return self._built_outside(step, run, request_id=request_id)
        serve = self._commands.serve if step.kind == "command" else self._builder.serve
        with bound(step=step.name, run=str(run), request=request_id):
            return serve(step, run, request_id=request_id)

    def _built_outside(self, step: Step, run: Run, *, request_id: str) -> RequestOutcome:
        """Have an external step's own code serve a standing request.

        What it raises it has reported, by ``begin``; a request without an answer is sent again.
        """
        phase = self._gatekeeper.read(step.phase, run)
        if attempted(phase, step, run, request_id=request_id) is None:
            return "not asked for"
        try:
            return "built" if self._outside[step.name](run) else "busy"
        except OUTAGES:
            raise
        except (Fenced, LeaseLost) as e:
            self._ports.observer.event("stale holder stopped", step=step.name, run=str(run), error=str(e))
            return "lease lost"
        except Exception as e:  # noqa: BLE001  as of any step: reported, counted and bounded
            self._ports.observer.event("message failed", message=request_id, tries=1, error=words(e))
            return "failed"

    def begin(self, trigger: messages.TriggerMessage) -> Answer:
        """Begin the phase that a trigger is for, then acknowledge the trigger.

        Only by what the upstream document has fired. The answer for another firing is ``not fired``: it may come from
        before the store was restored, and its number would keep the one that is fired now from being begun.
        """
        run = keys.parse_run(trigger.run)
        phase = self._plan.phases.get(trigger.receiver)
        if phase is None or trigger.phase not in phase.after:
            after = f"no phase {trigger.receiver!r} comes after {trigger.phase!r} in this plan"
            raise NotFound(f"trigger {trigger.id}: {after}")
        known = AtHand()
        upstream = self._gatekeeper.read(trigger.phase, run, known=known)
        if upstream is None or not has_fired(upstream, trigger.generation, stamps=trigger.stamps):
            return Answer("not fired")
        given = Input(
            generation=trigger.generation, stamps=trigger.stamps, begun_at=0.0, begun_by="", missing=trigger.missing,
        )  # fmt: skip
        answer = self._gatekeeper.begin(trigger.receiver, run, upstream=trigger.phase, given=given)
        if not trigger.more:
            self._gatekeeper.acknowledge(
                trigger.phase, run, generation=trigger.generation, receiver=trigger.receiver, ack="begin", known=known
            )
        return answer

    def complete(self, message: messages.CompletionMessage, *, where: str) -> Answer:
        """Report a completion, and acknowledge the trigger that it echoes.

        Raises BadInput for a step that the run's gate does not have. One whose order cannot be compared with the
        accepted one is quarantined too.
        """
        try:
            with bound():
                return self._completed(message, where=where, redriven=False)
        except OtherOrder as e:
            body = {"kind": "completion", **msgspec.to_builtins(message)}
            topic = completions_topic(self._plan.pipeline)
            key = self._quarantine.put(topic, {n: v for n, v in body.items() if v not in (None, "")}, reason=str(e))
            raise BadInput(f"{e}; it is in quarantine: phasegate redrive {key}") from None

    def _completed(self, message: messages.CompletionMessage, *, where: str, redriven: bool) -> Answer:
        """Report a completion.

        Raises OtherOrder for an order that cannot be compared, unless it was ``redriven``.
        """
        if message.trigger_id:
            bind(trigger=message.trigger_id)
        if message.trigger_id and not message.step:
            return self._consumed(message, where=where)
        step = self._step(message.step, runs=messages.possible_runs(message, self._plan), where=where)
        if step.kind != "external":
            raise BadInput(f"{where}: step {step.name} is built by Phasegate; only its worker reports it")
        run = messages.reported_run(message, self._plan, where=where)
        bind(step=step.name, run=str(run))
        request, echoed = self._request(step, run), self._echoed(step, run, trigger=message.trigger_id)
        if message.trigger_id and message.status in GOOD:
            self._acknowledge(message.trigger_id, where=where)
        lacks = _lacks(message, step, where=where)
        is_result = message.status in GOOD or lacks is not None
        if is_result and step.table is not None:
            if lacks is None and message.execution_id and message.execution_id == self._accepted_write(step, run):
                return Answer("duplicate")  # of the very write that is accepted: there is nothing to read
            answer = self._tables.report(step, run, built_from=echoed, request=request, lacks=lacks,
                                         build=message.build)  # fmt: skip
            return self._checked(step, run, answer)
        stamp = None
        if is_result:
            if not message.execution_id:
                raise BadInput(f"{where}: step {step.name} has no table to read; give an execution_id for its content")
            stamp = execution_stamp(message.execution_id)
        order = messages.completion_order(message, where=where, now=self._ports.clock.now())
        status: Status = "empty" if message.status == "success" and message.rows == 0 else message.status
        report = Report(member=step.name, status=status, order=order, rows=message.rows, error=message.error,
                        ordered=message.ordered, redriven=redriven,
                        built_from=echoed, stamp=stamp, request=request, build=message.build, lacks=lacks)  # fmt: skip
        answer = self.report(step, run, report)
        if answer.outcome == OTHER_ORDER:
            raise OtherOrder(_other_order(step, run, message, where=where))
        return answer

    def report(self, step: Step, run: Run, report: Report) -> Answer:
        """Report to the step's phase.

        Raises BadInput if the run's gate does not have the step.
        """
        report = self._tables.compared(report, step, run)
        return self._checked(step, run, self._gatekeeper.report(step.phase, run, report))

    @staticmethod
    def _checked(step: Step, run: Run, answer: Answer) -> Answer:
        if answer.outcome == "unknown member":
            fix = f"see phasegate why {run}; if the plan has it since: phasegate replan {run}"
            raise BadInput(f"step {step.name} is no member of {step.phase} in run {run}; {fix}")
        return answer

    def _check_ordered(self, message: messages.CompletionMessage, *, where: str) -> None:
        """Refuse a completion without an order.

        If it were delivered again later, it would count as the newest.
        """
        step = self._plan.steps.get(message.step)
        unordered = message.sequence is None and message.completed_at is None
        if step is not None and unordered and (step.table is None or message.status not in GOOD):
            raise BadInput(f"{where}: nothing says how new it is; add sequence, or completed_at")

    def _consumed(self, message: messages.CompletionMessage, *, where: str) -> Answer:
        """Acknowledge a trigger for a consumer that is no step of the plan.

        Raises BadInput for a consumer that failed: its trigger stays unacknowledged.
        """
        trigger = message.trigger_id
        if message.status not in GOOD:
            raise BadInput(f"{where}: {trigger} ended as {message.status}: {message.error or 'no reason given'}")
        if not self._acknowledge(trigger, where=where):
            raise BadInput(f"{where}: no trigger {trigger} waits for a completion; send its id back unchanged")
        return Answer("acknowledged")

    def _acknowledge(self, trigger: str, *, where: str) -> bool:
        pipeline, phase, run, generation, receiver = keys.parse_trigger(trigger)
        if pipeline != self._plan.pipeline or phase not in self._plan.phases:
            raise BadInput(f"{where}: trigger_id {trigger!r} is of no phase of pipeline {self._plan.pipeline!r}")
        return self._gatekeeper.acknowledge(phase, run, generation=generation, receiver=receiver, ack="completion")

    def _request(self, step: Step, run: Run) -> str:
        """Return the id of a step's standing request.

        A completion names no request; it counts for this one.
        """
        phase = self._gatekeeper.read(step.phase, run)
        request = None if phase is None else phase.requests.get(step.name)
        return "" if request is None else request.id

    def _accepted_write(self, step: Step, run: Run) -> str:
        """Return the id of the write that is accepted of a step.

        "" for none, and for one that lacks something: its reporter may miss nothing any more.
        """
        phase = self._gatekeeper.read(step.phase, run)
        result = None if phase is None else phase.result_of(step.name)
        return "" if result is None or result.lacks is not None else result.write_id

    def _echoed(self, step: Step, run: Run, *, trigger: str) -> dict[str, Stamp] | None:
        """Return the stamps of the trigger that a completion echoes.

        None if it is not the generation that this phase builds on.
        """
        phase = self._gatekeeper.read(step.phase, run) if trigger else None
        if phase is None:
            return None
        pipeline, upstream, sent_for, generation, receiver = keys.parse_trigger(trigger)
        begun = phase.waiting.get(upstream) or phase.inputs.get(upstream)
        is_for_run = (pipeline, sent_for, receiver) == (self._plan.pipeline, run, step.phase)
        if begun is None or not is_for_run or begun.generation != generation:
            return None
        if any(need.phase != upstream for need in step.needs):
            return None
        return {str(n): begun.stamps[n.step] for n in step.needs if n.step in begun.stamps}

    def _step(self, name: str, *, runs: Iterable[Run], where: str) -> Step:
        """Return a step.

        Raises NotFound, or Busy if one of ``runs`` has it: it is for a process with that run's plan, as in an upgrade.
        """
        step = self._plan.steps.get(name)
        if step is not None:
            return step
        for run in runs:
            opened = (self._gatekeeper.read(phase, run) for phase in self._plan.phases)
            if any(phase is not None and name in phase.gate.members for phase in opened):
                raise Busy(f"{where}: {run} has step {name!r} by another plan than this process's; start this process "
                           f"with that plan, or run: phasegate replan {run}")  # fmt: skip
        raise NotFound(f"{where}: unknown step {name!r}; the plan has {', '.join(self._plan.steps)}")


def _other_order(step: Step, run: Run, message: messages.CompletionMessage, *, where: str) -> str:
    """Return why a report is neither newer nor older, and the fix."""
    given, accepted = "sequence", "a time"
    if message.ordered == "time":
        given, accepted = "completed_at", "a sequence"
    fix = f"redrive it if it is the newest (then later reports are ordered by {given}), or report without an order"
    return f"{where}: {step.name} of {run} is ordered by {accepted}, and this report by {given}; {fix}"


def _lacks(message: messages.CompletionMessage, step: Step, *, where: str) -> Lacks | None:
    """Return what a reporter says that its result lacks; None for nothing.

    Raises BadInput for keys without ``partial``, and for a step whose table is compared with the one that it covers.
    """
    if not message.missing:
        return None
    if message.status != "partial":
        raise BadInput(f'{where}: names what is missing and is {message.status}; write status = "partial"')
    if step.covers is not None:
        fix = f"its table is compared with that of {step.covers.need}: report success, and what is missing is named"
        raise BadInput(f"{where}: step {step.name} must not say what is missing; {fix}")
    return Lacks(missing=tuple(key[:KEY_CHARS_MAX] for key in message.missing[:KEYS_MAX]), count=len(message.missing))
