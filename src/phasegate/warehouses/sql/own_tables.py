"""The SQL of Phasegate's own tables: fences, receipts, keys.

Values are bound.
"""

from collections.abc import Collection, Sequence

import msgspec

from phasegate.base.receipt import Receipt
from phasegate.warehouses.sql.dialect import Dialect

SCHEMA = "phasegate"
NAMES = FENCE, RECEIPTS, KEYS = f"{SCHEMA}.fence", f"{SCHEMA}.receipts", f"{SCHEMA}.keys"
RECEIPT_FIELDS = tuple(field.name for field in msgspec.structs.fields(Receipt))
_NUMBERS = {"token", "rows_in", "rows", "duplicates", "inserted", "updated", "deleted", "unchanged", "refused",
            "undecided"}  # fmt: skip
_OTHER = {"committed_at": "DOUBLE", "allow_shrink": "BOOLEAN"}
_NEEDED = {"write_id", "table", "partition", "token", "fingerprint", "built_from"}


def field_type(field: str, /) -> str:
    """Return the type of a receipt's field, in the words of a plan."""
    return "BIGINT" if field in _NUMBERS else _OTHER.get(field, "VARCHAR")


def is_whole(name: str, columns: Collection[str], /) -> bool:
    """Return whether one of our tables has the columns of this version."""
    return {FENCE: "holder", RECEIPTS: "undecided", KEYS: "key"}.get(name, "") in columns


