"""What a PostgreSQL store refuses, with the reason and the mend, and never with a password."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from phasegate.errors import BadInput, Unavailable
from phasegate.postgresql.address import parse_address
from phasegate.postgresql.pool import Pool
from phasegate.postgresql.schema import Component, Migration, check_of, migrate
from phasegate.stores.postgres import STORE, PostgresStore, migrate_store
from phasegate.testing.store_model import THREADS, together
from tests.support.postgres import PostgresServer

PASSWORD = "p@ss/w:rd"
NEXT = Migration(("ALTER TABLE phasegate.documents ADD COLUMN extra text",), usable_from=1)
BREAKING = Migration(("ALTER TABLE phasegate.documents DROP COLUMN extra",), usable_from=3)


def later(*migrations: Migration) -> Component:
    """Return the store's schema as a later version of this program has it."""
    return Component(STORE.name, (*STORE.migrations, *migrations))


def usable(url: str, component: Component) -> None:
    address = parse_address(url)
    pool = Pool(address, what="store", greet=check_of(component, address=address))
    try:
        pool.connect().close()
    finally:
        pool.close()


@pytest.fixture
def guarded(postgres_15: PostgresServer) -> Iterator[str]:
    """Give the name of a database of a role that the server asks for a password and for TLS."""
    name = postgres_15.database()
    quoted = PASSWORD.replace("'", "''")
    postgres_15.sql(f"DROP ROLE IF EXISTS guarded; CREATE ROLE guarded LOGIN PASSWORD '{quoted}'")
    postgres_15.sql(f"GRANT CREATE, CONNECT ON DATABASE {name} TO guarded")
    yield name
    postgres_15.sql(f"DROP DATABASE {name} WITH (FORCE)")


def test_two_versions_work_side_by_side_until_one_excludes_the_other(postgres_15: PostgresServer) -> None:
    url = postgres_15.url()
    pool = Pool(parse_address(url), what="store")
    with pytest.raises(Unavailable, match=r"older Phasegate .schema 1, this one needs 2.; migrate it"):
        usable(url, later(NEXT))
    assert migrate(pool, later(NEXT)) == (1, 2)
    usable(url, STORE)
    usable(url, later(NEXT))
    assert migrate_store(url)[1:] == (2, 2), "an older program leaves a newer schema as it is"
    assert migrate(pool, later(NEXT, BREAKING)) == (2, 3)
    newer = "newer Phasegate .schema 3, this one reads up to 1.; upgrade this process"
    with pytest.raises(Unavailable, match=newer):
        PostgresStore(url)
    with pytest.raises(Unavailable, match="newer Phasegate"):
        migrate_store(url)
    pool.close()


def test_several_may_create_the_store_at_once(postgres_15: PostgresServer) -> None:
    url = postgres_15.address(postgres_15.database())
    found = [(before, after) for _, before, after in together(lambda _: migrate_store(url))]
    assert sorted(found) == [(0, 1), *[(1, 1)] * (THREADS - 1)]
    usable(url, STORE)


def test_a_migration_that_fails_changes_nothing(postgres_15: PostgresServer) -> None:
    url = postgres_15.url()
    pool = Pool(parse_address(url), what="store")
    with pytest.raises(Unavailable, match="not usable"):
        migrate(pool, later(NEXT, Migration(("SELECT 1 / 0",), usable_from=1)))
    usable(url, STORE)
    assert migrate(pool, later(NEXT)) == (1, 2)
    pool.close()


def test_a_database_that_is_not_in_utf_8_is_refused(postgres_15: PostgresServer) -> None:
    postgres_15.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    url = postgres_15.address("latin")
    migrate_store(url)
    with pytest.raises(Unavailable, match="is in LATIN1; create the database with ENCODING 'UTF8'"):
        PostgresStore(url)
    postgres_15.sql("DROP DATABASE latin")


