"""The SQL that the DuckDB adapter runs, as pure functions of tables and columns. Nothing is executed here.

Values are bound, names are quoted. The alias ``s`` is a staging table, ``t`` the guarded one.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

import msgspec

from phasegate.core.fingerprint import PIECES, float_limit
from phasegate.core.receipt import Receipt
from phasegate.core.table import TOKEN_COLUMN, Table
from phasegate.errors import BadInput
from phasegate.warehouses.cells import family

Types = Mapping[str, str]

SCHEMA = "phasegate"
FENCE = f"{SCHEMA}.fence"
RECEIPTS = f"{SCHEMA}.receipts"

# ``changes`` orders the receipts of one token: it is the fence row's count of writes.
SYSTEM = (
    f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}",
    f"""CREATE TABLE IF NOT EXISTS {FENCE} (
        table_name VARCHAR NOT NULL, partition VARCHAR NOT NULL, store_id VARCHAR NOT NULL, token BIGINT NOT NULL,
        changes BIGINT NOT NULL, PRIMARY KEY (table_name, partition))""",
    f"""CREATE TABLE IF NOT EXISTS {RECEIPTS} (
        write_id VARCHAR NOT NULL, table_name VARCHAR NOT NULL, partition VARCHAR NOT NULL, run VARCHAR, step VARCHAR,
        token BIGINT NOT NULL, fingerprint VARCHAR NOT NULL, built_from VARCHAR NOT NULL, code VARCHAR, build VARCHAR,
        committed_at DOUBLE, rows_in BIGINT, rows BIGINT, duplicates BIGINT, inserted BIGINT, updated BIGINT,
        deleted BIGINT, unchanged BIGINT, refused BIGINT, forced BOOLEAN, changes BIGINT NOT NULL)""",
)
# Always a real change of the row, also for an equal token: two transactions that did this conflict.
CHANGE_FENCE = f"""UPDATE {FENCE} SET token = $token, changes = changes + 1
    WHERE table_name = $table AND partition = $partition AND token <= $token AND store_id = $store"""
READ_FENCE = f"SELECT token, store_id FROM {FENCE} WHERE table_name = $table AND partition = $partition"
ADD_FENCE = f"INSERT INTO {FENCE} VALUES ($table, $partition, $store, 0, 0) ON CONFLICT DO NOTHING"
ADOPT_ALL = f"UPDATE {FENCE} SET store_id = $store, changes = changes + 1 RETURNING table_name, partition, token"
_PAIRS = "(table_name, partition) IN (SELECT unnest($tables::VARCHAR[]), unnest($partitions::VARCHAR[]))"
ADOPT = f"""UPDATE {FENCE} SET store_id = $store, changes = changes + 1 WHERE {_PAIRS}
    RETURNING table_name, partition, token"""

RECEIPT_FIELDS = tuple(field.name for field in msgspec.structs.fields(Receipt))
_RECEIPT_COLUMNS = tuple("table_name" if name == "table" else name for name in RECEIPT_FIELDS)
PUT_RECEIPT = f"""INSERT INTO {RECEIPTS} ({", ".join(_RECEIPT_COLUMNS)}, changes)
    SELECT {", ".join(f"${name}" for name in RECEIPT_FIELDS)}, coalesce((SELECT changes FROM {FENCE}
    WHERE table_name = $table AND partition = $partition), 0)"""
_RECEIPT = f"SELECT {', '.join(_RECEIPT_COLUMNS)} FROM {RECEIPTS}"
FIND_WRITE = f"{_RECEIPT} WHERE write_id = $write_id LIMIT 1"
FENCE_TABLE, RECEIPTS_TABLE = (SCHEMA, "fence"), (SCHEMA, "receipts")
PIN = f"SELECT 1 FROM {SCHEMA}.fence LIMIT 0"
TABLES = """SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database()
    UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = current_database()
    AND NOT internal"""


def receipts(parts: int, /) -> str:
    """Return the SELECT of all receipts of so many partitions, the newest of each last.

    A partition has few receipts; picking the newest here, by a window, takes three times as long (measured).
    """
    where = " OR ".join(f"(table_name = $table{n} AND partition = $partition{n})" for n in range(parts))
    return f"{_RECEIPT} WHERE {where} ORDER BY token, changes"


def quoted(name: str, /) -> str:
    """Return an identifier in quotes.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def split(name: str, /) -> tuple[str, str]:
    """Return schema and table of a full name; without a schema it is DuckDB's ``main``.

    Raises BadInput for a name of more than two parts.
    """
    parts = name.split(".")
    if len(parts) > 2 or not all(parts):
        raise BadInput(f"table {name!r}: name it as schema.table")
    return (parts[0], parts[1]) if len(parts) == 2 else ("main", parts[0])


