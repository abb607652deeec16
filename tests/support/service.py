"""A service on a free port of 127.0.0.1, in a thread of the test."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from phasegate import Pipeline, connect, read_plan
from phasegate.credentials import Credentials, Role, access_token
from phasegate.observe.metrics import MetricsObserver
from phasegate.ports import Clock
from phasegate.settings import load_settings
from phasegate.web import server
from phasegate.web.service import Listening

WAIT_S = 20.0


class Recorded:
    """An observer that keeps every event."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []
        self._changed = threading.Condition()

    def event(self, name: str, /, **fields: object) -> None:
        with self._changed:
            self.events.append((name, fields))
            self._changed.notify_all()

    def answer(self, request: str) -> dict[str, object]:
        """Wait for the event of an answered request, which comes just after its answer; return it."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._answers(request), WAIT_S)
            (one,) = self._answers(request)
            return one

    def _answers(self, request: str) -> list[dict[str, object]]:
        return [fields for name, fields in self.events if name.startswith("answered") and fields["request"] == request]

    def named(self, name: str) -> list[dict[str, object]]:
        return [fields for found, fields in self.events if found == name]


class Served(NamedTuple):
    """A service that runs: its pipeline, its address, its access tokens by name, and what it logs."""

    pipeline: Pipeline
    url: str
    tokens: dict[str, str]
    log: Recorded
    client: httpx.Client

    def post(self, path: str, body: object = None, *, by: str | None = "operator", **more: Any) -> httpx.Response:
        """Send a body as JSON, or bytes as they are, as a caller."""
        sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": {} if body is None else body}
        return self.client.post(f"{self.url}{path}", headers=self.headers(by), timeout=WAIT_S, **sent, **more)

    def get(self, path: str, *, by: str | None = None) -> httpx.Response:
        return self.client.get(f"{self.url}{path}", headers=self.headers(by), timeout=WAIT_S)

    def headers(self, by: str | None) -> dict[str, str]:
        return {} if by is None else {"Authorization": f"Bearer {self.tokens[by]}"}

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)


def add_callers(pipeline: Pipeline, *, steps: tuple[str, ...] = ("odds",)) -> dict[str, str]:
    """Store one caller of each role, and one that may report some steps only; return their access tokens."""
    wanted: dict[str, tuple[Role, tuple[str, ...] | None]] = {
        "operator": ("operator", None), "reader": ("reader", None), "reporter": ("reporter", None),
        "scraper": ("reporter", steps),
    }  # fmt: skip
    found = {}
    for name, (role, may) in wanted.items():
        token = access_token(os.urandom(8).hex(), os.urandom(32).hex())
        Credentials(pipeline.plan.pipeline, pipeline.ports).add(name, role=role, proof=token, steps=may)
        found[name] = token.text
    return found


@contextmanager
def served(folder: Path, *, clock: Clock | None = None, **more: object) -> Iterator[Served]:
    """Serve the plan of a folder; ``more``: settings."""
    settings = load_settings({}, overrides={"state": folder / ".phasegate", "plan": folder / "plan.toml",
                                                    "serve_rate": 100_000, **more})  # fmt: skip
    log = Recorded()
    observer = Listening(MetricsObserver(read_plan(settings.plan), log))
    pipeline = connect(settings=settings, observer=observer, clock=clock)
    tokens = add_callers(pipeline)
    said: list[str] = []
    listens, stopped = threading.Event(), threading.Event()

    def say(text: str) -> None:
        said.append(text.rpartition(" ")[2])
        listens.set()

    def serve() -> None:
        try:
            server.run(pipeline, settings, observer=observer, address=("127.0.0.1", 0), stop=stopped.is_set, say=say)
        finally:
            listens.set()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert listens.wait(WAIT_S)
        assert said, "the service does not listen"
        with httpx.Client(verify=False, trust_env=False) as client:  # noqa: S501  there is no TLS on 127.0.0.1
            yield Served(pipeline, said[0], tokens, log, client)
    finally:
        stopped.set()
        thread.join(WAIT_S)
        pipeline.close()
    assert not thread.is_alive(), "the service has not ended"
