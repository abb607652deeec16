"""What a PostgreSQL store does under many writers, and when its server or a connection ends."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue

import psycopg
import pytest

from phasegate.errors import Ambiguous, Conflict, PhasegateError, Unavailable
from phasegate.postgresql.address import parse_address
from phasegate.postgresql.failures import Purpose, explained, refused
from phasegate.stores import postgres
from phasegate.stores.postgres import PostgresStore
from phasegate.testing.store_model import THREADS, together
from tests.support.postgres import Bouncer, PostgresServer, absent

EACH = 50
ADDRESS = parse_address("postgresql://me:pa%3Ass@h/db")


@pytest.fixture(scope="module")
def url(postgres_15: PostgresServer) -> str:
    return postgres_15.url()


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    store = PostgresStore(url)
    yield store
    store.close()


def add_one(store: PostgresStore, key: str) -> None:
    """Add 1 by compare-and-set, however often others are first."""
    while True:
        doc = store.read(key)
        assert doc is not None
        assert isinstance(doc.body["n"], int)
        try:
            store.write(key, {"n": doc.body["n"] + 1}, due=None, expect=doc.version)
        except Conflict:
            continue
        return


def add(store: PostgresStore, key: str, *, times: int) -> int:
    for _ in range(times):
        add_one(store, key)
    return times


def counted(url: str, key: str, *, times: int = EACH) -> object:
    """Let 8 writers with a store each add some times; return the sum that is stored."""
    stores = [PostgresStore(url, connections_max=1) for _ in range(THREADS)]
    stores[0].write(key, {"n": 0}, due=None, expect=None)
    together(lambda who: add(stores[who], key, times=times))
    doc = stores[0].read(key)
    for one in stores:
        one.close()
    assert doc is not None
    return doc.body["n"]


def test_of_eight_writers_on_one_document_none_loses_an_addition(
    postgres_15: PostgresServer, postgres_18: PostgresServer, bouncer: Bouncer
) -> None:
    for server in (postgres_15, postgres_18, bouncer):
        assert counted(server.url(), "eight") == THREADS * EACH == 400


def test_a_database_whose_default_is_serializable_refuses_the_later_writer_and_loses_nothing(
    postgres_18: PostgresServer,
) -> None:
    url = postgres_18.url()
    postgres_18.sql(f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_isolation = 'serializable'")
    assert counted(url, "eight", times=10) == THREADS * 10


def test_a_connection_is_used_again(store: PostgresStore) -> None:
    store.read("a")
    with store._pool.connection("read") as connection:
        pid = connection.info.backend_pid
    for _ in range(3):
        store.read("a")
        store.next_due()
    with store._pool.connection("read") as connection:
        assert connection.info.backend_pid == pid
    assert len(store._pool._open.idle) == 1


def database_of(store: PostgresStore) -> str:
    return store._pool.address.url.rpartition("/")[2]


def test_a_connection_that_was_ended_between_two_verbs_is_not_noticed(
    store: PostgresStore, postgres_15: PostgresServer
) -> None:
    version = store.write("ended", {"n": 1}, due=None, expect=None)
    postgres_15.end_backends(database_of(store))
    store.write("ended", {"n": 2}, due=None, expect=version)
    postgres_15.end_backends(database_of(store))
    assert store.read("ended") is not None


def waits(server: PostgresServer, pid: int) -> bool:
    return server.sql(f"SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = {pid}") == [(True,)]


@pytest.mark.parametrize(("verb", "kind"), [("write", Ambiguous), ("read", Unavailable)])
def test_a_backend_killed_in_the_middle_of_a_verb_is_ambiguous_for_a_write_and_unavailable_for_a_read(
    store: PostgresStore, postgres_15: PostgresServer, url: str, *, verb: str, kind: type[PhasegateError]
) -> None:
    version = store.write(verb, {"n": 1}, due=None, expect=None)
    with psycopg.connect(url) as other, ThreadPoolExecutor(1) as threads:
        other.execute("LOCK TABLE phasegate.documents IN ACCESS EXCLUSIVE MODE")
        pid = store._pool._open.idle[0].info.backend_pid
        if verb == "write":
            working = threads.submit(lambda: store.write(verb, {"n": 2}, due=None, expect=version))
        else:
            working = threads.submit(lambda: str(store.read(verb)))
        while not waits(postgres_15, pid):
            assert not working.done()
        postgres_15.sql(f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(kind):
            working.result(timeout=60)
    doc = store.read(verb)
    assert doc is not None
    assert store.write(verb, {"n": 3}, due=None, expect=doc.version)


def test_a_store_goes_on_after_its_connections_a_backend_and_the_server_were_killed(
    postgres_18: PostgresServer,
) -> None:
    store = PostgresStore(postgres_18.url())
    store.write("n", {"n": 0}, due=None, expect=None)
    unknown: list[Ambiguous] = []
    added: SimpleQueue[int] = SimpleQueue()
    enough = threading.Event()

    def work(who: int) -> int:
        done = 0
        while not enough.is_set():
            try:
                add_one(store, "n")
            except Ambiguous as error:
                unknown.append(error)
            except Unavailable:
                continue
            else:
                done += 1
                added.put(who)
        return done

    with ThreadPoolExecutor(4) as threads:
        working = [threads.submit(work, who) for who in range(4)]
        end_all = partial(postgres_18.end_backends, database_of(store))
        for blow in (end_all, postgres_18.kill_a_backend, postgres_18.restart):
            for _ in range(20):
                added.get(timeout=60)
            blow()
        while not added.empty():
            added.get()
        added.get(timeout=60)
        enough.set()
        confirmed = sum(one.result(timeout=60) for one in working)
    doc = store.read("n")
    assert doc is not None
    assert isinstance(doc.body["n"], int)
    assert confirmed <= doc.body["n"] <= confirmed + len(unknown)
    store.close()


def test_a_statement_that_takes_too_long_is_stopped_and_writes_nothing(url: str) -> None:
    store = PostgresStore(url, statement_timeout_s=1)
    version = store.write("slow", {"n": 1}, due=None, expect=None)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE phasegate.documents IN EXCLUSIVE MODE")
        with pytest.raises(Unavailable, match=r"too slow.*raise statement_timeout_s"):
            store.write("slow", {"n": 2}, due=None, expect=version)
    assert store.write("slow", {"n": 3}, due=None, expect=version)
    store.close()


def test_too_many_threads_at_once_wait_for_a_connection_and_then_say_so(url: str) -> None:
    store = PostgresStore(url, connections_max=1, connect_timeout_s=0.1)
    with store._pool.connection("read"), pytest.raises(Unavailable, match="raise connections_max"):
        store.read("a")
    assert store.read("a") is None
    store.close()


def test_a_forked_child_uses_connections_of_its_own(store: PostgresStore) -> None:
    store.write("forked", {"n": 0}, due=None, expect=None)
    child = os.fork()
    if child == 0:  # pragma: no cover, another process
        try:
            add_one(store, "forked")
            store.close()
            os._exit(0)
        finally:
            os._exit(4)
    add_one(store, "forked")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    doc = store.read("forked")
    assert doc is not None
    assert doc.body == {"n": 2}


def test_no_session_has_a_state_of_its_own(store: PostgresStore, bouncer: Bouncer) -> None:
    behind = PostgresStore(bouncer.url())
    for one in (store, behind):
        one.scan("")
        with one._pool.connection("read") as connection:
            assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            assert connection.execute("SELECT current_setting('application_name')").fetchone() == ("phasegate",)
    behind.close()


def test_pages_come_from_an_index(postgres_15: PostgresServer) -> None:
    (due, bounds), (next_due, _) = postgres.STATEMENTS.due("ac"), postgres.STATEMENTS.next_due("ac")
    pages: list[tuple[str, tuple[object, ...], str]] = [
        (postgres.STATEMENTS.read, ("a",), "documents_pkey"),
        (postgres.STATEMENTS.scan, ("a", "", "b", "c", 9), "documents_pkey"),
        (due, (9.0, *bounds, 0.0, "", 10), "documents_due"),
        (next_due, tuple(bounds), "documents_due"),
    ]
    with psycopg.connect(postgres_15.url()) as connection:
        connection.execute("""INSERT INTO phasegate.documents
            SELECT 'a' || n, n, '{}', CASE WHEN n % 50 = 0 THEN 1 + n END FROM generate_series(1, 5000) AS n""")
        connection.execute("ANALYZE phasegate.documents")
        for sql, values, index in pages:
            plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {sql}".encode(), values).fetchall())
            assert index in plan, sql
            assert "Seq Scan" not in plan


def test_a_missing_server_skips_at_home_and_fails_in_ci() -> None:
    with pytest.raises(pytest.skip.Exception, match="NO SERVER: no pgbouncer"):
        absent("no pgbouncer", {})
    with pytest.raises(pytest.fail.Exception, match="NO SERVER: no pgbouncer"):
        absent("no pgbouncer", {"CI": "true"})


@pytest.mark.parametrize(
    ("state", "kind", "text"),
    [
        ("40001", Conflict, "decide again"),
        ("40P01", Conflict, "decide again"),
        ("53100", Unavailable, "nothing was written: the disk is full; free space"),
        ("58030", Unavailable, "the disk is full"),
        ("53200", Unavailable, "memory ran out"),
        ("53300", Unavailable, "PgBouncer"),
        ("25006", Unavailable, "primary"),
        ("42501", Unavailable, "grant"),
        ("42P01", Unavailable, "phasegate init --store"),
        ("XX000", Unavailable, "the server's log"),
        ("XX001", Unavailable, "restore it from a backup"),
    ],
)
def test_an_error_of_a_statement_says_what_it_means_by_its_code(
    store: PostgresStore, *, state: str, kind: type[PhasegateError], text: str
) -> None:
    said = "could not extend file: No space left on device" if state == "58030" else "it was\nso"
    sql = f"DO $$ BEGIN RAISE EXCEPTION '{said}' USING ERRCODE = '{state}'; END $$"
    with pytest.raises(kind, match=text) as caught, store._pool.connection("write") as connection:
        connection.execute(sql.encode())
    assert "\n" not in str(caught.value)
    assert "DO $$" not in str(caught.value)


@pytest.mark.parametrize(("purpose", "kind"), [("write", Ambiguous), ("read", Unavailable)])
def test_a_connection_that_ends_in_a_statement_leaves_a_write_unknown(
    store: PostgresStore, purpose: Purpose, kind: type[PhasegateError]
) -> None:
    with pytest.raises(kind, match="terminating connection"), store._pool.connection(purpose) as connection:
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    error = explained(psycopg.OperationalError("gone: pa:ss"), what="store", address=ADDRESS, purpose=purpose)
    assert type(error) is kind
    assert "pa:ss" not in str(error)


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("password authentication failed", "PGPASSWORD"),
        ('database "x" does not exist', "create the role and the database"),
        ("no pg_hba.conf entry for host", "pg_hba.conf"),
        ("root certificate file does not exist", "create"),
        ("server does not support SSL", "TLS"),
        ("sorry, too many clients already", "max_connections"),
        ("the database system is starting up", "try again"),
        ("Connection refused", "that the server runs"),
    ],
)
def test_a_refused_connection_names_its_mend(said: str, mend: str) -> None:
    assert mend in str(refused(psycopg.OperationalError(said), what="store", address=ADDRESS))
