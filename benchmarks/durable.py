"""Completions, hand-offs and leases on PostgreSQL, next to those that are written by hand.

Run: python -m benchmarks durable. One server with fsync on; both sides in turn, round after round, in threads of one
process: eight writers report the five steps of each date, then a reporter hands dates on to a consumer that waits
for a notification, then eight threads take and give back leases. The other side is benchmarks/handwritten.py: a JSON
document a date, SELECT ... FOR UPDATE, a table of triggers. Commits, of what changes something, are the server's count.
--rounds N: default 5. --server packaged: a newer one. --quick: one small round.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

import psycopg

import phasegate
from benchmarks.handwritten import SCHEMA, HandWritten
from benchmarks.servers import SERVERS, durable_server
from phasegate.base.receipt import Part
from phasegate.settings import load_settings
from phasegate.write.leases import Leases
from tests.support.postgres import PostgresServer

STEPS = ("players", "teams", "shots", "defense", "lines")
WRITERS = 8
PLAN = """
pipeline = "bench"
timezone = "UTC"
[phase.load]
[phase.analyse]
after = "load"
[step.report]
phase = "analyse"
external = true
needs = ["load.players"]
""" + "".join(f'[step.{step}]\nphase = "load"\nexternal = true\n' for step in STEPS)  # fmt: skip

FIRST = date(2026, 1, 1)
WARM, WAIT_S = 5, 30.0
HEADS = ("completions/s", "hand-off p50 ms", "p99 ms", "lease pairs/s", "commits a completion", "a hand-off",
         "a lease pair")  # fmt: skip


class Side(Protocol):
    """One of the two, on an empty database of its own."""

    database: str

    def complete(self, day: str, step: str) -> None:
        """Report a step of a date."""

    def consume(self, begun: Callable[[str], None], stop: threading.Event) -> None:
        """Begin the next phase of dates, each as soon as it is handed on."""

    def pair(self, resource: str) -> None:
        """Take and give back a lease."""

    def close(self) -> None:
        """Close the connections."""


class ByHand:
    """The hand-written document."""

    def __init__(self, server: PostgresServer) -> None:
        self.database = server.database()
        self._url, self._own, self._made = server.address(self.database), threading.local(), list[HandWritten]()
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(SCHEMA.encode())

    def _mine(self) -> HandWritten:
        if not hasattr(self._own, "side"):
            self._own.side = HandWritten(self._url, expected=STEPS)
            self._made.append(self._own.side)
        mine: HandWritten = self._own.side
        return mine

    def complete(self, day: str, step: str) -> None:
        """Report a step of a date."""
        self._mine().complete(day, step, result=f"{step}-{day}")

    def consume(self, begun: Callable[[str], None], stop: threading.Event) -> None:
        """Begin the next phase of dates, each as soon as it is handed on."""
        with psycopg.connect(self._url, autocommit=True) as listening:
            listening.execute("LISTEN trigger")
            while not stop.is_set():
                while (day := self._mine().begin()) is not None:
                    begun(day)
                list(listening.notifies(timeout=0.2, stop_after=1))

    def pair(self, resource: str) -> None:
        """Take and give back a lease."""
        holder = f"{threading.get_ident()}"
        assert self._mine().acquire(resource, holder=holder)
        self._mine().release(resource, holder=holder)

    def close(self) -> None:
        """Close the connections."""
        for one in self._made:
            one.connection.close()


class Begins:
    """An observer that passes on when a phase of a date has begun."""

    def __init__(self) -> None:
        self.begun: Callable[[str], object] = str

    def event(self, name: str, /, **fields: object) -> None:
        """Pass on a begin."""
        if name == "decided" and fields["outcome"] == "begun":
            self.begun(str(fields["key"]).rpartition(":")[2].removesuffix(".daily"))


class WithPhasegate:
    """Phasegate's documents, its bus and its leases; no table."""

    def __init__(self, server: PostgresServer) -> None:
        url = server.url()
        self.database, self._folder, self._begins = url.rpartition("/")[2], tempfile.TemporaryDirectory(), Begins()
        settings = load_settings({}, file=Path("no.toml"), overrides={
            "store": url, "state": Path(self._folder.name), "connections_max": WRITERS, "log_level": "none",
        })  # fmt: skip
        plan = phasegate.load_plan(PLAN)
        self._reporter = phasegate.connect(plan, settings=settings, observer=Begins())
        self._worker = phasegate.connect(plan, settings=settings, observer=self._begins)
        self._leases = Leases(self._reporter.ports, warehouse="bench", ttl_s=60.0, heartbeat_s=15.0)

    def complete(self, day: str, step: str) -> None:
        """Report a step of a date."""
        self._reporter.complete({"step": step, "run": f"{day}.daily", "execution_id": f"{step}-{day}", "sequence": 1})

    def consume(self, begun: Callable[[str], None], stop: threading.Event) -> None:
        """Begin the next phase of dates, each as soon as it is handed on."""
        self._begins.begun = begun
        self._worker.run_workers(stop=stop.is_set)

    def pair(self, resource: str) -> None:
        """Take and give back a lease."""
        with self._leases.hold(Part("bench.table", resource), purpose="bench") as held:
            assert held is not None

    def close(self) -> None:
        """Close the connections."""
        self._worker.close()
        self._reporter.close()
        self._folder.cleanup()


