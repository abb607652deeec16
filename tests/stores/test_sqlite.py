"""What the contract cannot see: files, processes, and everything that can be wrong with them."""

import gc
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import phasegate
from phasegate.errors import Ambiguous, Conflict, Unavailable
from phasegate.stores import sqlite
from phasegate.stores.sqlite import SQLiteStore
from tests.support.sqlite_files import integrity, says

INCREMENT = """
import sys
from phasegate.errors import Conflict
from phasegate.stores.sqlite import SQLiteStore
store = SQLiteStore(sys.argv[1], busy_s=60)
print("ready", flush=True)
sys.stdin.readline()
left = int(sys.argv[2])
while left:
    doc = store.read("n")
    try:
        store.write("n", {"n": doc.body["n"] + 1}, due=None, expect=doc.version)
    except Conflict:
        continue
    left -= 1
    print(left, flush=True)
"""
FIRST_USE = """
import sys
from phasegate.stores.sqlite import SQLiteStore
sys.stdin.readline()
store = SQLiteStore(sys.argv[1], busy_s=60)
store.write("by:" + sys.argv[2], {}, due=None, expect=None)
"""


def start(code: str, *arguments: object) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(Path(phasegate.__file__).parent.parent)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def test_processes_that_increment_lose_nothing(path: Path, store: SQLiteStore) -> None:
    store.write("n", {"n": 0}, due=None, expect=None)
    processes = [start(INCREMENT, path, 50) for _ in range(4)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        go(process)
    assert [process.communicate(timeout=120)[0].splitlines()[-1:] for process in processes] == [["0"]] * 4
    found = store.read("n")
    assert found is not None
    assert found.body == {"n": 200}


@pytest.mark.parametrize("kill_after", [1, 7, 40])
def test_a_killed_writer_loses_no_answered_write_and_breaks_nothing(
    path: Path, store: SQLiteStore, kill_after: int
) -> None:
    store.write("n", {"n": 0}, due=None, expect=None)
    process = start(INCREMENT, path, 1_000_000)
    go(process)
    assert process.stdout
    answered = [process.stdout.readline() for _ in range(1 + kill_after)]
    process.send_signal(signal.SIGKILL)
    answered += process.communicate(timeout=60)[0].splitlines(keepends=True)
    lines = [line for line in answered if line.endswith("\n") and line != "ready\n"]
    found = store.read("n")
    assert found is not None
    # The write that was under way when the signal came may have been committed unanswered.
    assert found.body["n"] in (len(lines), len(lines) + 1)
    assert integrity(path) == "ok"
    store.write("n", {"n": -1}, due=None, expect=found.version)


def test_many_processes_may_make_the_file_at_once(path: Path) -> None:
    processes = [start(FIRST_USE, path, n) for n in range(6)]
    for process in processes:
        go(process)
    for process in processes:
        process.communicate(timeout=120)
    assert [process.returncode for process in processes] == [0] * 6
    store = SQLiteStore(path)
    assert len(store.scan("by:")) == 6
    store.close()


def test_the_file_is_durable_and_says_whose_it_is(store: SQLiteStore) -> None:
    store.write("a", {}, due=None, expect=None)
    with store._connection("read") as connection:
        pragmas = ("journal_mode", "synchronous", "application_id", "user_version")
        values = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    assert values == ["wal", 2, sqlite.APPLICATION_ID, sqlite.SCHEMA]


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        (sqlite.STATEMENTS.due("ac")[0], (9.0, "a", "b", "c", "d", 0.0, "", 10)),
        (sqlite.STATEMENTS.next_due("ac")[0], ("a", "b", "c", "d")),
        (sqlite.STATEMENTS.scan, ("a", "", "b", "c", 9)),
    ],
    ids=["due", "next_due", "scan"],
)
def test_pages_come_from_an_index_unsorted(store: SQLiteStore, sql: str, values: tuple[object, ...]) -> None:
    with store._connection("read") as connection:
        plan = " ".join(row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + sql, values))
    assert "USING" in plan
    assert "INDEX" in plan
    assert "TEMP B-TREE" not in plan


def test_what_was_written_is_there_after_closing_and_opening(path: Path, store: SQLiteStore) -> None:
    version = store.write("a", {"n": 1}, due=2.0, expect=None)
    store.close()
    assert not path.with_name("state.db-wal").exists()
    again = SQLiteStore(path)
    assert again.read("a") == store.read("a")
    assert again.write("a", {"n": 2}, due=None, expect=version) != version
    again.close()


