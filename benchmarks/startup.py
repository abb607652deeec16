"""How long the short commands take, next to an empty Python and to click.

Run: python -m benchmarks startup. A pipeline of two steps with five runs is made first; then the commands run in turn,
round after round, so that what else the machine does meets all of them. Bytecode is written in the first round, which
is not counted, and into a folder of its own. On a busy machine the processor's time says more than the clock's.
--rounds N: default 25. --quick: two rounds.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import phasegate

RAW = """
pipeline = "bench"
timezone = "America/New_York"
[phase.raw]
[phase.analytics]
after = "raw"
[step.points]
phase = "raw"
external = true
table = "raw.points"
key = ["game_date", "player"]
partition = "game_date"
columns = { game_date = "DATE", player = "VARCHAR", points = "INTEGER" }
write = "replace"
"""
PLAN = f"""{RAW}[step.totals]
phase = "analytics"
needs = ["raw.points"]
sql = "totals.sql"
table = "analytics.totals"
key = ["game_date"]
partition = "game_date"
"""
SQL = "SELECT game_date, sum(points)::INTEGER AS points FROM raw.points WHERE game_date = $run_date GROUP BY game_date"
DATES = tuple(f"2026-02-0{number}" for number in range(1, 6))
EMPTY, CLICK = "python -c pass", "python -c 'import click'"
SCRIPT = Path(sys.executable).with_name("phasegate")
COMMANDS: Mapping[str, Sequence[str]] = {
    EMPTY: (sys.executable, "-c", "pass"),
    CLICK: (sys.executable, "-c", "import click"),
    "phasegate --help": (str(SCRIPT), "--help"),
    "phasegate --version": (str(SCRIPT), "--version"),
    "phasegate status": (str(SCRIPT), "status"),
}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks startup")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=25, metavar="N")
    given = parser.parse_args(argv)
    if not SCRIPT.exists():
        parser.error(f"there is no {SCRIPT.name} beside {Path(sys.executable).name}; install the project first")
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        elapsed, worked = measure(Path(folder), rounds=2 if given.quick else given.rounds)
    header = ("ms", "of empty", "of click", "CPU ms", "of empty", "of click")
    print(f"{'command, medians':<24}" + "".join(f"{word:>10}" for word in header))
    for name in COMMANDS:
        cells = [
            f"{cell:>10}"
            for taken in (elapsed, worked)
            for cell in (f"{taken[name] * 1000:.1f}", *(f"{taken[name] / taken[base]:.2f}" for base in (EMPTY, CLICK)))
        ]
        print(f"{name:<24}" + "".join(cells))


def make(folder: Path) -> None:
    (folder / "plan.toml").write_text(PLAN)
    (folder / "totals.sql").write_text(SQL)
    with closing(phasegate.connect(folder / "plan.toml", state=folder / ".phasegate", log_level="none")) as pipeline:
        for day in DATES:
            with pipeline.begin(f"{day}.daily", step="points") as run:
                run.write([{"game_date": day, "player": f"p{number}", "points": number} for number in range(10)])
                run.complete()
            pipeline.work_until_idle()


def measure(folder: Path, *, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return the medians of each command, in seconds: by the clock, and of the processor."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PHASEGATE_")}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    elapsed: dict[str, list[float]] = {name: [] for name in COMMANDS}
    worked: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(rounds + 1):
        for name, command in COMMANDS.items():
            start, spent = time.perf_counter(), processor_s()
            subprocess.run(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, check=True)
            if number:
                elapsed[name].append(time.perf_counter() - start)
                worked[name].append(processor_s() - spent)
    return medians(elapsed), medians(worked)


def processor_s() -> float:
    """Return what the processes that this one has started, and that are over, have spent."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def medians(taken: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: statistics.median(seconds) for name, seconds in taken.items()}
