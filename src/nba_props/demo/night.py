"""The night of 3 February 2026, twice: old hand-off, then Phasegate.

The old hand-off is a model. The box scores are invented; the counts are those of the night: 10 games, 348 player rows,
gamebooks in two batches eight hours apart, every message delivered up to three times, two instances at once. Every
number shown is counted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from nba_props import PLAN
from nba_props.demo.old_handoff import OldReport, replay
from nba_props.errors import DataError
from nba_props.raw import RawRow
from nba_props.replay.faults import Faults
from nba_props.replay.options import MODE
from nba_props.replay.runner import LATE_S, Runner
from nba_props.sources import morning_after
from nba_props.sources.batches import restamp, split_games
from nba_props.sources.synthetic import THE_NIGHT, SyntheticSource, night_of_2026_02_03
from phasegate import CalendarDay, SkippingClock

EARLY_GAMES = 2
NIGHTS_BEFORE = 3
QUIET_DAYS = 31
FAULTS = Faults(duplicate=3, reorder=True, concurrent=2)
AGO_S = 600.0
MARKER = "phasegate.toml"


def run_demo(folder: Path, *, write: Callable[[str], None]) -> bool:
    """Play the night into a fresh `folder` and report it line by line.

    Return whether Phasegate has no lost, duplicate or unsettled work. Raises DataError when `folder` is not empty and
    not an earlier demo's.
    """
    _make_room(folder)
    rows = night_of_2026_02_03()
    games = len({row["game_id"] for row in rows})
    write(f"The night of {THE_NIGHT}: {games} games, {len(rows)} player rows (invented names, true counts).")
    write(f"Gamebooks come in two batches: {EARLY_GAMES} games at once, all {games} eight hours later.")
    write("Every message is delivered up to three times, in any order. Two instances run at once.")
    write("")
    old = replay(rows, early_games=EARLY_GAMES)
    new, clean = _through_phasegate(folder, rows)
    for line in _side_by_side(old, new):
        write(line)
    write("")
    write(f"What the operator saw then: {old.operator_saw}")
    write("What the operator sees now:")
    for command in (["status"], ["why", str(THE_NIGHT)]):
        write("")
        write(f"$ phasegate {' '.join(command)}")
        write(_phasegate(folder, command))
    write("")
    write(f"Three commands to try next, in {folder}:")
    name = _command_from(folder)
    write(f"  {name} leases --all      # the holder of each partition, and how often")
    write(f"  {name} complete nbac_gamebook_player_stats --run {_run()}   # a report again: nothing happens")
    write(f"  {name} dead              # requests that are not retried by themselves: none")
    return clean


def _command_from(folder: Path) -> str:
    """Return how to call phasegate from a folder.

    By name where the shell finds it, else by its relative path.
    """
    if shutil.which("phasegate"):
        return "phasegate"
    return os.path.relpath(Path(sys.executable).with_name("phasegate"), folder)


def _make_room(folder: Path) -> None:
    """Make an empty folder; only an earlier demo's is emptied."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise DataError(str(folder), problem="is not empty and no earlier demo's", fix="name another with --state")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKER).write_text(f'[phasegate]\nplan = "{PLAN.as_posix()}"\nstate = "state"\n', encoding="utf-8")


def _through_phasegate(folder: Path, rows: list[RawRow]) -> tuple[dict[str, object], bool]:
    """Play the night through Phasegate.

    Return the counts afterwards, and whether nothing is wrong.
    """
    early, late = split_games(rows, early=EARLY_GAMES)
    later = [*early, *restamp(late, at=morning_after(THE_NIGHT) + timedelta(hours=8))]
    # the night began longer ago than it lasted, so that all of it is in the past
    clock = SkippingClock(time.time() - LATE_S - AGO_S)
    source = SyntheticSource()
    _play_nights_before(source, state=folder / "state", at=clock.now() - 3600.0)
    runner = Runner(source, state=folder / "state", faults=FAULTS, clock=clock, in_files=True)
    try:
        runner.play(THE_NIGHT, [early, later])
        runner.pipeline.put_dates(_quiet_dates(datetime.fromtimestamp(clock.now(), UTC).date()))
        counts = _count(runner)
        summary = runner.summary(dates=1, games=10, seconds=0.0)
    finally:
        runner.close()
    clean = not summary.unsettled and not summary.dead_letters and counts["duplicate rows"] == 0
    return counts, clean


