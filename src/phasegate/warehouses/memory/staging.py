"""The rows of one write in memory: staged, rounded, counted, deduplicated."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, Self

from phasegate.base.receipt import Staged, Stamp
from phasegate.base.table import LINEAGE_PREFIX, Table
from phasegate.errors import BadInput, Unavailable
from phasegate.warehouse import InputRead, Params, Reader, Row
from phasegate.warehouses.memory import rows as rules
from phasegate.warehouses.memory.reader import MemoryState
from phasegate.warehouses.memory.rows import Cells, StoredShape
from phasegate.warehouses.sql.cells import check_columns, check_rows, stored


class Snapshots(Protocol):
    """Opens snapshots of the warehouse."""

    def __call__(self) -> AbstractContextManager[Reader]:
        """Open one."""
        ...


class Stoppable(Protocol):
    """Work that another thread can stop."""

    def interrupt(self) -> None:
        """Stop it."""
        ...


@dataclass(frozen=True, kw_only=True)
class MemorySource:
    """What is staged: the rows of a function, or these rows."""

    table: Table
    partition: str
    version_max: float
    reads: Sequence[InputRead]
    sql: str | None
    params: Params
    given: Iterable[Row]


class MemoryStaging:
    """A staging; see ``warehouse.Staging``."""

    def __init__(self, warehouse: MemoryState, source: MemorySource, *, snapshot: Snapshots) -> None:
        self._warehouse, self._source, self._snapshot = warehouse, source, snapshot
        self._working: Stoppable | None = None
        self._stopped = False
        self.table = source.table
        self.stamps: Sequence[Mapping[str, Stamp]] = []
        self.counts = Staged(rows=0)
        self.rows: Sequence[Cells] = []
        self.columns: tuple[str, ...] | None = None
        self.shape: StoredShape | None = None

    def __enter__(self) -> Self:
        """Stage, round, count and deduplicate the rows."""
        source = self._source
        with self._snapshot() as reader:
            self.works(reader)
            self.stamps = reader.stamps(source.reads)
            rows = source.given if source.sql is None else reader.query(source.sql, source.params)
        origin = "rows[0]" if source.sql is None else f"the function {source.sql}"
        staged = self._checked(rows, origin=origin)
        rules.round_floats(self.table, staged)
        self.rows = rules.newest(self.table, staged)
        self.counts = rules.inspect(
            self.table, staged, partition=source.partition, version_max=source.version_max, kept=len(self.rows)
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Drop the rows."""
        self.rows = []

    def interrupt(self) -> None:
        """Make what runs, and the commit, raise Unavailable."""
        self._stopped = True
        if self._working is not None:
            self._working.interrupt()

    def works(self, work: object) -> None:
        """Interrupt this work from now on; at once if it is too late."""
        if self._stopped:
            raise Unavailable("the transaction was interrupted; nothing was written")
        self._working = work  # type: ignore[assignment]  # readers and transactions in memory can be interrupted

    def _checked(self, rows: Iterable[Row], *, origin: str) -> list[Cells]:
        table, warehouse = self.table, self._warehouse
        if table.name not in warehouse.tables:
            raise BadInput(f"table {table.name} does not exist: prepare it before the write")
        plain = [
            {name: rules.in_utc(cell) for name, cell in row.items() if not name.startswith(LINEAGE_PREFIX)}
            for row in rows
        ]
        self.shape = warehouse.stored_shapes.get(table.name)
        if self.shape is not None:
            return list(check_rows(table, plain, types=self.shape.types))
        if plain:
            known = warehouse.columns.get(table.name) or stored(plain[0], table=table)
            self.columns = known
            for row in plain:
                if row.keys() - {table.tombstone} != set(known):
                    check_columns(table, row, wanted=known, source=origin)
            rules.check_versions(table, plain)
        return plain
