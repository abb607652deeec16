"""Benchmarks run; how fast they are is nobody's test."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_every_benchmark_prints_its_smallest_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick"], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    for name in ("== season", "== disturbed", "== handoff", "== dedup", "== simulator", "== reconcile"):
        assert name in done.stdout


def test_a_benchmark_takes_its_own_options_and_says_where_the_time_went() -> None:
    command = [sys.executable, "-m", "benchmarks", "season", "--quick", "--where", "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "3 dates" in done.stdout
    assert "with 1 worker(s)" in done.stdout
    calls = {line[:42].strip(): float(line[42:50]) for line in done.stdout.splitlines() if "of SQLite" in line}
    assert calls.keys() == {"reads of SQLite", "writes of SQLite"}
    assert min(calls.values()) > 50, "a verb that is not counted says nothing of where the time went"
