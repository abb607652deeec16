"""A dataset of our own, and what reaches it and the guarded tables."""

from phasegate.base.table import Table
from phasegate.warehouses.bigquery.dialect import OWN_PREFIX, BigQueryDialect
from phasegate.warehouses.bigquery.jobs import Jobs
from phasegate.warehouses.bigquery.session import BigQuerySession
from phasegate.warehouses.bigquery.statements import BigQueryOwn, BigQuerySql
from phasegate.warehouses.sql.cells import stored


class Dataset:
    """The tables that a warehouse knows by name.

    ``known``: the columns of our own tables, once they are there. ``prepared``: the partitions that this process has
    seen prepared.
    """

    def __init__(self, jobs: Jobs) -> None:
        self.jobs, self.names = jobs, BigQueryDialect(jobs.address.dataset)
        self.sql = BigQuerySql(self.names)
        self.known: dict[str, dict[str, str]] = {}
        self.prepared: set[tuple[str, str]] = set()

    def own(self, guarded: str | None = None, /) -> BigQueryOwn:
        """Return the statements on our own tables, and on this one's fence rows."""
        return BigQueryOwn(self.names, guarded=guarded)

    def reads(self) -> BigQuerySession:
        """Return a session of single statements."""
        return BigQuerySession(self.jobs, self.names, known=self.known)

    def columns(self, name: str, /) -> dict[str, str]:
        """Return all columns of a table and their types now; {} for a missing one."""
        return self.jobs.columns(*self.names.split(name))

    def types_of(self, table: Table, /) -> dict[str, str]:
        """Return the columns that a write fills; {} for a missing table."""
        found = self.columns(table.name)
        return {name: found[name] for name in stored(found, table=table)}

    def reference(self, own_name: str, /) -> str:
        """Return the quoted full name of a table of our own."""
        return f"{self.names.quoted(self.names.dataset)}.{self.names.quoted(OWN_PREFIX + own_name)}"

    def forget(self) -> None:
        """Look again at what is there."""
        self.known.clear()
        self.prepared.clear()
