"""The statements of BigQuery, as texts: what they cost follows from them."""

from collections.abc import Callable

import pytest
import sqlglot
from msgspec.structs import replace
from sqlglot import exp

from phasegate.base.receipt import Receipt, Stamp
from phasegate.base.table import Table
from phasegate.errors import BadInput
from phasegate.testing.warehouse_groups import BOXES
from phasegate.testing.warehouse_rows import DAY, GAMES, LINES
from phasegate.warehouse import EqualSums, InputRead, SeenInput, Write
from phasegate.warehouses.bigquery.dialect import BigQueryDialect, as_stored, named
from phasegate.warehouses.bigquery.scripts import WriteScripts
from phasegate.warehouses.bigquery.stamps import read_text, sql_of, text_of
from phasegate.warehouses.bigquery.statements import BigQueryOwn, BigQuerySql, fence_table

NAMES = BigQueryDialect("phasegate")
SQL, OWN = BigQuerySql(NAMES), BigQueryOwn(NAMES, guarded=GAMES.name)
TYPES = {table.name: as_stored(table.columns) for table in (GAMES, BOXES)}
SPAN = ("t.`game_date` = SAFE_CAST(", "t.`game_date` BETWEEN SAFE_CAST(", "o.`game_date` = SAFE_CAST(")


def write_of(table: Table) -> Write:
    receipt = Receipt(write_id="w", table=table.name, partition=DAY, run="r", step="s", token=1, fingerprint="",
                      built_from={})  # fmt: skip
    rule = EqualSums(column="points", by=("player",), table=GAMES, other="points")
    read = InputRead(table=GAMES, first=DAY, last=DAY, foreign=True)
    seen = SeenInput(name="games", read=read, stamps={DAY: Stamp("1-a", 1)})
    return Write(table=table, receipt=receipt, store_id="s", holders=("h",), sums=(rule,), inputs=(seen,))


def commit(table: Table) -> str:
    write = write_of(table)
    stamps = sql_of([one.read for one in write.inputs], types=TYPES, sql=SQL, receipts=OWN.receipts)
    return WriteScripts(table, TYPES, sql=SQL, own=OWN).commit(write, "`phasegate`.`stage`", stamps=stamps)


def reads_of(script: str, table: Table) -> list[str]:
    """Give the innermost statements and SELECTs of a script that read or change a table."""
    places = [place for statement in script.split(";") for place in statement.split(NAMES.reference(table.name))[1:]]
    return [head if " WHERE " in (head := place.partition("FROM")[0]) else place for place in places]


@pytest.mark.parametrize("table", [GAMES, LINES, BOXES], ids=["replace", "merge", "groups"])
def test_every_read_of_a_guarded_table_in_a_commit_is_of_one_partition(table: Table) -> None:
    table = replace(table, name=BOXES.name) if table is LINES else table
    types = {**TYPES, table.name: as_stored(table.columns)}
    write = replace(write_of(GAMES), table=table, sums=(), receipt=replace(write_of(GAMES).receipt, table=table.name))
    script = WriteScripts(table, types, sql=SQL, own=OWN).commit(write, "`phasegate`.`stage`", stamps="''")
    places = reads_of(script, table)
    # an INSERT has no WHERE; it names the columns that it fills
    unfiltered = [one for one in places if not one.lstrip().startswith("(`") and not any(span in one for span in SPAN)]
    assert len(places) >= 4
    assert unfiltered == []


@pytest.mark.parametrize(
    "statement",
    [
        lambda: SQL.fingerprint(GAMES, TYPES[GAMES.name], partition=True),
        lambda: SQL.fingerprints(GAMES, TYPES[GAMES.name], dates=True),
        lambda: SQL.count(GAMES, TYPES[GAMES.name], partition=True),
        lambda: SQL.sums(GAMES, TYPES[GAMES.name], column="points", by=("player",), dates=True),
        lambda: SQL.foreign(GAMES, TYPES[GAMES.name], receipts="r", dates=True),
        lambda: SQL.rows(GAMES, TYPES[GAMES.name], limit=1, offset=0),
    ],
)
def test_every_read_of_a_span_of_dates_compares_the_partition_s_column(statement: Callable[[], str]) -> None:
    text = statement()
    assert any(span in text for span in SPAN)
    # a condition beside it by OR would read all partitions
    where = sqlglot.parse_one(named(text)[0], read="bigquery").find(exp.Where)
    assert where is not None
    assert not list(where.find_all(exp.Or))


def test_a_table_without_a_date_has_no_partitions() -> None:
    plain = replace(GAMES, partition="player", key=("player", "ratio", "points"))
    assert SQL.create(plain, TYPES[GAMES.name]).endswith(" CLUSTER BY `player`, `points`")


def test_each_guarded_table_has_a_fence_table_of_its_own() -> None:
    names = [fence_table(NAMES.split(name)) for name in ("a.b_c", "a_b.c", "c")]
    assert len(set(names)) == 3
    assert NAMES.reference(names[2]) == "`phasegate`.`phasegate_fence_phasegate-c`"


@pytest.mark.parametrize("name", ["a.b.c", ".b", "a.", "a`b"])
def test_a_table_that_bigquery_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        NAMES.reference(name)


def test_stamps_are_the_same_text_whichever_way_they_are_ordered() -> None:
    stamps = [{"2026-02-04": Stamp("2-b", 9), "2026-02-03": Stamp("1-a", 7)}, {}, {"a part": Stamp("3-c")}]
    text = text_of(stamps)
    assert text == "0 7 1-a 2026-02-03\n0 9 2-b 2026-02-04\n2 0 3-c a part"
    assert read_text(text, reads=3) == stamps
