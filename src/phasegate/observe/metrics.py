"""The observer that counts events for Prometheus, and its server.

The labels are names of the plan and words of this module: no run, id or error becomes one, so the number of time series
depends on the plan alone. Nothing here is read from documents: that is what the gauges of the service are for.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from phasegate.errors import BadInput
from phasegate.plan.model import Plan
from phasegate.ports import Observer

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

INSTALL = "pip install 'phasegate[service]'"
OTHER = "other"
SHORT_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
LONG_S = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
OUTCOMES = frozenset({
    "accepted", "confirmed", "duplicate", "older", "read again", "other order", "parked", "skipped", "noted", "failed",
    "dead", "void", "unknown member", "busy", "not asked for", "lease lost", "interrupted", "acknowledged",
})  # fmt: skip
KINDS = ("request", "trigger", "message")
# What is tried again, by the event that says so.
RETRIED = {"write conflict": "write", "message failed": "message", "heartbeat failed": "heartbeat",
           "sweep failed": "sweep", "alert not sent": "alert"}  # fmt: skip


class Metric(NamedTuple):
    """One metric: its name as Prometheus stores it, its labels, its meaning.

    Each also has the label ``pipeline``. ``buckets``: of a histogram, in seconds.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    text: str
    buckets: tuple[float, ...] = ()


COUNTED = (
    Metric("phasegate_completions_total", "counter", ("phase", "step", "outcome"),
           "Reports of steps, by what was decided: accepted, duplicate, failed and so on."),
    Metric("phasegate_firings_total", "counter", ("phase", "outcome"),
           "New generations that phases fired: whole, or degraded if an expected member was missing."),
    Metric("phasegate_became_dead_total", "counter", ("kind",),
           "Requests and triggers that became dead, and messages put into quarantine."),
    Metric("phasegate_writes_refused_total", "counter", ("step",),
           "Stale writes that a fence refused: their holder had lost its lease."),
    Metric("phasegate_leases_lost_total", "counter", ("step",), "Leases that another process took before their end."),
    Metric("phasegate_lease_hold_seconds", "histogram", ("step",), "How long leases of partitions were held.", LONG_S),
    Metric("phasegate_rows_written_total", "counter", ("step",),
           "Rows that writes have inserted, updated or deleted."),
    Metric("phasegate_rows_deduplicated_total", "counter", ("step",),
           "Rows that writes have left out, because a newer one has the same key."),
    Metric("phasegate_steps_ended_total", "counter", ("phase", "step", "outcome"),
           "Attempts at steps that ended, by outcome, of workers and of `begin` blocks."),
    Metric("phasegate_step_seconds", "histogram", ("phase", "step"), "How long attempts at steps took.", LONG_S),
    Metric("phasegate_message_seconds", "histogram", ("kind",),
           "How long messages of the bus took: trigger, request, completion, or other.", LONG_S),
    Metric("phasegate_sweep_seconds", "histogram", (), "How long sweeps took.", SHORT_S),
    Metric("phasegate_swept_documents_total", "counter", (), "Documents that sweeps handled."),
    Metric("phasegate_last_sweep_timestamp_seconds", "gauge", (), "When this process last swept; 0: not yet."),
    Metric("phasegate_retries_total", "counter", ("what",),
           "What is tried again: write, message, heartbeat, sweep, alert, step."),
    Metric("phasegate_worker_blocked_total", "counter", (),
           "Times that a worker could not use store, bus or warehouse, and waited."),
    Metric("phasegate_events_total", "counter", ("event",), "Events by name."),
)  # fmt: skip


