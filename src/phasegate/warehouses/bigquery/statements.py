"""The statements that BigQuery spells in its own way.

The fence rows of each guarded table are in a table of their own: two transactions that change rows of one table
conflict there, whichever rows these are. It has one row without a name besides: each of its other rows is inserted by a
transaction that changes this one, so two that insert the same row conflict; and its token counts the changes of the
guarded table's columns, so it is odd during one.
"""

from collections.abc import Sequence

from phasegate.base.table import TOKEN_COLUMN, Difference, Table
from phasegate.warehouses.bigquery.dialect import CLUSTERED, BigQueryDialect, column_type, rounded, type_of
from phasegate.warehouses.sql import own_tables as own
from phasegate.warehouses.sql.cells import family
from phasegate.warehouses.sql.dialect import Types
from phasegate.warehouses.sql.own_tables import OwnSql
from phasegate.warehouses.sql.writes import DIGEST, ROW, WriteSql

CLUSTERS_MAX = 4
PLACE, MOVED = "_pg_place", "_pg_moved"
EXPIRES_H = 6
BILLED = "bytes_billed"


def fence_table(guarded: tuple[str, str], /) -> str:
    """Return the name of the table with the fence rows of a guarded one.

    A dataset's name has no dash, so no two tables share one.
    """
    return f"{own.FENCE}_{guarded[0]}-{guarded[1]}"


