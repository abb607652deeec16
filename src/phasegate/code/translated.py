"""Gives each SQL step of a plan the text that an engine runs."""

from collections.abc import Mapping

from msgspec.structs import replace

from phasegate.dialects.engines import Engine, TableTypes
from phasegate.dialects.translate import columns_of, translate
from phasegate.plan.model import Plan, Step


def with_sql(plan: Plan, /, *, engine: Engine, parameter: str | None = None) -> Plan:
    """Return the plan with the text of its SQL steps in an engine's SQL.

    The code of a step stays that of the text as it is written. ``parameter``: how a parameter is spelled, None for what
    a client of the engine wants. Raises BadInput for a text that does not translate, naming step, file and line.
    """
    if engine == "duckdb" and all(step.dialect == "duckdb" for step in plan.steps.values()):
        return plan
    types = known_types(plan)
    steps = {
        name: _translated(step, engine=engine, types=types, parameter=parameter) if step.sql else step
        for name, step in plan.steps.items()
    }
    return replace(plan, steps=steps)


def _translated(step: Step, *, engine: Engine, types: TableTypes, parameter: str | None) -> Step:
    what = f"step {step.name}: {step.sql_file}"
    sql = translate(step.sql, engine=engine, dialect=step.dialect, types=types, parameter=parameter, what=what)
    return replace(step, sql=sql, dialect=engine)


def known_types(plan: Plan, /) -> TableTypes:
    """Return the columns of the plan's tables, as far as the plan says.

    Those that are declared, else those that the SELECT casts. Raises BadInput without sqlglot.
    """
    types: dict[str, Mapping[str, str]] = {}
    for step in plan.steps.values():  # needs come first
        if step.table is not None:
            readable = step.sql and step.dialect == "duckdb"
            found = step.table.columns or (columns_of(step.sql, types=types) if readable else {})
            types |= {step.table.name: found} if found else {}
    return types
