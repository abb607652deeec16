"""The services of the night, as they are deployed: each a process, behind a front that delivers everything three times.

The front stands for what Google puts before a service: it takes a push once, passes it on three times, to the instances
in turn, and adds the caller's credential for the monitor. A scheduler calls /sweep, as Cloud Scheduler does.
"""

import base64
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nba_props.processor import PHASE
from tests.support.postgres import HOST, free_port
from tests.support.real_data import ROOT

GCP = ROOT / "deploy" / "gcp"
BIN = Path(sys.executable).parent
DELIVERIES = 3
BETWEEN_S = 0.2
START_S, CALL_S, SWEEP_EVERY_S = 60.0, 120.0, 0.5


class Service:
    """One instance: its process, its address, and the events that it writes."""

    def __init__(self, command: list[str], *, folder: Path, log: Path, env: Mapping[str, str]) -> None:
        self.port, self._log = free_port(), log
        environ = {**os.environ, **env, "PORT": str(self.port), "PATH": f"{BIN}:{os.environ['PATH']}"}
        guard = ["setpriv", "--pdeathsig=KILL"] if shutil.which("setpriv") else []  # it ends with the night
        command = [*guard, *(re.sub(r"\$PORT", str(self.port), word) for word in command)]
        with log.open("ab") as out:
            self._read = out.tell()
            self.process = subprocess.Popen(
                command, cwd=folder, env=environ, stdout=out, stderr=out, start_new_session=True
            )

    def ready(self) -> None:
        """Wait until it listens."""
        ends = time.monotonic() + START_S
        while self.process.poll() is None and time.monotonic() < ends:
            with suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self._log.name} did not start:\n{self._log.read_text(errors='replace')[-3000:]}")

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the events that it has written since the last call."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            lines = log.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            with suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    yield found

    def kill(self) -> None:
        """Kill the instance, with all of its processes, where it stands."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)

    def end(self) -> None:
        """End it as Google does; kill it if it has not ended after ten seconds."""
        self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.kill()


def function(name: str, *, target: str) -> list[str]:
    """Return the command of a Cloud Function on this machine."""
    source = str(GCP / name / "main.py")
    return ["functions-framework", "--target", target, "--signature-type", "cloudevent", "--source", source,
            "--host", HOST, "--port", "$PORT"]  # fmt: skip


def run_service(name: str) -> list[str]:
    """Return the command of a service of Cloud Run: that of its Procfile."""
    return shlex.split((GCP / name / "Procfile").read_text().partition(": ")[2])


class Front:
    """What a push reaches first; ``delivered``: each message that was passed on, as often as it was.

    ``second_writer``: gets each completion of phase 3 before it is passed on.
    """

    def __init__(self, second_writer: Callable[[Mapping[str, Any]], object]) -> None:
        self.second_writer = second_writer
        self.instances: dict[str, list[Service]] = {}
        self.delivered: list[tuple[str, dict[str, Any]]] = []
        front, self._lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(front.pass_on(self.path.strip("/"), raw))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def pass_on(self, name: str, raw: bytes) -> int:
        """Deliver a push three times, a moment apart; return the worst status."""
        instances, body = list(self.instances[name]), _body(raw)
        if body.get("phase") == PHASE:
            self.second_writer(body)
        with ThreadPoolExecutor(DELIVERIES) as pool:
            statuses = []
            for number in range(DELIVERIES):
                with self._lock:
                    self.delivered.append((name, body))
                statuses.append(pool.submit(_posted, instances[number % len(instances)], raw))
                time.sleep(BETWEEN_S)
            return max(one.result() for one in statuses)

    def close(self) -> None:
        """Take no more pushes."""
        self._server.shutdown()
        self._server.server_close()


def _body(raw: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(json.loads(raw)["message"]["data"]))
    return found


def _posted(service: Service, raw: bytes) -> int:
    return call(service, "/", raw)[0]


def call(service: Service, path: str, raw: bytes = b"{}", *, token: str = "") -> tuple[int, bytes]:
    """Post JSON to a service; 503 where it is not there."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection = http.client.HTTPConnection(HOST, service.port, timeout=CALL_S)
    try:
        connection.request("POST", urlsplit(path).path, body=raw, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 503, b""
    finally:
        connection.close()


@contextmanager
def repeated(work: Callable[[], object], *, every_s: float) -> Iterator[None]:
    """Do something again and again in a thread during the block."""
    over, failures = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            while not over.wait(every_s):
                work()
        except BaseException as error:  # noqa: BLE001  raised again below
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(CALL_S)
    if failures:
        raise failures[0]