class BigQuerySql(WriteSql):
    """The statements on guarded tables."""

    def __init__(self, dialect: BigQueryDialect) -> None:
        super().__init__(dialect)
        self.names = dialect

    def create(self, table: Table, types: Types, /) -> str:
        """Return the CREATE of a table, with its partitions and clusters."""
        columns = [f"{self._quoted(column)} {column_type(kind)}" for column, kind in types.items()]
        columns.append(f"{TOKEN_COLUMN} INT64")
        return f"CREATE TABLE IF NOT EXISTS {self._named(table)} ({', '.join(columns)}){self._layout(table, types)}"

    def _layout(self, table: Table, types: Types) -> str:
        """Return how the rows of a table are stored.

        By the partition, if that is a date; in it, by the first columns of the key. A filter on them is then all that a
        statement pays for.
        """
        parts = f" PARTITION BY {self._quoted(table.partition)}" if family(types[table.partition]) == "date" else ""
        ordered = [
            one for one in table.key if family(types[one]) in CLUSTERED and not (parts and one == table.partition)
        ]
        clusters = f" CLUSTER BY {self._listed(ordered[:CLUSTERS_MAX])}" if ordered else ""
        return parts + clusters

    def rewrite(self, table: Table, change: Difference, /, *, stored: Types) -> list[str]:
        """Return the statements that give a table the columns of its plan.

        The last one changes it. New columns alone cost nothing. All else writes the whole table, with ``stored`` as its
        columns: BigQuery turns no number into a text in place, and several ALTERs would not be one change.
        """
        added = {name: column_type(kind) for name, kind in change.added.items()}
        if change.added and not (change.widened or change.retyped or change.removed):
            adds = ", ".join(f"ADD COLUMN {self._quoted(name)} {kind}" for name, kind in added.items())
            return [f"ALTER TABLE {self._named(table)} {adds}"]
        if not (change.widened or change.retyped or change.removed):
            return []
        new = {name: to for name, (_, to) in (*change.widened.items(), *change.retyped.items())}
        kept = {name: new.get(name, kind) for name, kind in stored.items() if name not in change.removed}
        cells = [
            self._as(f"t.{self._quoted(name)}", kind, yields="" if name in new else kind) for name, kind in kept.items()
        ]
        cells += [f"CAST(NULL AS {type_of(kind)})" for kind in change.added.values()]
        types = {**kept, **change.added}
        columns = [f"{self._quoted(column)} {column_type(kind)}" for column, kind in types.items()]
        listed = ", ".join(f"{cell} AS {self._quoted(name)}" for cell, name in zip(cells, types, strict=True))
        # Copied first: the stand-in of tests empties a table before it reads it.
        return [
            f"CREATE TEMP TABLE {MOVED} AS SELECT {listed}, t.{TOKEN_COLUMN} FROM {self._named(table)} t",
            f"""CREATE OR REPLACE TABLE {self._named(table)} ({", ".join(columns)}, {TOKEN_COLUMN} INT64)
            {self._layout(table, types)} AS SELECT * FROM {MOVED}""",
        ]

    def _as(self, cell: str, sql_type: str, *, yields: str) -> str:
        """Return a cell in a type; a cast takes no digits, so it is rounded."""
        plain = super()._as(cell, sql_type, yields=yields)
        return plain if yields == sql_type else rounded(plain, sql_type)

    def _between(self, table: Table, types: Types, *, dates: bool) -> tuple[str, str]:
        """Return the partition column's text and a condition on it.

        A date has four digits of a year here, so the typed comparison is enough to leave out partitions.
        """
        cell, spelled = f"t.{self._quoted(table.partition)}", self._text(table, types, table.partition)
        where = f"{spelled} BETWEEN $first AND $last"
        if dates and family(types[table.partition]) == "date":
            where = f"{cell} BETWEEN SAFE_CAST($first AS DATE) AND SAFE_CAST($last AS DATE) AND {where}"
        return spelled, where

    def fold(self) -> str:
        """Return the SQL of the fingerprint of digests ``h``."""
        sums = ", ',', ".join(
            self.dialect.text(f"COALESCE(SUM({self.dialect.piece('h', number)}), 0)", "NUMERIC", scale=0)
            for number in range(8)
        )
        return f"CONCAT(CAST(COUNT(*) AS STRING), '-', SUBSTR(TO_HEX(SHA256(CONCAT({sums}))), 1, 32))"

    def foreign(self, table: Table, types: Types, /, *, receipts: str, dates: bool) -> str:
        """Return the SELECT of the fingerprints of partitions without a receipt."""
        spelled, where = self._between(table, types, dates=dates)
        digest = self.dialect.row_hash(table, types, alias="t")
        return f"""SELECT part, {self.fold()} AS fingerprint FROM (SELECT {spelled} AS part, {digest} AS h
            FROM {self._named(table)} t WHERE {where}
            AND {spelled} NOT IN (SELECT `partition` FROM {receipts} WHERE table_name = $table)) q GROUP BY part"""

    def deduplicated(self, table: Table, stage: str, /) -> str:
        """Return the SELECT of staged rows, with their places in their keys."""
        order = [*self._newest_first(table), f"{DIGEST} DESC", ROW]
        return f"""SELECT s.*, row_number() OVER (PARTITION BY {self._listed(table.key)}
            ORDER BY {", ".join(order)}) AS {PLACE} FROM ({stage}) s"""


