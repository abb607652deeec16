"""Finds names that mean another column on another engine, or two columns."""

from collections import Counter
from collections.abc import Iterator

from sqlglot import exp

from phasegate.dialects.engines import ENGINE_NAMES, Engine
from phasegate.dialects.kinds import Known

Problem = tuple[str, str] | tuple[str, str, exp.Expr]
"""What is wrong, the mend, and the node at fault if it is not the one that was asked about."""
Problems = Iterator[Problem]


def name_problems(select: exp.Select, *, known: Known, engine: Engine) -> Problems:
    """Yield what is wrong with the names of a SELECT, and the mend."""
    yield from _twice(select, known, engine)
    yield from _grouped(select, engine)
    yield from _reused(select, known, engine)
    yield from _row_ids(select, known, engine)


def _twice(select: exp.Select, known: Known, engine: Engine) -> Problems:
    """Find columns after a star that are in it too."""
    columns = known.outputs(select) or []
    for name, number in Counter(name for name, _ in columns).items():
        if number > 1 and name:
            fix = "list the columns, and give each its own name"
            yield (
                f"there are {number} columns {name}, which {ENGINE_NAMES[engine]} calls ambiguous",
                fix,
                _second(select, name),
            )


def _second(select: exp.Select, name: str) -> exp.Expr:
    """Return the last column that is called so, else the SELECT's last."""
    named: list[exp.Expr] = [one for one in select.expressions if one.alias_or_name == name]
    return (named or select.expressions)[-1]


def _grouped(select: exp.Select, engine: Engine) -> Problems:
    """Find GROUP BY x that means the result named x in BigQuery."""
    group = select.args.get("group")
    if engine != "bigquery" or group is None:
        return
    aliases = {one.alias: one.this for one in select.expressions if isinstance(one, exp.Alias)}
    for one in group.expressions:
        if isinstance(one, exp.Column) and not one.table and one.name in aliases:
            value = aliases[one.name]
            if not (isinstance(value, exp.Column) and value.name == one.name):
                fix = f"write the table before it (t.{one.name}), or give the result another name"
                yield f"GROUP BY {one.name} means the result of that name in BigQuery, a column elsewhere", fix, one


def _reused(select: exp.Select, known: Known, engine: Engine) -> Problems:
    """Find results that are read by their name in the same SELECT."""
    sources = known.sources(select)
    if any(names is None for names in sources.values()):
        return
    columns = {name for names in sources.values() for name in names or {}}
    aliases = {one.alias for one in select.expressions if isinstance(one, exp.Alias)} - columns
    places: list[exp.Expr] = [*select.expressions]
    # BigQuery sees a result in HAVING and QUALIFY, as DuckDB does.
    clauses = ("where",) if engine == "bigquery" else ("where", "having", "qualify")
    places += [one for key in clauses if (one := select.args.get(key)) is not None]
    for place in places:
        for column in place.find_all(exp.Column):
            if not column.table and column.name in aliases and column.find_ancestor(exp.Select) is select:
                fix = "write the expression again, or name it in a subquery"
                yield (
                    f"{column.name} is a result of this SELECT itself, which {ENGINE_NAMES[engine]} does not see",
                    fix,
                    column,
                )


def _row_ids(select: exp.Select, known: Known, engine: Engine) -> Problems:
    """Find DuckDB's own row number."""
    for column in select.find_all(exp.Column):
        if column.name == "rowid" and column.find_ancestor(exp.Select) is select and known.kind(column) is None:
            yield f"rowid is not in {ENGINE_NAMES[engine]}", "number the rows with row_number()", column