class MetricsObserver:
    """Counts the events of one pipeline, and passes them on.

    ``registry`` is what a Prometheus client library exposes. Raises BadInput if that library is not installed.
    """

    def __init__(self, plan: Plan, inner: Observer | None = None) -> None:
        try:
            import prometheus_client  # an extra: only a process that is monitored pays for it
        except ImportError:
            raise BadInput(f"metrics need the library prometheus-client; run: {INSTALL}") from None
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # else each series is there twice
        self.registry: CollectorRegistry = prometheus_client.CollectorRegistry()
        self._plan, self._inner = plan, inner
        self._step_of = {step.table.name: step.name for step in plan.steps.values() if step.table is not None}
        self._made = {metric.name: self._make(metric) for metric in COUNTED}
        self._count: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "decided": self._decided, "fired": self._fired, "dead letter": self._dead, "quarantined": self._quarantined,
            "write refused": self._refused, "lease lost": self._lost, "lease held": self._held,
            "written": self._written, "attempt ended": self._ended, "step not built": self._not_built,
            "served": self._served, "swept": self._swept, "worker blocked": self._blocked,
        }  # fmt: skip
        self._begin_at_zero()

    def event(self, name: str, /, **fields: object) -> None:
        """Count one event, then pass it on."""
        try:
            self._of("phasegate_events_total", name).inc()
            if name in RETRIED:
                self._of("phasegate_retries_total", RETRIED[name]).inc()
            if name in self._count:
                self._count[name](fields)
        except Exception as e:  # noqa: BLE001  what cannot be counted must not stop the work
            if self._inner is not None:
                self._inner.event("event not counted", event=name, error=f"{type(e).__name__}: {e}")
        if self._inner is not None:
            self._inner.event(name, **fields)

    def _make(self, metric: Metric) -> Any:
        import prometheus_client

        labels = ("pipeline", *metric.labels)
        if metric.kind == "histogram":
            return prometheus_client.Histogram(
                metric.name, metric.text, labels, registry=self.registry, buckets=metric.buckets
            )
        kind = prometheus_client.Counter if metric.kind == "counter" else prometheus_client.Gauge
        return kind(metric.name, metric.text, labels, registry=self.registry)

    def _of(self, name: str, *labels: str) -> Any:
        return self._made[name].labels(self._plan.pipeline, *labels)

    def _begin_at_zero(self) -> None:
        """Create what alerts look at: a first event is then an increase."""
        for metric in COUNTED:
            if not metric.labels:
                self._of(metric.name)
            elif metric.labels == ("step",):
                for step in self._plan.steps:
                    self._of(metric.name, step)
        for phase in self._plan.phases:
            for outcome in ("whole", "degraded"):
                self._of("phasegate_firings_total", phase, outcome)
        for kind in KINDS:
            self._of("phasegate_became_dead_total", kind)
        for what in (*RETRIED.values(), "step"):
            self._of("phasegate_retries_total", what)

    def _step(self, fields: Mapping[str, Any]) -> str:
        """Return the step of an event, by its name or the table of its lease."""
        name = fields.get("step") or self._step_of.get(f"{fields.get('key', '')}:::".split(":")[2], "")
        return name if name in self._plan.steps else OTHER

    def _phase(self, key: str) -> str:
        _, pipeline, phase, *_ = f"{key}:::".split(":")
        return phase if pipeline == self._plan.pipeline and phase in self._plan.phases else OTHER

    def _decided(self, fields: Mapping[str, Any]) -> None:
        if fields["command"] != "report":
            return
        phase, step = self._phase(fields["key"]), fields["subject"]
        step = step if phase != OTHER and step in self._plan.steps else OTHER
        self._of("phasegate_completions_total", phase, step, _outcome(fields)).inc()

    def _fired(self, fields: Mapping[str, Any]) -> None:
        outcome = "degraded" if fields["missing"] else "whole"
        phase = fields["phase"] if fields["phase"] in self._plan.phases else OTHER
        self._of("phasegate_firings_total", phase, outcome).inc()

    def _dead(self, fields: Mapping[str, Any]) -> None:
        self._of("phasegate_became_dead_total", fields["kind"]).inc()

    def _quarantined(self, fields: Mapping[str, Any]) -> None:
        del fields
        self._of("phasegate_became_dead_total", "message").inc()

    def _refused(self, fields: Mapping[str, Any]) -> None:
        self._of("phasegate_writes_refused_total", self._step(fields)).inc()

    def _lost(self, fields: Mapping[str, Any]) -> None:
        self._of("phasegate_leases_lost_total", self._step(fields)).inc()

    def _held(self, fields: Mapping[str, Any]) -> None:
        if not fields["key"].endswith(":table"):  # that of a whole table is held with a partition's
            self._of("phasegate_lease_hold_seconds", self._step(fields)).observe(fields["held_s"])

    def _written(self, fields: Mapping[str, Any]) -> None:
        step = self._step(fields)
        self._of("phasegate_rows_written_total", step).inc(fields["changed"])
        self._of("phasegate_rows_deduplicated_total", step).inc(fields["duplicates"])

    def _ended(self, fields: Mapping[str, Any]) -> None:
        step = self._step(fields)
        phase = self._plan.steps[step].phase if step != OTHER else OTHER
        self._of("phasegate_steps_ended_total", phase, step, _outcome(fields)).inc()
        self._of("phasegate_step_seconds", phase, step).observe(fields["took_s"])

    def _not_built(self, fields: Mapping[str, Any]) -> None:
        if fields["status"] == "transient":
            self._of("phasegate_retries_total", "step").inc()

    def _served(self, fields: Mapping[str, Any]) -> None:
        kind = "request" if fields.get("request") else "completion" if fields.get("step") else ""
        kind = kind or ("trigger" if fields.get("trigger") else OTHER)
        self._of("phasegate_message_seconds", kind).observe(fields["took_s"])

    def _swept(self, fields: Mapping[str, Any]) -> None:
        self._of("phasegate_sweep_seconds").observe(fields["took_s"])
        self._of("phasegate_swept_documents_total").inc(fields["handled"])
        self._of("phasegate_last_sweep_timestamp_seconds").set(time.time())

    def _blocked(self, fields: Mapping[str, Any]) -> None:
        del fields
        self._of("phasegate_worker_blocked_total").inc()


def _outcome(fields: Mapping[str, Any]) -> str:
    return fields["outcome"] if fields["outcome"] in OUTCOMES else OTHER


@contextmanager
def serving(observer: MetricsObserver, address: str, /) -> Iterator[str]:
    """Answer ``GET /metrics`` at an address during the block; yield the URL.

    Raises BadInput if nothing can listen there.
    """
    from prometheus_client import start_http_server

    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        server, thread = start_http_server(int(port), addr=host, registry=observer.registry)
    except OSError as e:
        fix = "give each worker a port of its own"
        raise BadInput(f"metrics={address}: cannot listen there ({e.strerror or e}); {fix}") from None
    try:
        yield f"http://{host if ':' not in host else f'[{host}]'}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
