"""What the endpoints use: the pipeline, its callers and its threads.

One process has one. It decides how much is done at once, and how the work ends; what is done is the pipeline's.
"""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from prometheus_client import Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0

from phasegate.answers.times import Times
from phasegate.audit import About, Act, AuditLog
from phasegate.errors import Unavailable
from phasegate.observe.metrics import Metric, MetricsObserver
from phasegate.pipeline import Pipeline
from phasegate.settings import Settings
from phasegate.web.bounds import Rates
from phasegate.web.callers import Caller, Callers
from phasegate.web.gauges import Gauges
from phasegate.web.pool import Threads
from phasegate.write.identity import KEY

WAITING_PER_THREAD = 8
SHORT_THREADS, SHORT_WAITING_MAX = 2, 256
"""For what is short and must not wait for a build: who calls, and whether the store answers."""
SCRAPES_MAX = 4
SERVED = (
    Metric("phasegate_requests_in_progress", "gauge", (), "Requests that the service works on."),
    Metric("phasegate_requests_waiting", "gauge", (), "Requests that wait for a thread of the service."),
)


class Listening:
    """An observer that also tells a thread which sweeps failed in it.

    ``registry``: what is counted.
    """

    def __init__(self, inner: MetricsObserver) -> None:
        self._inner, self._local, self.registry = inner, threading.local(), inner.registry

    def event(self, name: str, /, **fields: object) -> None:
        """Report one event; store the error of a failed sweep for its thread."""
        found: list[str] | None = getattr(self._local, "errors", None)
        if name == "sweep failed" and found is not None:
            found.append(f"{fields.get('error')}")
        self._inner.event(name, **fields)

    @contextmanager
    def errors(self) -> Iterator[list[str]]:
        """Give the errors of the sweeps of this thread during the block."""
        found: list[str] = []
        self._local.errors = found
        try:
            yield found
        finally:
            self._local.errors = None


def threads_of(settings: Settings) -> int:
    """Return how many requests are worked on at once.

    On PostgreSQL a connection is left for each thread that finds callers, and for the one that reads the metrics: they
    would starve behind those that work.
    """
    if settings.store_path is not None:
        return settings.serve_threads
    return max(1, min(settings.serve_threads, settings.connections_max - SHORT_THREADS - 1))


class Service:
    """A pipeline that is served over HTTP.

    ``work``: the threads that do what is asked. ``short``: those that find callers. ``scrapes``: the one that
    reads the metrics of ``registry``.
    """

    def __init__(self, pipeline: Pipeline, settings: Settings, *, callers: Callers, observer: Listening) -> None:
        self.pipeline, self.settings, self.callers, self.observer = pipeline, settings, callers, observer
        threads = threads_of(settings)
        self.work = Threads("work", threads=threads, waiting_max=WAITING_PER_THREAD * threads)
        self.short = Threads("short", threads=SHORT_THREADS, waiting_max=SHORT_WAITING_MAX)
        self.rates = Rates(settings.serve_rate)
        self._stopping = False
        self.audit = AuditLog(pipeline.plan.pipeline, pipeline.ports)
        self.scrapes = Threads("scrapes", threads=1, waiting_max=SCRAPES_MAX)
        self.registry, name = observer.registry, pipeline.plan.pipeline
        for metric, function in zip(SERVED, (lambda: self.work.running, lambda: self.work.waiting), strict=True):
            gauge = Gauge(metric.name, metric.text, ("pipeline",), registry=self.registry)
            gauge.labels(name).set_function(function)
        self.registry.register(Gauges(pipeline))

    def times(self) -> Times:
        """Return the printer of times, in the pipeline's zone."""
        return Times(self.pipeline.plan.timezone, now=self.pipeline.ports.clock.now())

    def acting(self, command: str, *, by: Caller, about: About) -> AbstractContextManager[Act]:
        """Record around the block that a caller changes something over HTTP."""
        return self.audit.acting(command, by=by.name, via="http", about=about)

    def stopping(self) -> bool:
        """Return whether the service stops: only the present unit is finished."""
        return self._stopping

    def stop(self) -> None:
        """Begin nothing any more; what waits is answered with 503."""
        self._stopping = True
        self.work.stop()
        self.short.stop()
        self.scrapes.stop()

    def abandon(self) -> int:
        """Answer what is in progress with 503, though it goes on; return how much."""
        self.work.abandon()
        self.short.abandon()
        self.scrapes.abandon()
        return self.work.running

    def metrics(self) -> tuple[bytes, str]:
        """Return the metrics as text, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_1_0_0

    def check_ready(self) -> None:
        """Read one document of the store; raise Unavailable."""
        if self._stopping:
            raise Unavailable("the service stops; ask another")
        self.pipeline.ports.store.read(KEY)

    def work_within(self, seconds: float) -> int:
        """Work until nothing is left or the time is up; return the units done.

        Or until the service stops.
        """
        clock, done = self.pipeline.ports.clock, 0
        until = clock.monotonic() + seconds
        while not self._stopping and clock.monotonic() < until and self.pipeline.work_one():
            done += 1
        return done
