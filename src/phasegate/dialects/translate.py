"""Translates the text of a step into the SQL of another engine.

The text is DuckDB's; it is rewritten where that is safe, and refused by name where the other engine would refuse it or
compute something else. Steps that are written for one engine (``dialect``) run on it as they are, and nowhere else.
"""

import re
from collections.abc import Mapping, Sequence

from phasegate.dialects.engines import ENGINE_NAMES, PARAMETERS, Engine, TableTypes, Untranslated
from phasegate.errors import BadInput

_PARAMETER = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | --[^\n]* | /\*.*?\*/ | \$(\w*)\$.*?\$\1\$
    | \$(?P<name>[a-z_]\w*)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)


def translate(
    sql: str, *, engine: Engine, dialect: Engine = "duckdb", types: TableTypes | None = None,
    parameter: str | None = None, what: str = "SQL",
) -> str:  # fmt: skip
    """Return the text in an engine's SQL.

    ``dialect``: what it is written in. ``types``: by table, its columns and their types in DuckDB's words, as far as
    they are known: with them more is found. ``parameter``: how a parameter is spelled, None for ``PARAMETERS``; with
    a percent sign in it, all others are doubled. ``what``: names the text in a refusal.

    Raises BadInput in one line for what does not translate, with line and mend, and where sqlglot is not installed.

    >>> translate("SELECT a / 2 AS half FROM s.t WHERE d = $run_date", engine="bigquery")
    'SELECT CAST(`a` AS FLOAT64) / 2 AS `half` FROM `s`.`t` WHERE `d` = @run_date'
    """
    spelling = parameter or PARAMETERS[engine]
    if dialect == engine:
        return sql if spelling == PARAMETERS["duckdb"] else _spelled(sql, spelling)
    found, written = _read(sql, engine=engine, dialect=dialect, types=types, parameter=spelling)
    if found:
        raise BadInput(f"{what} does not run on {ENGINE_NAMES[engine]}: " + "; ".join(one.text for one in found))
    return written


def translate_condition(where: str, *, table: str, engine: Engine, types: TableTypes, what: str) -> str:
    """Return a condition on the rows of a table in an engine's SQL.

    ``table``: its full name. The other arguments, and what is raised, are those of ``translate``.

    >>> translate_condition("d - 1 > b", table="s.t", engine="postgresql", types={}, what="where")
    '("d" - 1 > "b")'
    """
    return translate(select_of(where, table=table), engine=engine, types=types, parameter="${}", what=what).partition(
        " WHERE "
    )[2]


def select_of(where: str, *, table: str) -> str:
    """Return a SELECT with this condition."""
    return f"SELECT 1 AS one FROM {table} WHERE ({where})"  # noqa: S608  both are of the plan


def untranslated(
    sql: str, *, engine: Engine, dialect: Engine = "duckdb", types: TableTypes | None = None
) -> Sequence[Untranslated]:
    """Return what of a text an engine would refuse, or compute otherwise.

    The arguments are those of ``translate``; [] for a text that it returns.

    >>> [one.text for one in untranslated("SELECT median(a) AS m FROM s.t", engine="bigquery")]
    ['line 1: median() is not in BigQuery; number the rows with row_number(), and take the avg() of the middle ones']
    """
    return [] if dialect == engine else _read(sql, engine=engine, dialect=dialect, types=types, parameter="${}")[0]


def columns_of(sql: str, /, *, types: TableTypes) -> Mapping[str, str]:
    """Return the columns of a text in DuckDB's SQL, and their types.

    As far as the text and ``types`` say, in the words of ``types``; {} if it cannot be read.
    """
    _need_sqlglot()
    import sqlglot

    from phasegate.dialects.kinds import SPELLED, Known
    from phasegate.dialects.written import parsed

    try:
        tree = parsed(sql)
    except sqlglot.errors.SqlglotError:
        return {}
    return {name: SPELLED[kind] for name, kind in Known(types).outputs(tree) or []}


def _need_sqlglot() -> None:
    """Refuse to go on without sqlglot, which is an extra."""
    try:
        import sqlglot  # noqa: F401  100 ms, so only where a text is translated
    except ModuleNotFoundError:
        fix = "install it: pip install 'phasegate[sql]'"
        raise BadInput(
            f"SQL for another engine than DuckDB is translated by sqlglot, which is not here; {fix}"
        ) from None


def _spelled(sql: str, parameter: str) -> str:
    """Return a text that was written for its engine, with its parameters.

    ``$name`` in quotes and comments is no parameter.
    """
    percent = "%%" if "%" in parameter else "%"

    def spell(found: re.Match[str]) -> str:
        return parameter.format(found["name"]) if found["name"] else found[0].replace("%", percent)

    parts, end = [], 0
    for found in _PARAMETER.finditer(sql):
        parts += [sql[end : found.start()].replace("%", percent), spell(found)]
        end = found.end()
    return "".join([*parts, sql[end:].replace("%", percent)])


def _read(
    sql: str, *, engine: Engine, dialect: Engine, types: TableTypes | None, parameter: str
) -> tuple[Sequence[Untranslated], str]:
    """Return what does not translate, and else the text that does."""
    if dialect != "duckdb":
        fix = f'write it in DuckDB\'s SQL and dialect = "duckdb", which is translated, or use {ENGINE_NAMES[dialect]}'
        return [Untranslated(1, f"it is {ENGINE_NAMES[dialect]}'s own SQL", fix)], ""
    _need_sqlglot()
    import sqlglot

    from phasegate.dialects.lint import lint
    from phasegate.dialects.written import parsed, written

    try:
        tree = parsed(sql)
    except sqlglot.errors.SqlglotError as e:
        errors = getattr(e, "errors", None) or [{}]
        line, why = int(errors[0].get("line") or 1), errors[0].get("description") or str(e).splitlines()[0]
        why = why.partition(" but got <")[0]
        return [Untranslated(line, f"cannot be read ({why})", "write one SELECT in plain SQL")], ""
    found = lint(tree, sql=sql, engine=engine, types=types or {})
    if found:
        return found, ""
    try:
        return [], written(tree, engine=engine, parameter=parameter, types=types or {})
    except sqlglot.errors.UnsupportedError as e:
        why = str(e).splitlines()[0]
        return [Untranslated(1, f"cannot be written for {ENGINE_NAMES[engine]} ({why})", "write it in simpler SQL")], ""
