"""The process that has DuckDB's file open serves the others: few openings, kills and long queries survived."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from fractions import Fraction
from pathlib import Path

import pytest

from phasegate.errors import Ambiguous, BadInput, Conflict, Unavailable
from phasegate.testing.warehouse_rows import DAY, GAMES, game, staging, write, write_of
from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse
from tests.support.processes import PRELUDE, points, process

ENDLESS = "SELECT count(*) AS n FROM range(3000000) a, range(3000000) b WHERE hash(a.range, b.range) = 0"


@contextmanager
def owned_elsewhere(path: Path, warehouse: DuckDBWarehouse) -> Iterator[subprocess.Popen[str]]:
    """Write a row, and let another process keep the file open."""
    write(warehouse, GAMES, [game("a", 5)])
    warehouse.close()
    with process(path, "with warehouse._file.snapshot(): tell('in')", says="in") as owner:
        yield owner
    assert warehouse.openings <= 2


def test_processes_that_work_at_once_open_the_file_a_few_times(path: Path, warehouse: DuckDBWarehouse) -> None:
    code = f"""{PRELUDE}
warehouse = DuckDBWarehouse(path, lock_timeout_s=60, hold_ms=60_000)
for _ in range(20):
    count_up()
print(warehouse.openings)
"""
    command = [sys.executable, "-c", code, str(path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate() for one in started]
    assert [error for _, error in said] == ["", ""]
    assert sum(int(openings) for openings, _ in said) <= 4, "the file is handed over for each write"
    assert points(warehouse) == [40]


def test_a_process_works_in_a_file_that_another_keeps_open(path: Path, warehouse: DuckDBWarehouse) -> None:
    with owned_elsewhere(path, warehouse):
        before = warehouse.openings
        write(warehouse, GAMES, [game("a", 6)])
        assert points(warehouse) == [6]
        assert warehouse.openings == before


@pytest.mark.parametrize("rows", [0, 4, 5, 6, 12])
def test_rows_for_a_file_that_another_has_open_are_sent_in_parts(
    rows: int, path: Path, warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phasegate.warehouses.duckdb.session.STAGE_ROWS", 5)
    with owned_elsewhere(path, warehouse):
        write(warehouse, GAMES, [game(f"p{n}", n) for n in range(rows)], token=2)
        with warehouse.snapshot() as reader:
            found = [row["points"] for row in reader.rows(GAMES, partition=DAY, limit=20)]
    assert sorted(found, key=str) == sorted(range(rows), key=str)


def test_a_write_whose_owner_is_killed_begins_again_at_once(path: Path, warehouse: DuckDBWarehouse) -> None:
    with owned_elsewhere(path, warehouse) as owner:
        staged = staging(warehouse, GAMES, [game("a", 9)])
        opened = staged._opened  # type: ignore[attr-defined]  # the moment after the file was found open there

        def killed(stack: ExitStack) -> object:
            verbs = opened(stack)
            kill(owner)
            return verbs

        staged._opened = killed  # type: ignore[attr-defined]
        with pytest.raises(Conflict, match="nothing was written"):
            staged.__enter__()
        write(warehouse, GAMES, [game("a", 7)], token=2)
    assert points(warehouse) == [7]


def test_a_commit_that_could_not_be_sent_begins_again_at_once(path: Path, warehouse: DuckDBWarehouse) -> None:
    with owned_elsewhere(path, warehouse) as owner:
        with staging(warehouse, GAMES, [game("a", 9)]) as staged:
            kill(owner)
            with pytest.raises(Conflict, match="nothing was written"):
                warehouse.commit(write_of(GAMES, staged, token=2, write_id="w2"), staged)
        assert warehouse.find_write("w2") is None
    assert points(warehouse) == [5]


def test_a_commit_whose_owner_is_killed_is_ambiguous(path: Path, warehouse: DuckDBWarehouse) -> None:
    with owned_elsewhere(path, warehouse) as owner:
        with staging(warehouse, GAMES, [game("a", 9)]) as staged:
            owner.send_signal(signal.SIGSTOP)
            killing = threading.Timer(0.2, kill, [owner])
            killing.start()
            with pytest.raises(Ambiguous, match="during the commit"):
                warehouse.commit(write_of(GAMES, staged, token=2, write_id="w2"), staged)
            killing.join()
        assert warehouse.find_write("w2") is None
    assert points(warehouse) == [5]


def test_a_snapshot_that_was_not_read_yet_is_opened_again(path: Path, warehouse: DuckDBWarehouse) -> None:
    with owned_elsewhere(path, warehouse) as owner, warehouse.snapshot() as reader:
        kill(owner)
        assert reader.count(GAMES, partition=DAY) == 1
        assert reader.count(GAMES, partition=DAY) == 1


def test_a_snapshot_that_was_read_does_not_change_under_its_reader(path: Path, warehouse: DuckDBWarehouse) -> None:
    with owned_elsewhere(path, warehouse) as owner, warehouse.snapshot() as reader:
        assert reader.count(GAMES, partition=DAY) == 1
        kill(owner)
        with pytest.raises(Unavailable, match="read again"):
            reader.count(GAMES, partition=DAY)


def test_a_long_query_of_one_process_stops_no_other_and_ends_with_it(path: Path) -> None:
    owner = DuckDBWarehouse(path, hold_ms=3_600_000)
    write(owner, GAMES, [game("a", 5)])
    with process(path, f"tell('here')\nwith warehouse.snapshot() as reader: reader.query({ENDLESS!r}, {{}})") as reader:
        assert reader.stdin is not None
        reader.stdin.write("\n")
        reader.stdin.flush()
        until_a_statement_runs(owner)
        write(owner, GAMES, [game("a", 6)], token=2)
        assert points(owner) == [6]
        with process(path, "count_up(); tell('done')", says="done"):
            pass
        assert points(owner) == [7]
    while owner._file.owner._visits:  # its statement is interrupted
        time.sleep(0.001)
    owner.close()


def test_a_process_that_closes_the_file_sends_long_writes_elsewhere(path: Path) -> None:
    owner, other = DuckDBWarehouse(path, hold_ms=3_600_000), DuckDBWarehouse(path)
    write(owner, GAMES, [game("a", 5)])

    def wait_long() -> None:
        with pytest.raises(Conflict, match="nothing was written"):
            staging(other, GAMES, sql=ENDLESS).__enter__()

    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(wait_long)
        until_a_statement_runs(owner)
        owner.close()
        long.result(60)
    write(other, GAMES, [game("a", 6)], token=2)
    assert (points(other), other.openings) == ([6], 1)
    other.close()


def test_a_write_in_another_process_can_be_interrupted(path: Path) -> None:
    owner, other = DuckDBWarehouse(path, hold_ms=3_600_000), DuckDBWarehouse(path)
    write(owner, GAMES, [game("a", 5)])

    long = staging(other, GAMES, sql=ENDLESS)

    def stop() -> None:
        until_a_statement_runs(owner)
        long.interrupt()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(stop)
        with pytest.raises(Unavailable, match="interrupted"):
            long.__enter__()
    assert points(other) == [5]
    other.close()
    owner.close()


def test_only_plain_values_reach_the_process_that_has_the_file_open(path: Path) -> None:
    class Points(int):
        """A cell of a library of the step."""

    owner, other = DuckDBWarehouse(path, hold_ms=3_600_000), DuckDBWarehouse(path)
    write(owner, GAMES, [game("a", 5)])
    with closing(owner), closing(other):
        with other.snapshot() as reader, pytest.raises(BadInput, match=r"fractions\.Fraction cannot be sent"):
            reader.query("SELECT $half", {"half": Fraction(1, 2)})
        write(other, GAMES, [{**game("a", 0), "points": Points(8)}], token=2)
        assert points(other) == [8]


def test_without_room_for_a_socket_processes_take_turns(tmp_path: Path) -> None:
    path = tmp_path / ("deep" * 30) / "night.duckdb"
    path.parent.mkdir()
    warehouse = DuckDBWarehouse(path, lock_timeout_s=60)
    write(warehouse, GAMES, [game("a", 5)])
    with process(path, "count_up(); tell('done')", says="done"):
        pass
    assert points(warehouse) == [6]
    warehouse.close()


def kill(owner: subprocess.Popen[str]) -> None:
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()


def until_a_statement_runs(owner: DuckDBWarehouse) -> None:
    while not any(visit.running for visit in owner._file.owner._channels.values()):
        time.sleep(0.001)
