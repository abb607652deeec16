"""A warehouse in memory with snapshot isolation, for tests.

The simulator uses it too. No locks, no threads. A transaction works on the state as it was when it began. At commit the
first committer wins: Conflict is raised only if another transaction changed the same fence row, or deleted the same
version of a row. Inserts never conflict, so a writer that forgets to change its fence leaves duplicate rows, as it
would in a database.

Committed maps are never changed in place, only replaced: a snapshot is three references.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

from phasegate.base import fingerprint as prints
from phasegate.base.receipt import Changes, Fence, Part, Receipt, Staged, Stamp
from phasegate.base.table import LINEAGE_PREFIX, Dependency, Disagreement, Repeats, Table
from phasegate.errors import BadInput, Conflict, Unavailable
from phasegate.warehouse import Params, Row
from phasegate.warehouses.memory import rows as rules
from phasegate.warehouses.memory.rows import Cells, FenceRow, StoredRow, Tables
from phasegate.warehouses.sql.cells import check_columns, check_known, check_rows, check_shape, stored

Function = Callable[[Callable[[str], list[Cells]], Params], Sequence[Row]]


class MemoryReader:
    """One snapshot.

    Where a database takes SQL, this takes the name of one of the warehouse's functions.
    """

    def __init__(self, warehouse: "MemoryWarehouse") -> None:
        self._warehouse = warehouse
        self._tables, self._fences, self._newest = warehouse.tables, warehouse.fences, warehouse.newest
        self._stopped = False

    def read(self, table_name: str, /) -> list[Cells]:
        """Return copies of a table's rows in this snapshot, without lineage.

        Empty for a missing table.
        """
        parts = self._tables.get(table_name, {})
        return [dict(row.cells) for rows in parts.values() for row in rows.values()]

    def query(self, sql: str, params: Params, /) -> list[Cells]:
        """Return the rows of the function of this name.

        Raises BadInput if there is none.
        """
        self._check()
        function = self._warehouse.functions.get(sql)
        if function is None:
            raise BadInput(f"no function is named {sql!r}: give it to MemoryWarehouse")
        return [dict(row) for row in function(self.read, params)]

    def receipts(self, parts: Iterable[Part], /) -> dict[Part, Receipt]:
        """Return the newest receipt of each partition that has one."""
        self._check()
        return {part: self._newest[part] for part in parts if part in self._newest}

    def receipts_between(self, table: str, /, *, first: str, last: str) -> dict[str, Receipt]:
        """Return the newest receipt of each partition in a range.

        The range is ``first <= partition <= last``; the result is by partition.
        """
        self._check()
        return {
            part.partition: receipt
            for part, receipt in self._newest.items()
            if part.table == table and first <= part.partition <= last
        }

    def stamps_between(self, table: str, /, *, first: str, last: str) -> dict[str, Stamp]:
        """Return the stamp of the newest receipt of each partition in a range.

        The range is ``first <= partition <= last``; the result is by partition.
        """
        return {day: receipt.stamp for day, receipt in self.receipts_between(table, first=first, last=last).items()}

    def fingerprints(self, table: Table, /, *, first: str, last: str) -> dict[str, str]:
        """Return the fingerprints of the partitions with rows in a range.

        The range is ``first <= partition <= last``; the result is by partition.
        """
        parts = self._tables.get(table.name, {}).items()
        held = [text for text, rows in parts if text is not None and first <= text <= last and rows]
        return {text: self.fingerprint(table, partition=text) for text in held}

    def repeats(
        self, table: Table, /, *, first: str, last: str, key: Sequence[str] | None = None
    ) -> dict[str, Repeats]:
        """Return the partitions in a range that have more rows than keys.

        The range is ``first <= partition <= last``.
        """
        self._check()
        parts = self._tables.get(table.name, {}).items()
        held = {text: rows for text, rows in parts if text is not None and first <= text <= last}
        found = {text: rules.repeats(table, rows.values(), key=key or table.key) for text, rows in held.items()}
        return {text: one for text, one in found.items() if one.rows > one.keys}

    def disagreements(self, table: Table, dependency: Dependency, /, *, first: str, last: str) -> list[Disagreement]:
        """Return the keys of a dependency with several values, sorted.

        Those with a row in ``first <= partition <= last``.
        """
        rows = self._known_rows(table, (*dependency.columns, dependency.determined))
        return rules.disagreements(table, dependency, rows, first=first, last=last)

    def sums(
        self, table: Table, /, *, column: str, by: Sequence[str], first: str, last: str
    ) -> dict[tuple[str, ...], Decimal]:
        """Return the sums of a column by partition and ``by``.

        The range is ``first <= partition <= last``.
        """
        found = rules.sums(table, self._known_rows(table, (column, *by)), column=column, by=by)
        return {key: total for key, total in found.items() if first <= key[0] <= last}

    def fences(self, *, first: str, last: str) -> dict[Part, Fence]:
        """Return the fence rows with ``first <= partition <= last``."""
        self._check()
        chosen = {part: row for part, row in self._fences.items() if first <= part.partition <= last}
        return {part: Fence(row.token, row.store_id) for part, row in chosen.items()}

    def fingerprint(self, table: Table, /, *, partition: str | None) -> str:
        """Return the fingerprint of a partition's rows now.

        ``partition`` None: of the whole table.
        """
        self._check()
        rows = [row.cells for row in self._rows_of(table, partition)]
        columns = self._warehouse.columns.get(table.name) or (tuple(rows[0]) if rows else ())
        return prints.fingerprint(table, rows, columns=columns)

    def count(self, table: Table, /, *, partition: str | None) -> int:
        """Return the number of rows of a partition.

        ``partition`` None: of the whole table.
        """
        self._check()
        return len(self._rows_of(table, partition))

    def interrupt(self) -> None:
        """Make every later verb, and the commit, raise Unavailable."""
        self._stopped = True

    def _check(self) -> None:
        if self._stopped:
            raise Unavailable("the transaction was interrupted; nothing was written")

    def _known_rows(self, table: Table, columns: Sequence[str]) -> list[Mapping[str, object]]:
        """Return all rows of a table; refuse columns that it lacks."""
        self._check()
        rows = [row.cells for row in self._rows_of(table, None)]
        for cells in rows[:1]:
            check_known(table, dict.fromkeys(cells, ""), columns)
        return rows

    def _rows_of(self, table: Table, partition: str | None) -> list[StoredRow]:
        parts = self._tables.get(table.name, {})
        if partition is not None:
            return list(parts.get(partition, {}).values())
        return [row for rows in parts.values() for row in rows.values()]


class MemoryTransaction(MemoryReader):
    """A snapshot with changes on top, until ``commit``."""

    def __init__(self, warehouse: "MemoryWarehouse") -> None:
        super().__init__(warehouse)
        self._changed: dict[Part, FenceRow] = {}
        self._base = self._fences
        self._gone: dict[int, tuple[str, str | None]] = {}
        self._new: dict[int, tuple[str, str | None]] = {}
        self._staged: dict[str, list[Cells]] = {}
        self._columns: dict[str, tuple[str, ...]] = {}
        self._receipts: list[Receipt] = []

    def change_fence(self, part: Part, /, *, token: int, store_id: str) -> bool:
        """Set the fence row to ``token`` if that is not lower; return whether.

        The row must be of this store. It is a real change even if nothing differs.
        """
        self._check()
        row = self._fences.get(part)
        if row is None or row.token > token or row.store_id != store_id:
            return False
        self._changed[part] = FenceRow(token, store_id, row.changes + 1)
        self._fences = {**self._fences, part: self._changed[part]}
        return True

    def fence(self, part: Part, /) -> Fence | None:
        """Return the fence row as this transaction sees it."""
        self._check()
        row = self._fences.get(part)
        return None if row is None else Fence(row.token, row.store_id)

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
        for row, (name, text) in self._gone.items():
            if row not in warehouse.tables.get(name, {}).get(text, {}):
                raise Conflict(f"a row of {name} was changed by another transaction")
        warehouse.fences = {**warehouse.fences, **self._changed}
        warehouse.columns = {**self._columns, **warehouse.columns}
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
        plain = [{name: cell for name, cell in row.items() if not name.startswith(LINEAGE_PREFIX)} for row in rows]
        if table.columns:
            types = {name: table.columns[name] for name in stored(table.columns, table=table)}
            plain = check_rows(table, plain, types=types)
        elif plain:
            known = self._warehouse.columns.get(table.name) or stored(plain[0], table=table)
            self._columns[table.name] = known
            for row in plain:
                if row.keys() - {table.tombstone} != set(known):
                    check_columns(table, row, wanted=known, source=source)
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
            self._warehouse.serial += 1
            text = prints.text(cells[table.partition], scale=table.scale(table.partition))
            if text not in touched:
                touched[text] = dict(parts.get(text, {}))
            plain = {name: cell for name, cell in cells.items() if name != table.tombstone}
            touched[text][self._warehouse.serial] = StoredRow(plain, token)
            self._new[self._warehouse.serial] = (table.name, text)
        self._tables = {**self._tables, table.name: {**parts, **touched}}


class MemoryWarehouse:
    """Tables of dicts.

    ``functions`` are used in place of SQL: name -> fn(read, params) -> rows.
    """

    def __init__(self, *, functions: Mapping[str, Function] | None = None) -> None:
        self.functions: dict[str, Function] = dict(functions or {})
        self.columns: dict[str, tuple[str, ...]] = {}
        self.tables: Tables = {}
        self.fences: Mapping[Part, FenceRow] = {}
        self.newest: Mapping[Part, Receipt] = {}
        self.writes: dict[str, Receipt] = {}
        self.commits: list[Receipt] = []
        self.serial = 0

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
            self.columns = {table.name: stored(table.columns, table=table), **self.columns}
        elif table.name not in self.tables and sql is None:
            raise BadInput(f"table {table.name} does not exist, and neither columns nor a SELECT give its shape")
        if table.name not in self.tables:
            self.tables = {**self.tables, table.name: {}}

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

    def adopt(self, parts: Iterable[Part] | None, /, *, store_id: str) -> dict[Part, int]:
        """Write our store id into the existing fence rows; return their tokens.

        ``parts`` None: into all.
        """
        chosen = list(self.fences) if parts is None else [part for part in parts if part in self.fences]
        rows = {part: self.fences[part] for part in chosen}
        mine = {part: replace(row, store_id=store_id, changes=row.changes + 1) for part, row in rows.items()}
        self.fences = {**self.fences, **mine}
        return {part: row.token for part, row in mine.items()}

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