def _quiet_dates(today: date) -> list[CalendarDay]:
    """Return the dates round today as dates without games.

    So `phasegate health` knows that nothing is missing of them; the night itself and those before it keep their own.
    """
    days = (today + timedelta(days=number) for number in range(-QUIET_DAYS, QUIET_DAYS + 1))
    return [
        CalendarDay(date=day.isoformat(), state="none", reason="the demo has no games then")
        for day in days
        if not THE_NIGHT - timedelta(days=NIGHTS_BEFORE) <= day <= THE_NIGHT
    ]


def _play_nights_before(source: SyntheticSource, *, state: Path, at: float) -> None:
    """Play a few nights undisturbed.

    The forecast for the night is built from games before it.
    """
    runner = Runner(source, state=state, clock=SkippingClock(at), in_files=True)
    try:
        runner.run(THE_NIGHT - timedelta(days=NIGHTS_BEFORE), THE_NIGHT - timedelta(days=1))
    finally:
        runner.close()


def _count(runner: Runner) -> dict[str, object]:
    """Count in tables and documents what the old hand-off got wrong."""
    one = runner.pipeline.query(
        """
        WITH analysed AS (SELECT game_id, game_date, player_lookup FROM nba_analytics.player_game_summary
                          WHERE game_date = CAST($night AS DATE))
        SELECT (SELECT count(*) FROM analysed) AS rows,
               (SELECT count(*) FROM (SELECT DISTINCT game_date, player_lookup FROM analysed)) AS keys,
               (SELECT count(DISTINCT game_id) FROM nba_raw.nbac_gamebook_player_stats
                WHERE game_date = CAST($night AS DATE)) AS games,
               (SELECT count(DISTINCT game_id) FROM analysed) AS processed
        """,
        {"night": str(THE_NIGHT)},
    )[0]
    views = {view.phase: view for view in runner.pipeline.views.why(_run())}
    fired, begun = views["analytics"].generations[-1].number, views["precompute"].inputs.get("analytics", 0)
    return {
        "player rows": one["rows"],
        "duplicate rows": int(str(one["rows"])) - int(str(one["keys"])),
        "triggers to phase 4, lost": fired - begun,
        "games never processed": int(str(one["games"])) - int(str(one["processed"])),
        "games handed to phase 4": one["processed"] if begun == fired else 0,
        "times phase 4 was triggered": fired,
    }


def _run() -> str:
    return f"{THE_NIGHT}.{MODE}"


def _side_by_side(old: OldReport, new: dict[str, object]) -> list[str]:
    then = {
        "player rows": old.rows,
        "duplicate rows": old.duplicates,
        "triggers to phase 4, lost": old.lost_triggers,
        "games never processed": old.games_never_processed,
        "games handed to phase 4": old.games_phase_4,
        "times phase 4 was triggered": int(old.triggered),
    }
    lines = [f"{'':32}{'old hand-off':>14}{'Phasegate':>14}"]
    return lines + [f"{name:32}{then[name]:>14}{new[name]!s:>14}" for name in then]


def phasegate_at(*command: str) -> tuple[list[str], dict[str, str]]:
    """Return a real command of Phasegate, and the environment to run it in.

    With the demo's own settings, which are in its folder: the caller's must not lead elsewhere.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("PHASEGATE_")}
    return [sys.executable, "-m", "phasegate", *command], env


def _phasegate(folder: Path, command: list[str]) -> str:
    """Run a real command of Phasegate; return its output."""
    words, env = phasegate_at(*command)
    done = subprocess.run(  # noqa: S603  fixed arguments, this interpreter
        words, cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    return (done.stdout + done.stderr).rstrip()
