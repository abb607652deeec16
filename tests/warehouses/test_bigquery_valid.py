"""Every statement that the adapter of BigQuery generates, and the ten step texts in it, judged by Google's analyser.

No server is needed: the scripts that the contract runs on the stand-in are judged where they run, in test_bigquery.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from phasegate.base.receipt import Receipt, Stamp
from phasegate.base.table import Difference, Table
from phasegate.testing.warehouse_rows import GAMES
from phasegate.warehouse import EqualSums, InputRead, SeenInput, Write
from phasegate.warehouses import bigquery
from phasegate.warehouses.bigquery.dialect import BigQueryDialect, as_stored, named
from phasegate.warehouses.bigquery.jobs import Job
from phasegate.warehouses.bigquery.scripts import WriteScripts
from phasegate.warehouses.bigquery.stamps import sql_of
from phasegate.warehouses.bigquery.statements import BigQueryOwn, BigQuerySql, fences_of
from phasegate.warehouses.sql.own_tables import RECEIPT_FIELDS, field_type
from tests.support.golden_sql import translated
from tests.support.googlesql import Analyser, Scripts
from tests.support.step_warehouse import DAY, TABLES, Warehouse

NAMES = BigQueryDialect("phasegate")
SQL, OWN, EVERY = BigQuerySql(NAMES), BigQueryOwn(NAMES, guarded=GAMES.name), BigQueryOwn(NAMES)
TYPES = as_stored(GAMES.columns)
STAGED = "`phasegate`.`phasegate_stage_1`"
GROWN = Difference(added={"more": "DECIMAL(8,2)"})
OTHER = Difference(retyped={"points": ("BIGINT", "VARCHAR")}, removed={"ratio": "DOUBLE"})
# What is bound where it is no text.
VALUES: dict[str, object] = {
    **{name: {"BIGINT": 1, "DOUBLE": 1.0, "BOOLEAN": False}.get(field_type(name), "x") for name in RECEIPT_FIELDS},
    "key": ["player"], "shape": 0, "kept": 1, "shrink_max": 0.5, "bytes_billed": 0,
}  # fmt: skip
# The statements that are no part of a staging or a commit, which are judged whole.
STATEMENTS: dict[str, list[str]] = {
    "add_lineage": [SQL.add_lineage(GAMES)],
    "rewrite": [f"{'; '.join(SQL.rewrite(GAMES, one, stored=TYPES))}" for one in (GROWN, OTHER)],
    "count": [SQL.count(GAMES, TYPES, partition=partition) for partition in (True, False)],
    "fingerprint": [SQL.fingerprint(GAMES, TYPES, partition=partition) for partition in (True, False)],
    "fingerprints": [SQL.fingerprints(GAMES, TYPES, dates=dates) for dates in (True, False)],
    "rows": [SQL.rows(GAMES, TYPES, limit=10, offset=20)],
    "repeats": [SQL.repeats(GAMES, TYPES, key=GAMES.key, dates=True)],
    "fences_of": [fences_of([OWN.fence])],
    "mend_fences": [OWN.mend_fences(where="r.table_name = $table")],
    "guarded": [EVERY.guarded()],
    "touch_none": [EVERY.touch_none()],
    "touch": [OWN.touch()],
    "add_fence": [OWN.add_fence()],
    "pass_fences": [OWN.pass_fences()],
    "foreign_fences": [OWN.foreign_fences()],
    "read_fence": [OWN.read_fence()],
    "change_fence": [OWN.change_fence(holders=2)],
    "open_shape": [OWN.open_shape()],
    "close_shape": [f"DECLARE v_shape INT64; {OWN.close_shape()}"],
    "adoption": [EVERY.adoption([OWN.fence], parts=parts) for parts in (None, 0, 2)],
    "read_key": [EVERY.read_key()],
    "put_key": [EVERY.put_key()],
    "change_key": [EVERY.change_key()],
    "find_write": [EVERY.find_write()],
    "receipts_of": [EVERY.receipts_of(tables=2, partitions=2)],
    "receipts_between": [EVERY.receipts_between()],
    "stamps_between": [EVERY.stamps_between()],
}


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser()


def judge(analyser: Analyser, *scripts: str, values: Mapping[str, object] = VALUES) -> None:
    judged = Scripts(analyser)
    made = [*OWN.system(), OWN.add_fence_table(), SQL.create(GAMES, TYPES)]
    for script in (*made, *scripts):
        judged.ran(Job(script, {name: values.get(name, "x") for name in named(script)[1]}, "statement", {}))
    judged.judge()


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_is_valid(analyser: Analyser, name: str) -> None:
    judge(analyser, *STATEMENTS[name])


def test_a_statement_that_the_stand_in_runs_and_bigquery_would_refuse_is_found(analyser: Analyser) -> None:
    judge(analyser, f"SELECT count(*) FROM {OWN.fence}")
    for wrong in (f"SELECT token + '1' FROM {OWN.fence}", f"SELECT pionts FROM {OWN.fence}"):
        with pytest.raises(ValueError, match=r"Could not cast literal|Unrecognized name"):
            judge(analyser, wrong)


def test_every_statement_that_the_adapter_asks_for_is_judged_here_or_in_a_script() -> None:
    texts = {path.name: path.read_text() for path in Path(bigquery.__file__).parent.glob("*.py")}
    asked = set(re.findall(r"(?:sql|own|fences|keys|own\(\w*\)|own_tables|_own)\.(\w+)\(", "".join(texts.values())))
    known = {name for kind in (BigQuerySql, BigQueryOwn) for name in dir(kind) if not name.startswith("_")}
    scripts = set(re.findall(r"\.(\w+)\(", texts["scripts.py"] + texts["staging.py"] + texts["stamps.py"]))
    made = {"create", "system", "add_fence_table"}
    assert (asked & known) - scripts - made <= STATEMENTS.keys()


def written(table: Table, *, columns: Mapping[str, str]) -> Write:
    receipt = Receipt(write_id="w", table=table.name, partition=DAY.isoformat(), run="r", step="s", token=1,
                      fingerprint="", built_from={})  # fmt: skip
    read = InputRead(table=GAMES, first=DAY.isoformat(), last=DAY.isoformat(), foreign=True)
    seen = SeenInput(name="games", read=read, stamps={DAY.isoformat(): Stamp("1-a", 1)})
    number = next(name for name, kind in columns.items() if kind in ("BIGINT", "DOUBLE"))
    rule = EqualSums(column=number, by=(), table=table, other=number)
    return Write(table=table, receipt=receipt, store_id="s", holders=("h",), sums=(rule,), inputs=(seen,))


@pytest.fixture(scope="module")
def shapes() -> dict[str, dict[str, str]]:
    """Give the columns of all tables of the reference pipeline, as DuckDB makes them of its texts."""
    warehouse = Warehouse()
    warehouse.play()
    warehouse.forecast(DAY + timedelta(days=1))
    tables = warehouse.db.execute("SELECT table_schema || '.' || table_name FROM information_schema.tables").fetchall()
    return {
        name: as_stored({column: kind for column, kind, *_ in warehouse.db.execute(f"DESCRIBE {name}").fetchall()})
        for (name,) in tables
    }


@pytest.mark.slow
@pytest.mark.parametrize("step", TABLES)
def test_the_scripts_of_a_step_s_write_are_valid(
    step: str, analyser: Analyser, shapes: Mapping[str, Mapping[str, str]]
) -> None:
    steps = translated("bigquery").steps
    tables = {one.table.name: one.table for one in steps.values() if one.table and one.table.name in shapes}
    table, sql = tables[TABLES[step]], steps[step].sql
    types = {**shapes, GAMES.name: TYPES}
    write = written(table, columns=types[table.name])
    own = BigQueryOwn(NAMES, guarded=table.name)
    stamps = sql_of([one.read for one in write.inputs], types=types, sql=SQL, receipts=own.receipts)
    scripts = WriteScripts(table, types, sql=SQL, own=own)
    selected = replace(table, name="nba.selected")
    cells = SQL.from_query(table, types[table.name], yielded=types[table.name])
    judge(
        analyser,
        *(SQL.create(one, shapes[one.name]) for one in tables.values()),
        sql,
        own.add_fence_table(),
        SQL.create(selected, types[table.name]),
        scripts.stage(STAGED, NAMES.reference(selected.name), cells=cells, stamps=stamps),
        scripts.commit(write, STAGED, stamps=stamps),
    )
