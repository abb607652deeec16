"""Reads a text into a tree, and writes a tree as an engine's SQL."""

import sqlglot
from sqlglot import exp

from phasegate.dialects.engines import Engine, TableTypes
from phasegate.dialects.rewrite import rewritten

NAMES = {"duckdb": "duckdb", "postgresql": "postgres", "bigquery": "bigquery"}
"""What sqlglot calls the engines."""
_MARK = "\ue000{}\ue001"  # private characters: no text has them, and sqlglot leaves them as they are


def parsed(sql: str) -> exp.Query:
    """Return the tree of one SELECT; unquoted names are in lower case.

    Raises SqlglotError.
    """
    tree = sqlglot.parse_one(sql, read=NAMES["duckdb"])
    if not isinstance(tree, exp.Query):
        raise sqlglot.errors.ParseError("it is no SELECT")
    for name in tree.find_all(exp.Identifier):
        if not name.quoted:
            name.set("this", name.name.lower())
    return tree


def written(tree: exp.Query, *, engine: Engine, parameter: str, types: TableTypes) -> str:
    """Return a tree as an engine's SQL; names are quoted, comments dropped."""
    tree = rewritten(tree, engine=engine, types=types)
    names = {}
    for mark in list(tree.find_all(exp.Placeholder, exp.Parameter)):
        name = mark.name
        names[_MARK.format(name)] = parameter.format(name)
        mark.replace(exp.Var(this=_MARK.format(name)))
    sql = tree.sql(dialect=NAMES[engine], identify=True, comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE)
    if "%" in parameter:
        sql = sql.replace("%", "%%")
    for mark_text, spelled in names.items():
        sql = sql.replace(mark_text, spelled)
    return sql
