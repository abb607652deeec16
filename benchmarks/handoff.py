"""The speed of a hand-off.

From the report of the last member to the next phase's begin, and hand-offs a second. Run: python -m benchmarks handoff.
Two phases of one external step each (no tables), SQLite with synchronous=FULL.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import closing
from datetime import date, timedelta

import phasegate

PLAN = """
pipeline = "bench"
timezone = "UTC"
[phase.load]
[phase.analyse]
after = "load"
[step.rows]
phase = "load"
external = true
[step.report]
phase = "analyse"
external = true
needs = ["load.rows"]
"""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks handoff")
    parser.add_argument("--quick", action="store_true")
    runs = 5 if parser.parse_args(argv).quick else 300
    with (
        tempfile.TemporaryDirectory() as state,
        closing(phasegate.connect(phasegate.load_plan(PLAN), state=state, log_level="none")) as pipeline,
    ):
        taken = []
        begun = time.perf_counter()
        for number in range(runs):
            day = (date(2026, 1, 1) + timedelta(days=number)).isoformat()
            start = time.perf_counter()
            pipeline.complete({"step": "rows", "game_date": day, "execution_id": f"run-{number}"})
            pipeline.work_until_idle()
            taken.append((time.perf_counter() - start) * 1000)
        seconds = time.perf_counter() - begun
        fired = sum(view.state == "complete" for view in pipeline.views.phases())
    print(f"{'hand-offs':>10}{'fired':>8}{'median ms':>11}{'worst ms':>10}{'a second':>10}")
    print(f"{runs:>10}{fired:>8}{statistics.median(taken):>11.1f}{max(taken):>10.1f}{runs / seconds:>10.0f}")
