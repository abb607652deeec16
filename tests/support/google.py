"""Google's own emulators for tests: Firestore and Pub/Sub.

They start when a test asks for them, on free loopback ports, and end with the tests, also when those are killed. One
that runs already is used where FIRESTORE_EMULATOR_HOST or PUBSUB_EMULATOR_HOST names it.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from tests.support.postgres import HOST, START_S, absent, free_port

FIRESTORE_VARIABLE, PUBSUB_VARIABLE = "FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"


# It lives for a few minutes: what the second compiler and the parallel collector would win back, they first take.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


class Component(NamedTuple):
    """A component of the Google Cloud CLI, and its program below ``platform``."""

    name: str
    program: str
    variable: str


FIRESTORE = Component(
    "cloud-firestore-emulator", "cloud-firestore-emulator/cloud_firestore_emulator", FIRESTORE_VARIABLE
)
PUBSUB = Component("pubsub-emulator", "pubsub-emulator/bin/cloud-pubsub-emulator", PUBSUB_VARIABLE)


class Emulator:
    """An emulator's process, in a group of its own; ``address`` is host and port."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self._log, self._port = program, folder / "log", free_port()
        self.address = f"{HOST}:{self._port}"
        self.start()

    def start(self, *options: str) -> None:
        """Start, and wait until it accepts connections; it holds nothing but what an option names."""
        # Tests that are killed take it along: the script becomes java, which the signal then reaches.
        guard = ["setpriv", "--pdeathsig=KILL"] if shutil.which("setpriv") else []
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*guard, str(self._program), f"--host={HOST}", f"--port={self._port}", *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self._log.parent,
                env={**os.environ, "JAVA": "exec java", "JAVA_TOOL_OPTIONS": SHORT_LIVED},
            )  # fmt: skip
        ends = time.monotonic() + START_S
        while not _accepts(self._port):
            if self.process.poll() is not None or time.monotonic() > ends:
                self.end()
                raise RuntimeError(f"{self._program.name} did not start:\n{self._log.read_text()}")
            time.sleep(0.05)

    def end(self) -> None:
        """Kill the group: there is nothing to save."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def program_of(component: Component) -> Path:
    """Find an emulator beside gcloud; where it is missing, skip at home and fail in CI."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        absent("no gcloud; install the Google Cloud CLI, with its emulators")
    program = Path(gcloud).resolve().parents[1] / "platform" / component.program
    if not program.exists():
        absent(f"no {program.name}; run: gcloud components install {component.name}")
    if shutil.which("java") is None:
        absent(f"no java, which {program.name} runs on; install a Java 17 runtime")
    return program


@contextmanager
def own_emulator(component: Component) -> Iterator[Emulator]:
    """Run an emulator that this test may stop and start."""
    program = program_of(component)
    with tempfile.TemporaryDirectory(prefix="emulator") as folder:
        emulator = Emulator(program, Path(folder))
        try:
            yield emulator
        finally:
            emulator.end()


@contextmanager
def emulator(component: Component) -> Iterator[str]:
    """Give an emulator's address, which is also set in the environment."""
    if given := os.environ.get(component.variable):
        yield given
        return
    with own_emulator(component) as started, pytest.MonkeyPatch.context() as patch:
        patch.setenv(component.variable, started.address)
        yield started.address


def new_project() -> str:
    """Return a project of this test's own: emulators know any."""
    return f"demo-{uuid4().hex[:20]}"
