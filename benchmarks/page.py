"""How long the pages take as the state grows: 1, 3 and 10 years of a pipeline with six phases.

Run: python -m benchmarks page. A store of its own for each size, played date after date on a clock that skips, up to
today, with a table and a calendar. The service is a process of its own; each page is asked for --rounds times, one
after the other, over one connection. `x`: the median beside that of /sign-in, which reads nothing; `grown`: that of
the smallest state. --quick: 10, 20 and 30 dates.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import httpx

from benchmarks.service import process
from phasegate import CalendarDay, SkippingClock, connect, parse_run
from phasegate.credentials import Credentials, access_token
from phasegate.observe.counting import CountingObserver
from phasegate.web.page.routes import READ

YEARS, QUICK, YEAR = (1, 3, 10), (10, 20, 30), 365
PHASES = ("raw", "clean", "analytics", "precompute", "features", "export")
ROWS = 10
HEAD = """\
pipeline = "years"
timezone = "UTC"
calendar = "benchmarks.page:all_dates"

[phase.raw]
modes.daily = { expect = "*", deadline = "12:00 +1d" }

[step.raw_rows]
phase = "raw"
external = true
table = "raw.rows"
key = ["day", "id"]
partition = "day"
write = "replace"
columns = { day = "DATE", id = "INTEGER", amount = "INTEGER" }
"""


def plan() -> str:
    """Return a plan of six phases in a row, one step each; the first has a table."""
    after = [
        f'[phase.{name}]\nafter = "{before}"\n[step.{name}_rows]\nphase = "{name}"\nexternal = true\n'
        f'needs = ["{before}.{before}_rows"]\n'
        for before, name in pairwise(PHASES)
    ]
    return HEAD + "\n".join(after)


def all_dates(first: date, last: date) -> Iterator[CalendarDay]:
    """Yield each date with work."""
    for n in range((last - first).days + 1):
        yield CalendarDay(date=(first + timedelta(days=n)).isoformat(), state="work")


def play(folder: Path, dates: Sequence[date]) -> str:
    """Play the dates into a folder; return the access token of a reader."""
    (folder / "plan.toml").write_text(plan())
    clock = SkippingClock(_evening(dates[0]))
    token = access_token(os.urandom(8).hex(), os.urandom(32).hex())
    observer = CountingObserver()
    with closing(connect(folder / "plan.toml", clock=clock, observer=observer, dates=all_dates,
                         state=folder / ".phasegate")) as one:  # fmt: skip
        Credentials("years", one.ports).add("reader", role="reader", proof=token, steps=None)
        for day in dates:
            clock.skip_to(_evening(day))
            run = f"{day}.daily"
            one.runs.open("raw", parse_run(run))
            with one.begin(run, step="raw_rows") as begun:
                begun.write([{"day": day, "id": n, "amount": n} for n in range(ROWS)])
                begun.complete()
            for phase in PHASES[1:]:
                one.work_until_idle()
                one.complete({"step": f"{phase}_rows", "run": run, "rows": ROWS, "execution_id": run})
    return token.text


def _evening(day: date) -> float:
    return datetime(day.year, day.month, day.day, 1, tzinfo=UTC).timestamp()


@contextmanager
def served(folder: Path, token: str) -> Iterator[httpx.Client]:
    """Serve the folder by a process; yield a reader's client."""
    command = [sys.executable, "-m", "phasegate", "serve", "--port", "0"]
    environment = {"PHASEGATE_SERVE_RATE": "100000", "PYTHONPATH": os.pathsep.join(sys.path)}
    with process(folder, command, environment) as url, httpx.Client(
        base_url=url, cookies={"phasegate": token}, timeout=60, trust_env=False
    ) as client:  # fmt: skip
        yield client


def asked(client: httpx.Client, place: str, rounds: int) -> list[float]:
    """Ask for a page several times; return how long each took, in ms."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        answer = client.get(place)
        took.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            sys.exit(f"{place}: {answer.status_code}: {answer.text}")
    return took


def measured(dates: Sequence[date], *, rounds: int) -> dict[str, list[float]]:
    """Return how long each page takes on a state of some dates; the first of a page is the first of its process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        token = play(folder, dates)
        with served(folder, token) as client:
            places = [path.format_map({"run": f"{dates[-1]}.daily"}) for path in READ]
            found = {path: asked(client, place, rounds) for path, place in zip(READ, places, strict=True)}
            return {"/sign-in": asked(client, "/sign-in", rounds), **found}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks page", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(argv)
    sizes = QUICK if given.quick else tuple(years * YEAR for years in YEARS)
    rounds = min(given.rounds, 5) if given.quick else given.rounds
    today = datetime.now(UTC).date()
    print(f"{rounds} requests for each page")
    print(f"{'dates':>6} {'page':14}{'first ms':>10}{'p50 ms':>9}{'p95 ms':>9}{'x':>7}{'grown':>8}")
    smallest: dict[str, float] = {}
    for size in sizes:
        found = measured([today - timedelta(days=n) for n in range(size, 0, -1)], rounds=rounds)
        bare = statistics.median(found["/sign-in"])
        for path, times in found.items():
            middle = statistics.median(times)
            p95 = statistics.quantiles(times, n=20)[-1]
            grown = middle / smallest.setdefault(path, middle)
            print(f"{size:6} {path:14}{times[0]:10.1f}{middle:9.1f}{p95:9.1f}{middle / bare:7.1f}{grown:8.2f}")
