"""The SQL that the DuckDB adapter runs on guarded tables, as functions.

Pure functions of tables and columns; nothing is executed. Values are bound, names are quoted. The alias ``s`` is a
staging table, ``t`` the guarded one.
"""

from collections.abc import Iterable, Mapping

from phasegate.base.fingerprint import PIECES
from phasegate.base.table import LINEAGE_PREFIX, TOKEN_COLUMN, Table
from phasegate.warehouses.duckdb.dialect import (
    Types,
    digest,
    double_texts,
    doubles,
    inside,
    listed,
    quoted,
    reference,
    text,
)
from phasegate.warehouses.sql.cells import family

# Of a staging table: the SHA-256 of each row's content.
DIGEST = f"{LINEAGE_PREFIX}digest"
_SUMS = ", ".join(f"sum(CAST('0x' || substr(h, {8 * i + 1}, 8) AS UINTEGER))" for i in range(PIECES))


def fingerprint(table: Table, types: Types, /, *, partition: bool) -> str:
    """Return the SELECT of count and eight sums.

    sum() over integers is a HUGEINT, large enough for 2^63 rows.
    """
    where = f"WHERE {inside(table, types)}" if partition else ""
    return (
        f"WITH rows_ AS (SELECT {digest(table, types, alias='t')} AS h FROM {reference(table.name)} t {where}) "
        f"SELECT count(*), {_SUMS} FROM rows_"
    )


def fingerprints(table: Table, types: Types, /, *, dates: bool) -> str:
    """Return the SELECT of count and eight sums of each partition.

    Of the partitions between ``$first`` and ``$last``, with their texts. ``dates``: both are ISO dates.
    """
    spelled, where = _between(table, types, dates=dates)
    return f"""WITH rows_ AS (SELECT {spelled} AS part, {digest(table, types, alias="t")} AS h
        FROM {reference(table.name)} t WHERE {where}) SELECT part, count(*), {_SUMS} FROM rows_ GROUP BY part"""


def repeats(table: Table, types: Types, /, *, key: Iterable[str], dates: bool) -> str:
    """Return the SELECT of the partitions that have more rows than keys.

    With rows, keys and contents of each. The contents are compared in these partitions only: comparing those of all
    rows would cost as much as a fingerprint.
    """
    spelled, where = _between(table, types, dates=dates)
    keys = ", ".join(f"t.{quoted(column)}" for column in key)
    content = ", ".join(f"t.{quoted(column)}" for column in table.fingerprinted(tuple(types)))
    return f"""WITH parts AS (SELECT {spelled} AS part, count(*) AS n, count(DISTINCT row({keys})) AS keys_
        FROM {reference(table.name)} t WHERE {where} GROUP BY part HAVING n > keys_)
        SELECT p.part, p.n, p.keys_, count(DISTINCT row({content})) FROM parts p JOIN {reference(table.name)} t
        ON {spelled} = p.part WHERE {where} GROUP BY ALL"""


def _between(table: Table, types: Types, *, dates: bool) -> tuple[str, str]:
    """Return the partition column's text and a condition on it.

    The condition: it is between ``$first`` and ``$last``.
    """
    cell, sql_type = f"t.{quoted(table.partition)}", types[table.partition]
    spelled = text(cell, sql_type, scale=table.scale(table.partition))
    where = f"{spelled} BETWEEN $first AND $last"
    if dates and family(sql_type) == "date":
        # Dates of four-digit years sort as their texts do; comparing them first leaves fewer texts to compute.
        typed = f"{cell} BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)"
        where = f"({typed} OR {cell} NOT BETWEEN DATE '0001-01-01' AND DATE '9999-12-31') AND {where}"
    return spelled, where


def create_from_columns(table: Table, types: Types, /) -> str:
    """Return the CREATE of a table with declared columns."""
    columns = ", ".join(f"{quoted(column)} {sql_type}" for column, sql_type in types.items())
    return f"CREATE TABLE {reference(table.name)} ({columns}, {TOKEN_COLUMN} BIGINT)"


def create_from_query(table: Table, sql: str, columns: Iterable[str], /) -> str:
    """Return the CREATE of an empty table in the shape of a SELECT."""
    return f"""CREATE TABLE {reference(table.name)} AS
        SELECT {listed(columns)}, CAST(NULL AS BIGINT) AS {TOKEN_COLUMN} FROM (\n{sql}\n) LIMIT 0"""


def add_lineage(table: Table, /) -> str:
    """Return the ALTER that adds the lineage column to a foreign table."""
    return f"ALTER TABLE {reference(table.name)} ADD COLUMN IF NOT EXISTS {TOKEN_COLUMN} BIGINT"


