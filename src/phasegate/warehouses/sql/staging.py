"""Fills, counts and deduplicates the staging table of one write.

It is filled by the statements of one snapshot; no other table is written.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from phasegate.base.receipt import Staged
from phasegate.base.table import Table
from phasegate.errors import BadInput
from phasegate.warehouse import Params, Row
from phasegate.warehouses.sql.cells import check_columns, check_lossless, check_rows, family
from phasegate.warehouses.sql.dialect import Types
from phasegate.warehouses.sql.reader import SqlReader
from phasegate.warehouses.sql.session import Bound, Session

COUNTS = ("rows", "outside", "null_keys", "future_versions", "null_versions", "not_finite")


@dataclass
class Stage:
    """A staging table: the columns that it fills, its rows without duplicates.

    ``outside``: how many are of another partition. ``is_whole``: the partition has exactly these rows now.
    """

    table: Table
    name: str
    types: Types
    rows: int = 0
    outside: int = 0
    is_whole: bool = False


class SqlStaging(SqlReader):
    """The verbs that fill and inspect a staging table."""

    session: Session

    def types_to_fill(self, table: Table) -> dict[str, str]:
        """Return the columns to fill.

        Raises BadInput for a missing table.
        """
        types = self.types_of(table)
        if not types:
            raise BadInput(f"table {table.name} does not exist: prepare it before the write")
        return types

    def stage_query(self, table: Table, sql: str, params: Params, /) -> Stage:
        """Stage the rows of a SELECT, rounded.

        Its lineage columns, as from ``SELECT *``, are left out.

        Raises BadInput, naming the table, for wrong SQL and for columns that table and SELECT do not share.
        """
        what = f"SQL for table {table.name}"
        text, bound = self.session.select(sql, params, what=what)
        types = self.types_to_fill(table)
        # First uncast, so that the engine plans it once: describing the SELECT plans it a second time, which took
        # DuckDB 4 to 11 ms of a step of 40 columns (measured).
        source = self.session.stage_name("source")
        self.session.keep(source, text, bound, what=what)
        yielded = self.session.columns(source)
        check_columns(table, yielded, wanted=tuple(types), source=f"the SELECT for table {table.name}")
        for column in types:
            check_lossless(table, column, yields=yielded[column], has=types[column])
        stage = Stage(table, self.session.stage_name("stage"), types)
        cells = self.sql.from_query(table, types, yielded=yielded)
        self.session.keep(stage.name, self.sql.staged(table, source, types, cells=cells), {}, what=what)
        return stage

    def stage_rows(self, table: Table, rows: Iterable[Row], /) -> Stage:
        """Stage given rows, checked, cast to the column types and rounded.

        Raises BadInput, naming row and column, for what does not fit; naive datetimes too.
        """
        types = self.types_to_fill(table)
        checked, what = check_rows(table, rows, types=types), f"rows for table {table.name}"
        return self.stage_loaded(table, self.session.load(checked, self.filled(table, types), what=what))

    def stage_loaded(self, table: Table, loaded: tuple[str, Bound], /) -> Stage:
        """Stage the rows of a SELECT of checked rows."""
        types, (text, bound) = self.types_to_fill(table), loaded
        cells = {column: f"q.{self.sql.dialect.quoted(column)}" for column in self.filled(table, types)}
        stage, what = Stage(table, self.session.stage_name("stage"), types), f"rows for table {table.name}"
        self.session.keep(stage.name, self.sql.staged(table, f"({text})", types, cells=cells), bound, what=what)
        return stage

    def filled(self, table: Table, types: Types) -> Types:
        """Return the columns of staged rows, and the tombstone."""
        return {**types, table.tombstone: self.sql.dialect.type_of("BOOLEAN")} if table.tombstone else types

    def inspect(self, stage: Stage, /, *, partition: str, version_max: float) -> Staged:
        """Count what the writer must judge, and leave one row per key.

        The floats are already rounded.
        """
        table, what = stage.table, f"staging of {stage.table.name}"
        bound: dict[str, object] = {"partition": partition}
        if table.version:
            bound["version_max"] = latest(version_max, sql_type=stage.types[table.version])
        (row,) = self.session.run(self.sql.inspect(table, stage.name, stage.types), bound, what=what)
        *counts, keys = (int(value) for value in row)
        staged = Staged(**dict(zip(COUNTS, counts, strict=True)))
        duplicates = undecided = 0
        if staged.rows != keys:
            ((undecided,),) = self.session.run(self.sql.undecided(table, stage.name), what=what)
            duplicates = self.session.change(self.sql.deduplicate(table, stage.name), what=what)
        stage.rows, stage.outside = staged.rows - duplicates, staged.outside
        return Staged(**dict(zip(COUNTS, counts, strict=True)), duplicates=duplicates, undecided=int(undecided))


def latest(version_max: float, /, *, sql_type: str) -> object:
    """Return the greatest version as a value of the version's type."""
    if family(sql_type) not in {"timestamp", "date"}:
        return version_max
    at = datetime.fromtimestamp(version_max, UTC).replace(tzinfo=None)
    return at.date() if family(sql_type) == "date" else at
