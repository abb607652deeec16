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
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from nba_props import PLAN
from nba_props.replay.faults import Faults, parse_faults
from nba_props.replay.runner import Runner
from nba_props.replay.scrapers import GAMEBOOK, LOG
from nba_props.replay.tally import Replay
from nba_props.sources.batches import split_games
from nba_props.sources.synthetic import SyntheticSource
from phasegate import SkippingClock, connect, read_plan
from phasegate.base.keys import parse_run

pytestmark = pytest.mark.slow

FIRST, LAST = date(2026, 2, 1), date(2026, 2, 5)
NIGHT = date(2026, 2, 3)
ALL_AT_ONCE = "duplicate=3,reorder,late=0.2,crash=0.05,concurrent=2,seed=7"


def replay(
    state: Path, *, first: date = FIRST, last: date = LAST, faults: Faults | None = None, workers: int = 1
) -> Replay:
    runner = Runner(SyntheticSource(), state=state, faults=faults, workers=workers)
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
            return {fingerprint} if step == GAMEBOOK else set()
        return {
            raw
            for name, stamp in built_from.items()
            if "@" not in name  # a window is of other dates
            for raw in raw_of(name.rpartition(".")[2], partition, stamp["fingerprint"])
        }

    assert len(known) > 5
    for key in known:
        assert len(raw_of(*key)) <= 1, key


def assert_fired_for_changes_only(state: Path) -> None:
    """No generation carries what the one before it carried, and the last carries what the members hold now."""
    pipeline = connect(read_plan(str(PLAN)), state=state, clock=SkippingClock())
    try:
        phases = [
            phase
            for view in pipeline.views.phases()
            if (phase := pipeline.runs.read(view.phase, parse_run(view.run))) is not None
        ]
    finally:
        pipeline.close()
    phases = [phase for phase in phases if phase.void is None]  # the mode that is not played
    assert len(phases) > 20
    for phase in phases:
        carried = [({name: s.fingerprint for name, s in f.stamps.items()}, f.missing) for f in phase.firings]
        held = {name: m.result.stamp.fingerprint for name, m in phase.members.items() if m.result is not None}
        assert all(one != other for one, other in pairwise(carried)), sorted(held)
        assert carried[-1][0] == {name: held[name] for name in carried[-1][0]}, sorted(held)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    return replay(tmp_path_factory.mktemp("undisturbed"))


def test_undisturbed_dates_fire_each_gate_once_per_run_and_settle(undisturbed: Replay) -> None:
    assert undisturbed.gates == {"scrapes": (5, 5), "raw": (10, 10), "analytics": (10, 10), "precompute": (10, 10)}
    assert undisturbed.unsettled == ()
    assert undisturbed.dead_letters == 0
    builds = dict(undisturbed.tally.builds)
    assert builds.pop(LOG) == 5
    assert set(builds.values()) == {5}


def test_dates_with_all_faults_at_once_end_with_the_same_digests(undisturbed: Replay, tmp_path: Path) -> None:
    disturbed = replay(tmp_path, faults=parse_faults(ALL_AT_ONCE))
    assert disturbed.tables == undisturbed.tables
    assert disturbed.crashes > 20
    assert disturbed.unsettled == ()
    assert disturbed.dead_letters == 0
    assert all(runs == 10 for name, (runs, _) in disturbed.gates.items() if name != "scrapes"), disturbed.gates
    assert_fired_for_changes_only(tmp_path)
    assert_no_mixture(tmp_path)


def test_two_of_ten_games_are_partial_and_named_and_nothing_is_built_of_them(tmp_path: Path) -> None:
    source = SyntheticSource()
    rows = source.batch(NIGHT)
    early, _ = split_games(rows, early=2)
    runner = Runner(source, state=tmp_path)
    try:
        runner.play(NIGHT, [early])
        before = runner.summary(dates=1, games=10, seconds=0.0)
        builds_before = dict(runner.tally.builds)
        raw = next(view for view in runner.pipeline.views.why(f"{NIGHT}.overnight") if view.phase == "raw")
        runner.come_late(NIGHT, rows)
        after = runner.summary(dates=1, games=10, seconds=0.0)
    finally:
        runner.close()
    assert f"critical {GAMEBOOK}" in raw.reason
    assert f"{GAMEBOOK} (lacks 8 of raw.nbac_schedule: " in raw.reason
    assert before.gates == {"scrapes": (1, 1), "raw": (1, 1), "analytics": (1, 1), "precompute": (1, 1)}
    # what is forecast for the night before it begins does not come from its box scores
    assert after.gates == {"scrapes": (1, 2), "raw": (2, 2), "analytics": (2, 2), "precompute": (2, 2)}
    rebuilt = {step for step, n in after.tally.builds.items() if n > builds_before.get(step, 0)}
    assert {GAMEBOOK, LOG, "team_offense_game_summary", "team_defense_game_summary", "player_game_summary"} <= rebuilt
    assert all(n - builds_before.get(step, 0) <= 1 for step, n in after.tally.builds.items())
    assert after.unsettled == ()
    assert_no_mixture(tmp_path)


def test_the_same_batch_again_rebuilds_nothing_downstream(tmp_path: Path) -> None:
    source = SyntheticSource()
    rows = source.batch(NIGHT)
    runner = Runner(source, state=tmp_path)
    try:
        runner.play(NIGHT, [rows, rows, rows])
        runner.play(date(2026, 2, 4), [source.batch(date(2026, 2, 4))])
        once = dict(runner.tally.builds)
        runner.come_late(NIGHT, rows)
        after = runner.summary(dates=1, games=10, seconds=0.0)
    finally:
        runner.close()
    assert after.gates["raw"] == after.gates["analytics"] == after.gates["precompute"] == (4, 4)
    assert once[GAMEBOOK] == 4
    assert {step: n - once[step] for step, n in after.tally.builds.items() if n > once[step]} == {GAMEBOOK: 1, LOG: 1}


