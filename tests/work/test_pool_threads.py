"""Threads of a pool: each works, one that fails ends all, and its error has its number."""

import threading

import pytest

from phasegate.work.pool import Stop, WorkerPool
from tests.support.pipelines import Told


def pool(told: Told, *, units: int = 0, fails: bool = False) -> tuple[WorkerPool, list[str]]:
    """Return a pool with so many units of work, and the names of the threads that did them."""
    left, did, lock = iter(range(units)), list[str](), threading.Lock()

    def work_one() -> bool:
        if fails:
            raise ValueError("the disk is full")
        with lock:
            if next(left, None) is None:
                return False
            did.append(threading.current_thread().name)
            return True

    def work(stop: Stop) -> None:
        while not stop():
            work_one()

    return WorkerPool(work_one=work_one, work=work, observer=told), did


@pytest.mark.parametrize("threads", [1, 3])
def test_all_units_are_done_by_named_threads_and_then_the_pool_ends(threads: int) -> None:
    made, did = pool(Told(), units=40)
    assert made.run(threads=threads, until_idle=True) == ()
    assert len(did) == made.finished == 40
    assert set(did) <= {f"phasegate-worker-{number}" for number in range(1, threads + 1)}


def test_until_it_is_told_to_stop_a_pool_works() -> None:
    told = Told()
    made, did = pool(told, units=20)
    assert made.run(threads=1, stop=lambda: len(did) == 20) == ()
    assert len(did) == 20
    made, did = pool(told, units=20)
    made.run(threads=1, until_idle=True, stop=lambda: len(did) == 5)
    assert len(did) == 5


@pytest.mark.parametrize("until_idle", [True, False])
def test_a_thread_that_fails_ends_the_others_and_its_error_is_returned(until_idle: bool) -> None:
    told = Told()
    made, _ = pool(told, fails=True)
    errors = made.run(threads=2, until_idle=until_idle)
    assert {error.partition(": ")[2] for error in errors} == {"ValueError: the disk is full"}
    assert errors[0].startswith(("worker 1 failed", "worker 2 failed"))
    assert {fields["error"] for fields in told.of("worker failed")} == {"ValueError: the disk is full"}


def test_no_more_units_are_done_than_asked_for() -> None:
    made, did = pool(Told(), units=9)
    assert made.until_idle(units_max=4) == 4
    assert len(did) == 4
    assert made.until_idle() == 5
    assert made.until_idle() == 0
