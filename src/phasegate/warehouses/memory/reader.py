"""What the warehouse in memory holds, and one snapshot of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from phasegate.base import fingerprint as prints
from phasegate.base.receipt import Fence, Part, Receipt, Stamp
from phasegate.base.table import Dependency, Difference, Disagreement, Repeats, Table, Uncovered
from phasegate.errors import BadInput, Unavailable
from phasegate.warehouse import InputRead, Params, Row
from phasegate.warehouses.memory import comparisons
from phasegate.warehouses.memory import rows as rules
from phasegate.warehouses.memory.rows import Cells, FenceRow, StoredRow, StoredShape, Tables
from phasegate.warehouses.sql import commits
from phasegate.warehouses.sql.cells import check_named, in_utc
from phasegate.warehouses.sql.shapes import difference

Function = Callable[[Callable[[str], list[Cells]], Params], Sequence[Row]]


class MemoryState:
    """What is committed.

    ``functions`` are used in place of SQL: name -> fn(read, params) -> rows.
    """

    def __init__(self, *, functions: Mapping[str, Function] | None = None) -> None:
        self.functions: dict[str, Function] = dict(functions or {})
        self.columns: dict[str, tuple[str, ...]] = {}
        self.stored_shapes: Mapping[str, StoredShape] = {}
        self.tables: Tables = {}
        self.fences: Mapping[Part, FenceRow] = {}
        self.obeyed = ""
        self.newest: Mapping[Part, Receipt] = {}
        self.writes: dict[str, Receipt] = {}
        self.commits: list[Receipt] = []
        self.serial = 0

    def next_row(self) -> int:
        """Return the number of a new row."""
        self.serial += 1
        return self.serial


class MemoryReader:
    """One snapshot.

    Where a database takes SQL, this takes the name of one of the warehouse's functions.
    """

    def __init__(self, warehouse: MemoryState) -> None:
        self._warehouse = warehouse
        self._tables, self._fences, self._newest = warehouse.tables, warehouse.fences, warehouse.newest
        self._shapes = warehouse.stored_shapes
        self._stopped = False

    def read(self, table_name: str, /) -> list[Cells]:
        """Return copies of a table's rows in this snapshot, without lineage.

        Empty for a missing table.
        """
        parts = self._tables.get(table_name, {})
        return [dict(row.cells) for rows in parts.values() for row in rows.values()]

    def rows(self, table: Table, /, *, partition: str, limit: int, offset: int = 0) -> list[Cells]:
        """Return rows of a partition as a staging takes them."""
        self._check()
        chosen = self._rows_of(table, partition)[offset : offset + limit]
        return [{name: in_utc(cell) for name, cell in row.cells.items()} for row in chosen]

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

    def stamps(self, reads: Sequence[InputRead], /) -> list[dict[str, Stamp]]:
        """Return the stamps that a write compares, by partition, for each read."""
        return commits.stamps(self, reads)

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
        return comparisons.disagreements(table, dependency, rows, first=first, last=last)

    def sums(
        self, table: Table, /, *, column: str, by: Sequence[str], first: str, last: str
    ) -> dict[tuple[str, ...], Decimal]:
        """Return the sums of a column by partition and ``by``.

        The range is ``first <= partition <= last``.
        """
        found = comparisons.sums(table, self._known_rows(table, (column, *by)), column=column, by=by)
        return {key: total for key, total in found.items() if first <= key[0] <= last}

    def uncovered(
        self, table: Table, /, *, by: Table, on: Sequence[str], where: str, first: str, last: str
    ) -> dict[str, Uncovered]:
        """Return the keys in ``table`` that ``by`` lacks, by partition.

        ``where``: the name of a function that returns the rows that count.
        """
        rows = self.query(where, {}) if where else self.read(table.name)
        mine = comparisons.keys_of(table, rows, on=on, first=first, last=last)
        theirs = comparisons.keys_of(by, self.read(by.name), on=on, first=first, last=last)
        lacking = {part: keys - theirs.get(part, set()) for part, keys in mine.items()}
        return {part: comparisons.uncovered(keys) for part, keys in lacking.items() if keys}

    def fences(self, *, first: str, last: str) -> dict[Part, Fence]:
        """Return the fence rows with ``first <= partition <= last``."""
        self._check()
        chosen = {part: row for part, row in self._fences.items() if first <= part.partition <= last}
        return {part: Fence(row.token, row.store_id, row.holder) for part, row in chosen.items()}

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

    def compare(self, table: Table, columns: Mapping[str, str], /) -> Difference:
        """Return how the stored table differs from these columns and its key."""
        self._check()
        shape = self._shapes.get(table.name)
        return (
            difference(table, stored=shape.types, wanted=columns, key=shape.key) if shape else Difference(missing=True)
        )

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
            check_named(table, columns, known=cells)
        return rows

    def _rows_of(self, table: Table, partition: str | None) -> list[StoredRow]:
        parts = self._tables.get(table.name, {})
        if partition is not None:
            return list(parts.get(partition, {}).values())
        return [row for rows in parts.values() for row in rows.values()]
