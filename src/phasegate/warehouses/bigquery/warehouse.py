"""BigQuery as a warehouse.

A write is two jobs: one stages and counts, one is the whole transaction. Two transactions that change rows of one table
conflict, so commits are made one at a time for each table: the lease of the table is held.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from msgspec.structs import replace

from phasegate.base.receipt import Fence, Part, Receipt
from phasegate.base.table import Difference, Draft, DraftShape, Table
from phasegate.code.translated import Translator
from phasegate.errors import BadInput, Conflict
from phasegate.gcp.bigquery_address import parse_address
from phasegate.warehouse import InputRead, Params, Reader, Row, Scope, Staging, Write, WriteAnswer
from phasegate.warehouses.bigquery.creating import Creator
from phasegate.warehouses.bigquery.dataset import Dataset
from phasegate.warehouses.bigquery.dialect import OWN_PREFIX, as_stored
from phasegate.warehouses.bigquery.failures import is_missing
from phasegate.warehouses.bigquery.jobs import QUERY_TIMEOUT_S, Job, Jobs
from phasegate.warehouses.bigquery.session import BigQuerySession, SessionPool, selected
from phasegate.warehouses.bigquery.staging import BigQueryStaging, RowsToStage
from phasegate.warehouses.bigquery.statements import fence_table, fences_of
from phasegate.warehouses.sql import own_tables as own
from phasegate.warehouses.sql.reader import SqlReader
from phasegate.warehouses.sql.shapes import difference

FENCE_LABELS = {"phasegate": "fence"}


class BigQueryReader(SqlReader):
    """A snapshot whose fence rows are in many tables."""

    def __init__(self, session: BigQuerySession, dataset: Dataset, *, translator: Translator | None = None) -> None:
        super().__init__(session, sql=dataset.sql, own_sql=dataset.own(), translator=translator)
        self._dataset = dataset

    def fences(self, *, first: str, last: str) -> dict[Part, Fence]:
        """Return the fence rows with ``first <= partition <= last``."""
        tables = fence_tables(self._dataset)
        if not tables:
            return {}
        rows = self.session.run(fences_of(tables), {"first": first, "last": last}, what="fences")
        return {Part(table, partition): Fence(*fence) for table, partition, *fence in rows}

    def compare(self, table: Table, columns: Mapping[str, str], /) -> Difference:
        """Return how the stored table differs from these columns and its key."""
        return super().compare(table, as_stored(columns))


class BigQueryWarehouse:
    """Tables of one project of BigQuery, for any number of machines.

    ``translator``: translates queries and conditions into BigQuery's SQL; None: they are written in it.
    """

    scope: Scope = "table"

    def __init__(
        self, url: str, *, query_timeout_s: float = QUERY_TIMEOUT_S, translator: Translator | None = None
    ) -> None:
        self.jobs = Jobs(parse_address(url), timeout_s=query_timeout_s)
        self._translator, self._dataset = translator, Dataset(self.jobs)
        self._sessions, self._creator = SessionPool(self.jobs), Creator(self._dataset)

    def prepare(
        self, draft: Draft, /, *, partition: str, store_id: str, params: Params, beside: Collection[str] = ()
    ) -> None:
        """Create what a write needs, where it is absent."""
        known, name = self._dataset.prepared, draft.table.name
        if (name, partition) in known and self._creator.is_whole(draft.table):
            return
        wanted = [(one, partition) for one in sorted({name, *beside}) if (one, partition) not in known]
        fences = [one for one in wanted if one[0] == name or self._dataset.columns(one[0])]
        self._creator.create(draft, params=params, fences=fences, store_id=store_id)
        known.update(fences)

    def create(self, table: Table, /, *, sql: str | None = None, params: Params | None = None) -> None:
        """Create an empty table to be read, if it is absent."""
        if not self._dataset.columns(table.name):
            self._creator.create(Draft(table=table, sql=sql or ""), params=params or {}, fences=(), store_id="")

    def shapes(self, drafts: Sequence[Draft], params: Params, /) -> list[DraftShape]:
        """Return the shape of each draft.

        Of a SELECT it is known if the tables that it reads are stored.
        """
        return [self._shape(draft, params) for draft in drafts]

    def _shape(self, draft: Draft, params: Params) -> DraftShape:
        try:
            found = self._creator.shape_of(draft, params=params)
        except BadInput:
            return DraftShape()
        return DraftShape(columns=as_stored(found))

    def reshape(self, table: Table, change: Difference, /, *, columns: Mapping[str, str], store_id: str) -> bool:
        """Change the columns and the recorded key; see ``Warehouse.reshape``."""
        self._check_differs(table, change, columns)
        try:
            return self._creator.reshape(table, change, store_id=store_id)
        except BadInput:
            self._check_differs(table, change, columns)
            raise

    def _check_differs(self, table: Table, change: Difference, columns: Mapping[str, str]) -> None:
        found = difference(table, stored=self._dataset.types_of(table), wanted=as_stored(columns), key=None)
        if not found.includes(replace(change, added=as_stored(change.added))):
            raise Conflict(f"the columns of {table.name} were changed by another transaction")

    def stage(
        self, table: Table, /, *, partition: str, version_max: float, reads: Sequence[InputRead] = (),
        sql: str | None = None, params: Params | None = None, rows: Iterable[Row] = (),
    ) -> BigQueryStaging:  # fmt: skip
        """Return a staging of the rows of a SELECT, or of these rows."""
        source = RowsToStage(table, partition, version_max, reads, sql, params or {}, rows)
        return BigQueryStaging(self._dataset, source)

    def commit(self, write: Write, staging: Staging, /) -> WriteAnswer:
        """Write the staged rows in one transaction; see ``Warehouse.commit``."""
        assert isinstance(staging, BigQueryStaging)
        return staging.commit(write)

    def change_fence(self, part: Part, /, *, token: int, store_id: str, holders: Sequence[str]) -> bool:
        """Change a fence row, and nothing else; return whether."""
        if not self._dataset.columns(fence_table(self._dataset.names.split(part.table))):
            return False
        bound: dict[str, object] = {"table": part.table, "partition": part.partition, "token": token}
        bound |= {"store": store_id, "holder": holders[-1]} | {f"holder{n}": name for n, name in enumerate(holders)}
        statement = self._dataset.own(part.table).change_fence(holders=len(holders))
        what = f"fence of {part.table}/{part.partition}"
        return self.jobs.run(Job(statement, bound, what, FENCE_LABELS, "write")).changed > 0

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Open a read-only snapshot."""
        touch = self._dataset.own().touch_none() if self._dataset.reads().has(own.FENCE) else ""
        with self._sessions.snapshot(touch) as session:
            reads = BigQuerySession(self.jobs, self._dataset.names, known=self._dataset.known, session=session)
            yield BigQueryReader(reads, self._dataset, translator=self._translator)

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Return the receipt of a write, if it was committed."""
        return BigQueryReader(self._dataset.reads(), self._dataset).find_write(write_id)

    def adopt(self, parts: Iterable[Part] | None, /, *, store_id: str, holder: str) -> dict[Part, int]:
        """Write our store id and a holder into fence rows; return their tokens."""
        if not self._dataset.columns(own.FENCE):
            return {}
        if parts is None:
            self._creator.mend_fences(store_id=store_id)
        found: dict[Part, int] = {}
        chosen = None if parts is None else list(parts)
        new = fence_tables(self._dataset)
        done = set(new)
        found |= self._adopted(new, chosen, store_id=store_id, holder=holder)
        # a fence table that another process has made in between is adopted too
        while chosen is None and (new := [one for one in fence_tables(self._dataset) if one not in done]):
            found |= self._adopted(new, chosen, store_id=store_id, holder=holder)
            done.update(new)
        return found

    def _adopted(
        self, tables: Sequence[str], parts: Sequence[Part] | None, *, store_id: str, holder: str
    ) -> dict[Part, int]:
        bound: dict[str, object] = {"store": store_id, "holder": holder}
        bound |= {f"table{n}": part.table for n, part in enumerate(parts or ())}
        bound |= {f"partition{n}": part.partition for n, part in enumerate(parts or ())}
        statements = self._dataset.own().adoption(tables, parts=None if parts is None else len(parts))
        done = self.jobs.run(Job(statements, bound, "adopt", FENCE_LABELS, "write"))
        return {Part(table, partition): int(token) for table, partition, token in done.rows}

    def bytes_read(self, sql: str, params: Params, /) -> int | None:
        """Return how many bytes a SELECT would read, None without its tables."""
        text, bound = selected(sql, params, what="SQL")
        try:
            return self.jobs.described(text, bound, what="SQL")[1]
        except BadInput:
            return None

    def create_own(self) -> bool:
        """Create our own tables; return whether any was absent."""
        return self._creator.create_own()

    def close(self) -> None:
        """End the sessions and close the client; a later use opens them again."""
        self._sessions.close()
        self.jobs.close()


SCHEMA_VERSION = 1


def create_own_tables(url: str, /) -> tuple[str, int, int]:
    """Create what Phasegate has of its own beside tables in BigQuery.

    Return the address, and the version of what was there, 0 for nothing, and is there now. Raises BadInput,
    Unavailable.
    """
    with closing(BigQueryWarehouse(url)) as warehouse:
        made = warehouse.create_own()
    return warehouse.jobs.address.shown, 0 if made else SCHEMA_VERSION, SCHEMA_VERSION


def fence_tables(dataset: Dataset, /) -> list[str]:
    """Return the quoted names of all fence tables of guarded tables."""
    jobs, prefix = dataset.jobs, f"{OWN_PREFIX}fence_"
    try:
        found = [one.table_id for one in jobs.client.list_tables(f"{jobs.address.project}.{dataset.names.dataset}")]
    except Exception as error:
        if is_missing(error):
            return []
        raise jobs.failure(error, what="fences", purpose="read") from error
    return [dataset.reference(name.removeprefix(OWN_PREFIX)) for name in sorted(found) if name.startswith(prefix)]
