"""The staging tables of one transaction of a DuckDB file.

They are filled, counted and deduplicated here; no other table is written.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phasegate.base import fingerprint as prints
from phasegate.base.receipt import Staged
from phasegate.base.table import Table
from phasegate.errors import BadInput
from phasegate.warehouse import Params, Row
from phasegate.warehouses.duckdb.dialect import quoted
from phasegate.warehouses.duckdb.reader import SQLS, Catalog, DuckDBReader
from phasegate.warehouses.sql.cells import check_columns, check_lossless, check_rows
from phasegate.warehouses.sql.rows import digests

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# By parameter, the cells of a column.
Texts = dict[str, list[str | None]]
STAGE_ROWS = 20_000
_COUNTS = ("rows", "outside", "null_keys", "future_versions", "null_versions", "not_finite", "present")


@dataclass
class Stage:
    """A staging table, and the counts of its inspection for ``partition``.

    ``present`` is None if it was not counted, or if this transaction has written since.
    """

    name: str
    partition: str | None = None
    rows: int = 0
    outside: int = 0
    duplicates: int | None = None
    present: int | None = None

    def finds_nothing(self, partition: str) -> bool:
        """Return whether the partition is known to have no rows."""
        return self.partition == partition and self.present == 0

    def fits(self, partition: str) -> bool:
        """Return whether its rows are known to be the partition's, without copies.

        True if all are of the partition, one per key, and few enough to be read.
        """
        return self.partition == partition and self.outside == 0 and self.duplicates == 0 and self.rows <= STAGE_ROWS


class DuckDBStaging(DuckDBReader):
    """The verbs that fill and inspect staging tables.

    These are temporary: no other connection sees them.
    """

    def __init__(self, connection: "DuckDBPyConnection", *, path: Path, catalog: Catalog) -> None:
        super().__init__(connection, path=path, catalog=catalog)
        self._stages = 0
        self._staged: dict[str, Stage] = {}
        # By table: the partition whose rows are exactly those of a staging table.
        self._holds: dict[str, tuple[Table, str, Stage]] = {}

    def stage_query(self, table: Table, sql: str, params: Params, /) -> None:
        """Stage the rows of a SELECT, rounded.

        Its lineage columns, as from ``SELECT *``, are left out.

        Raises BadInput, naming the table, for wrong SQL and for columns that table and SELECT do not share.
        """
        what = f"SQL for table {table.name}"
        text, bound = self._select(sql, params, what=what)
        types = self.types_to_fill(table)
        stage = self._stage(table)
        # First uncast, so that DuckDB plans it once: describing the SELECT plans it a second time, which took 4 to
        # 11 ms of a step of 40 columns (measured).
        source = f"{stage}_source"
        ((rows,),) = self._run(f"CREATE TEMP TABLE {source} AS {text}", bound, what=what)
        # Half the time of a SELECT without rows, which would be planned (measured).
        yielded = {str(name): str(kind) for name, kind, *_ in self._run(f"DESCRIBE {source}", what=what)}
        check_columns(table, yielded, wanted=tuple(types), source=f"the SELECT for table {table.name}")
        for column in types:
            check_lossless(table, column, yields=yielded[column], has=types[column])
        cast = SQLS.staged(table, source, types, cells=SQLS.from_query(table, types, yielded=yielded))
        self._run(f"CREATE TEMP TABLE {stage} AS {cast}", what=what)
        if rows > STAGE_ROWS:
            self._run(f"DROP TABLE {source}", what=what)

    def stage_rows(self, table: Table, rows: Sequence[Row], /) -> None:
        """Stage given rows, checked, cast to the column types and rounded.

        Raises BadInput, naming row and column, for what does not fit; naive datetimes too.
        """
        self.stage_texts(table, texts_of(table, rows, types=self.types_to_fill(table)))

    def stage_texts(self, table: Table, texts: Iterable[Texts], /) -> None:
        """Stage what ``texts_of`` returns."""
        types = self.types_to_fill(table)
        filled = _filled(table, types)
        cells = {column: f"q.{quoted(column)}" for column in filled}
        source = SQLS.staged(table, f"({SQLS.from_lists(filled)})", types, cells=cells)
        stage = self._stage(table)
        # One list of texts per column: executemany takes 30 times as long (measured).
        for number, lists in enumerate(texts):
            verb = f"INSERT INTO {stage}" if number else f"CREATE TEMP TABLE {stage} AS"
            self._run(f"{verb} {source}", lists, what=f"rows for table {table.name}")

    def inspect(self, table: Table, /, *, partition: str, version_max: float) -> Staged:
        """Count what the writer must judge.

        The floats are already rounded.
        """
        types, stage = self.types_of(table), self._staged[table.name]
        bound: dict[str, object] = {"partition": partition}
        if table.version:
            bound["version_max"] = version_max
        (row,) = self._run(SQLS.inspect(table, stage.name, types), bound, what=f"staging of {table.name}")
        *counts, keys = (int(value) for value in row)
        staged = Staged(
            **dict(zip(_COUNTS, counts, strict=True)), undecided=self._undecided(table, stage, more=keys < counts[0])
        )
        stage.partition, stage.rows, stage.outside = partition, staged.rows, staged.outside
        stage.present, stage.duplicates = staged.present, staged.rows - keys
        return staged

    def _undecided(self, table: Table, stage: Stage, *, more: bool) -> int:
        """Count the keys that no version decides; ``more``: rows than keys."""
        if not more:
            return 0
        ((found,),) = self._run(SQLS.undecided(table, stage.name), what=f"staging of {table.name}")
        return int(found)

    def deduplicate(self, table: Table, /) -> int:
        """Leave one staged row per key; return how many were removed.

        It is the newest version; the content decides between equal versions.
        """
        stage = self._staged[table.name]
        removed = 0
        if stage.duplicates != 0:
            statement = SQLS.deduplicate(table, stage.name)
            removed = int(self._run(statement, what=f"staging of {table.name}")[0][0])
        stage.rows -= removed
        stage.duplicates = 0
        return removed

    def fingerprint(self, table: Table, /, *, partition: str | None) -> str:
        """Return the fingerprint of a partition's rows now.

        ``partition`` None: of the whole table. The digests of rows that were just staged and written are known: they
        are summed, not computed again.
        """
        written, held, stage = self._holds.get(table.name, (None, None, None))
        if stage is None or partition is None or partition != held or table != written:
            return super().fingerprint(table, partition=partition)
        rows = self._run(digests(stage.name), what=f"fingerprint of {table.name}")
        pieces = [struct.unpack(">8I", bytes.fromhex(digest)) for (digest,) in rows]
        return prints.fold(len(pieces), [sum(column) for column in zip(*pieces, strict=True)] or [0] * prints.PIECES)

    def types_to_fill(self, table: Table) -> dict[str, str]:
        """Return the columns to fill.

        Raises BadInput for a missing table.
        """
        types = self.types_of(table)
        if not types:
            raise BadInput(f"table {table.name} does not exist: prepare it before the transaction")
        return types

    def _stage(self, table: Table) -> str:
        """Return the name of a new staging table.

        Each transaction uses the same names, so that statements are parsed once.
        """
        name = f"_pg_stage_{self._stages}"
        self._stages += 1
        self._staged[table.name] = Stage(name)
        return name


def texts_of(table: Table, rows: Sequence[Row], /, *, types: Mapping[str, str]) -> Iterator[Texts]:
    """Yield the rows' cells as texts, STAGE_ROWS rows at a time.

    At least once, also without rows. ``types``: those of ``types_to_fill``.

    Raises BadInput, naming row and column, for what does not fit.
    """
    filled = _filled(table, types)
    for start in range(0, max(1, len(rows)), STAGE_ROWS):
        checked = check_rows(table, rows[start : start + STAGE_ROWS], types=types)
        yield {f"c{i}": [_cast_text(row[column]) for row in checked] for i, column in enumerate(filled)}


def _filled(table: Table, types: Mapping[str, str]) -> Mapping[str, str]:
    return {**types, table.tombstone: "BOOLEAN"} if table.tombstone else types


def _cast_text(cell: object) -> str | None:
    """Return a checked cell as a text that DuckDB casts to the same value."""
    # Most cells are one of these; the general function takes 0.6 µs a cell (measured).
    if cell is None or type(cell) is str:
        return cell
    if type(cell) is int or isinstance(cell, float):
        return repr(cell)
    return prints.text(cell, scale=0)
