"""Traces: one for each run, in the format of OpenTelemetry.

All ids are derived from what the documents identify: a trace is of (pipeline, run), a phase's span of its generation, a
step's span of the result that it gave. So processes agree on them without passing anything on, and a firing links to
the results that it carries. What an attempt gave is known at its end only, and so is its span's id.
"""

import hashlib
import logging
import threading
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import msgspec
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from phasegate.base.receipt import Stamp
from phasegate.observe.sender import Sender
from phasegate.observe.signals import AttemptSignal, FiringSignal, ResultSignal
from phasegate.ports import Observer

NAME = "phasegate"
NS = 1_000_000_000
# Outcomes with an error that is none of the step's.
NO_FAULT = ("parked", "lease lost")
Value = str | int | float | Sequence[str] | None


def trace_of(pipeline: str, run: str, /) -> int:
    """Return the id of a run's trace."""
    return _number(16, "trace", pipeline, run)


def phase_span(pipeline: str, run: str, phase: str, /, *, generation: int) -> int:
    """Return the id of the span of one generation of a phase."""
    return _number(8, "phase", pipeline, run, phase, generation)


def result_span(pipeline: str, run: str, step: str, /, *, stamp: Stamp) -> int:
    """Return the id of the span of the attempt, or report, that gave a result."""
    return _number(8, "result", pipeline, run, step, stamp.fingerprint, stamp.token)


def _number(size: int, /, *parts: object) -> int:
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:size], "big") or 1  # 0 is no id


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A span to make: its id, its parent's, and those that it links to.

    A link has the name of the step whose result it links to, "" for the firing of a phase.
    """

    name: str
    run: str
    span: int
    parent: int | None
    values: Mapping[str, Value]
    since: float
    until: float
    links: Sequence[tuple[int, str]] = ()
    error: str = ""


class _Given(IdGenerator):
    """Gives the ids that were derived for the thread's next span."""

    def __init__(self) -> None:
        self._local = threading.local()

    def give(self, trace: int, span: int) -> None:
        self._local.trace, self._local.span = trace, span

    def generate_trace_id(self) -> int:
        return int(self._local.trace)

    def generate_span_id(self) -> int:
        return int(self._local.span)


class _Queue(SpanProcessor):
    def __init__(self, sender: Sender[ReadableSpan]) -> None:
        self._sender = sender

    def on_end(self, span: ReadableSpan) -> None:
        self._sender.put(span)