def staged(table: Table, source: str, types: Types, /, *, cells: Mapping[str, str]) -> str:
    """Return the SELECT of rows as they are written.

    Floats are rounded, and each row has the digest of its content. A float is rounded by reading its canonical text
    back, which is correct where ROUND is not. ``source`` has the alias ``q``; ``cells`` are the columns in the table's
    types, and its tombstone, as SQL of it.
    """
    by_scale = doubles(table, types)
    texts = {scale: f"{LINEAGE_PREFIX}texts{scale}" for scale in by_scale}
    # Each level names only what the next one needs: to bind 40 columns once more takes 0.5 ms (measured).
    plain = {column: cell for column, cell in cells.items() if types.get(column) != "DOUBLE"}
    for column in _floats(plain.keys() & types.keys(), types):
        spelled = text(plain[column], types[column], scale=table.scale(column))
        plain[column] = f"CAST(CAST({spelled} AS DOUBLE) AS {types[column]})"
    inner = [f"{cell} AS {quoted(column)}" for column, cell in plain.items()]
    for scale, columns in by_scale.items():
        inner.append(f"{double_texts([cells[column] for column in columns], scale=scale)} AS {texts[scale]}")
    rows = f"SELECT {', '.join(inner)} FROM {source} q"
    outer = {column: f"s.{quoted(column)}" for column in cells}
    if texts:
        kept = [f"s.{quoted(column)}" for column in plain] + [f"s.{name}" for name in texts.values()]
        read = [f"CAST(s.{name} AS DOUBLE[]) AS {name}_read" for name in texts.values()]
        rows = f"SELECT {', '.join(kept + read)} FROM (\n{rows}\n) s"
    for scale, columns in by_scale.items():
        outer |= {column: f"s.{texts[scale]}_read[{n}]" for n, column in enumerate(columns, start=1)}
    listed_cells = ", ".join(f"{cell} AS {quoted(column)}" for column, cell in outer.items())
    row_digest = digest(table, types, alias="s", floats={scale: f"s.{name}" for scale, name in texts.items()})
    return f"SELECT {listed_cells}, {row_digest} AS {DIGEST} FROM (\n{rows}\n) s"


def from_query(table: Table, types: Types, /, *, yielded: Types) -> dict[str, str]:
    """Return, by name, the SQL of a SELECT's columns in the table's types.

    The SELECT has the alias ``q``.
    """
    cells = {column: _as(f"q.{quoted(column)}", types[column], yields=yielded[column]) for column in types}
    if table.tombstone:
        given = f"q.{quoted(table.tombstone)}" if table.tombstone in yielded else "NULL"
        cells[table.tombstone] = f"CAST({given} AS BOOLEAN)"
    return cells


def _as(cell: str, sql_type: str, *, yields: str) -> str:
    return cell if yields == sql_type else f"CAST({cell} AS {sql_type})"


def from_lists(types: Types, /) -> str:
    """Return the SELECT of one list of texts per column.

    The lists are ``$c0``, ``$c1``, …; the cells have the table's types.
    """
    cells = []
    for number, (column, sql_type) in enumerate(types.items()):
        cell = f"unnest($c{number}::VARCHAR[])"
        cells.append(
            f"CAST({f'unhex({cell})' if family(sql_type) == 'bytes' else cell} AS {sql_type}) AS {quoted(column)}"
        )
    return f"SELECT {', '.join(cells)}"


def _floats(columns: Iterable[str], types: Types) -> list[str]:
    return [column for column in columns if family(types[column]) == "float"]


def inspect(table: Table, stage: str, types: Types, /) -> str:
    """Return the SELECT of Staged's counts, in the order of its fields.

    Its last column is the number of distinct keys, or fewer.
    """
    nulls = " OR ".join(f"s.{quoted(column)} IS NULL" for column in table.key)
    floats = ", ".join(f"s.{quoted(column)}" for column in _floats(types, types))
    finite = f"coalesce(sum(len(list_filter([{floats}], lambda x: NOT isfinite(x)))), 0)" if floats else "0"
    future, missing = "0", "0"
    if table.version:
        cell = f"s.{quoted(table.version)}"
        timed = family(types[table.version]) in {"timestamp", "date"}
        seconds = f"epoch({cell})" if timed else f"CAST({cell} AS DOUBLE)"
        future = f"count(*) FILTER ({seconds} > $version_max)"
        missing = f"count(*) FILTER ({cell} IS NULL)"
    # Rows of one partition agree in its column, so it is not compared; for others this counts too few, never too many.
    rest = [f"s.{quoted(column)}" for column in table.key if column != table.partition] or [f"s.{quoted(table.key[0])}"]
    keys = rest[0] if len(rest) == 1 else f"row({', '.join(rest)})"
    # coalesce: a NULL partition is outside too.
    return f"""SELECT count(*), count(*) FILTER (NOT coalesce({inside(table, types, alias="s")}, false)),
        count(*) FILTER ({nulls}), {future}, {missing}, {finite},
        (SELECT count(*) FROM {reference(table.name)} t WHERE {inside(table, types)}),
        count(DISTINCT {keys}) FROM {stage} s"""