def reference(name: str, /) -> str:
    """Return the quoted full name of a table."""
    schema, table = split(name)
    return f"{quoted(schema)}.{quoted(table)}"


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(quoted(column) for column in columns)


def _fixed(cell: str, scale: int) -> str:
    """Return the SQL of a float as correctly rounded fixed decimals (measured: equal to Python's, unlike ROUND)."""
    zero = f"{0:.{scale}f}"
    return f"replace(format('{{:.{scale}f}}', CAST({cell} AS DOUBLE)), '-{zero}', '{zero}')"


def text(cell: str, sql_type: str, /, *, scale: int) -> str:
    """Return the SQL expression of a cell's canonical text; see core.fingerprint.text.

    Raises BadInput for a type that has none.
    """
    match family(sql_type):
        case "text" | "bool" | "int" | "date" | "uuid":
            spelled = f"CAST({cell} AS VARCHAR)"
        case "float":
            # DuckDB pads fixed decimals beyond 17 digits wrongly; from float_limit on the exponent form is exact.
            spelled = (
                f"CASE WHEN isnan({cell}) THEN 'nan' WHEN abs({cell}) < {float_limit(scale):.0f} "
                f"THEN {_fixed(cell, scale)} ELSE format('{{:.16e}}', CAST({cell} AS DOUBLE)) END"
            )
        case "decimal":
            exact = f"CAST({cell} AS VARCHAR)"
            spelled = f"CASE WHEN contains({exact}, '.') THEN rtrim(rtrim({exact}, '0'), '.') ELSE {exact} END"
        case "timestamp":
            # Through the epoch: a cast of TIMESTAMPTZ would depend on the session's zone.
            utc = f"make_timestamp(epoch_us({cell}))" if "Z" in sql_type.upper() else f"CAST({cell} AS TIMESTAMP)"
            spelled = f"strftime({utc}, '%Y-%m-%dT%H:%M:%S.%f')"
        case "time":
            spelled = f"strftime(DATE '1970-01-01' + {cell}, '%H:%M:%S.%f')"
        case "bytes":
            spelled = f"lower(hex({cell}))"
        case "other":
            raise BadInput(f"{sql_type} has no canonical text: store it as VARCHAR, or declare the column volatile")
        case unknown:
            assert_never(unknown)
    return spelled


def _digest(table: Table, types: Types, alias: str) -> str:
    """Return the SQL of a row's SHA-256 in hex.

    A list of texts that a lambda spells out: 7 ms for 348 rows of 23 columns; one expression per column took 14.
    """
    content = table.fingerprinted(tuple(types))
    cells = [text(f"{alias}.{quoted(column)}", types[column], scale=table.scale(column)) for column in content]
    texts = f"CAST([{', '.join(cells)}] AS VARCHAR[])"
    spelled = "lambda x: coalesce(strlen(x) || ':' || x || ';', 'N;')"
    return f"sha256(array_to_string(list_transform({texts}, {spelled}), ''))"


def inside(table: Table, types: Types, /, *, alias: str = "t") -> str:
    """Return the condition that a row is in the partition ``$partition``, by the text of its partition column."""
    cell, sql_type = f"{alias}.{quoted(table.partition)}", types[table.partition]
    spelled = f"{text(cell, sql_type, scale=table.scale(table.partition))} = $partition"
    if family(sql_type) in {"date", "int", "timestamp"}:
        # The typed comparison lets DuckDB skip row groups; the text decides.
        return f"({cell} = TRY_CAST($partition AS {sql_type}) AND {spelled})"
    return f"({spelled})"


