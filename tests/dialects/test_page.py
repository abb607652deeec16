"""Every row of the page on SQL that runs everywhere, on DuckDB, on PostgreSQL and in Google's evaluator."""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pytest

from phasegate.dialects.engines import ENGINES, Engine
from phasegate.dialects.translate import translate, untranslated
from tests.support.real_data import ROOT
from tests.support.sql_engines import SqlEngine, alike, evaluator, postgresql

PAGE = (ROOT / "docs" / "how-to" / "sql-that-runs-everywhere.md").read_text()
COLUMNS = {
    "day": "DATE", "shop": "VARCHAR", "amount": "DOUBLE", "price": "DECIMAL(12, 3)", "pieces": "INTEGER",
    "paid": "BOOLEAN", "sold_at": "TIMESTAMP",
}  # fmt: skip
TYPES = {"shop.sales": COLUMNS}
ROWS = [
    (date(2025, 1, 31), "ash", 2.5, Decimal("1.005"), 7, True, datetime(2025, 1, 31, 23, 30)),  # noqa: DTZ001  as stored
    (date(2025, 2, 3), "ash", 0.1, Decimal("2.675"), -7, False, datetime(2025, 2, 4, 0, 15)),  # noqa: DTZ001
    (date(2025, 2, 28), "Birch", None, None, None, None, None),
    (None, None, 12.125, Decimal("-3.500"), 3, True, datetime(2024, 12, 30, 1, 2, 3)),  # noqa: DTZ001
    (date(2024, 2, 29), "50%_off", 1250.75, Decimal("0.001"), 0, None, datetime(2025, 6, 1)),  # noqa: DTZ001
]
PARAMS = {"run_date": "2025-02-28"}
OTHERS: tuple[Engine, ...] = ("postgresql", "bigquery")
ON = {"both": OTHERS, "PostgreSQL": ("postgresql",), "BigQuery": ("bigquery",)}
CODE = re.compile(r"`([^`]*)`")


def rows_of(heading: str) -> Iterator[list[str]]:
    """Give the cells of a table's rows."""
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    for line in part.splitlines():
        if line.startswith("| `"):
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def select(snippet: str) -> str:
    """Give the SELECT that a snippet of the page stands for."""
    return snippet if snippet.startswith("SELECT") else f"SELECT {snippet} AS result FROM shop.sales"


ALLOWED = [select(CODE.findall(cells[0])[0]) for cells in rows_of("What you may write")]
REFUSED = {
    select(CODE.findall(cells[0])[0]): (ON[cells[1]], CODE.findall(cells[2])[0], select(CODE.findall(cells[3])[-1]))
    for cells in rows_of("What is refused, and what to write instead")
}


@pytest.fixture(scope="module")
def expected() -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(duckdb.connect()) as db:
        listed = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        db.execute(f"CREATE SCHEMA shop; CREATE TABLE shop.sales ({listed})")
        db.executemany(f"INSERT INTO shop.sales VALUES ({', '.join('?' * len(COLUMNS))})", ROWS)
        yield db


@pytest.fixture(scope="module")
def engines() -> Iterator[Mapping[Engine, SqlEngine]]:
    with postgresql() as server:
        found: Mapping[Engine, SqlEngine] = {"postgresql": server, "bigquery": evaluator()}
        for engine in found.values():
            engine.put("shop.sales", COLUMNS, ROWS)
        yield found


def test_the_page_has_rows() -> None:
    assert len(ALLOWED) > 40
    assert len(REFUSED) > 40


@pytest.mark.parametrize("sql", [*ALLOWED, *(mend for _, _, mend in REFUSED.values())])
def test_what_the_page_says_to_write_gives_equal_cells_on_every_engine(
    sql: str, expected: duckdb.DuckDBPyConnection, engines: Mapping[Engine, SqlEngine]
) -> None:
    wanted = alike(expected.execute(sql, PARAMS if "$run_date" in sql else {}).fetchall())
    for name, engine in engines.items():
        text = translate(sql, engine=name, types=TYPES)
        assert alike(engine.ask(text, PARAMS)) == wanted, text


@pytest.mark.parametrize("sql", REFUSED)
def test_what_the_page_says_is_refused_is_refused_with_these_words(sql: str) -> None:
    on, words, _ = REFUSED[sql]
    for engine in ENGINES:
        found = untranslated(sql, engine=engine, types=TYPES)
        assert bool(found) == (engine in on), (engine, found)
        assert not found or any(words in one.text for one in found), found
        assert all(one.mend for one in found)
