"""Gives the SQL of a plan the text that an engine runs."""

from collections.abc import Mapping
from functools import cached_property

from msgspec.structs import replace

from phasegate.dialects.engines import Engine, TableTypes
from phasegate.plan.model import Plan, Step


def with_sql(plan: Plan, /, *, engine: Engine, parameter: str | None = None) -> Plan:
    """Return the plan with the text of its SQL steps in an engine's SQL.

    The code of a step stays that of the text as it is written. ``parameter``: how a parameter is spelled, None for what
    a client of the engine wants. The conditions of ``covers`` stay as they are written, and are checked. Raises
    BadInput for a text that does not translate, naming step, file and line.
    """
    if engine == "duckdb" and all(step.dialect == "duckdb" for step in plan.steps.values()):
        return plan
    types = known_types(plan)
    steps = {
        name: _translated(step, engine=engine, types=types, parameter=parameter) if step.sql else step
        for name, step in plan.steps.items()
    }
    Translator(plan, engine=engine).check_conditions()
    return replace(plan, steps=steps)


class Translator:
    """Translates steps, queries and conditions of a plan into an engine's SQL.

    Each text is translated once, when it is first asked for. Queries and conditions are written in DuckDB's SQL,
    whatever the dialect of the steps; only the condition of a step with a text in the engine's own is in that.
    ``engine`` None: nothing is translated.
    """

    def __init__(self, plan: Plan, /, *, engine: Engine | None) -> None:
        self._plan, self._engine = plan, engine
        steps = [step for step in plan.steps.values() if step.sql and step.dialect == engine]
        self._own = {step.covers.where for step in steps if step.covers is not None}
        self._found: dict[str, str] = {}
        self._steps: dict[str, str] = {}

    def check(self) -> None:
        """Translate all of the plan's SQL now.

        Raises BadInput for what does not translate, naming step, file and line.
        """
        for step in self._plan.steps.values():
            self.step(step)
        self.check_conditions()

    def check_conditions(self) -> None:
        """Translate the conditions of ``covers``; raise as ``check`` does."""
        for step in self._plan.steps.values():
            if found := condition_of(self._plan, step):
                self.condition(found[0], table=found[1], what=f"step {step.name}: covers.where")

    def step(self, step: Step, /) -> str:
        """Return the SELECT of a step in the engine's SQL, "" for none.

        Raises BadInput, naming step, file and line, for what does not translate.
        """
        if not step.sql or self._engine is None or self._engine == step.dialect == "duckdb":
            return step.sql
        if step.name not in self._steps:
            done = _translated(step, engine=self._engine, types=self._types, parameter="${}")
            self._steps[step.name] = done.sql
        return self._steps[step.name]

    def query(self, sql: str, /, *, what: str = "query") -> str:
        """Return a SELECT in the engine's SQL; parameters stay ``$name``.

        Raises BadInput, with line and mend, for what does not translate.
        """
        if self._engine in (None, "duckdb"):
            return sql
        if sql not in self._found:
            from phasegate.dialects.translate import translate

            self._found[sql] = translate(sql, engine=self._engine, types=self._types, parameter="${}", what=what)
        return self._found[sql]

    def condition(self, where: str, /, *, table: str, what: str = "covers.where") -> str:
        """Return a condition on the rows of a table in the engine's SQL.

        Raises BadInput as ``query`` does.
        """
        if self._engine in (None, "duckdb") or not where or where in self._own:
            return where
        key = f"{table} where {where}"
        if key not in self._found:
            from phasegate.dialects.translate import translate_condition

            self._found[key] = translate_condition(
                where, table=table, engine=self._engine, types=self._types, what=what
            )
        return self._found[key]

    @cached_property
    def _types(self) -> TableTypes:
        return known_types(self._plan)


def _translated(step: Step, *, engine: Engine, types: TableTypes, parameter: str | None) -> Step:
    from phasegate.dialects.translate import translate  # a process that only reports translates nothing

    what = f"step {step.name}: {step.sql_file}"
    sql = translate(step.sql, engine=engine, dialect=step.dialect, types=types, parameter=parameter, what=what)
    return replace(step, sql=sql, dialect=engine)


def written(step: Step, /) -> str:
    """Return the SELECT of a step as it is written."""
    return step.sql


def condition_of(plan: Plan, step: Step, /) -> tuple[str, str] | None:
    """Return the condition of a step's ``covers``, and the table it is about."""
    covered = None if step.covers is None else plan.steps[step.covers.need.step].table
    return (step.covers.where, covered.name) if step.covers and step.covers.where and covered else None


def known_types(plan: Plan, /) -> TableTypes:
    """Return the columns of the plan's tables, as far as the plan says.

    Those that are declared, else those that the SELECT casts. Raises BadInput without sqlglot.
    """
    from phasegate.dialects.translate import columns_of

    types: dict[str, Mapping[str, str]] = {}
    for step in plan.steps.values():  # needs come first
        if step.table is not None:
            readable = step.sql and step.dialect == "duckdb"
            found = step.table.columns or (columns_of(step.sql, types=types) if readable else {})
            types |= {step.table.name: found} if found else {}
    return types