def fingerprint(table: Table, types: Types, /, *, partition: bool) -> str:
    """Return the SELECT of count and eight sums. sum() over integers is a HUGEINT: it holds 2^63 rows' worth."""
    where = f"WHERE {inside(table, types)}" if partition else ""
    sums = ", ".join(f"sum(CAST('0x' || substr(h, {8 * i + 1}, 8) AS UINTEGER))" for i in range(PIECES))
    return (
        f"WITH rows_ AS (SELECT {_digest(table, types, 't')} AS h FROM {reference(table.name)} t {where}) "
        f"SELECT count(*), {sums} FROM rows_"
    )


def create_from_columns(table: Table, types: Types, /) -> str:
    """Return the CREATE of a table with declared columns."""
    columns = ", ".join(f"{quoted(column)} {sql_type}" for column, sql_type in types.items())
    return f"CREATE TABLE {reference(table.name)} ({columns}, {TOKEN_COLUMN} BIGINT)"


def create_from_query(table: Table, sql: str, columns: Iterable[str], /) -> str:
    """Return the CREATE of an empty table in the shape of a SELECT."""
    return f"""CREATE TABLE {reference(table.name)} AS
        SELECT {_listed(columns)}, CAST(NULL AS BIGINT) AS {TOKEN_COLUMN} FROM (\n{sql}\n) LIMIT 0"""


def add_lineage(table: Table, /) -> str:
    """Return the ALTER that gives somebody else's table its lineage column."""
    return f"ALTER TABLE {reference(table.name)} ADD COLUMN IF NOT EXISTS {TOKEN_COLUMN} BIGINT"


def stage_like(table: Table, stage: str, columns: Sequence[str], /) -> str:
    """Return the CREATE of an empty staging table with the types of the guarded one."""
    tombstone = f", CAST(NULL AS BOOLEAN) AS {quoted(table.tombstone)}" if table.tombstone else ""
    return f"CREATE TEMP TABLE {stage} AS SELECT {_listed(columns)}{tombstone} FROM {reference(table.name)} LIMIT 0"


def fill_from_query(stage: str, sql: str, columns: Iterable[str], /) -> str:
    """Return the INSERT of a SELECT's rows into a staging table, by name."""
    return f"INSERT INTO {stage} BY NAME SELECT {_listed(columns)} FROM (\n{sql}\n)"


def fill_from_lists(stage: str, types: Types, /) -> str:
    """Return the INSERT of one list of texts per column, ``$c0``, ``$c1``, …; the INSERT casts."""
    cells = []
    for number, (column, sql_type) in enumerate(types.items()):
        cell = f"unnest($c{number}::VARCHAR[])"
        cells.append(f"{f'unhex({cell})' if family(sql_type) == 'bytes' else cell} AS {quoted(column)}")
    return f"INSERT INTO {stage} BY NAME SELECT {', '.join(cells)}"


def round_floats(table: Table, stage: str, types: Types, /) -> str | None:
    """Return the UPDATE that rounds staged floats to their scale, None without floats."""
    changes = []
    for column in _floats(types):
        name, scale = quoted(column), table.scale(column)
        small = f"abs({name}) < {float_limit(scale):.0f}"
        changes.append(f"{name} = CASE WHEN {small} THEN CAST({_fixed(name, scale)} AS DOUBLE) ELSE {name} END")
    return f"UPDATE {stage} SET {', '.join(changes)}" if changes else None


def _floats(types: Types) -> list[str]:
    return [column for column, sql_type in types.items() if family(sql_type) == "float"]


def inspect(table: Table, stage: str, types: Types, /) -> str:
    """Return the SELECT of Staged's counts, in the order of its fields."""
    nulls = " OR ".join(f"s.{quoted(column)} IS NULL" for column in table.key)
    finite = " + ".join(f"count(*) FILTER (NOT isfinite(s.{quoted(column)}))" for column in _floats(types)) or "0"
    future, missing = "0", "0"
    if table.version:
        cell = f"s.{quoted(table.version)}"
        timed = family(types[table.version]) in {"timestamp", "date"}
        seconds = f"epoch({cell})" if timed else f"CAST({cell} AS DOUBLE)"
        future = f"count(*) FILTER ({seconds} > $version_max)"
        missing = f"count(*) FILTER ({cell} IS NULL)"
    # coalesce: a NULL partition is outside too.
    return f"""SELECT count(*), count(*) FILTER (NOT coalesce({inside(table, types, alias="s")}, false)),
        count(*) FILTER ({nulls}), {future}, {missing}, {finite},
        (SELECT count(*) FROM {reference(table.name)} t WHERE {inside(table, types)}) FROM {stage} s"""


