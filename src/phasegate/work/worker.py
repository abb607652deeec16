"""Takes messages off the bus and has them served. It acknowledges a message only when nothing of it can be lost."""

from phasegate import messages
from phasegate.base import keys
from phasegate.base.backoff import retry_s
from phasegate.base.keys import Run
from phasegate.base.receipt import EXECUTION, Stamp
from phasegate.bus import Delivery
from phasegate.errors import BadDocument, BadInput, NotFound, words
from phasegate.gate.decisions import Answer, Report
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.quarantine import Quarantine
from phasegate.gate.records import Input
from phasegate.plan.gate import GOOD, Status
from phasegate.plan.model import Plan, Step
from phasegate.ports import Ports
from phasegate.write.builder import Builder
from phasegate.write.reports import TableReporter

TRIES_MAX = 50


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
    ) -> None:
        self._plan, self._ports, self._gatekeeper = plan, ports, gatekeeper
        self._builder, self._tables, self._quarantine = builder, tables, quarantine

    @property
    def pipeline(self) -> str:
        """Return the name of the pipeline."""
        return self._plan.pipeline

    def work(self) -> bool:
        """Handle one message, if one is there; return whether one was."""
        for delivery in self._ports.bus.receive(self._plan.topics()):
            self.handle(delivery)
            return True
        return False

    def handle(self, delivery: Delivery) -> None:
        """Serve a delivery, then acknowledge it; put it back when that failed; quarantine what is not understood."""
        message, ports = delivery.message, self._ports
        try:
            outcome = self._dispatch(delivery)
        except (BadInput, BadDocument, NotFound) as e:
            self._quarantine.put(message.topic, message.body, reason=str(e))
            outcome = "quarantined"
        except Exception as e:  # noqa: BLE001  one bad message must not stop the others; it is told and put back
            error = words(e)
            ports.observer.event("message not served", id=message.id, tries=delivery.tries, error=error)
            if delivery.tries < TRIES_MAX:
                ports.bus.postpone(delivery, delay_s=retry_s(message.id, delivery.tries))
                return
            self._quarantine.put(message.topic, message.body, reason=f"gave up after {delivery.tries} tries: {error}")
            outcome = "quarantined"
        ports.bus.ack(delivery)
        ports.observer.event("served", id=message.id, outcome=outcome)

    def _dispatch(self, delivery: Delivery) -> str:
        where = f"message {delivery.message.id}"
        said = messages.parse(delivery.message.body, where=where)
        if not isinstance(said, messages.CompletionMessage) and said.pipeline != self._plan.pipeline:
            raise BadInput(f"{where}: is of pipeline {said.pipeline!r}, this is {self._plan.pipeline!r}")
        match said:
            case messages.TriggerMessage():
                return self.begin(said).outcome
            case messages.RequestMessage():
                step = self._step(said.step, where=where)
                return self._builder.serve(step, keys.parse_run(said.run), request_id=said.id)
            case messages.CompletionMessage():
                self._check_ordered(said, where=where)
                return self.complete(said, where=where).outcome

    def begin(self, said: messages.TriggerMessage) -> Answer:
        """Begin the phase that a trigger is for, then acknowledge it to the phase that fired."""
        run = keys.parse_run(said.run)
        phase = self._plan.phases.get(said.receiver)
        if phase is None or said.phase not in phase.after:
            raise NotFound(f"trigger {said.id}: no phase {said.receiver!r} comes after {said.phase!r} in this plan")
        given = Input(
            generation=said.generation, stamps=said.stamps, begun_at=0.0, begun_by="", missing=said.missing,
        )  # fmt: skip
        answer = self._gatekeeper.begin(said.receiver, run, upstream=said.phase, given=given)
        self._gatekeeper.acknowledge(said.phase, run, generation=said.generation, receiver=said.receiver, ack="begin")
        return answer

    def complete(self, said: messages.CompletionMessage, *, where: str) -> Answer:
        """Report what somebody outside says of an external step, and acknowledge the trigger that it echoes.

        An unknown member is quarantined, never counted.
        """
        if said.trigger_id and not said.step:
            return self._consumed(said, where=where)
        step = self._step(said.step, where=where)
        if step.kind != "external":
            raise BadInput(f"{where}: step {step.name} is built by Phasegate; nobody else reports it")
        modes = tuple(self._plan.phases[step.phase].modes)
        run = messages.completion_run(said, modes=modes, where=where, mode_at=self._plan.mode_at)
        request, echoed = self._request(step, run), self._echoed(step, run, trigger=said.trigger_id)
        if said.trigger_id and said.status in GOOD:
            self._acknowledge(said.trigger_id, where=where)
        if said.status in ("success", "empty") and step.table is not None:
            return self._known(step, run, self._tables.report(step, run, built_from=echoed, request=request))
        stamp = None
        if said.status in ("success", "empty"):
            if not said.execution_id:
                raise BadInput(f"{where}: step {step.name} has no table to read; give an execution_id for its content")
            stamp = Stamp(EXECUTION + said.execution_id)
        order = messages.completion_order(said, where=where, now=self._ports.clock.now())
        status: Status = "empty" if said.status == "success" and said.rows == 0 else said.status
        report = Report(member=step.name, status=status, order=order, rows=said.rows, error=said.error,
                        built_from=echoed, stamp=stamp, request=request)  # fmt: skip
        return self.tell(step, run, report)

    def tell(self, step: Step, run: Run, said: Report) -> Answer:
        """Report to the step's phase. Raises BadInput for a step that the run's gate does not have."""
        return self._known(step, run, self._gatekeeper.report(step.phase, run, said))

    @staticmethod
    def _known(step: Step, run: Run, answer: Answer) -> Answer:
        if answer.outcome == "unknown member":
            mend = f"see phasegate why {run}; if the plan has it since: phasegate replan {run}"
            raise BadInput(f"step {step.name} is no member of {step.phase} in run {run}; {mend}")
        return answer

    def _check_ordered(self, said: messages.CompletionMessage, *, where: str) -> None:
        """Refuse a message that nothing orders: delivered again later, it would count as the newest."""
        step = self._plan.steps.get(said.step)
        unordered = said.sequence is None and said.completed_at is None
        if step is not None and unordered and (step.table is None or said.status not in GOOD):
            raise BadInput(f"{where}: nothing says how new it is; add sequence, or completed_at")

    def _consumed(self, said: messages.CompletionMessage, *, where: str) -> Answer:
        """Take the word of a consumer that is no step of the plan. One that failed has not acknowledged anything."""
        if said.status not in GOOD:
            raise BadInput(f"{where}: {said.trigger_id} ended as {said.status}: {said.error or 'no reason given'}")
        if not self._acknowledge(said.trigger_id, where=where):
            raise BadInput(f"{where}: no trigger {said.trigger_id} waits for a completion; send its id back as it came")
        return Answer("acknowledged")

    def _acknowledge(self, trigger: str, *, where: str) -> bool:
        pipeline, phase, run, generation, receiver = keys.parse_trigger(trigger)
        if pipeline != self._plan.pipeline or phase not in self._plan.phases:
            raise BadInput(f"{where}: trigger_id {trigger!r} is of no phase of pipeline {self._plan.pipeline!r}")
        return self._gatekeeper.acknowledge(phase, run, generation=generation, receiver=receiver, ack="completion")

    def _request(self, step: Step, run: Run) -> str:
        """Return the id of the standing request for a step, which a failure that names none speaks of."""
        phase = self._gatekeeper.read(step.phase, run)
        request = None if phase is None else phase.requests.get(step.name)
        return "" if request is None else request.id

    def _echoed(self, step: Step, run: Run, *, trigger: str) -> dict[str, Stamp] | None:
        """Return the stamps of the trigger that a completion echoes, if it is the one this phase works on."""
        phase = self._gatekeeper.read(step.phase, run) if trigger else None
        if phase is None:
            return None
        pipeline, upstream, sent_for, generation, receiver = keys.parse_trigger(trigger)
        begun = phase.waiting.get(upstream) or phase.inputs.get(upstream)
        ours = (pipeline, sent_for, receiver) == (self._plan.pipeline, run, step.phase)
        if begun is None or not ours or begun.generation != generation:
            return None
        if any(need.phase != upstream for need in step.needs):
            return None
        return {str(n): begun.stamps[n.step] for n in step.needs if n.step in begun.stamps}

    def _step(self, name: str, *, where: str) -> Step:
        step = self._plan.steps.get(name)
        if step is None:
            raise NotFound(f"{where}: unknown step {name!r}; the plan has {', '.join(self._plan.steps)}")
        return step
