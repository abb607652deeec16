"""A warehouse in memory with snapshot isolation, for tests.

The simulator uses it too. No locks, no threads. A transaction works on the state as it was when it began. At commit the
first committer wins: Conflict is raised only if another transaction changed the same fence row, or deleted the same
version of a row. Inserts never conflict, so a writer that forgets to change its fence leaves duplicate rows, as it
would in a database.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from phasegate.base import fingerprint as prints
from phasegate.base.receipt import Changes, Fence, Part, Receipt
from phasegate.base.table import Difference, Draft, DraftShape, Table
from phasegate.errors import BadInput, Conflict
from phasegate.warehouse import InputRead, Params, Reader, Row, Scope, Staging, Write, WriteAnswer, Written
from phasegate.warehouses.memory import rows as rules
from phasegate.warehouses.memory.reader import MemoryReader, MemoryState
from phasegate.warehouses.memory.rows import Cells, FenceRow, StoredRow, StoredShape
from phasegate.warehouses.memory.staging import MemorySource, MemoryStaging
from phasegate.warehouses.sql import commits
from phasegate.warehouses.sql.cells import check_shape, stored


class MemoryTransaction(MemoryReader):
    """A snapshot with changes on top, until ``commit``."""

    def __init__(self, warehouse: MemoryState) -> None:
        super().__init__(warehouse)
        self._changed: dict[Part, FenceRow] = {}
        self._base = self._fences
        self._gone: dict[int, tuple[str, str | None]] = {}
        self._new: dict[int, tuple[str, str | None]] = {}
        self._staged: dict[str, Sequence[Cells]] = {}
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

    def passes_fences(self, table: Table, /, *, store_id: str) -> bool:
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

    def take(self, staging: MemoryStaging, /) -> None:
        """Write the rows of this staging.

        Raises Conflict if the table has other columns since.
        """
        staging.works(self)
        if self._shapes.get(staging.table.name) != staging.shape:
            raise Conflict(f"the columns of {staging.table.name} were changed since the rows were staged")
        self._staged[staging.table.name] = staging.rows
        if staging.columns is not None:
            self._columns[staging.table.name] = staging.columns

    def present(self, table: Table, /, *, partition: str) -> int:
        """Return the number of the partition's rows before the write."""
        return self.count(table, partition=partition)

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

    scope: Scope = "partition"

    def prepare(
        self, draft: Draft, /, *, partition: str, store_id: str, params: Params, beside: Collection[str] = ()
    ) -> None:
        """Create the table and fence rows, if absent.

        The shape is that of ``table.columns``, else of the first rows.
        """
        self.create(draft.table, sql=draft.sql or None, params=params)
        parts = (Part(name, partition) for name in (draft.table.name, *beside))
        obeyed = self.obeyed or store_id
        self.fences = {**{part: FenceRow(self._written(part), obeyed, 0) for part in parts}, **self.fences}

    def _written(self, part: Part) -> int:
        """Return the token of a partition's newest receipt, 0 without any."""
        return self.newest[part].token if part in self.newest else 0

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

    def reshape(self, table: Table, change: Difference, /, *, columns: Mapping[str, str], store_id: str) -> bool:
        """Give the stored rows the columns of the plan; record its key."""
        tx = self.begin()
        if not tx.passes_fences(table, store_id=store_id):
            return False
        if not tx.compare(table, columns).includes(change):
            raise Conflict(f"the columns of {table.name} were changed by another transaction")
        tx.reshape(table, change)
        tx.commit()
        return True

    def stage(
        self, table: Table, /, *, partition: str, version_max: float, reads: Sequence[InputRead] = (),
        sql: str | None = None, params: Params | None = None, rows: Iterable[Row] = (),
    ) -> MemoryStaging:  # fmt: skip
        """Return a staging of the rows of a function, or of these rows."""
        source = MemorySource(table=table, partition=partition, version_max=version_max, reads=reads, sql=sql,
                        params=params or {}, given=rows)  # fmt: skip
        return MemoryStaging(self, source, snapshot=self.snapshot)

    def commit(self, write: Write, staging: Staging, /) -> WriteAnswer:
        """Write the staged rows; see ``Warehouse.commit``."""
        assert isinstance(staging, MemoryStaging)
        tx = self.begin()
        tx.take(staging)
        answer = commits.run(tx, write)
        if isinstance(answer, Written):
            tx.commit()
        return answer

    def change_fence(self, part: Part, /, *, token: int, store_id: str, holders: Sequence[str]) -> bool:
        """Change a fence row, and nothing else; return whether."""
        tx = self.begin()
        changed = tx.change_fence(part, token=token, store_id=store_id, holders=holders)
        if changed:
            tx.commit()
        return changed

    def begin(self) -> MemoryTransaction:
        """Return a transaction on the current state."""
        return MemoryTransaction(self)

    def put_rows(self, table: Table, rows: Sequence[Row], /, *, partition: str) -> None:
        """Replace a partition as a program without fences and receipts does."""
        source = MemorySource(
            table=table, partition=partition, version_max=0.0, reads=(), sql=None, params={}, given=rows
        )
        with MemoryStaging(self, source, snapshot=partial(MemoryWarehouse.snapshot, self)) as staging:
            tx = MemoryTransaction(self)
            tx.take(staging)
            tx.replace(table, partition=partition, token=0)
            tx.commit()

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Open a read-only snapshot."""
        yield MemoryReader(self)

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Return the receipt of a committed write."""
        return self.writes.get(write_id)

    def adopt(self, parts: Iterable[Part] | None, /, *, store_id: str, holder: str) -> dict[Part, int]:
        """Write our store id into fence rows; return their tokens.

        ``parts`` None: into all, those that were lost, and those that any store adds later.
        """
        if parts is None:
            self.obeyed = store_id
            self.fences = {**{part: FenceRow(self._written(part), store_id, 0) for part in self.newest}, **self.fences}
        chosen = list(self.fences) if parts is None else [part for part in parts if part in self.fences]
        rows = {part: self.fences[part] for part in chosen}
        mine = {
            part: replace(row, store_id=store_id, holder=holder, changes=row.changes + 1) for part, row in rows.items()
        }
        self.fences = {**self.fences, **mine}
        return {part: row.token for part, row in mine.items()}

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
