"""A warehouse in memory with snapshot isolation, for tests.

The simulator uses it too. No locks, no threads. A transaction works on the state as it was when it began. At commit the
first committer wins: Conflict is raised only if another transaction changed the same fence row, or deleted the same
version of a row. Inserts never conflict, so a writer that forgets to change its fence leaves duplicate rows, as it
would in a database.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from phasegate.base import fingerprint as prints
from phasegate.base.receipt import Changes, Fence, Part, Receipt, Staged
from phasegate.base.table import LINEAGE_PREFIX, Difference, Draft, DraftShape, Table
from phasegate.errors import BadInput, Conflict
from phasegate.warehouse import Params, Row
from phasegate.warehouses.memory import rows as rules
from phasegate.warehouses.memory.reader import MemoryReader, MemoryState
from phasegate.warehouses.memory.rows import Cells, FenceRow, StoredRow, StoredShape
from phasegate.warehouses.sql.cells import check_columns, check_rows, check_shape, stored


class MemoryTransaction(MemoryReader):
    """A snapshot with changes on top, until ``commit``."""

    def __init__(self, warehouse: MemoryState) -> None:
        super().__init__(warehouse)
        self._changed: dict[Part, FenceRow] = {}
        self._base = self._fences
        self._gone: dict[int, tuple[str, str | None]] = {}
        self._new: dict[int, tuple[str, str | None]] = {}
        self._staged: dict[str, list[Cells]] = {}
        self._columns: dict[str, tuple[str, ...]] = {}
        self._before, self._reshaped = self._shapes, dict[str, StoredShape]()
        self._receipts: list[Receipt] = []

    def change_fence(self, part: Part, /, *, token: int, store_id: str, holders: Sequence[str]) -> bool:
        """Set the fence row to ``token`` if that is not lower; return whether.

        The row must be of this store and of none but ``holders``. It is a real change even if nothing differs.
        """
        self._check()
        row = self._fences.get(part)
        if row is None or row.token > token or row.store_id != store_id or row.holder not in ("", *holders):
            return False
        self._changed[part] = FenceRow(token, store_id, row.changes + 1, holders[-1])
        self._fences = {**self._fences, part: self._changed[part]}
        return True

    def fence(self, part: Part, /) -> Fence | None:
        """Return the fence row as this transaction sees it."""
        self._check()
        row = self._fences.get(part)
        return None if row is None else Fence(row.token, row.store_id, row.holder)

    def change_fences(self, table: Table, /, *, store_id: str) -> bool:
        """Change every fence row of a table, but no token.

        Return whether all are of this store.
        """
        rows = {part: row for part, row in self._fences.items() if part.table == table.name}
        ours = [
            self.change_fence(part, token=row.token, store_id=store_id, holders=(row.holder,))
            for part, row in rows.items()
        ]
        return all(ours)

    def reshape(self, table: Table, change: Difference, /) -> None:
        """Give the stored rows the columns of the plan; record its key."""
        self._check()
        types = {**self._shapes[table.name].types, **change.added}
        types |= {name: new for name, (_, new) in (*change.widened.items(), *change.retyped.items())}
        kept = {name: sql_type for name, sql_type in types.items() if name not in change.removed}
        for text, rows in dict(self._tables[table.name]).items():
            new: dict[int, StoredRow] = {}
            for number, row in rows.items():
                self._gone[number] = self._new[self._warehouse.next_row()] = (table.name, text)
                new[self._warehouse.serial] = rules.reshaped(table, row, change)
            self._tables = rules.with_rows(self._tables, table.name, text, new)
        self._reshaped[table.name] = StoredShape(kept, table.key)
        self._shapes = {**self._shapes, **self._reshaped}

    def stage_query(self, table: Table, sql: str, params: Params, /) -> None:
        """Stage the rows of the function named ``sql``, without lineage columns."""
        self._stage(table, self.query(sql, params), source=f"the function {sql}")

    def stage_rows(self, table: Table, rows: Sequence[Row], /) -> None:
        """Stage given rows, each cell checked against the declared types."""
        self._check()
        self._stage(table, rows, source="rows[0]")

    def inspect(self, table: Table, /, *, partition: str, version_max: float) -> Staged:
        """Round the staged floats, and count what the writer must judge."""
        self._check()
        staged = self._staged[table.name]
        rules.round_floats(table, staged)
        present = self.count(table, partition=partition)
        return rules.inspect(table, staged, partition=partition, version_max=version_max, present=present)

    def deduplicate(self, table: Table, /) -> int:
        """Leave one staged row per key; return how many were removed.

        The version decides, then base.fingerprint's order.
        """
        self._check()
        staged = self._staged[table.name]
        kept = rules.newest(table, staged)
        self._staged[table.name] = kept
        return len(staged) - len(kept)

    def replace(self, table: Table, /, *, partition: str, token: int) -> Changes:
        """Make the partition's rows exactly the staged ones.

        Nothing is written if nothing differs.
        """
        self._check()
        present = self._tables.get(table.name, {}).get(partition, {})
        staged = [cells for cells in self._staged[table.name] if not rules.tombstoned(table, cells)]
        plan = [rules.judge(table, cells, hits=hits) for cells, hits in rules.matched(table, staged, present)]
        deleted = len(present) - sum(1 for one in plan if one.hits)
        if deleted or any(one.action != "keep" for one in plan):
            self._apply(table, partition, gone=list(present), new=[one.cells for one in plan], token=token)
        return rules.tally(plan, deleted=deleted)

    def merge(self, table: Table, /, *, partition: str, token: int) -> Changes:
        """Insert, update or delete by key, and count the changes.

        A stored row is changed only by a (version, token) that is not older.
        """
        self._check()
        present = self._tables.get(table.name, {}).get(partition, {})
        pairs = rules.matched(table, self._staged[table.name], present)
        old = rules.older_groups(table, self._staged[table.name], present.values(), token=token)
        plan = [
            rules.judge(table, cells, hits=hits, token=token, older=bool(old) and rules.group_of(table, cells) in old)
            for cells, hits in pairs
        ]
        gone = rules.lacking(table, plan, present)
        gone += [row for one in plan if one.action in {"delete", "touch", "update"} for row in one.hits]
        new = [one.cells for one in plan if one.action in {"insert", "touch", "update"}]
        self._apply(table, partition, gone=gone, new=new, token=token)
        kept = sum(1 for one in plan if one.hits and one.action in {"touch", "update"})
        return rules.tally(plan, deleted=len(gone) - kept)

    def put_receipt(self, receipt: Receipt, /) -> None:
        """Store the receipt with this transaction."""
        self._check()
        self._receipts.append(receipt)
        self._newest = rules.with_receipt(self._newest, receipt)

    def commit(self) -> None:
        """Make everything visible at once, or raise Conflict without changes."""
        self._check()
        warehouse = self._warehouse
        for part in self._changed:
            if warehouse.fences.get(part) is not self._base.get(part):
                raise Conflict(f"the fence of {part.table}/{part.partition} was changed by another transaction")
        for name in {*self._reshaped, *(name for name, _ in self._new.values())}:
            if warehouse.stored_shapes.get(name) is not self._before.get(name):
                raise Conflict(f"the columns of {name} were changed by another transaction")
        for row, (name, text) in self._gone.items():
            if row not in warehouse.tables.get(name, {}).get(text, {}):
                raise Conflict(f"a row of {name} was changed by another transaction")
        warehouse.fences = {**warehouse.fences, **self._changed}
        warehouse.stored_shapes = {**warehouse.stored_shapes, **self._reshaped}
        reshaped = {name: tuple(shape.types) for name, shape in self._reshaped.items()}
        warehouse.columns = {**self._columns, **warehouse.columns, **reshaped}
        for name, text in {*self._gone.values(), *self._new.values()}:
            own = self._tables[name].get(text, {})
            rows = {key: row for key, row in warehouse.tables[name].get(text, {}).items() if key not in self._gone}
            rows |= {key: row for key, row in own.items() if key in self._new}
            warehouse.tables = rules.with_rows(warehouse.tables, name, text, rows)
        for receipt in self._receipts:
            warehouse.newest = rules.with_receipt(warehouse.newest, receipt)
            warehouse.writes[receipt.write_id] = receipt
            warehouse.commits.append(receipt)

    def _stage(self, table: Table, rows: Sequence[Row], *, source: str) -> None:
        if table.name not in self._tables:
            raise BadInput(f"table {table.name} does not exist: prepare it before the transaction")
        plain = [
            {name: rules.in_utc(cell) for name, cell in row.items() if not name.startswith(LINEAGE_PREFIX)}
            for row in rows
        ]
        if shape := self._shapes.get(table.name):
            plain = check_rows(table, plain, types=shape.types)
        elif plain:
            known = self._warehouse.columns.get(table.name) or stored(plain[0], table=table)
            self._columns[table.name] = known
            for row in plain:
                if row.keys() - {table.tombstone} != set(known):
                    check_columns(table, row, wanted=known, source=source)
            rules.check_versions(table, plain)
        self._staged[table.name] = plain

    def _apply(self, table: Table, partition: str, /, *, gone: Sequence[int], new: Sequence[Cells], token: int) -> None:
        touched: dict[str | None, dict[int, StoredRow]] = {}
        parts = self._tables[table.name]
        rows = touched[partition] = dict(parts.get(partition, {}))
        for row in gone:
            del rows[row]
            if self._new.pop(row, None) is None:
                self._gone[row] = (table.name, partition)
        for cells in new:
            number = self._warehouse.next_row()
            text = prints.text(cells[table.partition], scale=table.scale(table.partition))
            if text not in touched:
                touched[text] = dict(parts.get(text, {}))
            plain = {name: cell for name, cell in cells.items() if name != table.tombstone}
            touched[text][number] = StoredRow(plain, token)
            self._new[number] = (table.name, text)
        self._tables = {**self._tables, table.name: {**parts, **touched}}


class MemoryWarehouse(MemoryState):
    """Tables of dicts.

    ``functions`` are used in place of SQL: name -> fn(read, params) -> rows.
    """

    def prepare(
        self, table: Table, /, *, partition: str, store_id: str, sql: str | None = None, params: Params | None = None
    ) -> None:
        """Create table and fence row, if absent.

        The shape is that of ``table.columns``, else of the first rows.
        """
        self.create(table, sql=sql, params=params)
        part = Part(table.name, partition)
        if part not in self.fences:
            self.fences = {**self.fences, part: FenceRow(0, store_id, 0)}

    def create(self, table: Table, /, *, sql: str | None = None, params: Params | None = None) -> None:
        """Create an empty table to be read, if it is absent."""
        del params
        if table.columns:
            check_shape(table, table.columns)
            names = stored(table.columns, table=table)
            self.columns = {table.name: names, **self.columns}
            shape = StoredShape({name: table.columns[name] for name in names}, table.key)
            self.stored_shapes = {table.name: shape, **self.stored_shapes}
        elif table.name not in self.tables and sql is None:
            raise BadInput(f"table {table.name} does not exist, and neither columns nor a SELECT give its shape")
        if table.name not in self.tables:
            self.tables = {**self.tables, table.name: {}}

    def shapes(self, drafts: Sequence[Draft], params: Params, /) -> list[DraftShape]:
        """Return the shape of each draft with declared columns; others have none."""
        del params
        return [DraftShape(columns={n: one.table.columns[n] for n in stored(one.table.columns, table=one.table)})
                for one in drafts]  # fmt: skip

    def begin(self) -> MemoryTransaction:
        """Return a transaction on the current state."""
        return MemoryTransaction(self)

    @contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        """Open a transaction; leaving the block commits, an exception drops it."""
        opened = self.begin()
        yield opened
        opened.commit()

    @contextmanager
    def snapshot(self) -> Iterator[MemoryReader]:
        """Open a read-only snapshot."""
        yield MemoryReader(self)

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Return the receipt of a committed write."""
        return self.writes.get(write_id)

    def adopt(self, parts: Iterable[Part] | None, /, *, store_id: str, holder: str) -> dict[Part, int]:
        """Write our store id into the existing fence rows; return their tokens.

        ``parts`` None: into all.
        """
        chosen = list(self.fences) if parts is None else [part for part in parts if part in self.fences]
        rows = {part: self.fences[part] for part in chosen}
        mine = {
            part: replace(row, store_id=store_id, holder=holder, changes=row.changes + 1) for part, row in rows.items()
        }
        self.fences = {**self.fences, **mine}
        return {part: row.token for part, row in mine.items()}

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
