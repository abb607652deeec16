"""One writing transaction of a DuckDB file.

It decides nothing: each verb runs its SQL of ``warehouses.sql`` and returns the result.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from phasegate.base.receipt import Changes, Fence, Part, Receipt
from phasegate.base.table import Difference, Table
from phasegate.errors import BadInput, Conflict
from phasegate.warehouse import Params
from phasegate.warehouses.duckdb import errors
from phasegate.warehouses.duckdb.dialect import quoted, split
from phasegate.warehouses.duckdb.reader import SQLS, Catalog
from phasegate.warehouses.duckdb.staging import DuckDBStaging, Stage
from phasegate.warehouses.sql import own_tables as own
from phasegate.warehouses.sql.cells import check_shape, stored
from phasegate.warehouses.sql.rows import tally

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class DuckDBTransaction(DuckDBStaging):
    """A transaction that writes."""

    _begin = "BEGIN TRANSACTION"

    def __init__(self, connection: "DuckDBPyConnection", *, path: Path, catalog: Catalog) -> None:
        self._creates = self.reshaped = False
        super().__init__(connection, path=path, catalog=catalog)
        self._changes: dict[Part, int] = {}

    def create(self, table: Table, /, *, sql: str | None, params: Params) -> None:
        """Create what is absent: system tables, schema, the guarded table.

        The table gets its lineage column.

        Raises BadInput when the table cannot be guarded, or its shape is not given.
        """
        self._creates = True
        for statement in own.SYSTEM:
            self._run(statement, what="the system tables")
        what = f"table {table.name}"
        bound: dict[str, object] = {}
        if self._has(split(table.name)):
            check_shape(table, self.types_of(table))
            self._run(SQLS.add_lineage(table), what=what)
        elif table.columns or sql is not None:
            shape = {name: table.columns[name] for name in stored(table.columns, table=table)}
            statement = SQLS.create_from_columns(table, shape)
            if sql is not None and not shape:
                text, bound = self._select(sql, params, what=f"SQL for {what}")
                yielded = self._describe(text, bound, what=f"SQL for {what}")
                shape = {name: yielded[name] for name in stored(yielded, table=table)}
                statement = SQLS.create_from_query(table, text, tuple(shape))
            check_shape(table, shape)
            self._run(f"CREATE SCHEMA IF NOT EXISTS {quoted(split(table.name)[0])}", what=what)
            self._run(statement, bound, what=what)
        else:
            raise BadInput(f"table {table.name} does not exist, and neither columns nor a SELECT give its shape")
        self._run(own.PUT_KEY, {"table": table.name, "key": list(table.key)}, what=what)

    def change_fences(self, table: Table, /, *, store_id: str) -> bool:
        """Change every fence row of a table, but no token.

        Return whether all are of this store.
        """
        what = f"fences of {table.name}"
        rows = self._run(own.CHANGE_FENCES, {"table": table.name}, what=what) if self._has_fences() else []
        return all(found == store_id for (found,) in rows)

    def reshape(self, table: Table, change: Difference, /) -> None:
        """Give the stored table the columns and the recorded key of its plan."""
        what = f"table {table.name}"
        self._creates = self.reshaped = True
        # What others have found stays theirs until this is committed.
        self._catalog = Catalog()
        for statement in (*own.SYSTEM, *SQLS.reshape(table, change)):
            self._run(statement, what=what)
        self._run(own.CHANGE_KEY, {"table": table.name, "key": list(table.key)}, what=what)

    def add_fences(self, tables: Iterable[str], /, *, partition: str, store_id: str) -> None:
        """Create the missing fence rows of a partition, with token 0."""
        rows = self._run(own.FENCED, {"partition": partition}, what="fence")
        absent = sorted(set(tables) - {str(name) for (name,) in rows})
        if absent:
            self._run(own.ADD_FENCES, {"tables": absent, "partition": partition, "store": store_id}, what="fence")

    def change_fence(self, part: Part, /, *, token: int, store_id: str, holders: Sequence[str]) -> bool:
        """Set the fence row to ``token`` if that is not lower; return whether.

        The row must be of this store and of none but ``holders``. It is always a real change of the row.
        """
        bound: dict[str, object] = {"table": part.table, "partition": part.partition, "token": token}
        bound |= {"store": store_id, "holder": holders[-1], "holders": list(holders)}
        what = f"fence of {part.table}/{part.partition}"
        rows = self._run(own.CHANGE_FENCE, bound, what=what) if self._has_fences() else []
        for (changes,) in rows:
            self._changes[part] = int(changes)
        return bool(rows)

    def fence(self, part: Part, /) -> Fence | None:
        """Return the fence row as this transaction sees it."""
        bound = {"table": part.table, "partition": part.partition}
        rows = self._run(own.READ_FENCE, bound, what="fence") if self._has_fences() else []
        return Fence(*rows[0]) if rows else None

    def adopt(self, parts: Iterable[Part] | None, /, *, store_id: str, holder: str) -> dict[Part, int]:
        """Write a store id and a holder into fence rows; return their tokens.

        ``parts`` None: into all.
        """
        if not self._has_fences():
            return {}
        bound: dict[str, object] = {"store": store_id, "holder": holder}
        if parts is not None:
            chosen = list(parts)
            bound |= {"tables": [part.table for part in chosen], "partitions": [part.partition for part in chosen]}
        rows = self._run(own.ADOPT_ALL if parts is None else own.ADOPT, bound, what="adopt")
        return {Part(table, partition): int(token) for table, partition, token in rows}

    def replace(self, table: Table, /, *, partition: str, token: int) -> Changes:
        """Make the partition's rows exactly the staged ones.

        Nothing is written if nothing differs.
        """
        types, stage, what = self.types_of(table), self._staged[table.name], f"write of {table.name}"
        if table.tombstone:
            gone = self._run(f"DELETE FROM {stage.name} WHERE {quoted(table.tombstone)}", what=what)
            stage.rows -= int(gone[0][0])
        if stage.finds_nothing(partition):
            changes = self._fill(table, stage, token=token)
        else:
            plan = SQLS.plan(table, stage.name, types, merge=False)
            tally = self._tally(f"({plan})", {"partition": partition}, what=what)
            known = stage.present if stage.partition == partition else None
            present = self.count(table, partition=partition) if known is None else known
            deleted = present - sum(rows for action, (rows, _) in tally.items() if action != "insert")
            if deleted or tally.keys() - {"keep"}:
                self._run(SQLS.delete_partition(table, types), {"partition": partition}, what=what)
                self._run(SQLS.insert(table, stage.name, types, planned=False), {"token": token}, what=what)
            changes = _changes(tally, deleted=deleted)
        self._wrote(table, stage, partition=partition, whole=True)
        return changes

    def merge(self, table: Table, /, *, partition: str, token: int) -> Changes:
        """Insert, update or delete by key, and count the changes.

        A stored row is changed only by a (version, token) that is not older; a tombstone deletes it. Of a group in
        ``replaces`` the rows that are not staged are deleted, unless one of them is newer than the group. Equal content
        under a newer version counts as unchanged, but takes that version: otherwise an older one could replace it
        later.
        """
        types, stage, what = self.types_of(table), self._staged[table.name], f"write of {table.name}"
        if stage.finds_nothing(partition):
            changes = self._fill(table, stage, token=token)
            self._wrote(table, stage, partition=partition, whole=changes.unchanged == 0)
            return changes
        bound = {"partition": partition, "token": token}
        plan = f"{stage.name}_plan"
        # A second merge of the same rows plans them again.
        statement = f"CREATE OR REPLACE TEMP TABLE {plan} AS {SQLS.plan(table, stage.name, types, merge=True)}"
        self._run(statement, bound, what=what)
        tally = self._tally(plan, {}, what=what)
        gone = {action: tally[action] for action in ("delete", "touch", "update") if action in tally}
        if gone:
            self._run(SQLS.delete_planned(table, stage.name, types), {"partition": partition}, what=what)
        lacking = 0
        if table.replaces:
            statement = SQLS.delete_lacking(table, stage.name, types)
            lacking = int(self._run(statement, {"partition": partition}, what=what)[0][0])
        if gone or "insert" in tally:
            self._run(SQLS.insert(table, stage.name, types, planned=True), {"token": token}, what=what)
        self._wrote(table, stage, partition=partition, whole=False)
        deleted = sum(hits - (rows if action != "delete" else 0) for action, (rows, hits) in gone.items())
        return _changes(tally, deleted=deleted + lacking)

    def put_receipt(self, receipt: Receipt, /) -> None:
        """Store the receipt in this same transaction."""
        bound = msgspec.structs.asdict(receipt)
        bound["built_from"] = json.dumps(msgspec.to_builtins(receipt.built_from), sort_keys=True)
        changes = self._changes.get(receipt.part)
        if changes is None:
            fence = {"table": receipt.table, "partition": receipt.partition}
            changes = sum(int(row[0]) for row in self._run(own.READ_CHANGES, fence, what="fence"))
        self._run(own.PUT_RECEIPT, {**bound, "changes": changes}, what="receipt")

    def commit(self) -> None:
        """Make everything visible at once.

        Raises Conflict, or Ambiguous when the file cannot be written.
        """
        if self._failed is not None:
            raise self._failed
        self.over = True
        try:
            self._connection.execute("COMMIT")
        except Exception as error:
            if not errors.is_duckdb(error):
                raise
            answer = errors.of_commit(error, path=self._path)
            self.broken = not isinstance(answer, Conflict)
            raise answer from error

    def _has_fences(self) -> bool:
        return self._has(own.FENCE_TABLE)

    def _learn(self, tables: set[tuple[str, str]]) -> None:
        """Add tables to the catalog, unless this transaction creates any.

        Tables that it has created may be rolled back.
        """
        if not self._creates:
            super()._learn(tables)

    def _fill(self, table: Table, stage: Stage, *, token: int) -> Changes:
        """Write the staged rows into a partition without rows.

        Tombstones have nothing to delete.
        """
        statement = SQLS.insert(table, stage.name, self.types_of(table), planned=False)
        inserted = int(self._run(statement, {"token": token}, what=f"write of {table.name}")[0][0])
        return Changes(inserted=inserted, unchanged=stage.rows - inserted)

    def _wrote(self, table: Table, stage: Stage, *, partition: str, whole: bool) -> None:
        """Record which rows the partition has now.

        ``whole``: it has the staged rows and no other.
        """
        stage.present = None
        self._holds.pop(table.name, None)
        if whole and stage.fits(partition):
            self._holds[table.name] = (table, partition, stage)

    def _tally(self, plan: str, bound: Mapping[str, object], *, what: str) -> dict[str, tuple[int, int]]:
        """Count, per action of a plan, its staged rows and the stored rows met."""
        return {action: (int(rows), int(hits)) for action, rows, hits in self._run(tally(plan), bound, what=what)}


def _changes(tally: Mapping[str, tuple[int, int]], *, deleted: int) -> Changes:
    rows = {action: counts[0] for action, counts in tally.items()}
    return Changes(
        inserted=rows.get("insert", 0),
        updated=rows.get("update", 0),
        deleted=deleted,
        unchanged=rows.get("keep", 0) + rows.get("touch", 0) + rows.get("none", 0),
        refused=rows.get("refuse", 0),
    )
