"""The services of the night, as they are deployed: each a process, started by its command."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.postgres import HOST, free_port

BIN = Path(sys.executable).parent
START_S, CALL_S, SWEEP_EVERY_S = 60.0, 120.0, 0.5


class Service:
    """One instance: its process, its address, and the events that it writes. ``env``: all of its environment."""

    def __init__(self, command: list[str], *, folder: Path, log: Path, env: Mapping[str, str]) -> None:
        self.port, self._log = free_port(), log
        environ = {**env, "PORT": str(self.port), "PATH": f"{BIN}:{os.environ['PATH']}"}
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


def command_of(folder: Path) -> list[str]:
    """Return the command that a buildpack starts: that of the folder's Procfile, by a shell."""
    return ["bash", "-c", (folder / "Procfile").read_text().partition("web: ")[2].strip()]


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