class BigQueryOwn(OwnSql):
    """The statements on our own tables, and on one table's fence rows."""

    def __init__(self, dialect: BigQueryDialect, *, guarded: str | None = None) -> None:
        super().__init__(dialect)
        self.every_fence = self.fence
        if guarded is not None:
            self.fence = dialect.reference(fence_table(dialect.split(guarded)))

    def system(self) -> list[str]:
        """Return the CREATEs of what is absent."""
        fields = []
        for name, column in zip(own.RECEIPT_FIELDS, self.columns, strict=True):
            fields.append(f"{column} {type_of(own.field_type(name))}")
        return [
            f"""CREATE TABLE IF NOT EXISTS {self.every_fence} (table_name STRING NOT NULL, {self._part} STRING NOT NULL,
                store_id STRING NOT NULL, token INT64 NOT NULL, changes INT64 NOT NULL, holder STRING)""",
            f"""CREATE TABLE IF NOT EXISTS {self.receipts}
                ({", ".join(fields)}, changes INT64 NOT NULL, {BILLED} INT64)
                CLUSTER BY table_name, {self._part}""",
            f"CREATE TABLE IF NOT EXISTS {self.keys} (table_name STRING NOT NULL, key ARRAY<STRING>)",
        ]

    def put_receipt(self) -> str:
        """Return the INSERT of a receipt, with the bytes billed for its staging."""
        named = super().put_receipt().replace(", changes) VALUES (", f", {BILLED}, changes) VALUES (", 1)
        return named.replace("$undecided,", f"$undecided, ${BILLED},", 1)

    def guarded(self) -> str:
        """Return the SELECT of the names of all tables that were written."""
        return f"SELECT DISTINCT table_name FROM {self.receipts} ORDER BY table_name"

    def add_fence_table(self) -> str:
        """Return the CREATE of a fence table, with the row without a name."""
        return f"""CREATE TABLE IF NOT EXISTS {self.fence} AS
            SELECT '' AS table_name, '' AS {self._part}, '' AS store_id, 0 AS token, 0 AS changes, '' AS holder"""

    def touch_none(self) -> str:
        """Return a SELECT of no rows; it bills nothing."""
        return f"SELECT table_name FROM {self.every_fence} WHERE false;"

    def touch(self) -> str:
        """Return the UPDATE of the row without a name."""
        return f"UPDATE {self.fence} SET changes = changes + 1 WHERE table_name = ''"

    def open_shape(self) -> str:
        """Return the UPDATE that makes the shape's number odd, and another one."""
        return f"UPDATE {self.fence} SET token = token + 1 + MOD(token, 2) WHERE table_name = ''"

    def close_shape(self) -> str:
        """Return the UPDATE that makes it even, unless another change has begun."""
        return f"UPDATE {self.fence} SET token = token + 1 WHERE table_name = '' AND token = v_shape"

    def add_fence(self) -> str:
        """Return the INSERT of a fence row, if there is none.

        It is of the store that has adopted the warehouse, or else of ``$store``, and goes on from the receipts.
        """
        obeyed = f"coalesce((SELECT max(store_id) FROM {self.every_fence} WHERE table_name = ''), $store)"
        return f"""INSERT INTO {self.fence} (table_name, {self._part}, store_id, token, changes, holder)
            SELECT $table, $partition, {obeyed}, {self._written("$table")}, '' FROM (SELECT 1) one
            WHERE NOT EXISTS (SELECT 1 FROM {self.fence} WHERE {self._here})"""

    def shape(self) -> str:
        """Return the SQL of the number of changes of the guarded table's columns."""
        return f"(SELECT max(token) FROM {self.fence} WHERE table_name = '')"

    def adoption(self, tables: Sequence[str], /, *, parts: int | None) -> str:
        """Return the script that writes a store and a holder into fence rows.

        It reads their tokens at its end. ``parts``: of how many parts, None for all. The row of ``every_fence`` names
        the store that the warehouse obeys, from an adoption of all on.
        """
        pairs = (f"(table_name = $table{n} AND {self._part} = $partition{n})" for n in range(parts or 0))
        chosen = "true" if parts is None else " OR ".join(pairs) or "false"
        script = ["BEGIN TRANSACTION"]
        if parts is None:
            script += [
                f"DELETE FROM {self.every_fence} WHERE table_name = ''",
                f"""INSERT INTO {self.every_fence}
                (table_name, {self._part}, store_id, token, changes, holder) VALUES ('', '', $store, 0, 0, '')""",
            ]
        script += [
            f"UPDATE {one} SET store_id = $store, holder = $holder, changes = changes + 1 WHERE {chosen}"
            for one in tables
        ]
        tokens = " UNION ALL ".join(
            f"SELECT table_name, {self._part}, token FROM {one} WHERE ({chosen}) AND table_name <> ''" for one in tables
        )
        return ";\n".join(filter(None, [*script, "COMMIT TRANSACTION", tokens])) + ";"


def fences_of(tables: Sequence[str], /) -> str:
    """Return the SELECT of the fence rows of a span in these fence tables."""
    return " UNION ALL ".join(
        f"""SELECT table_name, `partition`, token, store_id, holder FROM {one}
            WHERE `partition` BETWEEN $first AND $last AND table_name <> ''"""
        for one in tables
    )
