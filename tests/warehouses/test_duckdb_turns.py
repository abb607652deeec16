"""DuckDB's file between processes and threads: in turns, nothing lost, none starved, kills survived."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from phasegate.base.receipt import Fence
from phasegate.errors import Conflict, Unavailable
from phasegate.testing.warehouse_rows import DAY, GAMES, STORE, fence, game, prepare, write
from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse
from tests.support.processes import PART, PRELUDE, count_up_once, points, process


def test_processes_take_turns_and_lose_nothing(path: Path, warehouse: DuckDBWarehouse) -> None:
    writers, times = 4, 6
    command = [sys.executable, "-c", f"{PRELUDE}\nfor _ in range({times}): count_up()\n", str(path)]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(writers)]
    assert [one.communicate()[1] for one in started] == [""] * writers
    assert points(warehouse) == [writers * times]


def test_threads_share_the_file_and_lose_nothing(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, GAMES, [game("a", 0)])

    def count_up(_: int) -> int:
        conflicts = 0
        while True:
            try:
                count_up_once(warehouse)
            except Conflict:
                conflicts += 1
                assert conflicts < 1000
            else:
                return conflicts

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, range(20)))
    assert points(warehouse) == [20]


def test_threads_prepare_the_same_table_at_once(path: Path) -> None:
    for _ in range(5):
        warehouse = DuckDBWarehouse(path)
        barrier = threading.Barrier(4)

        def at_once(_: int, warehouse: DuckDBWarehouse = warehouse, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(10)
            prepare(warehouse, GAMES)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(at_once, range(4)))
        assert fence(warehouse, PART) == Fence(0, STORE)
        warehouse.close()
        path.unlink()


def test_a_held_file_is_unavailable_within_the_bound(path: Path, warehouse: DuckDBWarehouse) -> None:
    hasty = DuckDBWarehouse(path, lock_timeout_s=0.2)
    with process(path, "with warehouse._file.snapshot(): tell('in')", says="in") as holder:
        os.kill(holder.pid, signal.SIGSTOP)  # else it would serve
        begun = time.monotonic()
        with pytest.raises(Unavailable, match=rf"in use by process {holder.pid}, and was for 0\.2 s; wait for"):
            prepare(hasty, GAMES)
        assert time.monotonic() - begun < 5
        os.kill(holder.pid, signal.SIGCONT)
        assert holder.communicate("\n", timeout=60)[1] == ""
    write(warehouse, GAMES, [game("a", 3)])
    assert points(warehouse) == [3]


def test_an_idle_holder_lets_go_when_another_waits(path: Path) -> None:
    keeper = DuckDBWarehouse(path, hold_ms=3_600_000)
    write(keeper, GAMES, [game("a", 5)])
    with process(path, "count_up(); tell('done')", says="done"):
        pass
    assert points(keeper) == [6]
    keeper.close()


@contextmanager
def waiting_process(path: Path, warehouse: DuckDBWarehouse) -> Iterator[subprocess.Popen[str]]:
    """Run a process that waits for the file, to count up once and say so; neither can be served."""
    warehouse._turns._is_served = lambda: False
    code = "warehouse._turns._is_served = lambda: False; tell('here'); count_up(make=False); tell('done')"
    with process(path, code, says="here") as waiter:
        assert waiter.stdin is not None
        waiter.stdin.write("\n")
        waiter.stdin.flush()
        while not warehouse._turns._another_waits():
            assert waiter.poll() is None
            time.sleep(0.001)
        yield waiter
        assert waiter.stdout is not None
        assert waiter.stdout.readline().strip() == "done"


def test_a_thread_may_nest_its_uses_while_another_process_waits(path: Path, warehouse: DuckDBWarehouse) -> None:
    write(warehouse, GAMES, [game("a", 5)])
    with ExitStack() as waiting, warehouse.snapshot() as reader:
        waiting.enter_context(waiting_process(path, warehouse))
        assert warehouse.find_write("w") is not None
        assert reader.count(GAMES, partition=DAY) == 1
    assert points(warehouse) == [6]


def test_another_thread_lets_the_process_that_waits_go_first(path: Path, warehouse: DuckDBWarehouse) -> None:
    write(warehouse, GAMES, [game("a", 5)])
    with ThreadPoolExecutor(1) as pool, ExitStack() as waiting:
        with warehouse.snapshot():
            waiting.enter_context(waiting_process(path, warehouse))
            late = pool.submit(points, warehouse)
            opened = warehouse._turns._opened
            assert opened is not None
            while not (opened.leaving or late.done()):
                time.sleep(0.001)
        assert late.result(60) == [6]


def test_two_warehouses_of_one_process_take_turns(path: Path) -> None:
    one, two = DuckDBWarehouse(path, hold_ms=3_600_000), DuckDBWarehouse(path, hold_ms=3_600_000)
    for token, warehouse in enumerate((one, two, one, two), start=1):
        write(warehouse, GAMES, [game("a", token)], token=token)
    assert points(one) == [4]
    one.close()
    two.close()


def test_a_killed_process_leaves_nothing_and_holds_nothing(path: Path, warehouse: DuckDBWarehouse) -> None:
    write(warehouse, GAMES, [game("a", 1)], write_id="before")
    warehouse.close()
    code = """
    from phasegate.warehouses.sql.transaction import SqlTransaction
    def put_receipt(*_):
        tell("in")
    SqlTransaction.put_receipt = put_receipt  # the last statement before the commit
    with staging(warehouse, GAMES, [game("a", 9), game("b", 9)]) as staged:
        warehouse.commit(write_of(GAMES, staged, token=9), staged)
    """
    with process(path, code, says="in") as victim:
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait(60)
        write(warehouse, GAMES, [game("a", 2)], token=2, write_id="after")
    assert points(warehouse) == [2]
    assert warehouse.find_write("before") is not None


def test_a_forked_child_is_told_to_be_spawned(path: Path) -> None:
    code = """
    import os
    count_up()
    with warehouse.snapshot():
        child = os.fork()
        if child == 0:
            try:
                with warehouse.snapshot(): os._exit(1)
            except PhasegateError as error:
                os._exit(0 if "spawn" in str(error) else 2)
        assert os.waitpid(child, 0)[1] == 0
    count_up()
    tell("done")
    """
    with process(path, code, says="done"):
        pass
