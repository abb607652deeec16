"""Pokes between threads and processes, and what happens where they cannot get through."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from phasegate.buses.wake import NoWake, WakeSocket
from phasegate.stores.sqlite import SQLiteStore
from phasegate.system import SystemClock
from tests.support import wakes
from tests.support.bus_ports import ManualClock
from tests.support.wakes import LONG_S, RECEIVE

RECEIVING = RECEIVE.format(
    imports="""from phasegate.buses.wake import WakeSocket
from phasegate.stores.sqlite import SQLiteStore""",
    wake='WakeSocket(sys.argv[1] + "/wake", clock=clock, poll_s=60.0)',
    store='SQLiteStore(sys.argv[1] + "/state.db")',
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder with a short path: pytest's own may be too long for a socket on some machines."""
    with tempfile.TemporaryDirectory(prefix="pg") as name:
        yield Path(name)


@pytest.fixture
def wake(folder: Path) -> Iterator[WakeSocket]:
    wake = WakeSocket(folder / "wake", clock=SystemClock(), poll_s=LONG_S)
    yield wake
    wake.close()


def test_another_process_is_woken_long_before_it_would_poll(folder: Path, wake: WakeSocket) -> None:
    store = SQLiteStore(folder / "state.db")
    wakes.another_process_is_woken(RECEIVING, str(folder), store=store, wake=wake)
    store.close()


def test_the_first_wait_returns_at_once_and_the_next_one_hears(wake: WakeSocket) -> None:
    assert wake.wait(LONG_S), "something may have been published before we listened"
    wake.poke()
    assert wake.wait(LONG_S)


def test_a_poke_before_the_wait_is_not_lost_and_counts_once(wake: WakeSocket) -> None:
    wake.wait(0.0)
    wake.poke()
    wake.poke()
    assert [wake.wait(0.0) for _ in range(3)] == [True, True, False]


def test_each_poke_wakes_one_more_thread(wake: WakeSocket) -> None:
    wakes.each_poke_wakes_one_more_thread(wake)


def test_waiting_ends_with_the_time_or_with_the_next_look(folder: Path) -> None:
    wake = WakeSocket(folder / "wake", clock=SystemClock(), poll_s=0.01)
    wakes.waiting_ends_with_the_time_or_with_the_next_look(wake)


def test_poking_when_nobody_waits_makes_nothing(wake: WakeSocket, folder: Path) -> None:
    wake.poke()
    assert [*folder.iterdir()] == []


def test_what_a_dead_process_left_is_removed_and_other_files_are_not(wake: WakeSocket, folder: Path) -> None:
    wake.wait(0.0)
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(folder / "wake" / "1-dead.sock"))
    dead.close()
    (folder / "wake" / "notes.txt").touch()
    (folder / "wake" / "plain.sock").touch()
    wake.poke()
    left = {path.name for path in (folder / "wake").iterdir()}
    assert "1-dead.sock" not in left
    assert "notes.txt" in left
    assert wake.wait(LONG_S)


def test_a_listener_that_does_not_read_blocks_no_publisher(wake: WakeSocket, folder: Path) -> None:
    wake.wait(0.0)
    other = WakeSocket(folder / "wake", clock=SystemClock(), poll_s=LONG_S)
    other.wait(0.0)
    for _ in range(5_000):
        wake.poke()
    assert wake.wait(LONG_S)
    assert other.wait(LONG_S)
    other.close()


def test_a_listener_whose_file_was_removed_listens_anew(wake: WakeSocket, folder: Path) -> None:
    wake.wait(0.0)
    (file,) = (folder / "wake").iterdir()
    file.unlink()
    assert wake.wait(LONG_S), "it may have missed a poke"
    wake.poke()
    assert wake.wait(LONG_S)


def test_a_path_too_long_for_a_socket_means_polling(folder: Path) -> None:
    clock = ManualClock()
    wake = WakeSocket(folder / ("x" * 120), clock=clock, poll_s=0.25)
    before = clock.now()
    assert [wake.wait(10.0), wake.wait(0.1)] == [True, False]
    assert clock.now() - before == pytest.approx(0.35)
    assert wake.polling_because == "AF_UNIX path too long"
    wake.poke()
    wake.close()


def test_a_folder_that_cannot_be_made_means_polling(folder: Path) -> None:
    (folder / "wake").touch()
    wake = WakeSocket(folder / "wake", clock=ManualClock(), poll_s=0.25)
    assert wake.wait(10.0)
    assert "File exists" in wake.polling_because
    wake.poke()


def test_closing_removes_the_file_and_wakes_who_waits(wake: WakeSocket, folder: Path) -> None:
    wakes.closing_wakes_a_thread_that_waits(wake)
    assert [*(folder / "wake").iterdir()] == []


def test_a_forked_child_has_a_socket_of_its_own(wake: WakeSocket, folder: Path) -> None:
    wake.wait(0.0)
    child = os.fork()
    if child == 0:  # pragma: no cover, another process
        try:
            wake.wait(LONG_S)
            both = len([*(folder / "wake").iterdir()])
            wake.close()
            os._exit(0 if both == 2 else 3)
        finally:
            os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    wake.poke()
    assert wake.wait(LONG_S), "the child took nothing from its parent"


def test_without_sockets_waiting_is_sleeping_on_the_given_clock() -> None:
    clock = ManualClock(100.0)
    wake = NoWake(clock, poll_s=0.5)
    wake.poke()
    assert [wake.wait(2.0), wake.wait(0.2), wake.wait(-1.0)] == [True, False, False]
    assert clock.now() == pytest.approx(100.7)
