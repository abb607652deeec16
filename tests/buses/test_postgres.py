"""Wake-ups by NOTIFY between processes and threads, and what happens where they do not arrive."""

import os
from collections.abc import Iterator

import pytest

from phasegate.buses import postgres
from phasegate.buses.postgres import PostgresWake
from phasegate.stores.postgres import PostgresStore
from phasegate.system import SystemClock
from tests.support import wakes
from tests.support.bus_ports import ManualClock
from tests.support.postgres import Bouncer, PostgresServer
from tests.support.wakes import LONG_S, RECEIVE

RECEIVING = RECEIVE.format(
    imports="""from phasegate.buses.postgres import PostgresWake
from phasegate.stores.postgres import PostgresStore""",
    wake="PostgresWake(sys.argv[1], clock=clock, poll_s=60.0)",
    store="PostgresStore(sys.argv[1])",
)


@pytest.fixture(scope="module")
def url(postgres_15: PostgresServer) -> str:
    return postgres_15.url()


@pytest.fixture
def wake(url: str) -> Iterator[PostgresWake]:
    wake = PostgresWake(url, clock=SystemClock(), poll_s=LONG_S)
    yield wake
    wake.close()


def test_another_process_is_woken_long_before_it_would_poll(url: str, wake: PostgresWake) -> None:
    store = PostgresStore(url)
    wakes.another_process_is_woken(RECEIVING, url, store=store, wake=wake)
    store.close()


def test_the_first_wait_returns_at_once_and_a_poke_before_the_next_one_is_not_lost(wake: PostgresWake) -> None:
    assert wake.wait(LONG_S), "something may have been published before we listened"
    assert wake.polling_because == ""
    wake.poke()
    wake.poke()
    assert [wake.wait(LONG_S), wake.wait(LONG_S), wake.wait(0.05)] == [True, True, False]


def test_each_poke_wakes_one_more_thread(wake: PostgresWake) -> None:
    wakes.each_poke_wakes_one_more_thread(wake)


def test_waiting_ends_with_the_time_or_with_the_next_look(url: str) -> None:
    wake = PostgresWake(url, clock=SystemClock(), poll_s=0.01)
    wakes.waiting_ends_with_the_time_or_with_the_next_look(wake)


def test_a_pooler_that_delivers_nothing_is_found_out_and_polled(
    bouncer: Bouncer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "PROBE_S", 0.2)
    clock = ManualClock()
    wake = PostgresWake(bouncer.url(), clock=clock, poll_s=0.25)
    before = clock.now()
    assert [wake.wait(10.0), wake.wait(0.1)] == [True, False]
    assert clock.now() - before == pytest.approx(0.35), "the time of the waits passed on the given clock"
    assert "a pooler in transaction mode" in wake.polling_because
    wake.poke()
    wake.close()


def test_a_server_that_is_gone_means_polling() -> None:
    clock = ManualClock()
    wake = PostgresWake("postgresql://127.0.0.1:1/none", clock=clock, poll_s=0.25)
    assert wake.wait(10.0)
    assert "cannot be reached" in wake.polling_because
    wake.poke()
    wake.close()


def test_a_connection_that_the_server_ended_is_made_again(wake: PostgresWake, postgres_15: PostgresServer) -> None:
    wake.wait(0.0)
    assert wake._listening is not None
    postgres_15.sql(f"SELECT pg_terminate_backend({wake._listening.info.backend_pid}, 60000)")
    assert wake.wait(LONG_S), "it may have missed a poke"
    assert wake.polling_because, "it says why, until it listens again"
    assert wake.wait(LONG_S)
    assert wake.polling_because == ""
    wake.poke()
    assert wake.wait(LONG_S)


def test_closing_wakes_who_waits(wake: PostgresWake) -> None:
    wakes.closing_wakes_a_thread_that_waits(wake)


def test_a_forked_child_listens_for_itself(wake: PostgresWake) -> None:
    wake.wait(0.0)
    child = os.fork()
    if child == 0:  # pragma: no cover, another process
        try:
            inherited = wake._listening
            fresh = wake.wait(LONG_S) and wake._listening is not inherited
            wake.close()
            os._exit(0 if fresh else 3)
        finally:
            os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    wake.poke()
    assert wake.wait(LONG_S), "the child took nothing from its parent"
