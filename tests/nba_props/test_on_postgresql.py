"""A real week with store, bus and tables in one PostgreSQL, and disturbed dates in two. Needs the real data."""

from datetime import date
from functools import partial
from pathlib import Path

import pytest

from benchmarks.disturbed import Found, calm, disturbed, settled_in
from nba_props.replay.tally import Replay
from nba_props.sources.parquet import ParquetSource
from phasegate.warehouses.postgres.session import STAGING
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.slow

FIRST, LAST = date(2025, 1, 1), date(2025, 1, 7)
FAULTS = "duplicate=3,reorder,late=0.2,late_dates=0.3,late_days=1,crash=0.02,concurrent=2,seed=5"
DISTURBED = date(2025, 1, 3)


@pytest.fixture(scope="module")
def source(nba_data: Path) -> ParquetSource:
    return ParquetSource(nba_data)


@pytest.fixture(scope="module")
def week(source: ParquetSource, postgres_15: PostgresServer) -> Replay:
    url = postgres_15.url()
    return calm(source, first=FIRST, last=LAST, house=partial(settled_in, store=url, warehouse=url))


@pytest.fixture(scope="module")
def houses(postgres_18: PostgresServer) -> tuple[str, str]:
    return postgres_18.url(), postgres_18.address(postgres_18.database())


@pytest.fixture(scope="module")
def found(source: ParquetSource, houses: tuple[str, str]) -> Found:
    store, warehouse = houses
    return disturbed(source, first=FIRST, last=DISTURBED, faults=FAULTS,
                     house=partial(settled_in, store=store, warehouse=warehouse))  # fmt: skip


def test_a_week_on_postgresql_alone_ends_with_the_digests_of_files(source: ParquetSource, week: Replay) -> None:
    embedded = calm(source, first=FIRST, last=LAST)
    assert week.tables == embedded.tables
    assert len(week.tables) == 14
    assert week.gates == embedded.gates
    assert (week.unsettled, week.dead_letters) == ((), 0)


def test_disturbed_dates_in_two_databases_end_with_the_digests_of_calm_files(found: Found) -> None:
    assert found.late, "no date was late"
    assert found.before.crashes > 20
    assert list(found.problems(known={})) == []
    assert found.after.tables == found.calm.tables


def test_a_database_of_tables_has_no_documents_and_keeps_no_staging_table(
    found: Found, houses: tuple[str, str], postgres_18: PostgresServer
) -> None:
    database = houses[1].rpartition("/")[2]
    asked = f"SELECT table_name FROM information_schema.tables WHERE table_schema IN ('phasegate', '{STAGING}')"
    assert sorted(postgres_18.sql(asked, database=database)) == [
        ("fence",),
        ("keys",),
        ("receipts",),
        ("schema_versions",),
    ]
    assert found.after.dead_letters == 0


@pytest.fixture(autouse=True)
def nothing_else_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PHASEGATE_STORE", "PHASEGATE_WAREHOUSE"):
        monkeypatch.delenv(name, raising=False)