def test_a_read_only_database_is_refused_as_a_replica_would_be(postgres_15: PostgresServer) -> None:
    url = postgres_15.url()
    postgres_15.sql(f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_read_only = on")
    with pytest.raises(Unavailable, match="read-only; give the address of the primary server"):
        PostgresStore(url)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("postgresql://127.0.0.1:1/db", "store postgresql://127.0.0.1:1/db cannot be reached: .*that the server runs"),
        ("postgresql://me:secret@127.0.0.1:1/db", "store postgresql://127.0.0.1:1/db cannot be reached"),
    ],
)
def test_a_server_that_is_not_there_is_unavailable_at_once(url: str, error: str) -> None:
    with pytest.raises(Unavailable, match=error) as caught:
        PostgresStore(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql://me:a@b@h/db", "postgres://h/db", "h/db", "postgresql://h/db?x=1"])
def test_what_is_no_address_is_bad_input_without_a_part_of_it(url: str) -> None:
    with pytest.raises(BadInput, match=r"^postgresql:…: ") as caught:
        PostgresStore(url)
    assert "a@b" not in str(caught.value)


def test_a_database_that_does_not_exist_is_named(postgres_15: PostgresServer) -> None:
    with pytest.raises(Unavailable, match='database "none" does not exist; create the role and the database'):
        PostgresStore(postgres_15.address("none"))


def test_the_password_comes_from_the_url_the_environment_or_a_file_and_is_never_shown(
    postgres_15: PostgresServer, guarded: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain = postgres_15.address(guarded, user="guarded")
    with_password = plain.replace("guarded@", "guarded:p%40ss%2Fw%3Ard@")
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    with pytest.raises(Unavailable, match=r"set the password in PGPASSWORD or ~/\.pgpass"):
        migrate_store(plain)
    with pytest.raises(Unavailable) as caught:
        migrate_store(with_password.replace("p%40ss", "wr%40ng"))
    assert "wr@ng" not in str(caught.value)
    migrate_store(with_password)
    store = PostgresStore(with_password)
    assert PASSWORD not in repr((store, store._pool, vars(store), vars(store._pool)))
    assert "p%40ss" not in repr((vars(store), vars(store._pool)))
    store.close()
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    PostgresStore(plain).close()
    monkeypatch.delenv("PGPASSWORD")
    file = tmp_path / "pgpass"
    file.write_text(f"*:*:*:guarded:{PASSWORD.replace(':', chr(92) + ':')}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    PostgresStore(plain).close()


def test_tls_is_as_the_url_asks(postgres_15: PostgresServer, guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    url = postgres_15.address(guarded, user="guarded")
    certificate = postgres_15.folder / "data" / "server.crt"
    with pytest.raises(Unavailable, match=r"pg_hba\.conf"):
        migrate_store(f"{url}?sslmode=disable")
    migrate_store(f"{url}?sslmode=verify-ca&sslrootcert={certificate}")
    with pytest.raises(Unavailable, match="check sslmode and sslrootcert"):
        PostgresStore(f"{url}?sslmode=verify-full&sslrootcert={certificate}")
    store = PostgresStore(f"{url}?sslmode=require")
    with store._pool.connection("read") as connection:
        assert connection.pgconn.ssl_in_use
    store.close()


def test_a_role_without_the_rights_is_named_what_to_grant(postgres_15: PostgresServer, guarded: str,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    migrate_store(postgres_15.address(guarded))
    url = postgres_15.address(guarded, user="guarded")
    with pytest.raises(Unavailable, match=r"not permitted .*grant it to this role"):
        PostgresStore(url)
    rights = "GRANT USAGE ON SCHEMA phasegate TO guarded; GRANT ALL ON ALL TABLES IN SCHEMA phasegate TO guarded"
    postgres_15.sql(rights, database=guarded)
    store = PostgresStore(url)
    assert store.write("a", {}, due=None, expect=None)
    store.close()
    assert migrate_store(url)[1:] == (1, 1)


def test_without_the_package_the_extra_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(
        BadInput, match=r"store postgresql://h/db needs psycopg; run: pip install 'phasegate\[postgresql"
    ):
        PostgresStore("postgresql://h/db")
