"""A real receiver of OTLP over HTTP, on a free loopback port; it remembers the spans that it was sent."""

import contextlib
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Span:
    """One span, in the words of a test."""

    def __init__(self, raw: Any, resource: Any) -> None:
        self.name, self.trace, self.id, self.parent = raw.name, raw.trace_id, raw.span_id, raw.parent_span_id
        self.values = {one.key: _value(one.value) for one in raw.attributes}
        self.links = [(one.trace_id, one.span_id) for one in raw.links]
        self.since, self.until = raw.start_time_unix_nano / 1e9, raw.end_time_unix_nano / 1e9
        self.error = raw.status.message if raw.status.code == 2 else ""
        self.service = {one.key: _value(one.value) for one in resource.attributes}["service.name"]


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    found = getattr(value, kind)
    return [_value(one) for one in found.values] if kind == "array_value" else found


class Receiver:
    """The server, and the spans that it took."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.paths: list[str] = []
        self.status = 200
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                outer.take(self, gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's own name
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, handler: BaseHTTPRequestHandler, raw: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(raw)
        with self._lock:
            self.paths.append(handler.path)
            if self.status == 200:
                self.spans += [Span(span, of.resource) for of in request.resource_spans for scope in of.scope_spans
                               for span in scope.spans]  # fmt: skip
        body = ExportTraceServiceResponse().SerializeToString()
        handler.send_response(self.status)
        handler.send_header("Content-Type", "application/x-protobuf")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def one(self, name: str) -> Span:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()
