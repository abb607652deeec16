"""What the documents say, as gauges that are read when Prometheus asks.

Nothing is kept between two scrapes, so no number is older than the scrape that it is in. A store that does not answer
in time leaves ``phasegate_up`` 0, and no other gauge. It decides nothing: views, leases, incidents and lateness are
those of the commands. The runs of the last DAYS are read, older ones as far as they are not settled, and no table.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from phasegate.base.dates import local_date, shift
from phasegate.base.findings import SEVERITIES
from phasegate.errors import BadDocument, words
from phasegate.explain.overview import OLDER_MAX, dead_of
from phasegate.explain.phase_view import PhaseView
from phasegate.observe.metrics import KINDS, Metric
from phasegate.pipeline import Pipeline

DAYS = 31
LATE_DAYS = 3
WITHIN_S = 5.0
UNFIRED = ("waiting", "building", "settling")
UNSENT = ("unsent", "sent")

READ = (
    Metric("phasegate_up", "gauge", (), "1 if the store was read for this scrape, 0 if it did not answer."),
    Metric("phasegate_read_seconds", "gauge", (), "How long reading the documents for this scrape took."),
    Metric("phasegate_runs", "gauge", ("phase", "state"),
           "Runs of the last 31 days, and older ones that are not settled, by phase and state, as `status` shows."),
    Metric("phasegate_runs_overdue", "gauge", ("phase",), "Runs past their deadline that have never fired."),
    Metric("phasegate_gate_age_seconds", "gauge", ("phase",),
           "Age of the oldest gate that is open and has never fired; 0 for none."),
    Metric("phasegate_outbox_age_seconds", "gauge", ("phase",),
           "Age of the oldest trigger that is not sent or not acknowledged; 0 for none."),
    Metric("phasegate_outbox_triggers", "gauge", ("phase",), "Triggers that are not sent or not acknowledged."),
    Metric("phasegate_inbox_age_seconds", "gauge", (),
           "How long the message of the bus has waited that could be received first; 0 for none."),
    Metric("phasegate_due_age_seconds", "gauge", (),
           "How long the document has waited that a sweep should have handled first; 0 for none."),
    Metric("phasegate_dead_letters", "gauge", ("kind",), "What is not retried without a command, as `dead`."),
    Metric("phasegate_leases_held", "gauge", (), "Leases that are held and have not expired."),
    Metric("phasegate_leases_expired", "gauge", (), "Leases that expired, until a sweep or another holder takes them."),
    Metric("phasegate_lease_age_seconds", "gauge", (), "For how long the oldest lease is held; 0 for none."),
    Metric("phasegate_incidents_open", "gauge", ("severity",), "Open incidents, by severity."),
    Metric("phasegate_findings", "gauge", ("code",), "Findings of open incidents, by code."),
    Metric("phasegate_last_evaluation_timestamp_seconds", "gauge", (),
           "When the newest evaluation that was stored as incidents began; 0: never."),
    Metric("phasegate_result_late_seconds", "gauge", ("phase", "step"),
           "How long after its time the newest expected result of a step came, or is missing; negative: early."),
    Metric("phasegate_unreadable_documents", "gauge", (), "Documents that cannot be read; what they say is left out."),
)  # fmt: skip
_BY_NAME = {metric.name: metric for metric in READ}


class Gauges(Collector):
    """A collector of one pipeline's documents.

    One reading at a time: scrapes that come while it goes on wait for it, for ``within_s`` at most.
    """

    def __init__(self, pipeline: Pipeline, *, within_s: float = WITHIN_S) -> None:
        self._pipeline, self._within_s = pipeline, within_s
        self._lock = threading.Lock()
        self._reading: Future[list[GaugeMetricFamily]] | None = None
        self._begun = 0.0

    def describe(self) -> list[GaugeMetricFamily]:
        """Return the families without values, so that a name is not taken twice."""
        return [self._family(metric.name) for metric in READ]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield what is read now, or that nothing could be read."""
        up = self._family("phasegate_up")
        try:
            found = self._read_once()
        except Exception as e:  # noqa: BLE001  whatever it is, nothing that is shown may look as if it were read
            self._pipeline.ports.observer.event("gauges not read", error=words(e))
            up.add_metric([self._pipeline.plan.pipeline], 0)
            yield up
            return
        up.add_metric([self._pipeline.plan.pipeline], 1)
        yield up
        yield from found

    def _read_once(self) -> list[GaugeMetricFamily]:
        """Return what a reading found that began less than ``within_s`` ago.

        Raises TimeoutError, and whatever the reading raised.
        """
        now = self._pipeline.ports.clock.monotonic()
        with self._lock:
            reading = self._reading
            if reading is None or reading.done():
                reading = self._reading = Future()
                self._begun = now
                threading.Thread(target=self._read, args=(reading,), name="phasegate-gauges", daemon=True).start()
            elif now - self._begun >= self._within_s:
                raise TimeoutError(f"the reading before has taken {now - self._begun:.0f} s")
        try:
            return reading.result(self._within_s)
        except TimeoutError:
            if reading.done():
                raise
            raise TimeoutError(f"the documents were not read within {self._within_s:g} s") from None

    def _read(self, reading: "Future[list[GaugeMetricFamily]]") -> None:
        clock = self._pipeline.ports.clock
        begun = clock.monotonic()
        try:
            values = _Values(self._pipeline)
            values.read()
            values.add("phasegate_read_seconds", clock.monotonic() - begun)
        except BaseException as e:  # noqa: BLE001  the scrape that waits gets it
            reading.set_exception(e)
        else:
            reading.set_result([self._filled(name, rows) for name, rows in values.found.items()])

    def _filled(self, name: str, rows: Iterable[tuple[tuple[str, ...], float]]) -> GaugeMetricFamily:
        family = self._family(name)
        for labels, value in rows:
            family.add_metric([self._pipeline.plan.pipeline, *labels], value)
        return family

    @staticmethod
    def _family(name: str) -> GaugeMetricFamily:
        metric = _BY_NAME[name]
        return GaugeMetricFamily(name, metric.text, labels=("pipeline", *metric.labels))


