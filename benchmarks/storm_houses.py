"""What the processes of a storm stand on, and what the storm does to it: PostgreSQL, or Google's emulators.

An emulator keeps nothing, so Firestore's is restarted with what it held: the processes are frozen while its documents
are exported, and thawed when it is back. What Pub/Sub's held is lost, and must come again.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from benchmarks.servers import NoServer, durable_server
from phasegate.buses.pubsub import create_topics
from phasegate.wiring import read_plan
from tests.support.google import FIRESTORE, PUBSUB, Emulator, new_project, own_emulator
from tests.support.postgres import PostgresServer

FROZEN_S = 0.5


class OnPostgres:
    """A server of PostgreSQL; the tables in it too, or in a file that all share.

    ``settings``: what names it. ``blows``: what a storm does to it.
    """

    dates_a_minute = 40
    blows = ("times all connections were ended", "backends killed", "servers shut down immediately", "servers away")

    def __init__(self, server: PostgresServer, *, tables: str) -> None:
        self._server, self._store = server, server.url()
        self.shares_files, self.environ = tables == "duckdb", dict[str, str]()
        self.settings = {"store": self._store, **({} if self.shares_files else {"warehouse": self._store})}

    def prepare(self, plan: Path) -> None:
        """Do nothing: the database has its tables."""

    def strike(self, blow: str, _running: Iterable[int], rng: random.Random) -> bool:
        """Do one thing; it cannot be done while the server still recovers."""
        ended, killed, restarted, _ = self.blows
        if blow == restarted:
            self._server.restart()
        elif blow in (ended, killed):
            with suppress(psycopg.OperationalError):
                if blow == ended:
                    self._server.end_backends(self._store.rpartition("/")[2])
                else:
                    self._server.kill_a_backend()
                return True
            return False
        else:
            self._server.stop()
            time.sleep(rng.uniform(0.5, 2.0))
            self._server.start()
        return True


class OnGoogle:
    """Documents in Firestore, messages through Pub/Sub, tables in a file."""

    dates_a_minute = 12
    blows = ("Firestores restarted", "Pub/Subs restarted, their messages lost")
    shares_files = True

    def __init__(self, firestore: Emulator, pubsub: Emulator, folder: Path) -> None:
        self._firestore, self._pubsub, self._folder = firestore, pubsub, folder
        self._project, self._plan, self._exports = new_project(), Path(), 0
        self.environ = {FIRESTORE.variable: firestore.address, PUBSUB.variable: pubsub.address}
        self.settings = {"store": f"firestore://{self._project}", "bus": f"pubsub://{self._project}"}

    def prepare(self, plan: Path) -> None:
        """Make the topics of the plan."""
        self._plan = plan
        read = read_plan(plan)
        sent = {send.topic for phase in read.phases.values() for send in phase.sends}
        create_topics(self.settings["bus"], pipeline=read.pipeline, received=read.topics(), sent=sent)

    def strike(self, blow: str, running: Iterable[int], _rng: random.Random) -> bool:
        """Restart an emulator; ``running``: the processes that use it."""
        if blow == self.blows[0]:
            with frozen(running):
                time.sleep(FROZEN_S)  # what was asked before is done, whoever hears of it
                export = self._export()
                self._firestore.end()
                self._firestore.start(f"--seed_from_export={export}")
        else:
            self._pubsub.end()
            self._pubsub.start()
            self.prepare(self._plan)
        return True

    def _export(self) -> Path:
        """Export the documents; return the file that names them."""
        self._exports += 1
        name = f"export-{self._exports}"
        body = {"database": f"projects/{self._project}/databases/(default)", "export_directory": str(self._folder),
                "export_name": name}  # fmt: skip
        url = f"http://{self._firestore.address}/emulator/v1/projects/{self._project}:export"
        asked = urllib.request.Request(
            url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        urllib.request.urlopen(asked, timeout=60).close()  # noqa: S310  our own emulator
        return self._folder / name / f"{name}.overall_export_metadata"


House = OnPostgres | OnGoogle


@contextmanager
def frozen(running: Iterable[int]) -> Iterator[None]:
    """Stop processes during the block."""
    stopped = list(running)
    for number in stopped:
        os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        for number in stopped:
            os.kill(number, signal.SIGCONT)


@contextmanager
def house_of(name: str, *, tables: str, server: str) -> Iterator[House]:
    """Run the servers of a storm.

    Raises NoServer where there is none; in CI, where there must be one, the process ends with 1.
    """
    with ExitStack() as stack:
        if name == "postgresql":
            yield OnPostgres(stack.enter_context(durable_server(server)), tables=tables)
            return
        try:
            firestore = stack.enter_context(own_emulator(FIRESTORE))
            pubsub = stack.enter_context(own_emulator(PUBSUB))
        except pytest.skip.Exception as missing:
            raise NoServer(str(missing)) from None
        except pytest.fail.Exception as missing:
            sys.exit(str(missing))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        house = OnGoogle(firestore, pubsub, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        for variable, address in house.environ.items():
            patch.setenv(variable, address)
        yield house
