"""How long one pool of work takes one process, and several processes.

Run: python -m benchmarks processes. Five small tables of each of ten dates are built, of rows that are written
beforehand: by one process, by one with two threads, by two, and by two beside four reporters and a dashboard.
The arrangements follow each other, round after round, so that what else the machine does meets all of them.
--dates N: default 10. --rounds N: default 3. --quick: two dates, one round.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import phasegate
from benchmarks.startup import RAW, SCRIPT, processor_s

TABLES = ("totals", "tens", "best", "worst", "spread")
STEP = """
[step.{name}]
phase = "analytics"
needs = ["raw.points"]
sql = "{name}.sql"
table = "analytics.{name}"
key = ["game_date"]
partition = "game_date"
"""
SQL = "SELECT game_date, {what} AS points FROM raw.points WHERE game_date = $run_date GROUP BY game_date"
WHAT = ("sum(points)::INTEGER", "count(*) FILTER (points >= 10)", "max(points)", "min(points)",
        "max(points) - min(points)")  # fmt: skip
FIRST = date(2026, 2, 1)
# A reporter writes one further date: `phasegate begin` runs itself again as its command, which writes.
REPORT = """
import sys
from contextlib import closing
import phasegate
from benchmarks.processes import rows_of
day = sys.argv[1]
with closing(phasegate.connect(log_level="none")) as pipeline:
    with pipeline.begin(f"{day}.daily", step="points") as run:
        run.write(rows_of(day))
        run.complete()
"""
QUERY = """
import time, pathlib
from contextlib import closing
import phasegate
with closing(phasegate.connect(log_level="none")) as pipeline:
    while not pathlib.Path("done").exists():
        pipeline.query("SELECT game_date, sum(points) FROM raw.points GROUP BY ALL")
        time.sleep(0.05)
"""


@dataclass
class Taken:
    """What the rounds of one arrangement took, and what was refused."""

    elapsed: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def worker(*, threads: int = 1) -> tuple[str, ...]:
    return (str(SCRIPT), "worker", "--until-idle", "--threads", str(threads))


ARRANGEMENTS: Mapping[str, tuple[Sequence[tuple[str, ...]], bool]] = {
    "one process": ((worker(),), False),
    "one process, two threads": ((worker(threads=2),), False),
    "two processes": ((worker(), worker()), False),
    "two, four reporters, a dashboard": ((worker(), worker()), True),
}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks processes")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dates", type=int, default=10, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    given = parser.parse_args(argv)
    if not SCRIPT.exists():
        parser.error(f"there is no {SCRIPT.name} beside {Path(sys.executable).name}; install the project first")
    taken = {name: Taken() for name in ARRANGEMENTS}
    for _ in range(1 if given.quick else given.rounds):
        for name, (commands, beside) in ARRANGEMENTS.items():
            with tempfile.TemporaryDirectory() as folder:
                run(Path(folder), commands, beside=beside, dates=2 if given.quick else given.dates, taken=taken[name])
    base = taken["one process"]
    print(f"{'medians':<36}{'seconds':>10}{'of one':>10}{'CPU s':>10}{'of one':>10}{'refusals':>10}")
    for name, one in taken.items():
        pairs = ((one.elapsed, base.elapsed), (one.worked, base.worked))
        cells = (f"{cell:>10.2f}" for these, those in pairs for cell in medians(these, those))
        print(f"{name:<36}{''.join(cells)}{len(one.refused):>10}")
    refused = [text for one in taken.values() for text in one.refused]
    if refused:
        sys.exit("\n".join(refused))


def medians(these: Sequence[float], those: Sequence[float]) -> tuple[float, float]:
    """Return the median, and the median of the ratios within each round."""
    return statistics.median(these), statistics.median(a / b for a, b in zip(these, those, strict=True))


def days(first: int, last: int) -> list[str]:
    return [(FIRST + timedelta(days=number)).isoformat() for number in range(first, last)]


def rows_of(day: str) -> list[dict[str, object]]:
    return [{"game_date": day, "player": f"p{number}", "points": number} for number in range(20)]


def make(folder: Path, *, dates: int) -> None:
    (folder / "plan.toml").write_text(RAW + "".join(STEP.format(name=name) for name in TABLES))
    for name, what in zip(TABLES, WHAT, strict=True):
        (folder / f"{name}.sql").write_text(SQL.format(what=what))
    with closing(phasegate.connect(folder / "plan.toml", state=folder / ".phasegate", log_level="none")) as pipeline:
        for day in days(0, dates):
            with pipeline.begin(f"{day}.daily", step="points") as run:
                run.write(rows_of(day))
                run.complete()


def run(folder: Path, commands: Sequence[tuple[str, ...]], *, beside: bool, dates: int, taken: Taken) -> None:
    """Build the dates by some processes, and add what it took."""
    make(folder, dates=dates)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PHASEGATE_")}
    environ["PYTHONPATH"] = os.pathsep.join((str(Path(__file__).parent.parent), environ.get("PYTHONPATH", "")))
    start, spent = time.perf_counter(), processor_s()
    workers = [started(command, folder, environ) for command in commands]
    others = []
    if beside:
        others = [started((sys.executable, "-c", QUERY), folder, environ)]
        others += [started((sys.executable, "-c", REPORT, day), folder, environ) for day in days(dates, dates + 4)]
    for process in workers:
        finish(process, taken)
    taken.elapsed.append(time.perf_counter() - start)
    (folder / "done").touch()
    for process in others:
        finish(process, taken)
    taken.worked.append(processor_s() - spent)
    check(folder, dates=dates + 4 * beside, environ=environ, taken=taken)


def started(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=pipe, text=True)


def finish(process: subprocess.Popen[str], taken: Taken) -> None:
    text = process.communicate()[1].strip()
    if process.returncode not in (0, 1) or text:  # 1: what another process was still building is left
        taken.refused.append(text or f"{process.args!r} ended with {process.returncode}")


def check(folder: Path, *, dates: int, environ: Mapping[str, str], taken: Taken) -> None:
    """Require every table of every date, after what the reporters brought last has been built too."""
    subprocess.run(worker(), cwd=folder, env=environ, stdout=subprocess.DEVNULL, check=True)
    with closing(phasegate.connect(folder / "plan.toml", state=folder / ".phasegate", log_level="none")) as pipeline:
        counts = {name: digest.rows for name, digest in pipeline.tables().items() if name.startswith("analytics.")}
    wrong = {name: rows for name, rows in counts.items() if rows != dates}
    if wrong:
        taken.refused.append(f"wanted {dates} rows of each table: {json.dumps(wrong)}")