class OwnSql:
    """The statements on our own tables, in one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        named, reference = dialect.quoted, dialect.reference
        self.fence, self.receipts, self.keys = reference(FENCE), reference(RECEIPTS), reference(KEYS)
        self._part = named("partition")
        self.columns = tuple(named("table_name" if name == "table" else name) for name in RECEIPT_FIELDS)
        self._listed = ", ".join(self.columns)
        self._here = f"table_name = $table AND {self._part} = $partition"
        self._span = f"table_name = $table AND {self._part} BETWEEN $first AND $last"

    def system(self) -> list[str]:
        """Return the CREATEs of what is absent."""
        of = self.dialect.type_of
        text, number = of("VARCHAR"), of("BIGINT")
        fields = []
        for name, column in zip(RECEIPT_FIELDS, self.columns, strict=True):
            fields.append(f"{column} {of(field_type(name))}{' NOT NULL' if name in _NEEDED else ''}")
        return [
            f"CREATE SCHEMA IF NOT EXISTS {self.dialect.quoted(SCHEMA)}",
            f"""CREATE TABLE IF NOT EXISTS {self.fence} (table_name {text} NOT NULL, {self._part} {text} NOT NULL,
                store_id {text} NOT NULL, token {number} NOT NULL, changes {number} NOT NULL,
                holder {text} DEFAULT '', PRIMARY KEY (table_name, {self._part}))""",
            f"ALTER TABLE {self.fence} ADD COLUMN IF NOT EXISTS holder {text} DEFAULT ''",
            f"CREATE TABLE IF NOT EXISTS {self.receipts} ({', '.join(fields)}, changes {number} NOT NULL)",
            f"ALTER TABLE {self.receipts} ADD COLUMN IF NOT EXISTS undecided {number} DEFAULT 0",
            f"""CREATE TABLE IF NOT EXISTS {self.keys}
                (table_name {text} PRIMARY KEY, key {of("VARCHAR[]")} NOT NULL)""",
        ]

    # Fences

    def change_fence(self, *, holders: int) -> str:
        """Return the UPDATE of a fence row.

        Always a real change of the row, also for an equal token: two transactions that did this conflict.
        """
        known = ", ".join(("''", *(f"$holder{number}" for number in range(holders))))
        return f"""UPDATE {self.fence} SET token = $token, holder = $holder, changes = changes + 1
            WHERE {self._here} AND token <= $token AND store_id = $store AND holder IN ({known})"""

    def pass_fences(self) -> str:
        """Return the UPDATE of every fence row of a table, but of no token."""
        return f"UPDATE {self.fence} SET changes = changes + 1 WHERE table_name = $table"

    def foreign_fences(self) -> str:
        """Return the SELECT of the number of a table's fence rows of other stores."""
        return f"SELECT count(*) FROM {self.fence} WHERE table_name = $table AND store_id <> $store"

    def read_fence(self) -> str:
        """Return the SELECT of a fence row."""
        return f"SELECT token, store_id, holder FROM {self.fence} WHERE {self._here}"

    def fences(self) -> str:
        """Return the SELECT of the fence rows of a span."""
        return f"""SELECT table_name, {self._part}, token, store_id, holder FROM {self.fence}
            WHERE {self._part} BETWEEN $first AND $last AND table_name <> ''"""

    def fenced(self) -> str:
        """Return the SELECT of the tables with a fence row of a partition."""
        return f"SELECT table_name FROM {self.fence} WHERE {self._part} = $partition"

    def add_fences(self, *, tables: int) -> str:
        """Return the INSERT of fence rows without a holder.

        They are of the store that has adopted the warehouse, or else of ``$store``. Token and changes go on from those
        of the receipts, so that an older holder is refused also where a fence row was deleted.
        """
        obeyed = f"coalesce((SELECT store_id FROM {self.fence} WHERE table_name = ''), $store)"
        rows = ", ".join(
            f"($table{number}, $partition, {obeyed}, {self._written(f'$table{number}')}, '')"
            for number in range(tables)
        )
        return f"INSERT INTO {self.fence} (table_name, {self._part}, store_id, token, changes, holder) VALUES {rows}"

    def _written(self, table: str) -> str:
        """Return the SQL of a partition's highest token and changes, or 0."""
        here = f"FROM {self.receipts} WHERE table_name = {table} AND {self._part} = $partition"
        return ", ".join(f"coalesce((SELECT max({column}) {here}), 0)" for column in ("token", "changes"))

    def mend_fences(self, *, where: str = "1 = 1") -> str:
        """Return the INSERT of the fence rows that written partitions lack."""
        return f"""INSERT INTO {self.fence} (table_name, {self._part}, store_id, token, changes, holder)
            SELECT r.table_name, r.{self._part}, $store, max(r.token), max(r.changes), '' FROM {self.receipts} r
            WHERE {where} AND NOT EXISTS (
                SELECT 1 FROM {self.fence} f WHERE f.table_name = r.table_name AND f.{self._part} = r.{self._part})
            GROUP BY r.table_name, r.{self._part}"""

    def add_store(self) -> str:
        """Return the INSERT of the row without a table, if there is none.

        It names the store that the warehouse obeys, from an adoption of all on.
        """
        return f"""INSERT INTO {self.fence} (table_name, {self._part}, store_id, token, changes, holder)
            SELECT '', '', $store, 0, 0, '' WHERE NOT EXISTS (SELECT 1 FROM {self.fence} WHERE table_name = '')"""

    def adopt(self, *, parts: int | None) -> list[str]:
        """Return the UPDATE of fence rows (None: all) and the SELECT of tokens."""
        pairs = (f"(table_name = $table{n} AND {self._part} = $partition{n})" for n in range(parts or 0))
        chosen = "1 = 1" if parts is None else " OR ".join(pairs) or "1 = 0"
        return [
            f"UPDATE {self.fence} SET store_id = $store, holder = $holder, changes = changes + 1 WHERE {chosen}",
            f"SELECT table_name, {self._part}, token FROM {self.fence} WHERE ({chosen}) AND table_name <> ''",
        ]

    # Keys

    def read_key(self) -> str:
        """Return the SELECT of the recorded key of a table."""
        return f"SELECT key FROM {self.keys} WHERE table_name = $table"

    def put_key(self) -> str:
        """Return the INSERT of a table's key."""
        return f"INSERT INTO {self.keys} (table_name, key) VALUES ($table, {self._key()})"

    def change_key(self) -> str:
        """Return the UPDATE of a table's key."""
        return f"UPDATE {self.keys} SET key = {self._key()} WHERE table_name = $table"

    def _key(self) -> str:
        return f"CAST($key AS {self.dialect.type_of('VARCHAR[]')})"

    # Receipts

    def of_older(self, sql: str, /) -> str:
        """Return a SELECT of receipts for a table of an older version."""
        column = self.dialect.quoted("undecided")
        return sql.replace(column, f"0 AS {column}")

    def put_receipt(self) -> str:
        """Return the INSERT of a receipt.

        ``changes`` orders the receipts of one token: it is the fence row's count of writes.
        """
        values = ", ".join(f"${name}" for name in RECEIPT_FIELDS)
        return f"""INSERT INTO {self.receipts} ({self._listed}, changes) VALUES ({values},
            coalesce((SELECT max(changes) FROM {self.fence} WHERE {self._here}), 0))"""

    def find_write(self) -> str:
        """Return the SELECT of the receipt of a write."""
        return f"SELECT {self._listed} FROM {self.receipts} WHERE write_id = $write_id LIMIT 1"

    def receipts_of(self, *, tables: int, partitions: int) -> str:
        """Return the SELECT of all receipts of some tables and partitions.

        Each with its count of changes. A partition has few receipts; choosing the newest in SQL, by a window, takes
        three times as long (measured).
        """
        names = ", ".join(f"$table{n}" for n in range(tables))
        parts = ", ".join(f"$partition{n}" for n in range(partitions))
        return f"""SELECT {self._listed}, changes FROM {self.receipts}
            WHERE {self._part} IN ({parts}) AND table_name IN ({names})"""

    def receipts_between(self) -> str:
        """Return the SELECT of the newest receipt of each partition of a span."""
        return self._newest(self.columns)

    def stamps_between(self) -> str:
        """Return the SELECT of the stamps of the newest receipts of a span.

        Partition, fingerprint, token.
        """
        return self._newest((self._part, "fingerprint", "token"))

    def _newest(self, columns: Sequence[str]) -> str:
        return f"""SELECT {", ".join(columns)} FROM (SELECT r.*, row_number() OVER (
            PARTITION BY {self._part} ORDER BY token DESC, changes DESC) AS place
            FROM {self.receipts} r WHERE {self._span}) q WHERE place = 1"""
