"""The contract of ports.Warehouse on PostgreSQL, and what that warehouse promises besides."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from msgspec.structs import replace

from phasegate.base.fingerprint import SCALE_MAX, float_text
from phasegate.errors import Ambiguous, BadInput, Conflict, PhasegateError, Unavailable
from phasegate.testing.warehouse_contract import WarehouseContract
from phasegate.testing.warehouse_rows import DAY, GAMES, commit, game, prepare, staging, write, write_of
from phasegate.warehouse import Written
from phasegate.warehouses.postgres.session import STAGING
from phasegate.warehouses.postgres.warehouse import PostgresWarehouse, migrate_warehouse
from phasegate.warehouses.sql.transaction import SqlTransaction
from tests.support.postgres import Bouncer, PostgresServer, system_server

SCHEMAS = ("contract", "phasegate", STAGING)
EVERYTHING = f"SELECT * FROM {GAMES.name}"
RUNNING = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"


def emptied(url: str) -> Iterator[PostgresWarehouse]:
    """Give a warehouse without tables; at the end no staging table may be left."""
    with psycopg.connect(url, autocommit=True) as connection:
        for schema in SCHEMAS:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())
    warehouse = PostgresWarehouse(url)
    yield warehouse
    warehouse.close()
    assert left(url) == [], "a staging table is left"


def left(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        found = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
        return connection.execute(found, [STAGING]).fetchall()


@pytest.fixture(scope="module")
def url_15(postgres_15: PostgresServer) -> str:
    return postgres_15.url()


@pytest.fixture(scope="module")
def url_18(postgres_18: PostgresServer) -> str:
    return postgres_18.url()


@pytest.fixture(scope="module")
def url_of_bouncer(bouncer: Bouncer) -> str:
    return bouncer.url()


@pytest.fixture
def warehouse(url_15: str) -> Iterator[PostgresWarehouse]:
    yield from emptied(url_15)


class TestPostgresWarehouse(WarehouseContract):
    @pytest.fixture
    def warehouse(self, url_15: str) -> Iterator[PostgresWarehouse]:
        yield from emptied(url_15)

    def select_all(self, table_name: str, /) -> str:
        return f"SELECT * FROM {table_name}"


class TestPostgresWarehouseOf18(TestPostgresWarehouse):
    @pytest.fixture
    def warehouse(self, url_18: str) -> Iterator[PostgresWarehouse]:
        yield from emptied(url_18)


class TestPostgresWarehouseThroughPgBouncer(TestPostgresWarehouse):
    """A pooler in transaction mode: no transaction may rely on the connection of another."""

    @pytest.fixture
    def warehouse(self, url_of_bouncer: str) -> Iterator[PostgresWarehouse]:
        yield from emptied(url_of_bouncer)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELEC 1", "SQL for table contract.games: must be one SELECT"),
        ("SELECT nope FROM contract.games", 'SQL for table contract.games: column "nope" does not exist'),
        ("SELECT $missing AS points", "Values were not provided for the parameter $missing"),
        ("SELECT 1 AS a; SELECT 2 AS a", "SQL for table contract.games: syntax error"),
        ("DROP TABLE contract.games", "SQL for table contract.games: must be one SELECT"),
        ("WITH gone AS (DELETE FROM contract.games RETURNING *) SELECT * FROM gone", "must be at the top level"),
    ],
)
def test_wrong_sql_is_named_in_one_line(warehouse: PostgresWarehouse, sql: str, expected: str) -> None:
    write(warehouse, GAMES, [game("a")])
    with pytest.raises(BadInput) as refused:
        commit(warehouse, GAMES, sql=sql)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)
    assert isinstance(commit(warehouse, GAMES, sql=f"{EVERYTHING}; "), Written)


def running(url: str) -> int:
    """Wait for the backend of a long statement; return its process."""
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            found = connection.execute(RUNNING).fetchone()
            if found is not None:
                return int(found[0])


def during(work: Callable[[], object], act: Callable[[], object]) -> None:
    """Do some work, and in another thread what ends it."""
    thread = threading.Thread(target=act)
    thread.start()
    try:
        work()
    finally:
        thread.join()


def test_a_running_select_can_be_interrupted_from_a_thread(warehouse: PostgresWarehouse, url_15: str) -> None:
    write(warehouse, GAMES, [game("a")])
    long = staging(warehouse, GAMES, sql=f"SELECT g.* FROM {GAMES.name} g, pg_sleep(60)")

    def stop() -> None:
        running(url_15)
        long.interrupt()

    with pytest.raises(Unavailable, match="interrupted"):
        during(long.__enter__, stop)


def test_a_staging_whose_backend_ends_is_unavailable(warehouse: PostgresWarehouse, url_15: str) -> None:
    write(warehouse, GAMES, [game("a")])
    long = staging(warehouse, GAMES, sql=f"SELECT g.* FROM {GAMES.name} g, pg_sleep(60)")
    with pytest.raises(Unavailable, match="try again"):
        during(long.__enter__, lambda: terminate(url_15, running(url_15)))
    write(warehouse, GAMES, [game("b")], token=2)


def test_a_commit_whose_backend_ends_is_ambiguous_and_can_be_looked_for(
    warehouse: PostgresWarehouse, url_15: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(warehouse, GAMES, [game("a")])
    right = SqlTransaction.put_receipt

    def put_receipt(self: SqlTransaction, *args: object) -> None:
        right(self, *args)  # type: ignore[arg-type]  # as they came
        ((pid,),) = self.session.run("SELECT pg_backend_pid()", what="this backend")
        terminate(url_15, int(pid))

    monkeypatch.setattr(SqlTransaction, "put_receipt", put_receipt)
    with pytest.raises(Ambiguous, match="may or may not have happened"):
        commit(warehouse, GAMES, [game("b")], token=2, write_id="w2")
    assert warehouse.find_write("w2") is None
    monkeypatch.undo()
    assert isinstance(commit(warehouse, GAMES, [game("b")], token=2, write_id="w2"), Written)


def test_rows_that_a_killed_backend_took_out_of_the_staging_of_others_are_staged_again(
    postgres_18: PostgresServer,
) -> None:
    url = postgres_18.url()
    warehouse = PostgresWarehouse(url)
    write(warehouse, GAMES, [game("a"), game("b")])
    with staging(warehouse, GAMES, [game("a", 11), game("b", 12)]) as staged:
        postgres_18.kill_a_backend()
        until_it_answers(postgres_18)
        with pytest.raises(Conflict, match="stage them again"):
            warehouse.commit(write_of(GAMES, staged, token=2, write_id="second"), staged)
    with warehouse.snapshot() as reader:
        assert reader.count(GAMES, partition=DAY) == 2, "rows that were not staged any more were written"
    assert isinstance(commit(warehouse, GAMES, [game("a", 11)], token=2, write_id="third"), Written)
    warehouse.close()


def until_it_answers(server: PostgresServer) -> None:
    while True:
        try:
            server.sql("SELECT 1")
        except psycopg.OperationalError:
            continue
        return


def terminate(url: str, pid: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])


def test_staging_tables_of_a_process_that_ended_expire(warehouse: PostgresWarehouse, url_15: str) -> None:
    prepare(warehouse, GAMES)
    with psycopg.connect(url_15, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {STAGING}.stage_1770000000_0a1b (a integer)".encode())
    with staging(warehouse, GAMES, [game("a")]) as staged:
        prepare(warehouse, GAMES, day="2026-03-01")
        assert staged.counts.rows == 1
        assert isinstance(warehouse.commit(write_of(GAMES, staged, day=DAY), staged), Written)


def test_a_server_that_is_not_there_is_named_without_a_secret() -> None:
    warehouse = PostgresWarehouse("postgresql://me:secret@127.0.0.1:1/db")
    with pytest.raises(PhasegateError, match=r"warehouse postgresql://127\.0\.0\.1:1/db cannot be reached") as refused:
        warehouse.find_write("w")
    assert "secret" not in str(refused.value)


def drawn_floats(count: int) -> list[float]:
    """Return floats of every magnitude, ties of rounding among them."""
    draw = random.Random(7)
    ways: tuple[Callable[[], float], ...] = (
        lambda: float(draw.randrange(-(10**6), 10**6) / 2 ** draw.randrange(30)),
        lambda: round(draw.uniform(-1e5, 1e5), draw.randrange(8)),
        lambda: draw.uniform(-1, 1) * 10 ** draw.uniform(-300, 300),
        lambda: draw.choice((-0.0, 0.5, 2.5, 0.125, 1 + 2**-17, 5e-324, 1e22, 99999999.999999, 99999999.9999995)),
        lambda: float(draw.randrange(10**15, 10**18)),
        lambda: draw.randrange(1, 10**14) / 10 ** draw.randrange(15),
    )
    return [draw.choice(ways)() for _ in range(count)]


def test_floats_have_the_texts_that_python_gives_them(warehouse: PostgresWarehouse, url_15: str) -> None:
    prepare(warehouse, GAMES)
    values = drawn_floats(400)
    with psycopg.connect(url_15, autocommit=True) as connection:
        for scale in range(SCALE_MAX + 1):
            rows = "unnest(%s::float8[]) WITH ORDINALITY AS f(x, n)"
            texts = f"SELECT phasegate.float_text(x, {scale}) FROM {rows} ORDER BY n"
            found = [text for (text,) in connection.execute(texts.encode(), [values]).fetchall()]
            assert found == [float_text(value, scale=scale) for value in values]


def test_texts_are_ordered_by_code_points_in_a_database_of_another_order(postgres_15: PostgresServer) -> None:
    name = "ordered_otherwise"
    postgres_15.sql(f"CREATE DATABASE {name} LOCALE_PROVIDER icu ICU_LOCALE 'en-US' TEMPLATE template0")
    warehouse = PostgresWarehouse(postgres_15.address(name))
    try:
        write(warehouse, GAMES, [game("b"), game("A"), game("C"), game("ä")])
        asked = f"SELECT player, row_number() OVER (ORDER BY player) AS place FROM {GAMES.name} ORDER BY player"
        with warehouse.snapshot() as reader:
            assert [row["player"] for row in reader.query(asked, {})] == ["A", "C", "b", "ä"]
            assert reader.query(f"SELECT min(upper(player)) AS first FROM {GAMES.name}", {}) == [{"first": "A"}]
    finally:
        warehouse.close()
        postgres_15.sql(f"DROP DATABASE {name}")


def test_a_partition_is_found_by_an_index(warehouse: PostgresWarehouse, url_15: str) -> None:
    write(warehouse, GAMES, [game("a")])
    with psycopg.connect(url_15, autocommit=True) as connection:
        connection.execute("SET enable_seqscan = off")
        asked = f"EXPLAIN DELETE FROM {GAMES.name} AS t WHERE t.game_date = DATE '2026-02-03'"
        plan = " ".join(str(line) for (line,) in connection.execute(asked.encode()).fetchall())
        found = "EXPLAIN SELECT * FROM phasegate.receipts WHERE write_id = 'w'"
        receipts = " ".join(str(line) for (line,) in connection.execute(found.encode()).fetchall())
    assert "games_game_date_idx" in plan
    assert "receipts_by_write" in receipts


def test_floats_are_written_whole_though_the_role_shows_fewer_digits(postgres_15: PostgresServer) -> None:
    url = postgres_15.url()
    database = url.rpartition("/")[2]
    postgres_15.sql(f"ALTER DATABASE {database} SET extra_float_digits = -3")
    warehouse = PostgresWarehouse(url)
    write(warehouse, GAMES, [game("a", ratio=123456789012.34)])
    with warehouse.snapshot() as reader:
        assert reader.query(f"SELECT ratio FROM {GAMES.name}", {}) == [{"ratio": 123456789012.34}]
    warehouse.close()


def test_a_dollar_in_a_text_a_name_or_a_comment_is_no_parameter(warehouse: PostgresWarehouse) -> None:
    asked = """SELECT '$run_date ''$a' AS "a $b", $run_date || '%' AS c -- $d
        /* $e */ WHERE $run_date LIKE '2026%'"""
    with warehouse.snapshot() as reader:
        assert reader.query(asked, {"run_date": DAY}) == [{"a $b": "$run_date '$a", "c": f"{DAY}%"}]


def test_rows_that_were_staged_before_the_server_crashed_are_staged_again_and_none_is_lost() -> None:
    with system_server() as server:
        warehouse = PostgresWarehouse(server.url())
        write(warehouse, GAMES, [game("a"), game("b")])
        with staging(warehouse, GAMES, [game("a"), game("c")]) as staged:
            server.restart()
            with pytest.raises((Conflict, Ambiguous)):
                warehouse.commit(write_of(GAMES, staged, token=2), staged)
        with warehouse.snapshot() as reader:
            assert sorted(str(row["player"]) for row in reader.query(EVERYTHING, {})) == ["a", "b"]
        assert isinstance(commit(warehouse, GAMES, [game("a"), game("c")], token=2, write_id="w2"), Written)
        warehouse.close()


def test_a_role_without_a_grant_is_named(
    warehouse: PostgresWarehouse, postgres_15: PostgresServer, url_15: str
) -> None:
    write(warehouse, GAMES, [game("a")])
    postgres_15.sql("DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN")
    stranger = PostgresWarehouse(url_15.replace("postgres@", "stranger@"))
    with pytest.raises(Unavailable, match=r"not permitted .*; grant it to this role"), stranger.snapshot() as reader:
        reader.query(EVERYTHING, {})
    stranger.close()


def test_a_first_write_makes_what_init_makes_and_an_older_program_may_use_a_newer_one_that_admits_it(
    postgres_15: PostgresServer,
) -> None:
    name = postgres_15.database()
    url = postgres_15.address(name)
    with closing(PostgresWarehouse(url)) as warehouse:
        write(warehouse, GAMES, [game("a")])
    assert migrate_warehouse(url)[1:] == (1, 1)
    for usable_from in (1, 2):
        with closing(PostgresWarehouse(url)) as newer:
            changed = f"UPDATE phasegate.schema_versions SET version = 2, usable_from = {usable_from}"
            postgres_15.sql(f"{changed} WHERE component = 'warehouse'", database=name)
            if usable_from == 1:
                write(newer, GAMES, [game("b")], token=2, write_id="w2")
                continue
            with pytest.raises(Unavailable, match=r"newer Phasegate .schema 2, this one reads up to 1.; upgrade"):
                write(newer, GAMES, [game("b")], token=3, write_id="w3")


def test_several_may_make_the_first_write_of_a_database_at_once(postgres_15: PostgresServer) -> None:
    url = postgres_15.address(postgres_15.database())

    def begin(number: int) -> None:
        with closing(PostgresWarehouse(url)) as warehouse:
            write(warehouse, replace(GAMES, name=f"contract.t{number}"), [game("a")])

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(begin, range(6)))
    assert migrate_warehouse(url)[1:] == (1, 1)
