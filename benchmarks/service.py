"""Completions over HTTP at a fixed rate, beside a server that does nothing with them.

Run: python -m benchmarks service. The service is a process of its own, on SQLite and then on PostgreSQL; the bare
server is uvicorn with one view that reads the body and answers it. Requests are sent when they are due, whether or not
earlier ones are answered, over connections that stay open; a latency counts from when its request was due. Afterwards
each run must hold what the answers say: the newest completion, and one firing for each that was accepted.
--rate N: default 500 a second. --seconds N: default 60. --quick: a second of each.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.servers import NoServer, durable_server
from phasegate import connect
from phasegate.credentials import Credentials, access_token

RUNS, CONNECTIONS, WAIT_S = 50, 256, 30.0
FIRST = date(2026, 1, 1)
PLAN = """
pipeline = "load"
timezone = "UTC"
phase.raw = {}
step.odds = { phase = "raw", external = true }
"""
BARE = """
import socket, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

async def complete(request):
    return Response(await request.body(), media_type="application/json")

listening = socket.create_server(("127.0.0.1", 0), backlog=512)
listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print(f"bare on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
app = Starlette(routes=[Route("/complete", complete, methods=["POST"])])
config = uvicorn.Config(app, log_config=None, access_log=False, http="h11", lifespan="off")
uvicorn.Server(config).run(sockets=[listening])
"""


@dataclass
class Answers:
    """What came back: status and outcome counted, latencies, and by run what was accepted."""

    statuses: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    took_s: float = 0.0
    accepted: dict[str, list[int]] = field(default_factory=dict)

    def add(self, run: str, number: int, *, status: int, body: bytes, took_s: float) -> None:
        """Count one answer."""
        self.latencies_s.append(took_s)
        outcome = json.loads(body).get("outcome", "") if status in (200, 409) else ""
        self.statuses[f"{status} {outcome}".strip()] += 1
        if outcome == "accepted":
            self.accepted.setdefault(run, []).append(number)


class Connection:
    """A connection that stays open, with one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def post(self, body: bytes, token: str) -> tuple[int, bytes]:
        """Send a completion; return the status and the body."""
        head = (f"POST /complete HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")  # fmt: skip
        self.writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lines = answer.decode().lower().split("\r\n")
        length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
        return int(lines[0].split()[1]), await self._reader.readexactly(length)


async def offer(url: str, token: str, *, rate: int, seconds: float) -> Answers:
    """Send completions at a rate; return what was answered."""
    host, _, port = url.removeprefix("http://").partition(":")
    answers, tasks = Answers(), set[asyncio.Task[None]]()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(Connection(*await asyncio.open_connection(host, int(port))))

    async def send(number: int, due: float) -> None:
        run = f"{FIRST + timedelta(days=number % RUNS)}.daily"
        body = {"step": "odds", "run": run, "sequence": number, "rows": number, "execution_id": f"e{number}"}
        connection = await free.get()
        try:
            async with asyncio.timeout(WAIT_S):
                status, text = await connection.post(json.dumps(body).encode(), token)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as e:
            answers.statuses[type(e).__name__] += 1
            return
        free.put_nowait(connection)
        answers.add(run, number, status=status, body=text, took_s=time.monotonic() - due)

    began = time.monotonic()
    for number in range(1, int(rate * seconds) + 1):
        due = began + number / rate
        if (wait_s := due - time.monotonic()) > 0:
            await asyncio.sleep(wait_s)
        task = asyncio.create_task(send(number, due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    while tasks:
        await asyncio.wait(tasks)
    answers.took_s = time.monotonic() - began
    while not free.empty():
        free.get_nowait().writer.close()
    return answers


@contextmanager
def process(folder: Path, command: Sequence[str], environment: Mapping[str, str]) -> Iterator[str]:
    """Start a server; yield its address."""
    with (folder / "server.log").open("w") as log, subprocess.Popen(
        command, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT
    ) as one:  # fmt: skip
        try:
            until, lines = time.monotonic() + WAIT_S, list[str]()
            while not (
                lines := [line for line in (folder / "server.log").read_text().splitlines() if " on http" in line]
            ):
                if one.poll() is not None or time.monotonic() > until:
                    sys.exit(f"the server does not listen:\n{(folder / 'server.log').read_text()}")
                time.sleep(0.05)
            yield lines[0].split()[-1]
        finally:
            one.terminate()


def bare(rate: int, seconds: float) -> Answers:
    with tempfile.TemporaryDirectory() as name, process(Path(name), [sys.executable, "-c", BARE], {}) as url:
        return asyncio.run(offer(url, "", rate=rate, seconds=seconds))


def service(store: str, rate: int, seconds: float) -> tuple[Answers, list[str]]:
    """Offer completions to the service; return the answers, and what the store then lacks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plan.toml").write_text(PLAN)
        more: dict[str, Any] = {"state": folder / ".phasegate", **({"store": store} if store else {})}
        token = access_token(os.urandom(8).hex(), os.urandom(32).hex())
        with closing(connect(folder / "plan.toml", **more)) as pipeline:
            Credentials("load", pipeline.ports).add("load", role="reporter", proof=token, steps=None)
        environment = {"PHASEGATE_SERVE_RATE": "100000", **({"PHASEGATE_STORE": store} if store else {})}
        command = [sys.executable, "-m", "phasegate", "serve", "--port", "0"]
        with process(folder, command, environment) as url:
            answers = asyncio.run(offer(url, token.text, rate=rate, seconds=seconds))
        with closing(connect(folder / "plan.toml", **more)) as pipeline:
            found = {view.run: view for view in pipeline.views.phases()}
        faults = []
        for run, numbers in answers.accepted.items():
            view = found.get(run)
            rows = None if view is None else view.members[0].rows
            if view is None or rows != max(numbers) or view.generation != len(numbers):
                faults.append(f"{run}: {len(numbers)} accepted, the newest {max(numbers)}; stored: {rows}, "
                              f"{view and view.generation} firings")  # fmt: skip
        return answers, faults


def line(name: str, answers: Answers) -> str:
    times = answers.latencies_s
    cuts = statistics.quantiles(times, n=100) if len(times) > 1 else [0.0] * 99
    done = sum(count for status, count in answers.statuses.items() if status.startswith(("200", "409")))
    counted = ", ".join(f"{count} x {status}" for status, count in sorted(answers.statuses.items()))
    return f"{name:12}{done / answers.took_s:8.0f}{cuts[49] * 1000:10.1f}{cuts[98] * 1000:10.1f}   {counted}"


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks service", description=__doc__)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(argv)
    rate, seconds = (100, 1.0) if given.quick else (given.rate, given.seconds)
    print(f"{rate} completions a second for {seconds:g} s, {RUNS} runs, {CONNECTIONS} connections")
    print(f"{'':12}{'done/s':>8}{'p50 ms':>10}{'p99 ms':>10}   answers")
    print(line("bare", bare(rate, seconds)))
    faults = []
    answers, found = service("", rate, seconds)
    print(line("SQLite", answers))
    faults += found
    try:
        with durable_server() as server:
            answers, found = service(server.url(), rate, seconds)
            print(line("PostgreSQL", answers))
            faults += found
    except NoServer as missing:
        print(missing)
    print(*(faults or ["nothing lost, nothing doubled"]), sep="\n")
    if faults:
        sys.exit(1)
