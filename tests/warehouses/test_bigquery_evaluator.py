"""Rows and their digests in Google's reference evaluator, which computes what BigQuery does."""

import json
import re
from collections.abc import Sequence
from contextlib import closing

import pytest

from phasegate.base import fingerprint as prints
from phasegate.base.table import Table
from phasegate.testing.golden import GOLDEN, PRINTS, ROWS
from phasegate.testing.warehouse_rows import TYPED, typed_rows
from phasegate.warehouse import Row
from phasegate.warehouses.bigquery.dialect import BigQueryDialect, as_declared, as_stored, named
from phasegate.warehouses.bigquery.rows import LoadedRows
from phasegate.warehouses.bigquery.statements import BigQuerySql
from phasegate.warehouses.sql.cells import check_rows
from tests.support.sql_engines import SqlEngine, evaluator

SQL = BigQuerySql(BigQueryDialect("phasegate"))


@pytest.fixture(scope="module")
def engine() -> SqlEngine:
    return evaluator()


def staged_print(engine: SqlEngine, table: Table, rows: Sequence[Row]) -> object:
    """Give the fingerprint of rows from Python, as a staging hashes them and a commit folds the digests."""
    types = as_stored(table.columns)
    declared = as_declared(table, types)
    with closing(LoadedRows(check_rows(table, rows, types=declared), declared)) as loaded:
        source, bound = loaded.parameter()
    staged = SQL.staged(table, source, types, cells={name: f"q.`{name}`" for name in types})
    text, names = named(f"SELECT {SQL.fold()} FROM (SELECT _pg_digest AS h FROM ({staged}) s) q")
    assert names == ("rows",)
    literal = json.dumps(bound["rows"], ensure_ascii=False)
    ((found,),) = engine.ask(re.sub("@rows", lambda _: literal, text), {})
    return found


@pytest.mark.parametrize("kind", ROWS)
def test_golden_rows_have_their_fingerprint(engine: SqlEngine, kind: str) -> None:
    assert staged_print(engine, GOLDEN, [golden.row for golden in ROWS[kind]]) == PRINTS[kind]


def test_values_that_databases_spell_differently_have_the_fingerprint_of_the_reference(engine: SqlEngine) -> None:
    rows = typed_rows(3, 60)
    assert staged_print(engine, TYPED, rows) == prints.fingerprint(TYPED, rows, columns=tuple(TYPED.columns))
