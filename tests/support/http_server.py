"""A real HTTP server on a free loopback port that answers as it is told, and remembers what it was sent."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from phasegate.channel import Note

NOTE = Note(
    id="incident.nba.cause.1.1.opened",
    kind="opened",
    pipeline="nba",
    timezone="America/New_York",
    title="analytics of 2026-02-03.overnight: complete, but not fired",
    severity="error",
    incident="incident:nba:cause:1",
    lines=("PG002 analytics of 2026-02-03.overnight: 5 of 5 members are there",),
    evidence={"stored count": "3", "members": "5"},
    commands=("phasegate worker --until-idle",),
    count=3,
    since=1_770_120_000.0,
    first_at=1_770_120_000.0,
    last_at=1_770_127_200.0,
)


@dataclass
class Said:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Answers:
    """What the server says next: a status, a body, headers. ``hang``: it says nothing until the test is over."""

    status: int = 200
    body: object = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    drip: bool = False


class Server:
    """The server; ``queue`` is answered first, then ``answers`` for ever."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.answers, self.queue = Answers(), list[Answers]()
        self.over = threading.Event()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.handle(self)

            def do_POST(self) -> None:
                outer.handle(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's own name
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        raw = handler.rfile.read(length)
        body = json.loads(raw) if raw else None
        with self._lock:
            self.said.append(Said(handler.command, handler.path, dict(handler.headers.items()), body))
            answer = self.queue.pop(0) if self.queue else self.answers
        # a client that has gone away is what some of these tests are about
        with contextlib.suppress(ConnectionError):
            self._answer(handler, answer)

    def _answer(self, handler: BaseHTTPRequestHandler, answer: Answers) -> None:
        if answer.hang:
            self.over.wait()
            return
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(text.encode())))
        handler.end_headers()
        if answer.drip:
            for byte in text.encode():
                handler.wfile.write(bytes([byte]))
                if self.over.wait(0.05):
                    return
            return
        handler.wfile.write(text.encode())

    @property
    def bodies(self) -> list[Any]:
        return [said.body for said in self.said]

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.close()
