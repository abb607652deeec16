"""The time of a scrape of `GET /metrics` after a month, and of what a scrape does not do: comparing tables.

Run: python -m benchmarks scrape. A month is played by one worker, both modes; then the service's metrics are read again
and again, with the store in a file or, with --server, in PostgreSQL. With NBA_DATA (default ../shared/nba): January
2025; without it, or with --quick, a synthetic night. --first and --last: other dates; --scrapes: how often.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median

from prometheus_client import generate_latest

from benchmarks.disturbed import House, settled_in
from benchmarks.servers import SERVERS, durable_server
from benchmarks.sources import NIGHT, chosen
from nba_props.replay.runner import Runner
from phasegate.observe.metrics import MetricsObserver
from phasegate.web.gauges import Gauges

SPAN = (date(2025, 1, 1), date(2025, 1, 31))


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks scrape")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--first", type=date.fromisoformat, default=SPAN[0])
    parser.add_argument("--last", type=date.fromisoformat, default=SPAN[1])
    parser.add_argument("--scrapes", type=int, default=100)
    parser.add_argument("--server", choices=sorted(SERVERS))
    given = parser.parse_args(argv)
    source, real = chosen(quick=given.quick)
    first, last = (given.first, given.last) if real else NIGHT
    scrapes = 5 if given.quick else given.scrapes
    with house(given.server) as settled, tempfile.TemporaryDirectory() as state, settled():
        runner = Runner(source, state=Path(state))
        with closing(runner):
            done = runner.run(first, last)
            pipeline = runner.pipeline
            registry = MetricsObserver(pipeline.plan).registry
            registry.register(Gauges(pipeline))
            times, text = [], b""
            for _ in range(scrapes):
                begun = time.perf_counter()
                text = generate_latest(registry)
                times.append(time.perf_counter() - begun)
            assert b'phasegate_up{pipeline="nba"} 1.0' in text, text[:2000].decode()
            begun = time.perf_counter()
            pipeline.checks.inspector.inspect(first.isoformat(), last.isoformat())
            inspected = time.perf_counter() - begun
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    times.sort()
    print(f"{done.dates} dates; {len(lines)} time series, {len(text):,} bytes")
    print(f"{len(times)} scrapes: median {median(times) * 1e3:.0f} ms, "
          f"99 of 100 within {times[int(len(times) * 0.99) - 1] * 1e3:.0f} ms")  # fmt: skip
    print(f"reconcile of the same dates: {inspected * 1e3:.0f} ms")


@contextmanager
def house(server: str | None) -> Iterator[House]:
    """Yield what puts the documents where they belong: a file, or a server."""
    if server is None:
        yield nullcontext
        return
    with durable_server(server) as started:
        yield partial(settled_in, store=started.url())
