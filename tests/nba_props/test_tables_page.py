"""What `docs/reference/nba-tables.md` says of the tables' columns is what the tables hold."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from nba_props import PLAN
from nba_props.raw import COLUMNS, TABLE
from nba_props.raw_tables import TABLES as RAW_TABLES
from nba_props.sources.parquet import ParquetSource
from nba_props.sources.synthetic import SyntheticSource
from phasegate import read_plan
from tests.support.real_data import ROOT
from tests.support.step_warehouse import PROPS, SCHEDULE, TABLES, Warehouse

PAGE = (ROOT / "docs" / "reference" / "nba-tables.md").read_text()
SECTION = re.compile(r"^### `([\w.]+)`\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `(\w+)` \| ([A-Z]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
PLANNED = {step.table.name: step for step in read_plan(PLAN).steps.values() if step.table is not None}
FIRST = date(2026, 2, 1)


class Column(NamedTuple):
    """A column of the page."""

    type: str
    unit: str
    meaning: str
    null: str


DOCUMENTED = {
    table: {name: Column(*cells) for name, *cells in ROW.findall(text)} for table, text in SECTION.findall(PAGE)
}
NEVER = {table: [name for name, column in columns.items() if column.null == "never"]
         for table, columns in DOCUMENTED.items()}  # fmt: skip


@pytest.fixture(scope="module")
def synthetic() -> Warehouse:
    """Give four nights from a cold start, the last without lines."""
    source, warehouse = SyntheticSource(), Warehouse()
    for number in range(4):
        day = FIRST + timedelta(days=number)
        warehouse.load(source.batch(day))
        warehouse.add(SCHEDULE, source.schedule(day, day))
        warehouse.add(PROPS, source.props(day)[: 40 if number < 3 else 0])
        warehouse.build_all(day)
    return warehouse


def nulls(warehouse: Warehouse, table: str, where: str) -> object:
    return warehouse.number(f"SELECT count(*) FROM {table} WHERE {where}")


def assert_never_null(warehouse: Warehouse) -> None:
    for table in TABLES.values():
        assert nulls(warehouse, table, "true"), f"{table} is empty"
        found = {name for name in NEVER[table] if nulls(warehouse, table, f"{name} IS NULL")}
        assert not found, f"{table}: the page says never"


def test_each_table_of_the_plan_has_its_section_and_no_other() -> None:
    assert set(DOCUMENTED) == set(PLANNED)
    assert len(TABLES) == 10


@pytest.mark.parametrize("table", PLANNED)
def test_each_section_names_the_key(table: str) -> None:
    [text] = [text for name, text in SECTION.findall(PAGE) if name == table]
    key = PLANNED[table].table
    assert key is not None
    assert f"\nKey: {', '.join(f'`{name}`' for name in key.key)}.\n" in text


@pytest.mark.parametrize("table", [TABLE, *(table.name for table in RAW_TABLES)])
def test_a_scraped_table_has_the_columns_of_its_plan_in_order(table: str) -> None:
    planned = PLANNED[table].table
    assert planned is not None
    columns = {name: column.type for name, column in DOCUMENTED[table].items()}
    assert columns == dict(planned.columns)
    declared, nullable = {one.name: (one.columns, one.nullable) for one in RAW_TABLES}.get(
        table, (COLUMNS, frozenset())
    )
    assert list(columns) == list(declared)
    assert {name for name, column in DOCUMENTED[table].items() if column.null != "never"} == nullable


@pytest.mark.parametrize("table", TABLES.values())
def test_a_computed_table_has_the_columns_of_the_warehouse_in_order(table: str, synthetic: Warehouse) -> None:
    found = synthetic.db.execute(f"SELECT column_name, column_type FROM (DESCRIBE {table})").fetchall()
    assert [(name, column.type) for name, column in DOCUMENTED[table].items()] == found


def test_each_column_has_a_unit_a_meaning_and_when_it_is_null() -> None:
    for columns in DOCUMENTED.values():
        for column in columns.values():
            assert column.meaning.endswith(".")
            assert column.unit
            assert column.null == "never" or " " in column.null


def test_what_is_never_null_is_not_null_on_invented_nights_from_a_cold_start(synthetic: Warehouse) -> None:
    assert_never_null(synthetic)


def test_what_is_never_null_is_not_null_on_the_first_real_nights_of_a_season(nba_data: Path) -> None:
    source, warehouse = ParquetSource(nba_data), Warehouse()
    for day in source.dates(date(2024, 10, 22), date(2024, 10, 24)):
        warehouse.load(source.batch(day))
        warehouse.add(SCHEDULE, source.schedule(day, day))
        warehouse.add(PROPS, source.props(day))
        warehouse.build_all(day)
    assert_never_null(warehouse)


@pytest.mark.parametrize(
    ("step", "column", "present"),
    [
        ("player_game_summary", "usage_rate", "usage_quality IN ('ok', 'over_100')"),
        ("player_composite_factors", "fatigue_score", "fatigue_reason = 'ok'"),
        ("player_composite_factors", "pace_factor", "pace_reason = 'ok'"),
        ("player_composite_factors", "defense_factor", "defense_reason = 'ok'"),
        ("player_composite_factors", "home_factor", "home_reason = 'ok'"),
    ],
)
def test_a_column_with_a_reason_is_null_exactly_when_the_reason_says_so(
    step: str, column: str, present: str, synthetic: Warehouse
) -> None:
    assert f"`{present.partition(' ')[0]}`" in DOCUMENTED[TABLES[step]][column].null
    assert nulls(synthetic, TABLES[step], f"({column} IS NULL) = ({present})") == 0


def test_a_feature_is_null_exactly_when_its_quality_is_missing(synthetic: Warehouse) -> None:
    table = TABLES["ml_feature_store_v2"]
    features = [name for name, column in DOCUMENTED[table].items() if column.null == "`feature_quality` says `missing`"]
    assert len(features) == 32
    for name in features:
        says_missing = f"feature_quality LIKE '%;{name}:missing;%'"
        assert nulls(synthetic, table, f"({name} IS NULL) <> ({says_missing})") == 0