class _Values:
    """The values of one reading, by metric."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline, self.now = pipeline, pipeline.ports.clock.now()
        self._today = local_date(self.now, timezone=pipeline.plan.timezone)
        self._broken: list[BadDocument] = []
        self.found: dict[str, list[tuple[tuple[str, ...], float]]] = {}

    def add(self, name: str, value: float, *labels: str) -> None:
        """Add one value of a metric."""
        self.found.setdefault(name, []).append((labels, value))

    def read(self) -> None:
        """Read everything; raise what the store raises."""
        first = shift(self._today, -DAYS)
        views = self._pipeline.views.phases(first=first, broken=self._broken)
        views += self._pipeline.views.unsettled(last=shift(first, -1), limit=OLDER_MAX, broken=self._broken)
        self._phases(views)
        letters = [letter for view in views for letter in dead_of(view)]
        letters += self._pipeline.views.quarantined(broken=self._broken)
        dead = Counter(letter.kind for letter in letters)
        for kind in KINDS:
            self.add("phasegate_dead_letters", dead[kind], kind)
        self._leases()
        self._incidents()
        self._late()
        inbox = self._pipeline.ports.bus.next_due(topics=self._pipeline.plan.topics())
        self.add("phasegate_inbox_age_seconds", self._age(inbox))
        self.add("phasegate_due_age_seconds", self._age(self._pipeline.next_due(ignoring="message")))
        self.add("phasegate_unreadable_documents", len({error.key for error in self._broken}))

    def _age(self, since: float | None) -> float:
        """Return the seconds since a time; 0 for none, and for one ahead."""
        return 0.0 if since is None else max(0.0, self.now - since)

    def _phases(self, views: list[PhaseView]) -> None:
        states = Counter((view.phase, view.state) for view in views)
        for (phase, state), number in sorted(states.items()):
            self.add("phasegate_runs", number, phase, state)
        for phase in self._pipeline.plan.phases:
            own = [view for view in views if view.phase == phase]
            gates = [view.opened_at for view in own if view.state in UNFIRED and not view.generation]
            triggers = [
                generation.at
                for view in own
                if view.state not in ("void", "paused")
                for generation in view.generations
                for state in generation.receivers.values()
                if state in UNSENT
            ]
            self.add("phasegate_runs_overdue", sum(view.overdue for view in own), phase)
            self.add("phasegate_gate_age_seconds", self._age(min(gates, default=None)), phase)
            self.add("phasegate_outbox_age_seconds", self._age(min(triggers, default=None)), phase)
            self.add("phasegate_outbox_triggers", len(triggers), phase)

    def _leases(self) -> None:
        held = self._pipeline.views.leases(broken=self._broken)
        lasting = [lease for lease in held if lease.left_s > 0]
        self.add("phasegate_leases_held", len(lasting))
        self.add("phasegate_leases_expired", len(held) - len(lasting))
        self.add("phasegate_lease_age_seconds", self._age(min((lease.since for lease in lasting), default=None)))

    def _incidents(self) -> None:
        listed = [one for _, one in self._pipeline.alerts.listed(broken=self._broken) if one.state == "open"]
        severities = Counter(one.severity for one in listed)
        for severity in SEVERITIES:
            self.add("phasegate_incidents_open", severities[severity], severity)
        codes = Counter(finding.code for one in listed for finding in one.findings)
        for code, number in sorted(codes.items()):
            self.add("phasegate_findings", number, code)
        self.add("phasegate_last_evaluation_timestamp_seconds", self._pipeline.alerts.watched().taken_at)

    def _late(self) -> None:
        lateness = self._pipeline.views.lateness
        if not lateness.expects:
            return
        newest: dict[tuple[str, str], tuple[float, float]] = {}
        for row in lateness.rows(shift(self._today, -LATE_DAYS), self._today, broken=self._broken):
            if row.expected_at is not None and row.late_s is not None:
                key = (row.phase, row.step)
                newest[key] = max(newest.get(key, (row.expected_at, row.late_s)), (row.expected_at, row.late_s))
        for (phase, step), (_, late_s) in newest.items():
            self.add("phasegate_result_late_seconds", late_s, phase, step)
