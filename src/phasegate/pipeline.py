"""One plan on one set of ports: the object that the command line, a web service or your own code holds."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from phasegate import messages
from phasegate.alerts.incidents import Incidents
from phasegate.base.backoff import held_up_s
from phasegate.base.disk import Disk
from phasegate.base.receipt import Part
from phasegate.calendar.calendar import Calendar, Dates
from phasegate.check.health import Health, Spans
from phasegate.check.inspector import Inspector
from phasegate.check.reconciler import Reconciler
from phasegate.errors import BadInput, PhasegateError
from phasegate.explain.late_results import LateResults
from phasegate.explain.overview import Overview
from phasegate.gate.decisions import Answer
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.propagator import Propagator
from phasegate.gate.quarantine import Quarantine
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.warehouse import Params
from phasegate.work.backfill import Backfill
from phasegate.work.external import ExternalSteps, StepRun
from phasegate.work.pool import WorkerPool
from phasegate.work.scheduler import Scheduler
from phasegate.work.sweeper import Sweeper
from phasegate.work.worker import Worker
from phasegate.write.builder import Builder, PythonStep
from phasegate.write.deduplicator import Deduplicator
from phasegate.write.identity import store_id
from phasegate.write.leases import Leases
from phasegate.write.read_repair import ReadRepair
from phasegate.write.reports import TableReporter
from phasegate.write.rescuer import Rescuer
from phasegate.write.writer import Writer

SWEEP_EVERY_S = 5.0
WAIT_MAX_S = 1.0


class TableDigest(NamedTuple):
    """What a whole table holds: equal digests, equal contents."""

    rows: int
    digest: str


class Pipeline:
    """Begin, complete, work and sweep. Safe to use from many threads; each process makes its own."""

    def __init__(  # noqa: PLR0913  one for each setting
        self,
        plan: Plan,
        ports: Ports,
        *,
        warehouse_name: str = "main",
        ttl_s: float = 60.0,
        heartbeat_s: float = 15.0,
        functions: Mapping[str, PythonStep] | None = None,
        dates: Dates | None = None,
        disk: Callable[[], Disk] | None = None,
    ) -> None:
        self.plan, self.ports = plan, ports
        self.pool = WorkerPool(work_one=self.work_one, work=self.work, observer=ports.observer)
        self.store_id = store_id(ports)
        self.calendar = Calendar(plan, ports, dates=dates)
        self.incidents = Incidents(plan, ports, calendar=self.calendar)
        propagator = Propagator(plan, ports, calendar=self.calendar)
        self.gatekeeper = Gatekeeper(plan, ports, calendar=self.calendar, propagator=propagator)
        self.scheduler = Scheduler(plan, ports, gatekeeper=self.gatekeeper, calendar=self.calendar)
        self.leases = Leases(ports, warehouse=warehouse_name, ttl_s=ttl_s, heartbeat_s=heartbeat_s)
        self.quarantine = Quarantine(plan.pipeline, ports)
        self.overview = Overview(plan, ports)
        self.lateness = LateResults(plan, ports)
        self.inspector = Inspector(plan, ports, warehouse_name=warehouse_name, store_id=self.store_id)
        self.health = Health(plan, ports, overview=self.overview, disk=disk, spans=self._spans())
        writer = Writer(plan, ports, store_id=self.store_id)
        tables = TableReporter(ports, gatekeeper=self.gatekeeper)
        read_repair = ReadRepair(plan, ports, gatekeeper=self.gatekeeper, tables=tables, propagator=propagator)
        builder = Builder(plan, ports, gatekeeper=self.gatekeeper, leases=self.leases, writer=writer,
                          read_repair=read_repair, functions=functions or {})  # fmt: skip
        self.worker = Worker(
            plan, ports, gatekeeper=self.gatekeeper, builder=builder, tables=tables, quarantine=self.quarantine
        )
        self.backfill = Backfill(plan, ports, gatekeeper=self.gatekeeper, tables=tables, calendar=self.calendar)
        self._external_steps = ExternalSteps(plan, gatekeeper=self.gatekeeper, leases=self.leases, writer=writer,
                                  worker=self.worker)  # fmt: skip
        rescuer = Rescuer(plan, ports, gatekeeper=self.gatekeeper, leases=self.leases, store_id=self.store_id)
        deduplicator = Deduplicator(plan, ports, gatekeeper=self.gatekeeper, leases=self.leases, writer=writer)
        self.reconciler = Reconciler(
            plan, ports, inspector=self.inspector, gatekeeper=self.gatekeeper, tables=tables, worker=self.worker,
            rescuer=rescuer, scheduler=self.scheduler, quarantine=self.quarantine, deduplicator=deduplicator,
            adopt=self.adopt,
        )  # fmt: skip
        self.sweeper = Sweeper(
            ports,
            handlers={
                f"calendar:{plan.pipeline}": self.scheduler.look,
                f"phase:{plan.pipeline}": self.gatekeeper.look,
                f"mirror:{plan.pipeline}": self.gatekeeper.mirror.look,
                f"lease:{warehouse_name}": rescuer.rescue,
            },
        )

    def begin(self, trigger: str | Mapping[str, object], *, step: str | None = None) -> AbstractContextManager[StepRun]:
        """Hold an external step of a run during the block; see ``ExternalSteps.begin``."""
        return self._external_steps.begin(trigger, step=step)

    def complete(self, body: Mapping[str, object], *, where: str = "complete") -> Answer:
        """Take in a completion message as somebody outside spells it. Raises BadInput, NotFound."""
        said = messages.parse({"kind": "completion", **body}, where=where)
        if not isinstance(said, messages.CompletionMessage):
            raise BadInput(f"{where}: is a {body['kind']} message; only completions can be reported")
        return self.worker.complete(said, where=where)

    def work_until_idle(self, *, units_max: int = 1_000_000) -> int:
        """Work and sweep until nothing can be done now; return how many units were done. See ``WorkerPool``."""
        return self.pool.until_idle(units_max=units_max)

    def work_one(self) -> bool:
        """Handle one message, or look at what is due; return whether there was anything."""
        return self.worker.work() or self.sweeper.sweep() > 0

    def work(self, stop: Callable[[], bool]) -> None:
        """Work, sweep and wait until ``stop`` answers True; the unit in hand is finished first."""
        swept, failures = 0.0, 0
        while not stop():
            try:
                busy = self.worker.work()
                if not busy or self.ports.clock.monotonic() - swept >= SWEEP_EVERY_S:
                    swept = self.ports.clock.monotonic()
                    if not self.sweep() and not busy:
                        self._wait()
                failures = 0
            except PhasegateError as e:
                failures += 1
                self.ports.observer.event("worker held up", error=str(e), failures=failures)
                self.ports.clock.sleep(held_up_s("worker", failures))

    def _spans(self) -> list[tuple[str, Spans]]:
        """Return the checks that health leaves to other parts."""
        spans: list[tuple[str, Spans]] = [("reconcile", self.inspector.inspect)]
        if self.lateness.expects:
            spans.append(("lateness", lambda first, last: [self.lateness.evaluate(first, last)]))
        return spans

    def sweep(self) -> int:
        """Keep up with the calendar, and look at all that is due; return how many documents were looked at.

        A replay of other dates, or a backfill, uses the sweeper alone: it opens no run of today.
        """
        self.scheduler.keep_up()
        return self.sweeper.sweep()

    def _wait(self) -> None:
        """Wait for a message, or for the next document that is due."""
        due = self.next_due()
        pause = WAIT_MAX_S if due is None else min(WAIT_MAX_S, max(0.0, due - self.ports.clock.now()))
        self.ports.bus.wait(pause)

    def next_due(self, *, apart_from: str = "") -> float | None:
        """Return when the next document or message is due (epoch seconds), or None when everything is settled.

        ``apart_from``: a kind of document that does not count, such as the ``calendar``, which is asked for ever anew.
        """
        times = [self.sweeper.next_due(apart_from=apart_from), self.ports.bus.next_due(topics=self.plan.topics())]
        return min((at for at in times if at is not None), default=None)

    def tables(self) -> dict[str, TableDigest]:
        """Return rows and digest (the fingerprint of the whole table: content only, no times) of every table."""
        with self.ports.warehouse.snapshot() as reader:
            return {
                step.table.name: TableDigest(
                    reader.count(step.table, partition=None), reader.fingerprint(step.table, partition=None)
                )
                for step in self.plan.steps.values()
                if step.table is not None
            }

    def query(self, sql: str, params: Params | None = None) -> Sequence[dict[str, object]]:
        """Return the rows of a SELECT on the warehouse, from one snapshot."""
        with self.ports.warehouse.snapshot() as reader:
            return reader.query(sql, params or {})

    def adopt(self) -> dict[Part, int]:
        """Make this store the one that the warehouse is fenced by, and lift every lease above its fence.

        For a lost or restored store only: whoever works on the other store is refused from then on.
        """
        fences = self.ports.warehouse.adopt(None, store_id=self.store_id)
        return {part: self.leases.raise_to(part, token=token) for part, token in fences.items()}

    def close(self) -> None:
        """Let go of files and connections."""
        for port in (self.ports.warehouse, self.ports.bus, self.ports.store):
            port.close()