def test_threads_that_end_leave_no_connection_behind(path: Path) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        store = SQLiteStore(path)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda n: store.write(f"k{n}", {}, due=None, expect=None), range(64)))
        assert 1 <= len(store._pool.idle) <= 8
        connections = [*store._pool.idle]
        store.close()
        gc.collect()
    assert [str(one.message) for one in heard if issubclass(one.category, ResourceWarning)] == []
    for connection in connections:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def test_a_connection_in_use_while_closing_is_closed_afterwards(store: SQLiteStore) -> None:
    with store._connection("read") as connection:
        store.close()
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_a_forked_child_uses_connections_of_its_own(store: SQLiteStore) -> None:
    version = store.write("n", {"n": 1}, due=None, expect=None)
    parents = [*store._pool.idle]
    child = os.fork()
    if child == 0:  # pragma: no cover, another process
        try:
            store.write("n", {"n": 2}, due=None, expect=version)
            os._exit(0 if store._pool.idle and not set(store._pool.idle) & set(parents) else 3)
        finally:
            os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    found = store.read("n")
    assert found is not None
    assert found.body == {"n": 2}


def test_a_lock_held_too_long_is_unavailable_and_writes_nothing(path: Path, store: SQLiteStore) -> None:
    store.write("a", {"n": 1}, due=None, expect=None)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable) as refused:
        store.write("b", {}, due=None, expect=None)
    assert says(refused, path) == (
        "store PATH is locked by another writer for more than 0.2 s; stop that process, or raise busy_s"
    )
    assert store.read("a") is not None, "readers do not wait for writers"
    holder.execute("ROLLBACK")
    holder.close()
    assert store.read("b") is None
    store.write("b", {}, due=None, expect=None)


def test_a_turn_held_too_long_by_a_thread_is_unavailable(store: SQLiteStore) -> None:
    with store._pool.write_lock, pytest.raises(Unavailable, match=r"is locked by another writer for more than 0.2 s"):
        store.write("b", {}, due=None, expect=None)
    store.write("b", {}, due=None, expect=None)


def test_a_full_disk_is_unavailable_and_writes_nothing(path: Path, store: SQLiteStore) -> None:
    version = store.write("a", {"n": 1}, due=1.0, expect=None)
    (connection,) = store._pool.idle
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable) as refused:
        store.write("a", {"n": "x" * 50_000}, due=None, expect=version)
    said = "store PATH is not writable, nothing was written: the disk is full; free space and try again"
    assert says(refused, path) == said
    found = store.read("a")
    assert found is not None
    assert (found.version, found.body, found.due) == (version, {"n": 1}, 1.0)
    assert integrity(path) == "ok"
    store.write("a", {"n": "x" * 50_000}, due=None, expect=version)


@pytest.mark.parametrize(
    ("code", "purpose", "kind"),
    [
        (sqlite3.SQLITE_IOERR_FSYNC, "write", Ambiguous),
        (sqlite3.SQLITE_IOERR, "read", Unavailable),
        (sqlite3.SQLITE_FULL, "write", Unavailable),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "write", Unavailable),
        (sqlite3.SQLITE_CORRUPT, "write", Unavailable),
    ],
)
def test_only_a_write_that_nobody_can_judge_is_ambiguous(
    store: SQLiteStore, code: int, purpose: str, kind: type[Exception]
) -> None:
    error = sqlite3.OperationalError("told by SQLite")
    error.sqlite_errorcode = code
    assert purpose in ("read", "write")
    explained = store._explained(error, "read" if purpose == "read" else "write")
    assert type(explained) is kind
    assert "\n" not in str(explained)


def test_a_file_removed_or_replaced_while_open_is_refused(path: Path, store: SQLiteStore) -> None:
    store.write("a", {}, due=None, expect=None)
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink()
    with pytest.raises(Unavailable) as refused:
        store.write("b", {}, due=None, expect=None)
    assert says(refused, path) == (
        "store PATH is gone (No such file or directory); restore it, then restart this process"
    )
    other = SQLiteStore(path)
    with pytest.raises(Unavailable, match="is no longer the file that was opened; restart this process"):
        store.read("a")
    other.close()


def test_versions_do_not_come_again_after_an_older_copy_is_put_back(path: Path, tmp_path: Path) -> None:
    store = SQLiteStore(path)
    first = store.write("a", {"n": 1}, due=None, expect=None)
    store.close()
    copy = tmp_path / "copy.db"
    copy.write_bytes(path.read_bytes())
    later = store.write("a", {"n": 2}, due=None, expect=first)
    store.close()
    restored = SQLiteStore(copy)
    other = restored.write("a", {"n": "other"}, due=None, expect=first)
    with pytest.raises(Conflict):
        restored.write("a", {}, due=None, expect=later)
    assert other != later
    restored.close()


def test_closing_while_threads_write_loses_nothing(path: Path) -> None:
    store = SQLiteStore(path)
    started = threading.Barrier(5)

    def write(who: int) -> None:
        started.wait()
        for n in range(20):
            store.write(f"k{who}.{n}", {}, due=None, expect=None)

    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(write, who) for who in range(4)]
        started.wait()
        for _ in range(20):
            store.close()
        for one in running:
            one.result()
    assert len(store.scan("k", limit=1000)) == 80
    store.close()
