"""Everything that a pipeline's documents show, as one value."""

from collections.abc import Iterable

from phasegate.audit import AuditEntry, entries_of
from phasegate.base import keys
from phasegate.base.keys import Run
from phasegate.base.receipt import Receipt
from phasegate.errors import BadDocument
from phasegate.explain.late_results import LateResults
from phasegate.explain.overview import Overview
from phasegate.explain.timeline import TimelineEntry, timeline, written
from phasegate.gate.phase import Phase
from phasegate.plan.model import Plan
from phasegate.ports import ReadPorts


class Views(Overview):
    """The overview, and the late results.

    ``lateness``: the expected results that arrived late, or never.
    """

    def __init__(self, plan: Plan, ports: ReadPorts) -> None:
        super().__init__(plan, ports)
        self.lateness = LateResults(plan, ports)

    def timeline(
        self, run: Run, *, receipts: Iterable[Receipt] = (), broken: list[BadDocument] | None = None
    ) -> list[TimelineEntry]:
        """Return what happened to a run, the newest first.

        ``receipts``: of its partitions, if they were read. Raises BadDocument unless ``broken`` takes it.
        """
        phases: dict[str, Phase] = {}
        for name in [name for name, phase in self._plan.phases.items() if run.mode in phase.modes]:
            doc = self._ports.store.read(keys.phase_key(self._plan.pipeline, name, run=run))
            if doc is not None and (phase := self._read(Phase, doc, broken)) is not None:
                phases[name] = phase
        steps = [step for step in self._plan.steps.values() if step.phase in phases]
        of = {step.table.name: step for step in steps if step.table is not None}
        more = [written(one, phase=of[one.table].phase) for one in receipts if one.table in of]
        for lease in self.leases(broken=broken):
            table, _, partition = lease.place.rpartition("/")
            if partition == run.date and (step := of.get(table)) is not None:
                text = f"{lease.place} is held, token {lease.token}: {lease.purpose}"
                more.append(TimelineEntry(lease.since, "lease", step.phase, step.name, text))
        for step in steps:
            for one in self.log(run, step.name):
                text = f"attempt {one.number}: {one.status}" + (f": {one.error}" if one.error else "")
                more.append(TimelineEntry(one.at, "attempt", step.phase, step.name, text))
        commanded = [at for phase in phases.values() for at in (phase.opened_at, *(seen.at for seen in phase.seen))]
        unread: list[BadDocument] = [] if broken is None else broken
        acts = entries_of(self._ports, self._plan.pipeline, str(run), times=commanded, broken=unread)
        if unread and broken is None:
            raise unread[0]
        return timeline(phases, more=[*more, *map(acted, acts)])


def acted(entry: AuditEntry, /) -> TimelineEntry:
    """Return the act of a person."""
    return TimelineEntry(entry.at, "act", "", "", f"{entry.by} ({entry.via}): {entry.command}; {entry.ended}")
