"""Threads that work until idle stay for what the others have in hand."""

import threading

import pytest

from phasegate.observe.counting import CountingObserver
from phasegate.work.pool import WorkerPool
from tests.support.pipelines import generation, load, shop, totals

PATIENCE_S = 10.0


def idle_pool() -> WorkerPool:
    return WorkerPool(work_one=lambda: False, work=lambda _: None, observer=CountingObserver())


def test_a_thread_stays_while_another_has_a_unit_in_hand_for_it_may_lead_to_more() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(run: object) -> list[dict[str, object]]:
        begun.set()
        assert may_end.wait(PATIENCE_S)
        return totals(run)

    made = shop({"made:totals": slow})
    load(made, 1, 2)
    first = threading.Thread(target=made.pipeline.work_until_idle)
    first.start()
    assert begun.wait(PATIENCE_S)
    second = threading.Thread(target=made.pipeline.work_until_idle)
    second.start()
    second.join(0.05)
    assert second.is_alive()
    may_end.set()
    for thread in (first, second):
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert generation(made, "report") == 1


def test_waiting_ends_when_no_unit_is_in_hand_or_one_did_something() -> None:
    pool = idle_pool()
    seen = pool.finished
    assert not pool.wait(seen)
    with pool.unit() as unit:
        unit.done = False
    assert not pool.wait(seen)
    with pool.unit():
        pass
    assert pool.wait(seen)


def test_a_look_that_ends_in_an_error_counts_as_done_and_is_no_longer_in_hand() -> None:
    pool = idle_pool()
    with pytest.raises(RuntimeError), pool.unit():
        raise RuntimeError
    assert pool.finished == 1
    assert not pool.wait(pool.finished)
