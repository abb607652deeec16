"""A staging in a DuckDB file, and its commit on the same connection.

Its tables are temporary: no other connection sees them, and they end with the connection.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from phasegate.base.receipt import Staged, Stamp
from phasegate.base.table import Table
from phasegate.warehouse import InputRead, Params, Row, Write, WriteAnswer, Written
from phasegate.warehouses.duckdb import dialect
from phasegate.warehouses.duckdb.dialect import DuckDBSql
from phasegate.warehouses.duckdb.session import WRITES, Catalog, DuckDBSession, Texts
from phasegate.warehouses.sql import commits
from phasegate.warehouses.sql.dialect import Types
from phasegate.warehouses.sql.own_tables import OwnSql
from phasegate.warehouses.sql.reader import SqlReader
from phasegate.warehouses.sql.staging import SqlStaging, Stage
from phasegate.warehouses.sql.transaction import SqlTransaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SQL, OWN = DuckDBSql(dialect), OwnSql(dialect)


def reader_of(session: DuckDBSession, /) -> SqlReader:
    """Return the reading verbs of a session."""
    return SqlReader(session, sql=SQL, own_sql=OWN)


class DuckDBStaging:
    """The verbs of a staging, in their order: open, fill, commit."""

    def __init__(
        self, connection: "DuckDBPyConnection", *, path: Path, catalog: Callable[[], Catalog], table: Table,
        partition: str, version_max: float,
    ) -> None:  # fmt: skip
        self._catalog = catalog
        self._table, self._partition, self._version_max = table, partition, version_max
        self.session = DuckDBSession(connection, path=path, catalog=catalog(), pin=False)
        self._verbs = SqlStaging(self.session, sql=SQL, own_sql=OWN)
        self._stage: Stage | None = None
        self._added, self._what = "", f"rows for table {table.name}"

    def open(self, reads: Sequence[InputRead], /) -> list[dict[str, Stamp]]:
        """Return the stamps of the reads, in the snapshot of the SELECT."""
        return self._verbs.stamps(reads)

    def fill_query(self, sql: str, params: Params, /) -> Staged:
        """Stage the rows of a SELECT."""
        return self._inspected(self._verbs.stage_query(self._table, sql, params))

    def fill_rows(self, rows: Iterable[Row], /) -> Staged:
        """Stage given rows."""
        return self._inspected(self._verbs.stage_rows(self._table, rows))

    def types_to_fill(self) -> Mapping[str, str]:
        """Return the columns to fill, without the tombstone."""
        return self._verbs.types_to_fill(self._table)

    def add_texts(self, texts: Texts, /) -> None:
        """Take texts of rows that another process has checked; more follow."""
        self._added = self.session.add_texts(texts, self._filled(), into=self._added, what=self._what)

    def fill_texts(self, last: Texts, /) -> Staged:
        """Stage the rows of these texts, and of those that were added."""
        loaded = self.session.load_texts(last, self._filled(), into=self._added, what=self._what)
        return self._inspected(self._verbs.stage_loaded(self._table, loaded))

    def _filled(self) -> Types:
        return self._verbs.filled(self._table, self._verbs.types_to_fill(self._table))

    def _inspected(self, stage: Stage) -> Staged:
        staged = self._verbs.inspect(stage, partition=self._partition, version_max=self._version_max)
        self._stage = stage
        self.session.end()
        return staged

    def commit(self, write: Write, /) -> WriteAnswer:
        """Write the staged rows in a transaction of their own."""
        assert self._stage is not None, "nothing is staged"
        self.session.begin(WRITES, catalog=self._catalog(), pin=False)
        tx = SqlTransaction(self.session, sql=SQL, own_sql=OWN)
        tx.take(self._stage)
        answer = commits.run(tx, write)
        if isinstance(answer, Written):
            self.session.commit()
        return answer

    def interrupt(self) -> None:
        """Stop a running statement, from any thread; the staging fails."""
        self.session.interrupt()
