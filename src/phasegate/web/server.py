"""The server: one socket, one process, and an end within ten seconds.

uvicorn bounds neither how long the head of a request takes nor what follows a signal as promised here: both are
done by what is put in place of its protocol and its server.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from phasegate.errors import BadInput
from phasegate.observe.log import AS_JSON, LogObserver
from phasegate.observe.metrics import MetricsObserver
from phasegate.pipeline import Pipeline
from phasegate.plan.model import Plan
from phasegate.settings import Settings
from phasegate.web.app import Application
from phasegate.web.bounds import HEAD_BYTES_MAX
from phasegate.web.callers import Callers
from phasegate.web.google import accounts_of
from phasegate.web.service import Listening, Service
from phasegate.work.pool import Stop

HEAD_S = 10.0
KEEP_ALIVE_S = 30
CONNECTIONS_MAX = 1_000
GRACE_S = 7.5
"""How long work in hand may go on after a signal; then it is answered with 503, and left to its lease."""
END_S = 9
BACKLOG = 512


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raise BadInput."""
    try:
        listening = socket.create_server((host, port), backlog=BACKLOG)
    except OSError as e:
        why = os.strerror(e.errno) if e.errno is not None and e.errno > 0 else e.strerror
        raise BadInput(f"serve: cannot listen on {host}:{port}: {why}; choose others with --host and --port") from None
    # Connections inherit it. asyncio sets it only on sockets that name their protocol, and an answer is two packets.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


class BoundedHead(H11Protocol):
    """HTTP/1.1 where each head on a connection must arrive within HEAD_S."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take a part, and bound what must follow.

        That is the rest of a head, or of a body that is answered already.
        """
        super().data_received(data)
        began: RequestResponseCycle | None = self.cycle
        is_answered = began is not None and began.response_complete
        if (self.conn.their_state is h11.IDLE or is_answered) and not self.transport.is_closing():
            self._wait()
        else:
            self._done()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._done()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._head is None:
            self._head = self.loop.call_later(HEAD_S, self._too_slow)

    def _done(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _too_slow(self) -> None:
        self._head = None
        if not self.transport.is_closing():
            self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server, whose end is bounded: see GRACE_S."""

    def __init__(
        self, config: uvicorn.Config, service: Service, *, stop: Stop, started: Callable[[], None]
    ) -> None:  # fmt: skip
        super().__init__(config)
        self._service, self._stop, self._started = service, stop, started

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop."""
        return self._stop() or await super().on_tick(counter)

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leave the signals to the command."""
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin nothing any more, and end what is in hand or give it back."""
        self._service.stop()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(GRACE_S, self._service.abandon)
        await super().shutdown(sockets)
        timer.cancel()


def observer_of(settings: Settings, plan: Plan) -> Listening:
    """Return an observer that counts events, and writes them as set."""
    return Listening(MetricsObserver(plan, LogObserver(level=settings.log_level, json=AS_JSON[settings.log_format])))


def run(
    pipeline: Pipeline, settings: Settings, *, observer: Listening, address: tuple[str, int], stop: Stop,
    say: Callable[[str], None],
) -> int:  # fmt: skip
    """Serve until ``stop`` returns True; return how much is in progress.

    ``address``: host and port; 0 is any free port. ``say`` gets the address once it is listened on. Raises BadInput
    for an address that cannot be used, and for SQL that does not translate.
    """
    pipeline.check_sql()
    listening = listen(*address)
    callers = Callers(pipeline.plan.pipeline, pipeline.ports, accounts=accounts_of(settings, pipeline.ports.clock))
    service = Service(pipeline, settings, callers=callers, observer=observer)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what matters is an event
    config = uvicorn.Config(
        Application(service).asgi(), http=BoundedHead, ws="none", lifespan="off", loop="asyncio", log_config=None,
        access_log=False, server_header=False, proxy_headers=False, timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=END_S, limit_concurrency=CONNECTIONS_MAX,
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
    )  # fmt: skip
    host, port = listening.getsockname()[:2]
    server = Server(config, service, stop=stop, started=lambda: say(f"serving {pipeline.plan.pipeline} on "
                                                                    f"http://{host}:{port}"))  # fmt: skip
    with pipeline.until(service.stopping):
        server.run(sockets=[listening])
    return service.work.running
