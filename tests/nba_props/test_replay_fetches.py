"""What a replay tells of its fetches: a line for each in the log, whatever came of it, and no date lost to another."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from nba_props.raw import RawRow
from nba_props.raw_tables import SHOTS
from nba_props.replay.fetch_log import Recorder
from nba_props.replay.options import MODES
from nba_props.replay.report import remarks
from nba_props.replay.runner import Runner
from nba_props.replay.scrapers import LOG_TABLE
from nba_props.replay.spool import Spool
from nba_props.replay.tally import Replay
from nba_props.sources import Source
from nba_props.sources.synthetic import SyntheticSource
from phasegate import Pipeline, StepRun, SystemClock, Unavailable, parse_run

pytestmark = pytest.mark.slow

NIGHT, LAST = date(2026, 2, 3), date(2026, 2, 4)
IN_BACKGROUND = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
LOG = f"SELECT * FROM {LOG_TABLE} ORDER BY game_date, workflow DESC, scraper_name"


class Played:
    """A replay of two nights, and its log of fetches."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.replay: Replay = runner.run(NIGHT, LAST)
        self.log = [dict(row) for row in runner.pipeline.query(LOG)]

    def of(self, scraper: str, day: date = NIGHT) -> list[dict[str, object]]:
        return [row for row in self.log if row["scraper_name"] == scraper and row["game_date"] == day]


def play(source: Source, state: Path, *, workers: int = 1) -> Played:
    runner = Runner(source, state=state, workers=workers)
    try:
        return Played(runner)
    finally:
        runner.close()


class Failing(SyntheticSource):
    """Its scrapers fail on one night, after two repeats of what they asked."""

    def __init__(self, *methods: str) -> None:
        super().__init__()
        self.methods, self.retries = methods, 0

    def fail(self, method: str, day: date) -> None:
        if method in self.methods and day == NIGHT:
            self.retries += 2
            raise ConnectionError("the league does not answer")

    def batch(self, day: date) -> list[RawRow]:
        self.fail("batch", day)
        return super().batch(day)

    def props(self, day: date, *, at: datetime | None = None) -> list[RawRow]:
        self.fail("props", day)
        return super().props(day, at=at)

    def schedule(self, first: date, last: date) -> list[RawRow]:
        self.fail("schedule" if first == last else "calendar", NIGHT if first <= NIGHT <= last else first)
        return super().schedule(first, last)


def working() -> set[threading.Thread]:
    """Return the threads that hold a process up; a heartbeat does not."""
    return {thread for thread in threading.enumerate() if not thread.daemon}


def test_every_fetch_of_a_replay_has_a_line_of_its_own(tmp_path: Path) -> None:
    played = play(SyntheticSource(), tmp_path)
    told = [(str(row["workflow"]), str(row["scraper_name"]), str(row["status"])) for row in played.log[:5]]
    assert told == [
        ("same_day", "nbac_schedule", "success"),
        ("same_day", "odds_api_player_points_props", "success"),
        ("overnight", "nbac_gamebook_player_stats", "success"),
        ("overnight", "nbac_shot_chart", "no_data"),
        ("overnight", "odds_api_player_points_props", "success"),
    ]
    (asked,) = (row for row in played.log if row["workflow"] == "dates")
    assert (asked["scraper_name"], asked["game_date"], asked["record_count"]) == ("nbac_schedule", NIGHT, 2)
    assert len(played.log) == 1 + 2 * 5
    assert len({row["execution_id"] for row in played.log}) == 1 + 2 * 5
    assert {row["source"] for row in played.log} == {"synthetic"}
    assert {row["retry_count"] for row in played.log} == {0}
    (box,) = played.of("nbac_gamebook_player_stats")
    assert box["record_count"] == len(SyntheticSource().batch(NIGHT))


def test_where_it_cannot_be_told_which_dates_have_games_that_is_a_line_too_with_its_repeats(tmp_path: Path) -> None:
    class Down(SyntheticSource):
        def dates(self, first: date, last: date) -> list[date]:
            self.retries += 2
            if self.is_down:
                raise ConnectionError("the league does not answer")
            return super().dates(first, last)

        is_down = True

    source = Down()
    runner = Runner(source, state=tmp_path)
    try:
        with pytest.raises(ConnectionError):
            runner.run(NIGHT, LAST)
        source.is_down = False
        played = Played(runner)
    finally:
        runner.close()
    told = [(row["status"], row["error_type"], row["error_message"], row["retry_count"]) for row in
            sorted(played.of("nbac_schedule"), key=lambda row: str(row["completed_at"]))[:2]]  # fmt: skip
    assert told == [("failed", "ConnectionError", "the league does not answer", 2), ("success", None, None, 2)]
    assert played.replay.unsettled == ()


