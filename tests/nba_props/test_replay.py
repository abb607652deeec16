"""The main path on SQLite and DuckDB: undisturbed, with everything going wrong, with a late batch, killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from nba_props.faults import Faults, parse_faults
from nba_props.runner import Replay, Runner
from nba_props.sources.batches import split_games
from nba_props.sources.synthetic import SyntheticSource

FIRST, LAST = date(2026, 2, 1), date(2026, 2, 7)
NIGHT = date(2026, 2, 3)
ALL_AT_ONCE = "duplicate=3,reorder,late=0.2,crash=0.05,concurrent=2,seed=7"


def replay(state: Path, *, first: date = FIRST, last: date = LAST, faults: Faults | None = None) -> Replay:
    runner = Runner(SyntheticSource(), state=state, faults=faults)
    try:
        return runner.run(first, last)
    finally:
        runner.close()


def receipts(state: Path) -> Iterator[dict[str, object]]:
    with duckdb.connect(str(state / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT step, partition, token, fingerprint, built_from FROM phasegate.receipts")
        names = [column[0] for column in rows.description or []]
        for row in rows.fetchall():
            yield dict(zip(names, row, strict=True))


def assert_no_mixture(state: Path) -> None:
    """Every result says which raw content it was made of, through all of its inputs: exactly one."""
    known = {(str(r["step"]), str(r["partition"]), str(r["fingerprint"])): r for r in receipts(state)}

    def raw_of(step: str, partition: str, fingerprint: str) -> set[str]:
        built_from = json.loads(str(known[step, partition, fingerprint]["built_from"]))
        if not built_from:
            return {fingerprint}
        return {
            raw
            for name, stamp in built_from.items()
            for raw in raw_of(name.rpartition(".")[2], partition, stamp["fingerprint"])
        }

    assert len(known) > 5
    for key in known:
        assert len(raw_of(*key)) == 1, key


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    return replay(tmp_path_factory.mktemp("undisturbed"))


def test_an_undisturbed_week_fires_each_gate_once_per_date_and_settles(undisturbed: Replay) -> None:
    assert undisturbed.gates == {"raw": (7, 7), "analytics": (7, 7), "precompute": (7, 7)}
    assert undisturbed.unsettled == ()
    assert undisturbed.dead_letters == 0
    assert set(undisturbed.tally.builds.values()) == {7}


def test_a_week_with_all_faults_at_once_ends_with_the_same_digests(undisturbed: Replay, tmp_path: Path) -> None:
    disturbed = replay(tmp_path, faults=parse_faults(ALL_AT_ONCE))
    assert disturbed.tables == undisturbed.tables
    assert disturbed.crashes > 20
    assert disturbed.unsettled == ()
    assert disturbed.dead_letters == 0
    # two batches a date: each gate fires at most once per change, and at least once after the last
    for fired, generations in disturbed.gates.values():
        assert fired == 7
        assert 7 <= generations <= 14
    assert_no_mixture(tmp_path)


def test_a_late_batch_makes_one_more_generation_downstream_and_no_mixture(tmp_path: Path) -> None:
    source = SyntheticSource()
    rows = source.batch(NIGHT)
    early, _ = split_games(rows, early=2)
    runner = Runner(source, state=tmp_path)
    try:
        runner.play(NIGHT, [early])
        before = runner.summary(dates=1, games=10, seconds=0.0)
        builds_before = dict(runner.tally.builds)
        runner.play(NIGHT, [rows])
        after = runner.summary(dates=1, games=10, seconds=0.0)
    finally:
        runner.close()
    assert before.gates == {"raw": (1, 1), "analytics": (1, 1), "precompute": (1, 1)}
    assert after.gates == {"raw": (1, 2), "analytics": (1, 2), "precompute": (1, 2)}
    assert {step: n - builds_before[step] for step, n in after.tally.builds.items()} == dict.fromkeys(builds_before, 1)
    assert after.unsettled == ()
    assert_no_mixture(tmp_path)


def test_the_same_batch_again_rebuilds_nothing_downstream(tmp_path: Path) -> None:
    source = SyntheticSource()
    rows = source.batch(NIGHT)
    runner = Runner(source, state=tmp_path)
    try:
        runner.play(NIGHT, [rows, rows, rows])
        after = runner.summary(dates=1, games=10, seconds=0.0)
    finally:
        runner.close()
    assert after.gates == {"raw": (1, 1), "analytics": (1, 1), "precompute": (1, 1)}
    assert after.tally.builds.pop("nbac_gamebook_player_stats") == 3
    assert set(after.tally.builds.values()) == {1}


def test_killed_at_any_moment_and_started_again_it_ends_with_the_same_digests(
    undisturbed: Replay, tmp_path: Path
) -> None:
    rng = random.Random(11)
    command = [sys.executable, "-m", "nba_props", "run", "--synthetic", "--from", str(FIRST), "--to", str(LAST),
               "--state", str(tmp_path), "--faults", "late=0.5,concurrent=2", "--json"]  # fmt: skip
    killed = 0
    for _ in range(6):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
        time.sleep(rng.uniform(0.4, 1.6))
        killed += process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed >= 5, "the replay was over before it could be killed"
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout)
    assert {name: (t["rows"], t["digest"]) for name, t in summary["tables"].items()} == undisturbed.tables
    assert summary["dead_letters"] == 0
    assert summary["unsettled"] == []
    assert_no_mixture(tmp_path)
