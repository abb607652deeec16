"""The one read service behind the command line, a web page and others. It never opens the warehouse."""

from collections.abc import Iterator

import msgspec

from phasegate.core.codec import decode
from phasegate.core.explain import PhaseView, explain
from phasegate.core.keys import Run, phase_of
from phasegate.core.lease import Lease
from phasegate.core.phase import Phase
from phasegate.core.plan import Plan
from phasegate.errors import NotFound
from phasegate.ports import Doc, Ports
from phasegate.service.quarantine import Quarantined

PAGE = 500


class LeaseView(msgspec.Struct, frozen=True, kw_only=True):
    """A lease that is held, or was: ``left_s`` is negative once it has run out."""

    key: str
    token: int
    holder: str | None
    purpose: str
    since: float
    left_s: float


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not tried again by itself, why, and the command that brings it back."""

    kind: str
    subject: str
    run: str
    reason: str
    at: float
    mend: str


class Overview:
    """Reads documents and explains them."""

    def __init__(self, plan: Plan, ports: Ports) -> None:
        self._plan, self._ports = plan, ports

    def phases(self, *, first: str = "", last: str = "9999-99-99") -> list[PhaseView]:
        """Return all phases of the runs from date ``first`` to ``last``, by run, then in the plan's order."""
        now = self._ports.clock.now()
        views = []
        for name in self._plan.phases:
            prefix = f"phase:{self._plan.pipeline}:{name}:"
            for doc in self._scan(prefix, after=prefix + first, until=f"{prefix}{last}~"):
                phase, run = self._phase(doc), phase_of(doc.key)[2]
                views.append(explain(phase, run=run, now=now))
        order = {name: number for number, name in enumerate(self._plan.phases)}
        return sorted(views, key=lambda view: (view.run, order[view.phase]))

    def why(self, run: Run) -> list[PhaseView]:
        """Explain every phase of one run. Raises NotFound when no phase has been opened for it."""
        views = [view for view in self.phases(first=run.date, last=run.date) if view.run == str(run)]
        if not views:
            raise NotFound(
                f"run {run} is not open: nothing was reported for it and no trigger came; see phasegate status"
            )
        return views

    def leases(self, *, free: bool = False) -> list[LeaseView]:
        """Return the leases that are held; with ``free`` all there ever were."""
        now, views = self._ports.clock.now(), []
        for doc in self._scan("lease:"):
            lease = decode(Lease, doc.body, key=doc.key)
            if lease.holder is not None or free:
                left = lease.until - now if lease.holder is not None else 0.0
                views.append(LeaseView(key=doc.key, token=lease.token, holder=lease.holder, purpose=lease.purpose,
                                       since=lease.since, left_s=left))  # fmt: skip
        return views

    def dead(self) -> list[DeadLetter]:
        """Return dead requests, dead triggers and quarantined messages."""
        found = []
        for view in self.phases():
            for member in view.members:
                if member.state == "dead":
                    found.append(DeadLetter(kind="request", subject=member.name, run=view.run, reason=member.reason,
                                            at=member.since or 0.0,
                                            mend=f"phasegate redrive {view.run} --step {member.name}"))  # fmt: skip
            for generation in view.generations:
                found += [
                    DeadLetter(kind="trigger", subject=receiver, run=view.run, reason="never acknowledged",
                               at=generation.at, mend=f"phasegate redrive {view.run} --step {receiver}")
                    for receiver, state in generation.receivers.items()
                    if state == "dead"
                ]  # fmt: skip
        for doc in self._scan(f"quarantine:{self._plan.pipeline}:"):
            kept = decode(Quarantined, doc.body, key=doc.key)
            found.append(DeadLetter(kind="message", subject=doc.key, run=str(kept.body.get("run", "")),
                                    reason=kept.reason, at=kept.last_at, mend=f"phasegate redrive {doc.key}"))  # fmt: skip
        return found

    def _phase(self, doc: Doc) -> Phase:
        return decode(Phase, doc.body, key=doc.key)

    def _scan(self, prefix: str, *, after: str = "", until: str | None = None) -> Iterator[Doc]:
        while page := self._ports.store.scan(prefix, after=after, until=until, limit=PAGE):
            yield from page
            after = page[-1].key
