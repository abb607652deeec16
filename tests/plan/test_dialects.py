from pathlib import Path

import pytest

from phasegate import connect
from phasegate.code.translated import Translator, with_sql
from phasegate.errors import BadInput
from phasegate.plan.load import load_plan
from phasegate.plan.model import Plan, Step
from phasegate.settings import load_settings

PLAN = """\
pipeline = "shop"
timezone = "UTC"
[phase.load]
[step.orders]
phase = "load"
external = true
table = "raw.orders"
key = ["day"]
partition = "day"
version = "v"
columns = { day = "DATE", v = "BIGINT", amount = "DOUBLE" }
[step.sums]
phase = "load"
needs = ["orders"]
sql = "sums.sql"
table = "shop.sums"
key = ["day"]
partition = "day"
"""
TOP = 'timezone = "UTC"\n'
SQL = (
    "-- of each day\nSELECT day, sum(amount) AS amount FROM raw.orders WHERE day = CAST($run_date AS DATE) GROUP BY day"
)
POSTGRESQL = 'dialect = "postgresql"\n'
OWN = "SELECT DATE_TRUNC(day, MONTH) AS day, '$run_date 5%' AS a FROM raw.orders WHERE day = $run_date -- $run_date"


def load(text: str = PLAN, sql: str = SQL) -> Plan:
    return load_plan(text, files={"sums.sql": sql}.__getitem__)


def sums(text: str = PLAN, sql: str = SQL) -> Step:
    return load(text, sql).steps["sums"]


def test_steps_are_written_in_the_sql_of_duckdb_unless_the_plan_or_the_step_says_otherwise() -> None:
    top, step = f'{TOP}dialect = "postgresql"\n', 'dialect = "bigquery"\n'
    assert sums().dialect == "duckdb"
    assert sums(PLAN.replace(TOP, top)).dialect == "postgresql"
    assert sums(PLAN.replace(TOP, top) + step).dialect == "bigquery"
    assert sums().sql_file == "sums.sql"


def test_the_code_is_of_the_text_as_it_is_written_and_of_its_dialect() -> None:
    codes = [sums().code, sums(sql=f"{SQL} ").code, sums(PLAN + 'dialect = "duckdb"\n').code]
    assert len(set(codes)) == 1
    assert sums(PLAN + POSTGRESQL).code != codes[0]
    assert sums(PLAN + POSTGRESQL).code == sums(PLAN.replace(TOP, f'{TOP}dialect = "postgresql"\n')).code


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (TOP, f'{TOP}dialect = "mysql"\n', '3: dialect: is "mysql", wanted "duckdb" or "postgresql" or "bigquery"'),
        (
            'phase = "load"\nexternal = true\n',
            'phase = "load"\nexternal = true\ndialect = "duckdb"\n',
            "dialect: does nothing here: only the text of an sql step is translated; remove it",
        ),
        ('sql = "sums.sql"\n', 'sql = "sums.sql"\ndialect = 1\n', "16: [step.sums] dialect: is 1, wanted"),
    ],
)
def test_a_dialect_that_is_not_known_or_does_nothing_is_refused(old: str, new: str, error: str) -> None:
    with pytest.raises(BadInput) as e:
        load(PLAN.replace(old, new))
    assert error in str(e.value)


def test_a_dialect_for_a_plan_without_sql_is_refused() -> None:
    text = PLAN.partition("[step.sums]")[0].replace(TOP, f'{TOP}dialect = "duckdb"\n')
    with pytest.raises(BadInput, match="dialect: does nothing: no step has sql; remove it"):
        load(text)


def test_a_translated_plan_has_the_text_of_its_engine_and_its_old_code() -> None:
    plan = load()
    for engine, spelled in (("postgresql", "%(run_date)s"), ("bigquery", "@run_date")):
        step = with_sql(plan, engine=engine).steps["sums"]  # type: ignore[arg-type]  # both are engines
        assert f"CAST({spelled} AS DATE)" in step.sql
        assert step.code == plan.steps["sums"].code
    assert "CAST($run_date AS DATE)" in with_sql(plan, engine="postgresql", parameter="${}").steps["sums"].sql