class _Export:
    """Exports batches; what OpenTelemetry logs of it is not printed.

    Its sender reports each outage, once.
    """

    def __init__(self, exporter: OTLPSpanExporter, *, host: str) -> None:
        self._exporter, self._host, self._thread = exporter, host, 0
        self._logger = logging.getLogger(OTLPSpanExporter.__module__)
        self._logger.addFilter(self._is_of_others)

    def __call__(self, spans: Sequence[ReadableSpan], /) -> str:
        self._thread = threading.get_ident()
        done = self._exporter.export(spans) is SpanExportResult.SUCCESS
        return "" if done else f"{self._host} did not take them; is OTEL_EXPORTER_OTLP_ENDPOINT right?"

    def close(self) -> None:
        """End a wait for the next try."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
        self._logger.removeFilter(self._is_of_others)

    def _is_of_others(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread


class Traces:
    """Makes spans of attempts, results and firings, and exports them.

    How: by OpenTelemetry's own environment variables. ``endpoint``: what they name, for reports of an outage.
    """

    def __init__(self, pipeline: str, *, endpoint: str, version: str, observer: Observer) -> None:
        self._export = _Export(OTLPSpanExporter(), host=urlsplit(endpoint).hostname or "the receiver")
        self._sender: Sender[ReadableSpan] = Sender("traces", self._export, observer=observer)
        self._pipeline, self._ids = pipeline, _Given()
        self._provider = TracerProvider(id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(_Queue(self._sender))
        self._tracer = self._provider.get_tracer(NAME, version)

    def begun(self, attempt: AttemptSignal, /) -> None:
        """Do nothing: a span is made when its end is known."""

    def ended(self, attempt: AttemptSignal, /) -> None:
        """Make the span of an attempt, a child of its phase's."""
        result = attempt.result
        values: dict[str, Value] = {
            "step": attempt.step, "phase": attempt.phase, "generation": attempt.generation, "request": attempt.request,
            "attempt": attempt.attempt, "token": attempt.token, "outcome": attempt.outcome, "rows": attempt.rows,
            "duplicates": attempt.duplicates,
        }  # fmt: skip
        if result is None:
            span = _number(8, "attempt", self._pipeline, attempt.run, attempt.step, attempt.request, attempt.attempt,
                           attempt.token, attempt.at)  # fmt: skip
        else:
            span = self._result(result)
            values |= {"rows": result.rows, "fingerprint": result.fingerprint, "status": result.status}
        self._make(
            Made(name=f"step {attempt.step}", run=attempt.run, span=span, parent=self._phase(attempt), values=values,
                 since=attempt.at, until=attempt.at + attempt.seconds,
                 error="" if attempt.outcome in NO_FAULT else attempt.error)
        )  # fmt: skip

    def accepted(self, result: ResultSignal, /) -> None:
        """Make the span of a result that was reported from outside: a moment."""
        values: dict[str, Value] = {
            "step": result.step, "phase": result.phase, "generation": result.generation, "token": result.token,
            "rows": result.rows, "fingerprint": result.fingerprint, "status": result.status,
        }  # fmt: skip
        self._make(
            Made(name=f"result {result.step}", run=result.run, span=self._result(result), parent=self._phase(result),
                 values=values, since=result.at, until=result.at)
        )  # fmt: skip

    def fired(self, firing: FiringSignal, /) -> None:
        """Make the span of a phase's generation, with links to its results.

        It is a child of the generation before it; where several come together, of the first, with links to the others.
        """
        run = firing.run
        before = [phase_span(self._pipeline, run, name, generation=number) for name, number in firing.inputs.items()]
        results = [(result_span(self._pipeline, run, step, stamp=stamp), step)
                   for step, stamp in sorted(firing.members.items()) if step not in firing.missing]  # fmt: skip
        self._make(
            Made(
                name=f"phase {firing.phase}", run=run, parent=before[0] if before else None,
                span=phase_span(self._pipeline, run, firing.phase, generation=firing.generation),
                values={"phase": firing.phase, "generation": firing.generation, "missing": list(firing.missing)},
                since=firing.since, until=firing.at, links=[*((span, "") for span in before[1:]), *results],
            )
        )  # fmt: skip

    def failed(self, error: str, /) -> None:
        """Report that a span could not be made."""
        self._sender.failed(error)

    def close(self) -> None:
        """Send what is queued, within a bounded time."""
        self._sender.close()
        self._export.close()

    def _phase(self, of: AttemptSignal | ResultSignal) -> int:
        return phase_span(self._pipeline, of.run, of.phase, generation=of.generation)

    def _result(self, result: ResultSignal) -> int:
        stamp = Stamp(result.fingerprint, result.token)
        return result_span(self._pipeline, result.run, result.step, stamp=stamp)

    def _make(self, made: Made) -> None:
        trace = trace_of(self._pipeline, made.run)
        # decided as for a root, by the id of the trace: so all processes decide alike
        decision = self._provider.sampler.should_sample(None, trace, made.name).decision
        if decision is not Decision.RECORD_AND_SAMPLE:
            return

        def context(span: int) -> SpanContext:
            return SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))

        self._ids.give(trace, made.span)
        within = Context()
        if made.parent is not None:
            within = set_span_in_context(NonRecordingSpan(context(made.parent)), within)
        values = {"pipeline": self._pipeline, "run": made.run, **made.values}
        links = [Link(context(span), {"phasegate.step": step} if step else {}) for span, step in made.links]
        span = self._tracer.start_span(
            made.name, within, links=links, start_time=int(made.since * NS),
            attributes={f"phasegate.{n}": v for n, v in values.items() if v is not None and v != ""},
        )  # fmt: skip
        if made.error:
            span.set_status(StatusCode.ERROR, made.error)
        span.end(end_time=int(made.until * NS))
