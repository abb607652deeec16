"""Tries drafts of tables in an empty DuckDB in memory.

DuckDB itself parses and binds each SELECT, against tables of the columns that it will find; no row is read.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasegate.base.table import Draft, DraftShape
from phasegate.errors import PhasegateError
from phasegate.warehouse import Params
from phasegate.warehouses.duckdb import errors
from phasegate.warehouses.duckdb.dialect import quoted, reference, split
from phasegate.warehouses.duckdb.file import connect
from phasegate.warehouses.duckdb.session import WRITES, Catalog, DuckDBSession
from phasegate.warehouses.duckdb.staging import OWN, SQL, reader_of
from phasegate.warehouses.sql.transaction import SqlTransaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

IN_MEMORY = Path(":memory:")
Columns = Mapping[str, Mapping[str, str]]


def shapes(
    root: "DuckDBPyConnection", drafts: Sequence[Draft], *, params: Params, stored: Callable[[], Columns]
) -> list[DraftShape]:
    """Return the shape of each draft.

    ``stored``: returns the columns of the real tables; called if a draft needs one that no draft gives.
    """
    reads = [_reads(root, draft) for draft in drafts]
    given = {draft.table.name for draft in drafts if draft.sql or draft.table.columns}
    needed = {name for one in reads for name in one.reads} | {draft.table.name for draft in drafts}
    if missing := needed - given:
        for name, columns in stored().items():
            if name in missing:
                _create(root, name, columns)
    catalog, failed, found = Catalog(), set[str](), list[DraftShape]()
    for draft, read in zip(drafts, reads, strict=True):
        shape = (
            read
            if read.error or failed & set(read.reads)
            else _tried(root, draft, read, catalog=catalog, params=params)
        )
        if not shape.columns:
            failed.add(draft.table.name)
        found.append(shape)
    return found


class Unstored:
    """Binds drafts where no table is stored."""

    def shapes(self, drafts: Sequence[Draft], params: Params, /) -> list[DraftShape]:
        """Return the shape of each draft; see ``Warehouse.shapes``."""
        with closing(connect(None)) as root:
            return shapes(root, drafts, params=params, stored=dict)


def _reads(root: "DuckDBPyConnection", draft: Draft) -> DraftShape:
    """Return the tables that a SELECT names, or why it cannot be used."""
    what = f"SQL for table {draft.table.name}"
    if not draft.sql:
        return DraftShape()
    try:
        statements = root.extract_statements(draft.sql)
    except Exception as error:
        if not errors.is_duckdb(error):
            raise
        return DraftShape(error=_text(error, what=what))
    if len(statements) != 1:
        return DraftShape(error=f"{what}: has {len(statements)} statements; write one SELECT")
    nodes = list(_nodes(_parsed(root, draft.sql)))
    unknown = {str(node["function_name"]).lower() for node in nodes if "function_name" in node}
    if unknown:
        known = {
            str(name) for (name,) in root.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
        }
        unknown -= known
    if len(unknown) > 1:
        return DraftShape(error=f"{what}: DuckDB has no functions {', '.join(sorted(unknown))}")
    local = {entry["key"] for node in nodes for entry in node.get("cte_map", {}).get("map", ())}
    named = [node["qualified_name"]["path"] for node in nodes if node.get("type") == "BASE_TABLE"]
    names = {".".join(path if len(path) > 1 else ("main", *path)) for path in named if path[0] not in local}
    return DraftShape(reads=tuple(sorted(names)))


def _parsed(root: "DuckDBPyConnection", sql: str) -> Any:
    """Return DuckDB's parse tree of a SELECT; {} for another statement."""
    ((tree,),) = root.execute("SELECT json_serialize_sql($sql::VARCHAR)", {"sql": sql}).fetchall()
    return json.loads(tree)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a parse tree."""
    if isinstance(tree, dict):
        yield tree
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(inner)


def _create(root: "DuckDBPyConnection", name: str, columns: Mapping[str, str]) -> None:
    shape = ", ".join(f"{quoted(column)} {sql_type}" for column, sql_type in columns.items())
    root.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(split(name)[0])}")
    root.execute(f"CREATE TABLE {reference(name)} ({shape})")


def _tried(
    root: "DuckDBPyConnection", draft: Draft, read: DraftShape, *, catalog: Catalog, params: Params
) -> DraftShape:
    """Return the columns of a table that is made as the draft says."""
    with closing(DuckDBSession(root.cursor(), path=IN_MEMORY, catalog=catalog, mode=WRITES)) as session:
        try:
            if draft.sql or draft.table.columns:
                tx = SqlTransaction(session, sql=SQL, own_sql=OWN)
                tx.create(draft.table, sql=draft.sql or None, params=params)
            session.commit()
        except PhasegateError as error:
            # It was bound as a subquery, whose text begins on the second line.
            what, cause = f"SQL for table {draft.table.name}", error.__cause__
            text = str(error) if cause is None else _text(cause, what=what, before=1)
            return DraftShape(reads=read.reads, error=text)
    with closing(DuckDBSession(root.cursor(), path=IN_MEMORY, catalog=catalog)) as session:
        return DraftShape(reads=read.reads, columns=reader_of(session).types_of(draft.table))


def _text(error: BaseException, *, what: str, before: int = 0) -> str:
    """Return DuckDB's error in one line, with its suggestion and its place.

    ``before``: the lines that were put before the SELECT.
    """
    lines = [line.strip() for line in str(error).splitlines()]
    hints = [line for line in lines[1:] if line.startswith(("Did you mean", "Candidate"))]
    place = next((int(line.split()[1].rstrip(":")) - before for line in lines if line.startswith("LINE ")), 0)
    return " ".join((f"{what}{f', line {place}' if place else ''}:", *lines[:1], *hints))
