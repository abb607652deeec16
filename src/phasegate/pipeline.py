"""The pipeline: one plan on one set of ports.

The command line, a web service or your own code holds one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from phasegate import messages
from phasegate.base.backoff import held_up_s
from phasegate.base.codec import build_types
from phasegate.base.disk import Disk
from phasegate.base.keys import Run
from phasegate.bus import Message
from phasegate.calendar.calendar import Calendar, Dates
from phasegate.calendar.month import Day
from phasegate.channel import PostReceiver
from phasegate.code.pinned import with_code
from phasegate.code.translated import Translator
from phasegate.errors import BadInput, NotFound, PhasegateError
from phasegate.gate.decisions import Answer
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.propagator import Propagator
from phasegate.plan.model import Plan, completions_topic
from phasegate.ports import Ports
from phasegate.warehouse import Params
from phasegate.work.commands import CommandSteps
from phasegate.work.external import ExternalSteps, StepRun
from phasegate.work.pool import Stop, WorkerPool, never
from phasegate.work.remote import RemoteSteps
from phasegate.work.scheduler import Scheduler
from phasegate.work.sweeper import Sweeper
from phasegate.work.worker import OwnBuilder, Worker
from phasegate.write.builder import Builder, PythonStep
from phasegate.write.identity import store_id
from phasegate.write.leases import Leases
from phasegate.write.read_repair import ReadRepair
from phasegate.write.reports import TableReporter
from phasegate.write.rescuer import Adopted, Rescuer
from phasegate.write.writer import Writer

if TYPE_CHECKING:
    from phasegate.alerts.incidents import Incidents
    from phasegate.check.checks import Checks
    from phasegate.check.health import Spans
    from phasegate.check.inspector import Inspector
    from phasegate.explain.views import Views
    from phasegate.work.backfill import Backfill, BackfillJob

SWEEP_EVERY_S = 5.0
# How long a worker waits before it looks whether to stop.
WAIT_MAX_S = 1.0
POLL_S = 1.0
# An idle worker asks what is due at each poll; sweeping asks more, so it does that less often.
POLLS_PER_SWEEP = 10


class TableDigest(NamedTuple):
    """The rows and the digest of a table: equal digests, equal contents."""

    rows: int
    digest: str


class Pipeline:
    """One plan on one set of ports: begin, complete, work and sweep.

    Safe to use from many threads; each process makes its own. ``runs``: opens, voids, pauses, replans and redrives the
    phases of runs. ``views``: their state, explained. ``checks``: inspector, health, reconciler. ``alerts``: incidents.
    ``calendar``: which dates have work. ``remote``: external steps for other processes. ``rescuer``: ends leases.

    Views, checks and alerts are imported when they are asked for: a process that handles triggers asks for none.
    """

    def __init__(  # noqa: PLR0913  one for each setting
        self,
        plan: Plan,
        ports: Ports,
        *,
        warehouse_name: str = "main",
        ttl_s: float = 60.0,
        heartbeat_s: float = 15.0,
        poll_s: float = POLL_S,
        functions: Mapping[str, PythonStep] | None = None,
        dates: Dates | None = None,
        disks: Callable[[], Sequence[Disk]] | None = None,
        translator: Translator | None = None,
    ) -> None:
        plan = with_code(plan, functions or {})
        self.plan, self.ports, self._poll_s = plan, ports, poll_s
        self._warehouse_name, self._disks = warehouse_name, disks
        self._translator = translator = translator or Translator(plan, engine=None)
        self._at_close = list[Callable[[], None]]()
        # When some thread last asked what is due, and the answer.
        self._asked_at, self._due = float("-inf"), float("inf")
        self._pool = WorkerPool(work_one=self.work_one, work=self.work, observer=ports.observer)
        self.store_id = store_id(ports)
        self.calendar = Calendar(plan, ports, dates=dates)
        propagator = Propagator(plan, ports, calendar=self.calendar)
        self.runs = Gatekeeper(plan, ports, calendar=self.calendar, propagator=propagator)
        self._scheduler = Scheduler(plan, ports, gatekeeper=self.runs, calendar=self.calendar)
        self._leases = Leases(ports, warehouse=warehouse_name, ttl_s=ttl_s, heartbeat_s=heartbeat_s)
        self._writer = writer = Writer(plan, ports, store_id=self.store_id, sql_of=translator.step)
        tables = TableReporter(ports, gatekeeper=self.runs)
        read_repair = ReadRepair(plan, ports, gatekeeper=self.runs, tables=tables, propagator=propagator)
        builder = Builder(plan, ports, gatekeeper=self.runs, leases=self._leases, writer=writer,
                          read_repair=read_repair, functions=functions or {})  # fmt: skip
        self._commands = CommandSteps(plan, ports, gatekeeper=self.runs, builder=builder,
                                      tables=tables, read_repair=read_repair)  # fmt: skip
        self._worker = Worker(plan, ports, gatekeeper=self.runs, builder=builder, tables=tables,
                              quarantine=self.runs.quarantine, commands=self._commands)  # fmt: skip
        self._tables = tables
        self._external_steps = ExternalSteps(plan, ports, gatekeeper=self.runs, leases=self._leases, writer=writer,
                                             worker=self._worker)  # fmt: skip
        self.remote = RemoteSteps(plan, external=self._external_steps, leases=self._leases, worker=self._worker)
        self.rescuer = Rescuer(plan, ports, gatekeeper=self.runs, leases=self._leases, store_id=self.store_id)
        self._sweeper = Sweeper(
            ports,
            handlers={
                f"calendar:{plan.pipeline}": self._scheduler.look,
                f"phase:{plan.pipeline}": self.runs.look,
                f"mirror:{plan.pipeline}": self.runs.mirror.look,
                f"lease:{warehouse_name}": self.rescuer.rescue,
            },
            ahead={
                f"calendar:{plan.pipeline}": self.calendar.is_ahead,
                f"phase:{plan.pipeline}": self.runs.is_ahead,
                f"mirror:{plan.pipeline}": self.runs.mirror.is_ahead,
                f"lease:{warehouse_name}": self.rescuer.is_ahead,
            },
        )

    @cached_property
    def views(self) -> "Views":
        """Return what explains the state of runs."""
        from phasegate.check.checks import Views

        return Views(self.plan, self.ports)

    @cached_property
    def alerts(self) -> "Incidents":
        """Return what records findings and sends them."""
        from phasegate.check.checks import Incidents

        return Incidents(self.plan, self.ports, calendar=self.calendar)

    @cached_property
    def checks(self) -> "Checks":
        """Return the services that check this pipeline."""
        from phasegate.check.checks import Checks, Deduplicator, Health, Inspector, Reconciler, Shapes

        plan, ports, gatekeeper = self.plan, self.ports, self.runs
        inspector = Inspector(plan, ports, warehouse_name=self._warehouse_name, store_id=self.store_id)
        health = Health(plan, ports, overview=self.views, disks=self._disks, spans=self._spans(inspector))
        deduplicator = Deduplicator(plan, ports, gatekeeper=gatekeeper, leases=self._leases, writer=self._writer)
        reconciler = Reconciler(
            plan, ports, inspector=inspector, gatekeeper=gatekeeper, tables=self._tables, worker=self._worker,
            rescuer=self.rescuer, scheduler=self._scheduler, quarantine=gatekeeper.quarantine,
            deduplicator=deduplicator, adopt=self.adopt,
        )  # fmt: skip
        shapes = Shapes(plan, ports, store_id=self.store_id, sql_of=self._translator.step)
        return Checks(inspector=inspector, health=health, reconciler=reconciler, shapes=shapes)

    def begin(self, trigger: str | Mapping[str, object], *, step: str | None = None) -> AbstractContextManager[StepRun]:
        """Hold an external step during the block.

        ``trigger``: the body of a trigger or request, the id of a trigger, or a run such as ``2026-02-03.overnight``.
        ``step`` may be left out where the phase has one external step only. If the block raises, or ends without
        ``complete`` or ``fail``, a transient failure is reported; not for Unavailable and the like, which are no
        failure of the step: begin it again. Raises Busy while another process holds it, BadInput, NotFound.
        """
        return self._external_steps.begin(trigger, step=step)

    def complete(self, body: Mapping[str, object], *, where: str = "complete") -> Answer:
        """Report the body of a completion message.

        Raises BadInput, NotFound.
        """
        message = messages.parse({"kind": "completion", **body}, where=where, plan=self.plan)
        if not isinstance(message, messages.CompletionMessage):
            raise BadInput(f"{where}: is a {body['kind']} message; only completions can be reported")
        return self._worker.complete(message, where=where)

    def rerun(self, step: str, run: Run, *, again: bool = True) -> str:
        """Build a step again now, in this thread; return the outcome.

        Or ``blocked`` if it cannot start yet, ``busy`` if another process builds it. ``again`` False: only if a request
        for it stands. The run must be open.
        """
        chosen = self.plan.steps[step]
        phase = self.runs.read(chosen.phase, run)
        if phase is None:
            raise NotFound(f"{chosen.phase} of {run} is not open")
        if again:
            self.runs.rebuild(chosen.phase, run, steps=(step,), quiet=phase.quiet)
            phase = self.runs.read(chosen.phase, run)
        request = None if phase is None else phase.requests.get(step)
        if request is None:
            return "blocked" if again else "not asked for"
        return self._worker.build(chosen, run, request_id=request.id)

    def work_until_idle(self, *, units_max: int = 1_000_000) -> int:
        """Work and sweep until nothing can be done now; return the units done.

        See ``WorkerPool.until_idle``. Raises BadInput as ``check_sql`` does.
        """
        self.check_sql()
        return self._pool.until_idle(units_max=units_max)

    def run_workers(self, *, threads: int = 1, until_idle: bool = False, stop: Stop = never) -> tuple[str, ...]:
        """Work in threads until ``stop`` returns True; return their errors.

        See ``WorkerPool.run``. A step's command is ended when ``stop`` returns True. Raises BadInput as ``check_sql``.
        """
        self.check_sql()
        with self.until(stop):
            return self._pool.run(threads=threads, until_idle=until_idle, stop=stop)

    def check_sql(self) -> None:
        """Translate all of the plan's SQL into that of the warehouse now.

        Workers and the service do so when they start. Raises BadInput that names step, file and line.
        """
        self._translator.check()

    def until(self, stop: Stop) -> AbstractContextManager[None]:
        """End commands of steps when ``stop`` returns True, during the block."""
        return self._commands.until(stop)

    def backfill(self, job: "BackfillJob") -> "Backfill":
        """Return a backfill: ``check`` it, list its ``items``, then ``carry_out``."""
        from phasegate.work.backfill import Backfill

        return Backfill(
            self.plan, self.ports, gatekeeper=self.runs, tables=self._tables, calendar=self.calendar, job=job
        )

    def put_dates(self, days: Iterable[Day]) -> None:
        """Store days in the calendar, and apply changes to open runs."""
        self._scheduler.put(days)

    def ask_calendar(self, month: str) -> None:
        """Ask the calendar's source about a month (``YYYY-MM``) now.

        Changes are applied to open runs.
        """
        self._scheduler.ask(month)

    def work_one(self) -> bool:
        """Handle a message, or else all due documents; return whether any was."""
        return self.serve_one() or self._sweeper.sweep() > 0

    def serve_one(self) -> bool:
        """Handle one message, if there is one; return whether there was."""
        return self._worker.work()

    def work(self, stop: Callable[[], bool]) -> None:
        """Work, sweep and wait until ``stop`` returns True.

        The unit in progress is finished first. An idle worker asks the store what is due every ``poll_s``.
        """
        swept, failures = 0.0, 0
        while not stop():
            try:
                busy = self._worker.work()
                if not busy or self.ports.clock.monotonic() - swept >= SWEEP_EVERY_S:
                    swept = self.ports.clock.monotonic()
                    if not self.sweep() and not busy:
                        self._wait(stop)
                failures = 0
            except PhasegateError as e:
                failures += 1
                self.ports.observer.event("worker blocked", error=str(e), failures=failures)
                self.ports.clock.sleep(held_up_s("worker", failures))

    def _spans(self, inspector: "Inspector") -> "list[tuple[str, Spans]]":
        """Return the checks over a span of dates that health runs besides its own."""
        spans: list[tuple[str, Spans]] = [("reconcile", inspector.inspect)]
        lateness = self.views.lateness
        if lateness.expects:
            spans.append(("lateness", lambda first, last: [lateness.evaluate(first, last)]))
        return spans

    def sweep(self) -> int:
        """Refresh the calendar and handle all due documents; return how many.

        A replay of other dates, or a backfill, uses the sweeper alone, which opens no run of today.
        """
        self._scheduler.keep_up()
        return self._sweeper.sweep()

    def _wait(self, stop: Callable[[], bool]) -> None:
        """Wait for a message or something due, for POLLS_PER_SWEEP polls.

        All threads of a worker share the questions. What this thread knows to be due, it looks at also where another
        has asked just before that was written.
        """
        clock, due = self.ports.clock, self._ask()
        ends = clock.monotonic() + POLLS_PER_SWEEP * self._poll_s
        while not stop() and (left := ends - clock.monotonic()) > 0:
            if clock.monotonic() - self._asked_at >= self._poll_s:
                due = self._ask()
            pause = min(WAIT_MAX_S, left, min(due, self._due) - clock.now())
            if pause <= 0 or self.ports.bus.wait(pause):
                return

    def _ask(self) -> float:
        """Ask when something is due, for all threads; infinity: never."""
        self._asked_at = self.ports.clock.monotonic()
        due = self.next_due()
        self._due = at = float("inf") if due is None else due
        return at

    def next_due(self, *, ignoring: str = "") -> float | None:
        """Return when the next document or message is due, None if never.

        In epoch seconds. ``ignoring``: a kind to leave out: ``message``, or ``calendar``, which is always due at some
        time.
        """
        times = [self._sweeper.next_due(ignoring=ignoring)]
        if ignoring != "message":
            times.append(self.ports.bus.next_due(topics=self.plan.topics()))
        return min((at for at in times if at is not None), default=None)

    def tables(self) -> dict[str, TableDigest]:
        """Return the rows and the digest of every table.

        A digest is the fingerprint of the whole table: of its content only, without times.
        """
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

    def adopt(self) -> Adopted:
        """Make the warehouse obey this store, and take in what it holds.

        For a lost, restored or copied store only: writes by workers of the other one are refused from then on. Results
        that only the warehouse has are reported to their phases.
        """
        return self.rescuer.adopt()

    def take(self, body: Mapping[str, object], *, topic: str, number: str) -> str:
        """Handle a message that reached you by another way than the bus.

        ``number``: its id. Return the outcome; what cannot be understood is in quarantine, under ``topic``. Any error
        that is raised means that nothing of it is stored: take it again.
        """
        return self._worker.take(Message(number, topic, body))

    def publish(self, body: Mapping[str, object], *, number: str) -> None:
        """Publish a completion on the pipeline's topic, for others too.

        ``number``: its id, the same whenever it is published again. Raises BadInput, Unavailable.
        """
        self.ports.bus.publish(Message(number, completions_topic(self.plan.pipeline), body))

    def build_with(self, builders: Mapping[str, OwnBuilder]) -> None:
        """Build these external steps in this process when they are requested.

        By their names. Each is called with the run, builds and reports by ``begin``, and returns False if another
        process holds the step. Raises BadInput, NotFound for a step that is not external.
        """
        self._worker.build_with(builders)

    def post_to(self, endpoints: Mapping[str, PostReceiver]) -> None:
        """Post triggers for receivers with ``ack = "post"`` to these endpoints.

        By the receivers' names; in place of those that were given before.
        """
        self._worker.poster.reach(endpoints)

    def at_close(self, call: Callable[[], None]) -> None:
        """Call a function when the pipeline is closed."""
        self._at_close.append(call)

    def close(self) -> None:
        """Close the files and connections of all ports.

        Then call what was given to ``at_close``.
        """
        for port in (self.ports.warehouse, self.ports.bus, self.ports.store, self.ports.foreign):
            if port is not None:
                port.close()
        for call in self._at_close:
            call()


build_types()  # here, where all structs that a pipeline reads are known, and not by the threads that use it
