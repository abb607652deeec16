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