def test_workers_that_are_at_a_date_while_the_next_comes_in_end_with_the_same_digests_and_fire_once(
    undisturbed: Replay, tmp_path: Path
) -> None:
    both = replay(tmp_path, workers=2)
    assert both.tables == undisturbed.tables
    assert both.gates == undisturbed.gates
    assert both.tally.builds == undisturbed.tally.builds
    assert both.unsettled == ()
    assert_no_mixture(tmp_path)


def test_a_mode_that_is_not_played_is_left_out_though_whoever_was_about_to_say_so_was_killed(tmp_path: Path) -> None:
    runner = Runner(SyntheticSource(), state=tmp_path)
    try:
        runner.pipeline.runs.open("raw", parse_run(f"{NIGHT}.tomorrow"))
        done = runner.run(NIGHT, NIGHT)
    finally:
        runner.close()
    assert done.gates == {"scrapes": (1, 1), "raw": (2, 2), "analytics": (2, 2), "precompute": (2, 2)}
    assert done.unsettled == ()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_source_that_panics_ends_the_replay_with_its_error(workers: int, tmp_path: Path) -> None:
    class Panic(BaseException):
        """What a library raises that is no Exception."""

    class Panicking(SyntheticSource):
        def schedule(self, first: date, last: date) -> list[dict[str, object]]:
            if first == last == NIGHT:
                raise Panic
            return super().schedule(first, last)

    runner = Runner(Panicking(), state=tmp_path, workers=workers)
    try:
        with pytest.raises(Panic):
            runner.run(date(2026, 2, 2), date(2026, 2, 4))
    finally:
        runner.close()


@pytest.mark.parametrize("options", [["--faults", "late=0.5,concurrent=2"], ["--workers", "2"]], ids=" ".join)
def test_killed_at_any_moment_and_started_again_it_ends_with_the_same_digests(
    options: list[str], undisturbed: Replay, tmp_path: Path
) -> None:
    rng = random.Random(11)
    command = [sys.executable, "-m", "nba_props", "run", "--synthetic", "--from", str(FIRST), "--to", str(LAST),
               "--state", str(tmp_path), *options, "--json"]  # fmt: skip
    killed = 0
    for _ in range(4):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
        time.sleep(rng.uniform(0.4, 1.4))
        killed += process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed >= 3, "the replay was over before it could be killed"
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout)
    assert {name: (t["rows"], t["digest"]) for name, t in summary["tables"].items()} == undisturbed.tables
    assert summary["dead_letters"] == 0
    assert summary["unsettled"] == []
    assert_no_mixture(tmp_path)


def test_data_that_comes_days_late_is_built_in_near_by_and_everywhere_after_a_backfill_of_what_drifted(
    tmp_path: Path,
) -> None:
    first, last, night = date(2026, 2, 1), date(2026, 2, 6), date(2026, 2, 1)
    source = SyntheticSource()
    undisturbed = replay(tmp_path / "undisturbed", first=first, last=last)
    early, _ = split_games(source.batch(night), early=2)
    runner = Runner(source, state=tmp_path / "late")
    try:
        runner.play(night, [early])
        runner.run(date(2026, 2, 2), last)
        runner.come_late(night, source.batch(night))
        drifted = sorted({view.run for view in runner.pipeline.views.phases() if view.drifted})
        near = runner.summary(dates=6, games=0, seconds=0.0)
        state = str(tmp_path / "late")
        span = ("--from", str(first), "--to", str(last))
        played = nba_props("run", "--synthetic", *span, "--state", state, "--json")
        assert played.returncode == 1, played.stderr
        assert [line.split(": ")[0] for line in json.loads(played.stdout)["drifted"]] == [
            line.split(": ")[0] for _, line in near.drifted
        ]
        command = ["backfill", "--from", drifted[0][:10], "--to", drifted[-1][:10], "--cascade", "--json"]
        done = phasegate(*command, state=state)
        after = runner.summary(dates=6, games=0, seconds=0.0)
    finally:
        runner.close()
    # two days on it is built in by itself; the three dates after that are named, and left alone
    assert drifted == sorted({line.split(": ")[0].split(" of ")[1] for _, line in near.drifted})
    assert drifted == [f"2026-02-0{day}.{mode}" for day in (4, 5, 6) for mode in ("overnight", "same_day")]
    assert near.tables != undisturbed.tables
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["unsettled"] == []
    assert after.tables == undisturbed.tables
    assert (after.unsettled, after.drifted) == ((), ())
    rebuilt = receipts_by_date(tmp_path / "late", step="ml_feature_store_v2")
    assert rebuilt == {"2026-02-01": 1} | {f"2026-02-0{day}": 2 for day in range(2, 7)}


def phasegate(*command: str, state: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would, on the state of a replay."""
    arguments = [sys.executable, "-m", "phasegate", "--plan", str(PLAN), "--state", state, *command]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def nba_props(*command: str) -> subprocess.CompletedProcess[str]:
    """Run the replay as a user would."""
    arguments = [sys.executable, "-m", "nba_props", *command]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def receipts_by_date(state: Path, *, step: str) -> dict[str, int]:
    dates = [str(receipt["partition"]) for receipt in receipts(state) if receipt["step"] == step]
    return {day: dates.count(day) for day in sorted(set(dates))}
