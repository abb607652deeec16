"""Workers, services, reporters and servers are killed, and the end is as undisturbed.

Run: python -m benchmarks storm. Four worker processes, a service, and two reporters, which deliver in any order, old
things late and a third of them twice, by the library and over HTTP. For --seconds S (default 60) one of them is killed
every moment, or a service gets a SIGTERM, and in between the servers: PostgreSQL's connections are ended, a backend is
killed, it is shut down immediately and started again. Then work goes on until nothing is due, and everything is
compared with the same deliveries without a storm, on SQLite and DuckDB. --on google: documents in Firestore, messages
through Pub/Sub, whose emulators are restarted. --seed N: other moments. --tables duckdb: in a file that all share.
--server packaged: a newer PostgreSQL. --workers N, --services N: other numbers; without a worker, what the reporters
ask of the services is all that works. --quick: 6 seconds.

Exits with 1, and names each, if a table, a state or a dead letter differs, if reconcile finds something, or if a
process ended by itself with a traceback.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import phasegate
from benchmarks import storm_scene as scene
from benchmarks.servers import SERVERS
from benchmarks.storm_houses import House, house_of
from phasegate import SkippingClock
from phasegate.credentials import Credentials, access_token
from phasegate.settings import load_settings
from tests.support.postgres import free_port

WORKERS, SERVICES = 4, 1
SCRIPT = Path(sys.executable).with_name("phasegate")
# Short, so that what a killed process held is free again while the storm goes on.
SETTINGS = {"lease_ttl_s": "2", "visibility_s": "3", "poll_s": "0.2", "connect_timeout_s": "2", "log_format": "json"}
CALM_S = (0.4, 1.2)
STOP_S = 10.0
TOO_LONG = "services that did not end in 10 s"


@dataclass
class Storm:
    """One storm: the processes, and what was done to them.

    ``ports``: where each service listens.
    """

    folder: Path
    house: House
    environ: Mapping[str, str]
    dates: int
    seconds: float
    rng: random.Random
    workers: int
    ports: list[int]
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def rage(self) -> None:
        """Kill until the time is over, and then every process that is no service."""
        until = time.monotonic() + self.seconds
        blows = self._blows()
        try:
            while time.monotonic() < until:
                self._start_missing()
                time.sleep(self.rng.uniform(*CALM_S))
                next(blows)()
        finally:
            for name in list(self.running):
                if not name.startswith("service"):
                    self._end(name)

    def deliver_rest(self) -> None:
        """Let the reporters deliver what they have not delivered yet, undisturbed; then end the services."""
        try:
            self._start_services()
            for number in range(scene.REPORTERS):
                process = self._reporter(number, every_s=0.0)
                if process.wait() != 0:
                    self.counts["processes that failed"] += 1
        finally:
            for name in list(self.running):
                self._end(name)

    def logs(self) -> Iterator[tuple[str, str]]:
        """Give the name and the text of what each process wrote."""
        for path in sorted(self.folder.glob("*.log")):
            yield path.stem, path.read_text(errors="replace")

    def _blows(self) -> Iterator[Callable[[], None]]:
        """Give what is done next: mostly a process is killed, and the server in between."""
        blows = list(self.house.blows)
        while True:
            self.rng.shuffle(blows)
            for blow in blows:
                yield from [self._kill_a_process] * 2
                yield self._stop_a_service
                yield partial(self._strike, blow)

    def _strike(self, blow: str) -> None:
        running = [process.pid for process in self.running.values() if process.poll() is None]
        self.counts[blow] += self.house.strike(blow, running, self.rng)

    def _start_missing(self) -> None:
        self._start_services()
        for number in range(self.workers):
            self._keep(f"worker-{number}", lambda: self._process(f"worker-{number}", str(SCRIPT), "worker"))  # noqa: B023  called at once
        for number in range(scene.REPORTERS):
            every_s = self.seconds / len(scene.deliveries(self.dates, reporter=number)) * 0.6
            self._keep(f"reporter-{number}", lambda: self._reporter(number, every_s=every_s))  # noqa: B023  called at once

    def _start_services(self) -> None:
        for number, port in enumerate(self.ports):
            words = (str(SCRIPT), "serve", "--port", str(port))
            self._keep(f"service-{number}", lambda: self._process(f"service-{number}", *words))  # noqa: B023  called at once

    def _keep(self, name: str, start: "Callable[[], subprocess.Popen[bytes]]") -> None:
        """Start a process that is not running; a reporter that is done stays so."""
        process = self.running.get(name)
        if process is not None and process.poll() is not None:
            if process.returncode > 0:
                self.counts["processes that ended by themselves"] += 1
            elif process.returncode == 0 and name.startswith("reporter"):
                return
        if process is None or process.poll() is not None:
            self.running[name] = start()
            self.counts["processes started"] += 1

    def _reporter(self, number: int, *, every_s: float) -> "subprocess.Popen[bytes]":
        arguments = (str(number), str(self.dates), f"{every_s:.3f}")
        return self._process(f"reporter-{number}", sys.executable, "-m", "benchmarks.storm_scene", *arguments)

    def _process(self, name: str, *command: str) -> "subprocess.Popen[bytes]":
        environ = {**self.environ, "PHASEGATE_STATE": ".phasegate" if self.house.shares_files else f"state-{name}"}
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, env=environ, stdout=log, stderr=log)

    def _end(self, name: str) -> bool:
        process = self.running[name]
        if process.poll() is not None:
            return False
        process.kill()
        process.wait()
        return True

    def _kill_a_process(self) -> None:
        name = self.rng.choice(list(self.running))
        if self._end(name):
            self.counts[f"{name.partition('-')[0]}s killed"] += 1

    def _stop_a_service(self) -> None:
        """Send a service SIGTERM, which it must obey in time."""
        running = [name for name in self.running if name.startswith("service") and self.running[name].poll() is None]
        if not running:
            return
        process = self.running[self.rng.choice(running)]
        process.terminate()
        try:
            self.counts["services that ended as asked"] += process.wait(STOP_S) in (0, -signal.SIGTERM)
        except subprocess.TimeoutExpired:
            self.counts[TOO_LONG] += 1


def storm(
    house: House, folder: Path, *, seconds: float, seed: int, processes: tuple[int, int] = (WORKERS, SERVICES)
) -> tuple[Counter[str], list[str]]:
    """Let a storm pass; return what was done and what is wrong.

    ``processes``: how many workers and services.
    """
    dates = max(6, round(house.dates_a_minute * seconds / 60))
    (folder / "calm").mkdir()
    wanted = scene.undisturbed(folder / "calm", dates=dates)
    (folder / "storm").mkdir()
    scene.make(folder / "storm")
    clock, plan = SkippingClock(), folder / "storm" / "plan.toml"
    house.prepare(plan)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PHASEGATE_")}
    environ |= {f"PHASEGATE_{name.upper()}": value for name, value in {**SETTINGS, **house.settings}.items()}
    environ |= house.environ
    environ["PYTHONPATH"] = os.pathsep.join((str(Path(__file__).parent.parent), environ.get("PYTHONPATH", "")))
    overrides = {"state": folder / "storm" / ".phasegate", "log_level": "none"}
    settings = load_settings(environ, file=folder / "no.toml", overrides=overrides)
    workers, services = processes
    ports, token = [free_port() for _ in range(services)], access_token(os.urandom(8).hex(), os.urandom(32).hex())
    with closing(phasegate.connect(plan, settings=settings)) as pipeline:
        Credentials("storm", pipeline.ports).add("storm", role="operator", proof=token, steps=None)
    urls = " ".join(f"http://127.0.0.1:{port}" for port in ports)
    environ |= {scene.SERVICES: urls, scene.TOKEN: token.text}
    passing = Storm(folder=folder / "storm", house=house, environ=environ, dates=dates, seconds=seconds,
                    rng=random.Random(seed), workers=workers, ports=ports)  # fmt: skip
    passing.rage()
    passing.deliver_rest()
    with closing(phasegate.connect(plan, settings=settings, clock=clock)) as pipeline:
        scene.settle(pipeline, clock)
        end = scene.end_of(pipeline, dates=dates)
    wrong = list(scene.differences(end, wanted))
    wrong += [f"{name} ended with a traceback:\n{text}" for name, text in passing.logs()
              if "\nTraceback" in f"\n{text}"]  # fmt: skip
    if passing.counts[TOO_LONG]:
        wrong.append(f"{passing.counts[TOO_LONG]} {TOO_LONG}")
    passing.counts["dates"], passing.counts["dead letters, of reported failures"] = dates, len(wanted.dead)
    return passing.counts, wrong


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks storm")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--on", choices=("postgresql", "google"), default="postgresql")
    parser.add_argument("--tables", choices=("duckdb", "postgresql"), default="postgresql")
    parser.add_argument("--workers", type=int, default=WORKERS, metavar="N")
    parser.add_argument("--services", type=int, default=SERVICES, metavar="N")
    parser.add_argument("--server", choices=sorted(SERVERS), default="system")
    given = parser.parse_args(argv)
    house = house_of(given.on, tables=given.tables, server=given.server)
    with house as servers, tempfile.TemporaryDirectory() as folder:
        seconds = 6.0 if given.quick else given.seconds
        counts, wrong = storm(servers, Path(folder), seconds=seconds, seed=given.seed,
                              processes=(given.workers, given.services))  # fmt: skip
        for name in sorted(counts):
            print(f"{name:42}{counts[name]:>8}")
        print(f"{'differs from undisturbed':42}{len(wrong):>8}")
    if wrong:
        sys.exit("\n".join(wrong))
