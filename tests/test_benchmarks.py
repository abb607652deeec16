"""Benchmarks run, and say so when the numbers are not those that are known; how fast they are is nobody's test."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import duckdb
import pytest

from benchmarks.__main__ import ALL, main
from benchmarks.known import SEASONS
from benchmarks.seasons import firings
from nba_props.replay.tally import Replay, Tally

Capture: TypeAlias = pytest.CaptureFixture[str]


# these tests play them for longer
ELSEWHERE = {
    "google": "tests/nba_props/test_on_google.py",
    "night": "tests/test_night.py",
    "storm": "tests/stores/test_storm.py",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ALL if name not in ELSEWHERE])
def test_every_benchmark_prints_its_smallest_table(name: str, capsys: Capture) -> None:
    main([name, "--quick"])
    told = capsys.readouterr().out
    assert len(told.splitlines()) >= 2, "a head, and a line below it"
    if name == "disturbed":
        [named] = [line.split() for line in told.splitlines() if line.startswith("runs named")]
        assert named[-1] == "2", "a quick form in which nothing drifts shows nothing"


def test_the_other_benchmarks_are_run_where_it_is_said() -> None:
    for name, file in ELSEWHERE.items():
        assert re.search(rf"^from benchmarks(\.{name} import| import {name}$)", Path(file).read_text(), re.MULTILINE)


def test_several_benchmarks_are_run_one_after_the_other() -> None:
    command = [sys.executable, "-m", "benchmarks", "handoff", "dedup", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("== ")] == ["== handoff", "== dedup"]


def test_a_benchmark_takes_its_own_options_and_says_where_the_time_went() -> None:
    command = [sys.executable, "-m", "benchmarks", "season", "--quick", "--where", "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "3 dates" in done.stdout
    assert "with 1 worker(s)" in done.stdout
    calls = {line[:42].strip(): float(line[42:50]) for line in done.stdout.splitlines() if "of SQLite" in line}
    assert calls.keys() == {"reads of SQLite", "writes of SQLite"}
    assert min(calls.values()) > 50, "a verb that is not counted says nothing of where the time went"


@pytest.mark.parametrize("name", ["storm", "machines", "durable", "statements", "service"])
def test_a_server_that_is_not_there_is_named_at_home_and_ends_the_benchmark_in_ci(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("pathlib.Path.glob", lambda *_: [])
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.delenv("CI", raising=False)
    main([name, "--quick"])
    assert "NO SERVER: no initdb of the system's PostgreSQL" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SystemExit, match="NO SERVER"):
        main([name, "--quick"])


def test_an_emulator_that_is_not_there_is_named_at_home_and_ends_the_benchmark_in_ci(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setattr("benchmarks.google.calm", lambda *_, **__: None)
    for name in ("CI", "FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    main(["google", "--quick"])
    assert "NO SERVER: no gcloud; install the Google Cloud CLI" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SystemExit, match="NO SERVER"):
        main(["google", "--quick"])


def test_the_short_commands_are_shown_next_to_click_alone(capsys: Capture) -> None:
    main(["startup", "--rounds", "1"])
    rows = [line.rsplit(maxsplit=6) for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows[1:]] == [
        "python -c pass", "python -c 'import click'", "phasegate --help", "phasegate --version", "phasegate status"
    ]  # fmt: skip
    assert [rows[1][2], rows[2][3], rows[1][5], rows[2][6]] == ["1.00"] * 4


def opening_nights(nba_data: Path, folder: Path, *, but: str = "false") -> Path:
    """Copy the box scores of three opening nights, but for some lines."""
    folder.mkdir()
    for name, first, _ in SEASONS:
        file = f"player_game_{name}.parquet"
        duckdb.execute(
            f"""
            COPY (SELECT * FROM '{nba_data}/nba/{file}' WHERE GAME_DATE = '{first}' AND NOT ({but}))
            TO '{folder}/{file}' (FORMAT parquet)
            """
        )
    return folder


@pytest.mark.slow
def test_three_seasons_are_played_in_a_row_and_each_leaves_what_its_files_hold(
    nba_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("NBA_DATA", str(opening_nights(nba_data, tmp_path / "true")))
    main(["seasons", "--dates", "1"])
    told = capsys.readouterr().out
    assert [line.split()[:3] for line in told.splitlines()[1:5]] == [
        ["2022-23", "1", "2"],
        ["2023-24", "1", "2"],
        ["2024-25", "1", "2"],
        ["in", "all", "3"],
    ]
    assert told.endswith("known numbers, all as known           30\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [["season", "--first", "2024-10-22", "--last", "2024-10-22"], ["seasons", "--dates", "1"]], ids="-".join
)
def test_a_number_that_is_not_as_it_is_known_ends_the_benchmark_with_1_and_is_named(
    command: list[str], nba_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, capsys: Capture
) -> None:
    # a game that lacks more than 4 minutes of a team is refused as a whole
    lost = "GAME_DATE = '2024-10-22' AND PLAYER_NAME = 'Bronny James'"
    monkeypatch.setenv("NBA_DATA", str(opening_nights(nba_data, tmp_path / "lost", but=lost)))
    with pytest.raises(SystemExit) as ended:
        main(command)
    told = capsys.readouterr().out
    assert ended.value.code == 1
    assert "count(*) of nba_analytics.player_game_summary where true: 41, known to be 42\n" in told
    assert "known numbers, all as known" not in told


def test_a_gate_that_fires_twice_for_a_run_or_not_at_all_is_a_problem() -> None:
    done = Replay(dates=3, games=6, tables={}, gates={"scrapes": (3, 3), "raw": (6, 6)}, tally=Tally(), dead_letters=0,
                  crashes=0, unsettled=(), seconds=0.0)  # fmt: skip
    assert list(firings(done, lines_changed=0)) == []
    twice = replace(done, gates={"raw": (6, 7)})
    assert list(firings(twice, lines_changed=0)) == ["raw: 6 of 6 runs fired, 7 generations"]
    assert list(firings(twice, lines_changed=1)) == []
    assert list(firings(done, lines_changed=1)) == ["raw: 6 of 6 runs fired, 6 generations"]
    lost = replace(done, gates={"scrapes": (2, 2)})
    assert list(firings(lost, lines_changed=0)) == ["scrapes: 2 of 3 runs fired, 2 generations"]
