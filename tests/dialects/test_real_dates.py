"""The ten texts on the first nights of a real season, on DuckDB and PostgreSQL. Needs the real data.

The evaluator takes minutes for them: it is asked about made-up nights, in ``test_steps``.
"""

from datetime import date
from pathlib import Path

import pytest

from nba_props import PLAN
from nba_props.sources.parquet import ParquetSource
from phasegate import read_plan
from phasegate.code.translated import with_sql
from tests.support.sql_engines import alike, postgresql
from tests.support.step_warehouse import PROPS, SCHEDULE, SUMMARIES, TABLES, Warehouse

FIRST, LAST = date(2024, 10, 22), date(2024, 10, 27)


@pytest.fixture(scope="module")
def warehouse(nba_data: Path) -> Warehouse:
    source, made = ParquetSource(nba_data), Warehouse(season_start=FIRST)
    for day in source.dates(FIRST, LAST):
        made.load(source.batch(day))
        made.add(SCHEDULE, source.schedule(day, day))
        made.add(PROPS, source.props(day))
        for step in SUMMARIES:
            made.build(step, day)
    made.forecast(LAST)
    return made


def test_each_step_has_equal_cells_on_postgresql(warehouse: Warehouse) -> None:
    plan = read_plan(PLAN)
    translated = with_sql(plan, engine="postgresql")
    params = {"run_date": LAST.isoformat(), "season_start": FIRST.isoformat()}
    with postgresql() as server:
        warehouse.copy_to(server)
        for step in TABLES:
            sql = plan.steps[step].sql
            bound = {name: one for name, one in params.items() if f"${name}" in sql}
            wanted = warehouse.db.execute(sql, bound).fetchall()
            assert len(wanted) >= 10, step
            assert alike(server.ask(translated.steps[step].sql, params)) == alike(wanted), step
