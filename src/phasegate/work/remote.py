"""External steps that another process builds, such as a script.

``begin`` takes the lease of the step for that process, which names it when it extends the lease and when it completes.
This process renews nothing: a caller that died loses the step when its lease expires. It refuses to write rows; what
the caller writes passes no fence.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from phasegate import messages
from phasegate.base import keys
from phasegate.base.keys import Run
from phasegate.base.receipt import Part, Stamp
from phasegate.errors import BadInput, Busy, LeaseLost
from phasegate.gate.decisions import Answer
from phasegate.plan.model import Plan, Step
from phasegate.ports import bound
from phasegate.work.external import ExternalSteps
from phasegate.work.worker import Worker
from phasegate.write.inputs import held_part
from phasegate.write.lease import TTL_MAX_S, Lease
from phasegate.write.leases import Leases

_HELD = re.compile(r"(\d{1,15})\.([a-z0-9._-]{1,64})", re.ASCII)


class Begun(NamedTuple):
    """A step that its caller builds now.

    ``lease``: what the caller sends to extend or to complete it. ``until``: when the lease expires, epoch seconds.
    ``needed``, ``inputs`` and ``trigger_id``: see ``StepRun``.
    """

    step: Step
    run: Run
    lease: str
    token: int
    until: float
    needed: bool
    inputs: dict[str, Stamp]
    trigger_id: str


class RemoteSteps:
    """Begins, extends and completes steps for callers in other processes."""

    def __init__(self, plan: Plan, *, external: ExternalSteps, leases: Leases, worker: Worker) -> None:
        self._plan, self._external, self._leases, self._worker = plan, external, leases, worker

    def begin(
        self, trigger: str | Mapping[str, object], *, step: str | None = None, by: str = "", ttl_s: float | None = None
    ) -> Begun:
        """Take the lease of an external step for the caller.

        ``trigger`` and ``step``: see ``Pipeline.begin``. ``by``: who it is, for ``phasegate leases``. ``ttl_s``: how
        long the lease lasts unless it is extended, up to TTL_MAX_S; None: as the settings say. Raises Busy while
        another caller holds it, BadInput, NotFound.
        """
        _check_ttl(ttl_s)
        with bound():
            return self._begin(trigger, step, by=by, ttl_s=ttl_s)

    def _begin(
        self, trigger: str | Mapping[str, object], step: str | None, *, by: str, ttl_s: float | None
    ) -> Begun:  # fmt: skip
        chosen, run = self._external.resolve(trigger, step)
        self._external.handle(chosen, run)  # a run that is not open leaves no lease behind
        document = keys.phase_key(self._plan.pipeline, chosen.phase, run=run)
        purpose = f"begin {chosen.name} by {by}" if by else f"begin {chosen.name}"
        taken = self._leases.take(self._part(chosen, run), purpose=purpose, owner=document, ttl_s=ttl_s)
        if taken is None:
            raise Busy(f"begin: {chosen.name} of {run} is held by another caller; begin it again later")
        return self._begun(chosen, run, taken)

    def extend(self, run: Run, *, step: Step, lease: str, ttl_s: float | None = None) -> Begun:
        """Extend a lease that ``begin`` has taken.

        Raises LeaseLost when another caller may have taken it: stop, and begin again.
        """
        _check_ttl(ttl_s)
        token, holder = _parsed(lease)
        return self._begun(step, run, self._leases.renew(self._part(step, run), holder=holder, token=token,
                                                         ttl_s=ttl_s))  # fmt: skip

    def complete(self, message: messages.CompletionMessage, *, lease: str, where: str) -> Answer:
        """Report a completion of a step that is held, then give its lease back.

        The lease is extended first, so that no other caller begins before it is stored. A repeated call, after no
        answer, reports again. Raises LeaseLost, and as ``Worker.complete``.
        """
        token, holder = _parsed(lease)
        step = self._plan.steps.get(message.step)
        if step is None or step.kind != "external":
            raise BadInput(f"{where}: {message.step!r} is no external step, so it has no lease; leave lease out")
        run = messages.reported_run(message, self._plan, where=where)
        part = self._part(step, run)
        try:
            self._leases.renew(part, holder=holder, token=token, ttl_s=None)
        except LeaseLost:
            if not self._leases.was_given_back(part, holder=holder, token=token):
                raise
        with bound(step=step.name, run=str(run), token=token):
            answer = self._worker.complete(message, where=where)
            self._leases.give_back(part, holder=holder, token=token)
        return answer

    def _begun(self, step: Step, run: Run, held: Lease) -> Begun:
        handle = self._external.handle(step, run)
        lease = f"{held.token}.{held.holder}"
        return Begun(step, run, lease, held.token, held.until, handle.needed, handle.inputs, handle.trigger_id)

    def _part(self, step: Step, run: Run) -> Part:
        return held_part(self._plan.pipeline, step, run)


def _parsed(lease: str) -> tuple[int, str]:
    """Return token and holder of a lease's id."""
    found = _HELD.fullmatch(lease)
    if found is None:
        raise BadInput("lease: not the id of a lease; send what begin answered, as it came")
    return int(found[1]), found[2]


def _check_ttl(ttl_s: float | None) -> None:
    if ttl_s is not None and not 1 <= ttl_s <= TTL_MAX_S:
        raise BadInput(f"ttl_s is {ttl_s:g}; give 1 to {TTL_MAX_S:g} seconds, and extend the lease for longer work")