SIDES: Mapping[str, Callable[[PostgresServer], Side]] = {"by hand": ByHand, "Phasegate": WithPhasegate}


@dataclass
class Taken:
    """What the rounds of one side gave."""

    completions: list[float] = field(default_factory=list)
    handoffs_ms: list[float] = field(default_factory=list)
    pairs: list[float] = field(default_factory=list)
    commits: dict[str, list[float]] = field(default_factory=dict)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks durable")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--server", choices=sorted(SERVERS), default="system")
    given = parser.parse_args(argv)
    dates, rounds = (4, 1) if given.quick else (80, given.rounds)
    taken = {name: Taken() for name in SIDES}
    with durable_server(given.server) as server:
        for _ in range(rounds):
            for name, side in SIDES.items():
                measure(server, side, dates=dates, taken=taken[name])
        show(taken)


def show(taken: Mapping[str, Taken]) -> None:
    rows = {
        name: (
            statistics.median(one.completions), *percentiles(one.handoffs_ms), statistics.median(one.pairs),
            *(statistics.median(one.commits[what]) for what in ("completions", "hand-offs", "pairs")),
        )
        for name, one in taken.items()
    }  # fmt: skip
    print(f"{'medians of rounds':<24}{''.join(f'{name:>13}' for name in rows)}{'ratio':>8}")
    for number, head in enumerate(HEADS):
        cells = [row[number] for row in rows.values()]
        print(f"{head:<24}{''.join(f'{cell:>13.1f}' for cell in cells)}{cells[1] / cells[0]:>8.2f}")


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    return statistics.median(values), statistics.quantiles(values, n=100, method="inclusive")[98]


def days(dates: int) -> list[str]:
    return [(FIRST + timedelta(days=number)).isoformat() for number in range(dates)]


def measure(server: PostgresServer, made: Callable[[PostgresServer], Side], *, dates: int, taken: Taken) -> None:
    """Measure one side once, each thing on a database of its own."""
    with counted(server, made, taken, what="completions", of=dates * len(STEPS)) as side:
        taken.completions.append(a_second([
            partial(side.complete, day, step) for day in days(dates) for step in STEPS
        ]))  # fmt: skip
    with counted(server, made, taken, what="hand-offs", of=dates + WARM) as side:
        taken.handoffs_ms += hand_offs(side, dates=dates)
    with counted(server, made, taken, what="pairs", of=dates * WRITERS) as side:
        taken.pairs.append(a_second([partial(side.pair, f"p{number}") for number in range(dates * WRITERS)]))


@contextmanager
def counted(
    server: PostgresServer, made: Callable[[PostgresServer], Side], taken: Taken, *, what: str, of: int
) -> Iterator[Side]:
    """Give a side, and record how many transactions that change something it made for each of ``of``."""
    with closing(made(server)) as side:
        before = written(server, side.database)
        yield side
        after = written(server, side.database)
    taken.commits.setdefault(what, []).append((after - before) / of)


def written(server: PostgresServer, database: str) -> int:
    """Return how many transactions of a database had an id: those that changed something."""
    ((number,),) = server.sql("SELECT txid_snapshot_xmax(txid_current_snapshot())", database=database)
    return int(str(number))


def a_second(calls: Sequence[Callable[[], object]]) -> float:
    """Make the calls by WRITERS threads; return how many were made a second."""
    with ThreadPoolExecutor(WRITERS) as threads:
        begun = time.perf_counter()
        for done in [threads.submit(call) for call in calls]:
            done.result()
        return len(calls) / (time.perf_counter() - begun)


def hand_offs(side: Side, *, dates: int) -> list[float]:
    """Return the milliseconds from the last report of each date until the next phase has begun."""
    arrived, stop = SimpleQueue[tuple[str, float]](), threading.Event()
    consumer = threading.Thread(target=side.consume, args=(lambda day: arrived.put((day, time.perf_counter())), stop))
    consumer.start()
    taken = []
    try:
        for day in days(dates + WARM):
            for step in STEPS[:-1]:
                side.complete(day, step)
            begun = time.perf_counter()
            side.complete(day, STEPS[-1])
            which, at = arrived.get(timeout=WAIT_S)
            assert which == day
            taken.append(1000 * (at - begun))
    finally:
        stop.set()
        consumer.join()
    return taken[WARM:]