def test_a_question_that_was_answered_in_the_end_is_nothing_that_was_not_fetched(tmp_path: Path) -> None:
    class Once(SyntheticSource):
        def dates(self, first: date, last: date) -> list[date]:
            self.retries += 1
            if self.retries == 1:
                raise ConnectionError("the league does not answer")
            return super().dates(max(first, NIGHT), last)

    source, first = Once(), date(2026, 2, 2)
    runner = Runner(source, state=tmp_path)
    try:
        with pytest.raises(ConnectionError):
            runner.run(first, NIGHT)
        replay = runner.run(first, NIGHT)
        assert remarks(runner.pipeline, source, replay, first=first, last=NIGHT).not_fetched == ()
    finally:
        runner.close()


def test_lines_that_the_log_does_not_take_are_kept_and_written_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Pipeline.begin

    def locked(self: Pipeline, run: str, *, step: str | None = None) -> AbstractContextManager[StepRun]:
        if step == "scraper_execution_log":
            raise Unavailable("the warehouse is locked")
        return begin(self, run, step=step)

    with monkeypatch.context() as patched:
        patched.setattr(Pipeline, "begin", locked)
        source, runner = SyntheticSource(), Runner(SyntheticSource(), state=tmp_path)
        try:
            replay = runner.run(NIGHT, LAST)
            said = remarks(runner.pipeline, source, replay, first=NIGHT, last=LAST)
        finally:
            runner.close()
    assert sum("the warehouse is locked" in line for line in replay.unsettled) == 2, "once for each date"
    assert said.not_fetched == (), "there is no log yet"
    again = play(SyntheticSource(), tmp_path)
    assert again.replay.unsettled == ()
    assert len(again.log) == 2 * (1 + 2 * 5)
    assert list((tmp_path / "fetches").iterdir()) == []


def test_on_a_clock_that_goes_by_itself_lines_of_the_future_wait_and_keep_no_others_back(tmp_path: Path) -> None:
    ahead = datetime.now(UTC) + timedelta(days=3)
    recorder = Recorder("overnight", source="synthetic", now=ahead.timestamp)
    spool = Spool(tmp_path / "fetches")
    spool.add(recorder.fetch("nbac_schedule", NIGHT, call=list[RawRow]).log)
    spool.close()
    runner = Runner(SyntheticSource(), state=tmp_path, clock=SystemClock(), modes=["same_day"])
    try:
        replay = runner.run(NIGHT, NIGHT)
        log = runner.pipeline.query(LOG)
    finally:
        runner.close()
    assert replay.unsettled == ()
    assert sorted(str(row["workflow"]) for row in log) == ["dates", "same_day", "same_day"]
    (kept,) = (tmp_path / "fetches").iterdir()
    assert kept.read_bytes().count(b"\n") == 1


def test_a_span_without_games_leaves_the_line_of_the_question(tmp_path: Path) -> None:
    class Off(SyntheticSource):
        def dates(self, first: date, last: date) -> list[date]:  # noqa: ARG002  the interface's
            return []

    played = play(Off(), tmp_path)
    assert [(row["workflow"], row["status"], row["game_date"]) for row in played.log] == [("dates", "no_data", NIGHT)]


KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from nba_props.replay.runner import Runner
from nba_props.sources.synthetic import SyntheticSource

class Killed(SyntheticSource):
    def props(self, day, *, at=None):
        runner.clock.skip_to(runner.clock.now() + 86_400)
        return super().props(day, at=at)

    def batch(self, day):
        os.kill(os.getpid(), signal.SIGKILL)