def test_a_text_that_does_not_translate_is_refused_with_step_file_line_and_mend() -> None:
    with pytest.raises(BadInput) as e:
        with_sql(load(sql="SELECT day,\n median(amount) AS amount FROM raw.orders GROUP BY day"), engine="postgresql")
    assert str(e.value) == (
        "step sums: sums.sql does not run on PostgreSQL: line 2: median() is not in PostgreSQL; "
        "number the rows with row_number(), and take the avg() of the middle ones"
    )


def test_a_text_in_the_sql_of_an_engine_is_run_by_it_as_it_is_and_refused_by_others() -> None:
    plan = load(PLAN + 'dialect = "bigquery"\n', OWN)
    found = with_sql(plan, engine="bigquery").steps["sums"].sql
    assert found == OWN.replace("day = $run_date", "day = @run_date")
    for engine, name in (("duckdb", "DuckDB"), ("postgresql", "PostgreSQL")):
        with pytest.raises(BadInput, match=f"sums.sql does not run on {name}: line 1: it is BigQuery's own SQL"):
            with_sql(plan, engine=engine)  # type: ignore[arg-type]  # both are engines


def test_percent_signs_of_a_text_for_postgresql_are_doubled_as_its_client_wants() -> None:
    own = with_sql(load(PLAN + POSTGRESQL, OWN), engine="postgresql").steps["sums"].sql
    assert own == OWN.replace("5%", "5%%").replace("day = $run_date", "day = %(run_date)s")
    like = with_sql(load(sql="SELECT day FROM raw.orders WHERE 'a' LIKE 'a%'"), engine="postgresql").steps["sums"].sql
    assert like == """SELECT "day" FROM "raw"."orders" WHERE 'a' LIKE 'a%%'"""


def test_types_are_known_from_the_declared_columns_and_from_the_casts_of_steps_before() -> None:
    more = PLAN + '[step.ages]\nphase = "load"\nneeds = ["sums"]\nsql = "ages.sql"\ntable = "shop.ages"\n'
    more += 'key = ["day"]\npartition = "day"\n'
    texts = {"sums.sql": SQL, "ages.sql": "SELECT day, CAST($run_date AS DATE) - day AS age FROM shop.sums"}
    found = with_sql(load_plan(more, files=texts.__getitem__), engine="bigquery").steps["ages"].sql
    assert "DATE_DIFF(CAST(@run_date AS DATE), CAST(`day` AS DATE), DAY) AS `age`" in found


def test_a_plan_is_opened_without_its_sql_and_who_builds_is_refused_when_it_starts(tmp_path: Path) -> None:
    wrong = load(sql="SELECT day,\n median(amount) AS amount FROM raw.orders GROUP BY day")
    settings = {"state": tmp_path, "warehouse": "postgresql://127.0.0.1:9/none", "log_level": "none"}
    pipeline = connect(wrong, settings=load_settings({}, overrides=settings))
    assert pipeline.plan.steps["sums"].sql == wrong.steps["sums"].sql
    for build in (pipeline.check_sql, pipeline.run_workers, pipeline.work_until_idle):
        with pytest.raises(BadInput, match=r"^step sums: sums\.sql does not run on PostgreSQL: line 2: median\(\) is"):
            build()
    pipeline.close()
    fine = connect(load(), settings=load_settings({}, overrides=settings))
    fine.check_sql()
    fine.close()


def test_a_translator_gives_each_step_once_in_the_sql_of_the_engine() -> None:
    plan = load()
    texts = Translator(plan, engine="postgresql")
    wanted = with_sql(plan, engine="postgresql", parameter="${}").steps["sums"].sql
    assert texts.step(plan.steps["sums"]) == wanted
    assert texts.step(plan.steps["sums"]) is texts.step(plan.steps["sums"])
    assert texts.step(plan.steps["orders"]) == ""
    for engine in ("duckdb", None):
        assert Translator(plan, engine=engine).step(plan.steps["sums"]) == plan.steps["sums"].sql
