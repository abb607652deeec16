"""One writing transaction of a SQL warehouse: the verbs of a commit.

It decides nothing: each verb runs its statements and returns the result.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from phasegate.base import fingerprint as prints
from phasegate.base.receipt import Changes, Fence, Part, Receipt
from phasegate.base.table import TOKEN_COLUMN, Difference, Table
from phasegate.errors import BadInput, Conflict
from phasegate.warehouse import Params
from phasegate.warehouses.sql import own_tables as own
from phasegate.warehouses.sql.cells import check_shape, stored
from phasegate.warehouses.sql.reader import SqlReader
from phasegate.warehouses.sql.session import Session
from phasegate.warehouses.sql.staging import Stage
from phasegate.warehouses.sql.writes import tally


class SqlTransaction(SqlReader):
    """A transaction that writes the rows of one staging."""

    session: Session

    _stage: Stage | None = None
    _present: int | None = None

    def create(self, table: Table, /, *, sql: str | None, params: Params) -> None:
        """Create what is absent: system tables, schema, the guarded table.

        The table gets its lineage column.

        Raises BadInput when the table cannot be guarded, or its shape is not given.
        """
        if not self.has_own_tables():
            for statement in self.own.system():
                self.session.change(statement, what="the system tables")
        what = f"table {table.name}"
        found = self.session.columns(table.name)
        if found:
            check_shape(table, self.types_of(table))
            if TOKEN_COLUMN not in found:
                self.session.change(self.sql.add_lineage(table), what=what)
        else:
            shape = self._shape(table, sql=sql, params=params)
            check_shape(table, shape)
            self.session.change(self.sql.create_schema(table), what=what)
            self.session.change(self.sql.create(table, shape), what=what)
        bound = {"table": table.name, "key": list(table.key)}
        if not self.session.run(self.own.read_key(), {"table": table.name}, what=what):
            self.session.change(self.own.put_key(), bound, what=what)

    def _shape(self, table: Table, *, sql: str | None, params: Params) -> dict[str, str]:
        """Return the columns of a new table."""
        if table.columns:
            return {name: table.columns[name] for name in stored(table.columns, table=table)}
        if sql is None:
            raise BadInput(f"table {table.name} does not exist, and neither columns nor a SELECT give its shape")
        what = f"SQL for table {table.name}"
        text, bound = self.session.select(sql, params, what=what)
        yielded = self.session.describe(text, bound, what=what)
        return {name: yielded[name] for name in stored(yielded, table=table)}

    def add_fences(self, tables: Iterable[str], /, *, partition: str, store_id: str) -> None:
        """Create the missing fence rows of a partition."""
        rows = self.session.run(self.own.fenced(), {"partition": partition}, what="fence")
        absent = sorted(set(tables) - {str(name) for (name,) in rows})
        if absent:
            bound = {"partition": partition, "store": store_id} | {f"table{n}": name for n, name in enumerate(absent)}
            self.session.change(self.own.add_fences(tables=len(absent)), bound, what="fence")

    # Fences

    def change_fence(self, part: Part, /, *, token: int, store_id: str, holders: Sequence[str]) -> bool:
        """Set the fence row to ``token`` if that is not lower; return whether.

        The row must be of this store and of none but ``holders``. It is always a real change of the row.
        """
        if not self.session.has(own.FENCE):
            return False
        bound: dict[str, object] = {"table": part.table, "partition": part.partition, "token": token}
        bound |= {"store": store_id, "holder": holders[-1]} | {f"holder{n}": name for n, name in enumerate(holders)}
        statement = self.own.change_fence(holders=len(holders))
        return self.session.change(statement, bound, what=f"fence of {part.table}/{part.partition}") > 0

    def fence(self, part: Part, /) -> Fence | None:
        """Return the fence row as this transaction sees it."""
        bound = {"table": part.table, "partition": part.partition}
        rows = self.session.run(self.own.read_fence(), bound, what="fence") if self.session.has(own.FENCE) else []
        return Fence(*rows[0]) if rows else None

    def adopt(self, parts: Iterable[Part] | None, /, *, store_id: str, holder: str) -> dict[Part, int]:
        """Write a store id and a holder into fence rows; return their tokens.

        ``parts`` None: into all, those that were lost, and those that any store adds later.
        """
        if not self.session.has(own.FENCE):
            return {}
        chosen = None if parts is None else list(parts)
        named: dict[str, object] = {f"table{n}": part.table for n, part in enumerate(chosen or ())}
        named |= {f"partition{n}": part.partition for n, part in enumerate(chosen or ())}
        if chosen is None and self.session.has(own.RECEIPTS):
            self.session.change(self.own.mend_fences(), {"store": store_id}, what="adopt")
        change, read = self.own.adopt(parts=None if chosen is None else len(chosen))
        self.session.change(change, {**named, "store": store_id, "holder": holder}, what="adopt")
        if chosen is None:
            self.session.change(self.own.add_store(), {"store": store_id}, what="adopt")
        rows = self.session.run(read, named, what="adopt")
        return {Part(table, partition): int(token) for table, partition, token in rows}

    # Columns

    def reshape(self, table: Table, change: Difference, /, *, columns: Mapping[str, str], store_id: str) -> bool:
        """Change the columns and the recorded key; see ``Warehouse.reshape``."""
        what = f"table {table.name}"
        for statement in self.own.system():
            self.session.change(statement, what=what)
        self.session.change(self.own.pass_fences(), {"table": table.name}, what=what)
        bound = {"table": table.name, "store": store_id}
        if int(self.session.run(self.own.foreign_fences(), bound, what=what)[0][0]):
            return False
        found = self.compare(table, columns)
        if not found.includes(change):
            raise Conflict(f"the columns of {table.name} were changed by another transaction")
        for statement in self.sql.reshape(table, change):
            self.session.change(statement, what=what)
        recorded = {"table": table.name, "key": list(table.key)}
        if not self.session.change(self.own.change_key(), recorded, what=what):
            self.session.change(self.own.put_key(), recorded, what=what)
        return True

    # Rows

    def take(self, stage: Stage, /) -> None:
        """Write the rows of this staging.

        Raises Conflict if the table has other columns since.
        """
        if self.types_of(stage.table) != stage.types:
            raise Conflict(f"the columns of {stage.table.name} were changed since the rows were staged")
        self._stage = stage

    def present(self, table: Table, /, *, partition: str) -> int:
        """Return the number of the partition's rows before the write."""
        if self._present is None:
            self._present = self.count(table, partition=partition)
        return self._present

    def replace(self, table: Table, /, *, partition: str, token: int) -> Changes:
        """Make the partition's rows exactly the staged ones.

        Nothing is written if nothing differs.
        """
        stage, what, types = self._taken(), f"write of {table.name}", self.types_of(table)
        present = self.present(table, partition=partition)
        if table.tombstone:
            stage.rows -= self.session.change(self.sql.drop_tombstones(table, stage.name), what=what)
        if not present:
            return self._fill(stage, token=token)
        plan = f"({self.sql.plan(table, stage.name, types, merge=False)})"
        counts = self._tally(plan, {"partition": partition}, what=what)
        deleted = present - sum(rows for action, (rows, _) in counts.items() if action != "insert")
        if deleted or counts.keys() - {"keep"}:
            self.session.change(self.sql.delete_partition(table, types), {"partition": partition}, what=what)
            self.session.change(self.sql.insert(table, stage.name, types, plan=None), {"token": token}, what=what)
        stage.is_whole = True
        return _changes(counts, deleted=deleted)

    def merge(self, table: Table, /, *, partition: str, token: int) -> Changes:
        """Insert, update or delete by key, and count the changes.

        A stored row is changed only by a (version, token) that is not older; a tombstone deletes it. Of a group in
        ``replaces`` the rows that are not staged are deleted, unless one of them is newer than the group. Equal content
        under a newer version counts as unchanged, but takes that version: otherwise an older one could replace it
        later.
        """
        stage, what, types = self._taken(), f"write of {table.name}", self.types_of(table)
        if not self.present(table, partition=partition):
            return self._fill(stage, token=token)
        plan, bound = self.session.stage_name("plan"), {"partition": partition, "token": token}
        self.session.keep(plan, self.sql.plan(table, stage.name, types, merge=True), bound, what=what)
        counts = self._tally(plan, {}, what=what)
        gone = {action: counts[action] for action in ("delete", "touch", "update") if action in counts}
        if gone:
            statement = self.sql.delete_planned(table, stage.name, types, plan=plan)
            self.session.change(statement, {"partition": partition}, what=what)
        lacking = 0
        if table.replaces:
            statement = self.sql.delete_lacking(table, stage.name, types, plan=plan)
            lacking = self.session.change(statement, {"partition": partition}, what=what)
        if gone or "insert" in counts:
            self.session.change(self.sql.insert(table, stage.name, types, plan=plan), {"token": token}, what=what)
        deleted = sum(hits - (rows if action != "delete" else 0) for action, (rows, hits) in gone.items())
        return _changes(counts, deleted=deleted + lacking)

    def fingerprint(self, table: Table, /, *, partition: str | None) -> str:
        """Return the fingerprint of a partition's rows now.

        ``partition`` None: of the whole table. The digests of rows that were just staged and written are known: they
        are summed, not computed again.
        """
        stage = self._stage
        if stage is None or not stage.is_whole or stage.outside or partition is None or table != stage.table:
            return super().fingerprint(table, partition=partition)
        rows = self.session.run(self.sql.staged_fingerprint(stage.name), what=f"fingerprint of {table.name}")
        ((count, *sums),) = rows
        return prints.fold(int(count), [int(one or 0) for one in sums])

    def put_receipt(self, receipt: Receipt, /) -> None:
        """Store the receipt in this same transaction."""
        bound = msgspec.structs.asdict(receipt)
        bound["built_from"] = json.dumps(msgspec.to_builtins(receipt.built_from), sort_keys=True)
        self.session.change(self.own.put_receipt(), bound, what="receipt")

    def _taken(self) -> Stage:
        assert self._stage is not None, "no staging was taken"
        return self._stage

    def _fill(self, stage: Stage, *, token: int) -> Changes:
        """Write the staged rows into a partition without rows.

        Tombstones have nothing to delete.
        """
        statement = self.sql.insert(stage.table, stage.name, self.types_of(stage.table), plan=None)
        inserted = self.session.change(statement, {"token": token}, what=f"write of {stage.table.name}")
        stage.is_whole = inserted == stage.rows
        return Changes(inserted=inserted, unchanged=stage.rows - inserted)

    def _tally(self, plan: str, bound: Mapping[str, object], *, what: str) -> dict[str, tuple[int, int]]:
        """Count, per action of a plan, its staged rows and the stored rows met."""
        return {
            action: (int(rows), int(hits)) for action, rows, hits in self.session.run(tally(plan), bound, what=what)
        }


def _changes(counts: Mapping[str, tuple[int, int]], *, deleted: int) -> Changes:
    rows = {action: found[0] for action, found in counts.items()}
    return Changes(
        inserted=rows.get("insert", 0),
        updated=rows.get("update", 0),
        deleted=deleted,
        unchanged=rows.get("keep", 0) + rows.get("touch", 0) + rows.get("none", 0),
        refused=rows.get("refuse", 0),
    )