def digests(stage: str, /) -> str:
    """Return the SELECT of the staged rows' digests."""
    return f"SELECT {DIGEST} FROM {stage}"


def deduplicate(table: Table, stage: str, /) -> str:
    """Return the DELETE of all but one row per key.

    The one that stays has the newest version; then a deletion wins; then the content's digest decides.
    """
    order = [f"s.{quoted(table.version)} DESC NULLS LAST"] if table.version else []
    order += [f"coalesce(s.{quoted(table.tombstone)}, false) DESC"] if table.tombstone else []
    order += [f"s.{DIGEST} DESC", "s.rowid"]
    return f"""DELETE FROM {stage} WHERE rowid IN (SELECT r FROM (SELECT s.rowid AS r, row_number() OVER (
        PARTITION BY {listed(table.key)} ORDER BY {", ".join(order)}) AS place FROM {stage} s) WHERE place > 1)"""


def plan(table: Table, stage: str, types: Types, /, *, merge: bool) -> str:
    """Return the SELECT of each staged row's action.

    With the number of stored rows of its key. ``touch``: equal content, but version, volatile cells or doubled rows
    differ: written, counted as unchanged.
    """
    newer = "true"
    if merge:
        newer = f"$token >= coalesce(t.{TOKEN_COLUMN}, 0)"
        if table.version:
            ours, theirs = f"s.{quoted(table.version)}", f"t.{quoted(table.version)}"
            newer = (
                f"(({ours} IS NOT NULL AND {theirs} IS NULL) OR {ours} > {theirs} "
                f"OR ({ours} IS NOT DISTINCT FROM {theirs} AND {newer}))"
            )
    tomb = f"coalesce(s.{quoted(table.tombstone)}, false)" if table.tombstone and merge else "false"
    content = table.fingerprinted(tuple(types))
    rest = [column for column in types if column not in content]
    return f"""SELECT r, hits, CASE
            WHEN hits > 0 AND NOT newer THEN 'refuse'
            WHEN tomb AND hits > 0 THEN 'delete' WHEN tomb THEN 'none' WHEN hits = 0 THEN 'insert'
            WHEN hits = 1 AND same AND rest THEN 'keep' WHEN same THEN 'touch' ELSE 'update' END AS action
        FROM (SELECT s.rowid AS r, {tomb} AS tomb, count(t.hit_) AS hits, bool_and(coalesce({newer}, false)) AS newer,
            bool_and({_equal(content)}) AS same, bool_and({_equal(rest)}) AS rest
            FROM {stage} s LEFT JOIN (SELECT *, 1 AS hit_ FROM {reference(table.name)} t WHERE {inside(table, types)}) t
            ON {_same_key(table)} GROUP BY ALL)"""


def _equal(columns: Iterable[str]) -> str:
    return " AND ".join(f"s.{quoted(c)} IS NOT DISTINCT FROM t.{quoted(c)}" for c in columns) or "true"


def _same_key(table: Table) -> str:
    return " AND ".join(f"s.{quoted(column)} = t.{quoted(column)}" for column in table.key)


def tally(plan: str, /) -> str:
    """Return the SELECT of (action, staged rows, stored rows) over a plan.

    ``plan``: its table, or its SELECT in parentheses.
    """
    return f"SELECT action, count(*), coalesce(sum(hits), 0) FROM {plan} GROUP BY action"


def delete_partition(table: Table, types: Types, /) -> str:
    """Return the DELETE of a whole partition."""
    return f"DELETE FROM {reference(table.name)} AS t WHERE {inside(table, types)}"


def delete_planned(table: Table, stage: str, types: Types, /) -> str:
    """Return the DELETE of the rows that the plan deletes or writes again."""
    return f"""DELETE FROM {reference(table.name)} AS t USING (SELECT s.* FROM {stage} s JOIN {stage}_plan p
        ON s.rowid = p.r WHERE p.action IN ('delete', 'touch', 'update')) s
        WHERE {inside(table, types)} AND {_same_key(table)}"""


def insert(table: Table, stage: str, types: Types, /, *, planned: bool) -> str:
    """Return the INSERT of the staged rows.

    Those that the plan writes, or all that are not deletions.
    """
    chosen = ""
    if planned:
        chosen = f" JOIN {stage}_plan p ON s.rowid = p.r WHERE p.action IN ('insert', 'touch', 'update')"
    elif table.tombstone:
        chosen = f" WHERE NOT coalesce(s.{quoted(table.tombstone)}, false)"
    cells = ", ".join(f"s.{quoted(column)}" for column in types)
    return f"""INSERT INTO {reference(table.name)} ({listed(types)}, {TOKEN_COLUMN})
        SELECT {cells}, CAST($token AS BIGINT) FROM {stage} s{chosen}"""