def has_duplicates(table: Table, stage: str, /) -> str:
    """Return the SELECT that tells whether a key occurs twice."""
    return f"SELECT 1 FROM {stage} GROUP BY {_listed(table.key)} HAVING count(*) > 1 LIMIT 1"


def deduplicate(table: Table, stage: str, types: Types, /) -> str:
    """Return the DELETE of all but one row per key: newest version, then deletion, then by content's digest."""
    order = [f"s.{quoted(table.version)} DESC NULLS LAST"] if table.version else []
    order += [f"coalesce(s.{quoted(table.tombstone)}, false) DESC"] if table.tombstone else []
    order += [f"{_digest(table, types, 's')} DESC", "s.rowid"]
    return f"""DELETE FROM {stage} WHERE rowid IN (SELECT r FROM (SELECT s.rowid AS r, row_number() OVER (
        PARTITION BY {_listed(table.key)} ORDER BY {", ".join(order)}) AS place FROM {stage} s) WHERE place > 1)"""


def plan(table: Table, stage: str, types: Types, /, *, merge: bool) -> str:
    """Return the CREATE of the table that says, per staged row, what is done with it and how many rows it meets.

    ``touch``: equal content, but version, volatile cells or doubled rows differ: written, counted as unchanged.
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
    return f"""CREATE TEMP TABLE {stage}_plan AS SELECT r, hits, CASE
            WHEN hits > 0 AND NOT newer THEN 'refuse'
            WHEN tomb AND hits > 0 THEN 'delete' WHEN tomb THEN 'none' WHEN hits = 0 THEN 'insert'
            WHEN hits = 1 AND identical THEN 'keep' WHEN same THEN 'touch' ELSE 'update' END AS action
        FROM (SELECT s.rowid AS r, {tomb} AS tomb, count(t.hit_) AS hits, bool_and(coalesce({newer}, false)) AS newer,
            bool_and({_equal(table.fingerprinted(tuple(types)))}) AS same, bool_and({_equal(types)}) AS identical
            FROM {stage} s LEFT JOIN (SELECT *, 1 AS hit_ FROM {reference(table.name)} t WHERE {inside(table, types)}) t
            ON {_same_key(table)} GROUP BY ALL)"""


def _equal(columns: Iterable[str]) -> str:
    return " AND ".join(f"s.{quoted(c)} IS NOT DISTINCT FROM t.{quoted(c)}" for c in columns) or "true"


def _same_key(table: Table) -> str:
    return " AND ".join(f"s.{quoted(column)} = t.{quoted(column)}" for column in table.key)


def tally(stage: str, /) -> str:
    """Return the SELECT of (action, staged rows, rows met) over the plan."""
    return f"SELECT action, count(*), coalesce(sum(hits), 0) FROM {stage}_plan GROUP BY action"


def delete_partition(table: Table, types: Types, /) -> str:
    """Return the DELETE of a whole partition."""
    return f"DELETE FROM {reference(table.name)} AS t WHERE {inside(table, types)}"


def delete_planned(table: Table, stage: str, types: Types, /) -> str:
    """Return the DELETE of the rows that the plan deletes or writes anew."""
    return f"""DELETE FROM {reference(table.name)} AS t USING (SELECT s.* FROM {stage} s JOIN {stage}_plan p
        ON s.rowid = p.r WHERE p.action IN ('delete', 'touch', 'update')) s
        WHERE {inside(table, types)} AND {_same_key(table)}"""


def insert(table: Table, stage: str, types: Types, /, *, planned: bool) -> str:
    """Return the INSERT of the staged rows, all of them or those that the plan writes."""
    chosen = f" JOIN {stage}_plan p ON s.rowid = p.r WHERE p.action IN ('insert', 'touch', 'update')" if planned else ""
    cells = ", ".join(f"s.{quoted(column)}" for column in types)
    return f"""INSERT INTO {reference(table.name)} BY NAME
        SELECT {cells}, CAST($token AS BIGINT) AS {TOKEN_COLUMN} FROM {stage} s{chosen}"""