runner = Runner(Killed(), state=Path(sys.argv[1]))
runner.run(date(2026, 2, 3), date(2026, 2, 4))
"""


def test_the_lines_of_a_replay_that_was_killed_are_written_by_the_next(tmp_path: Path) -> None:
    for _ in range(2):
        killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
        assert killed.returncode == -signal.SIGKILL
    played = play(SyntheticSource(), tmp_path)
    assert len([row for row in played.log if row["workflow"] == "dates"]) == 3
    assert len(played.of("odds_api_player_points_props")) == 3 * 2, "both that were killed had fetched them too"
    assert len({row["execution_id"] for row in played.log}) == len(played.log)
    assert played.replay.unsettled == (), "though their clock was days ahead of this one"
    assert list((tmp_path / "fetches").iterdir()) == []


def test_the_time_that_a_fetch_took_is_in_its_line(tmp_path: Path) -> None:
    class Slow(SyntheticSource):
        def batch(self, day: date) -> list[RawRow]:
            if day == NIGHT:
                runner.clock.sleep(42.0)
            return super().batch(day)

    runner = Runner(Slow(), state=tmp_path)
    try:
        (box,) = Played(runner).of("nbac_gamebook_player_stats")
    finally:
        runner.close()
    assert 42.0 <= float(str(box["duration_seconds"])) < 60.0


@pytest.mark.parametrize("workers", [1, 2])
def test_box_scores_that_cannot_be_fetched_leave_a_line_and_keep_no_other_date_back(
    workers: int, tmp_path: Path
) -> None:
    played = play(Failing("batch"), tmp_path, workers=workers)
    (box,) = played.of("nbac_gamebook_player_stats")
    assert (box["status"], box["record_count"], box["retry_count"]) == ("failed", 0, 2)
    assert (box["error_type"], box["error_message"]) == ("ConnectionError", "the league does not answer")
    assert [line.split(":")[0] for line in played.replay.unsettled] == ["raw of 2026-02-03.overnight is waiting"]
    assert played.replay.gates["precompute"] == (3, 3)
    assert played.replay.gates["scrapes"] == (2, 2)


def test_lines_of_the_odds_that_cannot_be_fetched_leave_the_night_without_them_once_its_deadline_is_over(
    tmp_path: Path,
) -> None:
    played = play(Failing("props"), tmp_path)
    assert [row["status"] for row in played.of("odds_api_player_points_props")] == ["failed", "failed"]
    assert played.replay.gates["raw"] == (4, 4)
    told = "is degraded: generation 1 fired without odds_api_player_points_props"
    assert played.replay.unsettled == tuple(f"raw of 2026-02-03.{mode} {told}" for mode in ("overnight", "same_day"))


def test_a_schedule_that_cannot_be_fetched_leaves_a_line_though_nobody_knows_whether_there_are_games(
    tmp_path: Path,
) -> None:
    played = play(Failing("schedule", "calendar"), tmp_path)
    told = [(row["workflow"], row["status"], row["error_message"]) for row in played.of("nbac_schedule")]
    assert told == [*[(mode, "failed", "the league does not answer") for mode in ("same_day", "overnight")],
                    ("dates", "success", None)]  # fmt: skip
    assert len(played.log) == 1 + 2 * 6, "what nobody could write before the games is fetched again after them"
    refused = [line for line in played.replay.unsettled if "was refused" in line]
    assert len(refused) == 2 * 6
    assert all("the calendar has no answer for 2026-02-0" in line for line in refused)


def test_a_schedule_that_cannot_be_fetched_keeps_its_own_night_back_and_no_other(tmp_path: Path) -> None:
    played = play(Failing("schedule"), tmp_path)
    assert [row["status"] for row in played.of("nbac_schedule")] == ["failed", "failed", "success"]
    waiting = [line.split(":")[0] for line in played.replay.unsettled]
    assert waiting == [f"raw of 2026-02-03.{mode} is waiting" for mode in ("overnight", "same_day")]
    assert played.replay.gates["precompute"] == (2, 2)


@pytest.mark.usefixtures("stoppable")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_replay_that_is_stopped_leaves_nobody_at_work(workers: int, tmp_path: Path) -> None:
    class Interrupted(SyntheticSource):
        def props(self, day: date, *, at: datetime | None = None) -> list[RawRow]:
            if day == NIGHT:
                os.kill(os.getpid(), signal.SIGINT)
            return super().props(day, at=at)

    before = working()
    runner = Runner(Interrupted(), state=tmp_path, workers=workers)
    try:
        with pytest.raises(KeyboardInterrupt):
            runner.run(NIGHT, LAST)
        assert working() == before
        there = runner.pipeline.runs.read("raw", parse_run(f"{NIGHT}.overnight"))
        assert there is None or "nbac_gamebook_player_stats" not in there.members
    finally:
        runner.close()
    assert play(SyntheticSource(), tmp_path, workers=2).replay.unsettled == ()


@pytest.mark.parametrize("started", [[], IN_BACKGROUND], ids=["by hand", "in the background of a script"])
@pytest.mark.usefixtures("stoppable")
def test_stopped_by_a_person_at_any_moment_it_ends_with_130_and_says_how_to_go_on(
    started: list[str], tmp_path: Path
) -> None:
    command = [*started, sys.executable, "-m", "nba_props", "run", "--synthetic",
               "--from", "2026-02-01", "--to", "2026-02-28", "--state", str(tmp_path)]  # fmt: skip
    for after_s in (1.2, 1.9):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            try:
                time.sleep(after_s)
                assert process.poll() is None, "it was over before it could be stopped"
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=60)
            finally:
                process.kill()  # else one that goes on fails the next test too
        assert process.returncode == 130, said
        assert said.splitlines()[-1] == "nba-props: stopped; start it again with the same arguments to continue"


def test_lines_and_schedule_that_one_mode_did_not_take_are_given_to_the_next(tmp_path: Path) -> None:
    runner = Runner(SyntheticSource(), state=tmp_path)
    try:
        runner.pipeline.runs.void("raw", parse_run(f"{NIGHT}.same_day"), reason="nobody wants it")
        replay = runner.run(NIGHT, NIGHT)
    finally:
        runner.close()
    assert replay.unsettled == ()
    assert replay.gates == {"scrapes": (1, 1), "raw": (1, 1), "analytics": (1, 1), "precompute": (1, 1)}
    assert replay.tables["nba_raw.odds_api_player_points_props"][0] == 180
    assert replay.tables["nba_raw.nbac_schedule"][0] == 10


def test_a_write_that_is_refused_ends_no_replay_and_is_told(tmp_path: Path) -> None:
    class Shrunk(SyntheticSource):
        def shots(self, day: date) -> list[RawRow]:
            return shots[:3] if day == NIGHT and self.retries else shots if day == NIGHT else []

    shots = [dict(zip(SHOTS.columns, (str(NIGHT), "1", n, "a", 1, "A", "BOS", "rim", 1, False, True), strict=True))
             for n in range(10)]  # fmt: skip
    for row in shots:
        row["game_date"] = NIGHT
    source = Shrunk()
    play(source, tmp_path)
    source.retries = 1
    again = play(source, tmp_path).replay
    assert again.dates == 2
    assert [line for line in again.unsettled if "nbac_shot_chart of 2026-02-03.overnight was refused" in line]


def test_a_state_folder_whose_path_is_too_long_for_a_socket_is_replayed_by_several_workers(tmp_path: Path) -> None:
    plain = play(SyntheticSource(), tmp_path / "plain").replay
    played = play(SyntheticSource(), tmp_path / ("long" * 30), workers=2).replay
    assert played.tables == plain.tables
    assert played.unsettled == ()


def test_the_evening_before_is_played_when_it_is_asked_for(tmp_path: Path) -> None:
    runner = Runner(SyntheticSource(), state=tmp_path, modes=MODES)
    try:
        played = Played(runner)
    finally:
        runner.close()
    # the lines come at eight in the morning: the evening's gate fires without them, and in the morning again with them
    assert played.replay.gates["raw"] == (6, 10)
    assert {name: runs for name, (runs, _) in played.replay.gates.items()} == {
        "scrapes": 2, "raw": 6, "analytics": 6, "precompute": 6
    }  # fmt: skip
    lines = [row["record_count"] for row in played.of("odds_api_player_points_props") if row["workflow"] == "tomorrow"]
    assert lines == [0]
    assert played.replay.unsettled == ()
    assert [row["workflow"] for row in played.of("nbac_schedule")] == ["tomorrow", "same_day", "dates"]


def test_on_a_clock_that_goes_by_itself_nothing_is_skipped(tmp_path: Path) -> None:
    clock = SystemClock()
    runner = Runner(Failing("batch"), state=tmp_path, clock=clock)
    begun = clock.monotonic()
    try:
        replay = runner.run(NIGHT, NIGHT)
    finally:
        runner.close()
    assert clock.monotonic() - begun < 60.0
    assert replay.gates["precompute"] == (1, 1)
    assert len(replay.unsettled) == 1
