"""Creates what writes need, and changes columns: one job each.

BigQuery takes no statement about a table's shape in a transaction. So a change of columns makes the shape's number odd
before and even after: rows that were staged before or during it are refused by their commit.
"""

from collections.abc import Mapping, Sequence

from phasegate.base.table import TOKEN_COLUMN, Difference, Draft, Table
from phasegate.errors import BadInput
from phasegate.warehouse import Params
from phasegate.warehouses.bigquery.dataset import Dataset
from phasegate.warehouses.bigquery.failures import is_missing
from phasegate.warehouses.bigquery.jobs import Job
from phasegate.warehouses.bigquery.session import selected
from phasegate.warehouses.bigquery.statements import fence_table
from phasegate.warehouses.sql import own_tables as own
from phasegate.warehouses.sql.cells import check_shape, stored

LABELS = {"phasegate": "create"}


class Creator:
    """Creates and changes tables."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def create_own(self) -> bool:
        """Create our own tables; return whether any was absent."""
        script = self._system()
        if script:
            self._run(script, {}, what="the system tables")
        return bool(script)

    def create(self, draft: Draft, /, *, params: Params, fences: Sequence[tuple[str, str]], store_id: str) -> None:
        """Create a table and these fence rows, of tables and partitions."""
        script, bound = [*self._system()], dict[str, object]()
        script += self._table(draft, params=params)
        for name in {draft.table.name, *(name for name, _ in fences)}:
            if not self._dataset.columns(fence_table(self._dataset.names.split(name))):
                script.append(self._dataset.own(name).add_fence_table())
        keys = self._dataset.own()
        script.append(f"IF NOT EXISTS ({keys.read_key()}) THEN {keys.put_key()}; END IF".replace("$table", "$keyed"))
        bound |= {"keyed": draft.table.name, "key": list(draft.table.key), "store": store_id}
        for number, (name, partition) in enumerate(fences):
            script.append(self._fence(name, number))
            bound |= {f"table{number}": name, f"partition{number}": partition}
        self._run(script, bound, what=f"table {draft.table.name}")

    def mend_fences(self, *, store_id: str) -> None:
        """Add the fence tables and rows that written partitions lack."""
        own_tables, script, bound = self._dataset.own(), list[str](), dict[str, object]({"store": store_id})
        written = self._dataset.reads().run(own_tables.guarded(), what="fences")
        for number, (name,) in enumerate(written):
            fences = self._dataset.own(name)
            script.append(fences.add_fence_table())
            added = fences.mend_fences(where=f"r.table_name = $table{number}")
            script.append(f"BEGIN TRANSACTION;\n{fences.touch()};\n{added};\nCOMMIT TRANSACTION")
            bound[f"table{number}"] = name
        if script:
            self._run(script, bound, what="fences")

    def is_whole(self, table: Table, /) -> bool:
        """Return whether a guarded table is there, with its lineage.

        Raises BadInput if it cannot be guarded.
        """
        found = self._dataset.columns(table.name)
        if found:
            check_shape(table, {name: found[name] for name in stored(found, table=table)})
        return TOKEN_COLUMN in found

    def _fence(self, name: str, number: int) -> str:
        """Return the statements that add one fence row."""
        fences = self._dataset.own(name)
        text = f"""IF NOT EXISTS ({fences.read_fence()}) THEN
    BEGIN TRANSACTION;
    {fences.touch()};
    {fences.add_fence()};
    COMMIT TRANSACTION;
END IF"""
        return text.replace("$table", f"$table{number}").replace("$partition", f"$partition{number}")

    def shape_of(self, draft: Draft, /, *, params: Params) -> dict[str, str]:
        """Return the columns that a draft gives a table, {} if it gives none.

        Raises BadInput for a SELECT that cannot be used.
        """
        table = draft.table
        if table.columns:
            return {name: table.columns[name] for name in stored(table.columns, table=table)}
        if not draft.sql:
            return {}
        what = f"SQL for table {table.name}"
        text, bound = selected(draft.sql, params, what=what)
        yielded, _ = self._dataset.jobs.described(text, bound, what=what)
        return {name: yielded[name] for name in stored(yielded, table=table)}

    def reshape(self, table: Table, change: Difference, /, *, store_id: str) -> bool:
        """Change the columns and the recorded key; see ``Warehouse.reshape``."""
        types, fences, keys = self._dataset.types_of(table), self._dataset.own(table.name), self._dataset.own()
        script = self._system()
        if not self._dataset.columns(fence_table(self._dataset.names.split(table.name))):
            script.append(fences.add_fence_table())
        changes = "; ".join(self._dataset.sql.rewrite(table, change, stored=types)) or "SELECT 1"
        script = [
            "DECLARE v_shape INT64",
            *script,
            f"""BEGIN TRANSACTION;
{fences.pass_fences()};
{fences.open_shape()};
SET v_shape = {fences.shape()};
IF ({fences.foreign_fences()}) > 0 THEN
    SELECT 'foreign' AS said;
    RETURN;
END IF;
COMMIT TRANSACTION;
BEGIN
    {changes};
EXCEPTION WHEN ERROR THEN
    {fences.close_shape()};
    RAISE;
END;
BEGIN TRANSACTION;
{fences.close_shape()};
IF EXISTS ({keys.read_key()}) THEN {keys.change_key()}; ELSE {keys.put_key()}; END IF;
COMMIT TRANSACTION;
SELECT 'changed' AS said""",
        ]
        bound = {"table": table.name, "store": store_id, "key": list(table.key)}
        return self._run(script, bound, what=f"table {table.name}") != "foreign"

    def _system(self) -> list[str]:
        """Return the statements that make our own tables, [] once they are there."""
        reads = self._dataset.reads()
        if all(own.is_whole(name, reads.columns(name)) for name in own.NAMES):
            return []
        return [*self._schema(self._dataset.names.dataset), *self._dataset.own().system()]

    def _schema(self, name: str) -> list[str]:
        """Return the statement that makes a dataset, if it is absent."""
        jobs, location = self._dataset.jobs, self._dataset.jobs.address.location
        try:
            jobs.client.get_dataset(f"{jobs.address.project}.{name}")
        except Exception as error:
            if not is_missing(error):
                raise jobs.failure(error, what=f"dataset {name}", purpose="read") from error
            options = f" OPTIONS (location = '{location}')" if location else ""
            return [f"CREATE SCHEMA IF NOT EXISTS {self._dataset.names.quoted(name)}{options}"]
        return []

    def _table(self, draft: Draft, *, params: Params) -> list[str]:
        """Return the statements that make a guarded table, and its lineage."""
        table, names = draft.table, self._dataset.names
        found = self._dataset.columns(table.name)
        if not found:
            shape = self.shape_of(draft, params=params)
            if not shape:
                raise BadInput(f"table {table.name} does not exist, and neither columns nor a SELECT give its shape")
            check_shape(table, shape)
            return [*self._schema(names.split(table.name)[0]), self._dataset.sql.create(table, shape)]
        check_shape(table, {name: found[name] for name in stored(found, table=table)})
        return [] if TOKEN_COLUMN in found else [self._dataset.sql.add_lineage(table)]

    def _run(self, script: Sequence[str], bound: Mapping[str, object], *, what: str) -> str:
        text = ";\n".join(script) + ";"
        done = self._dataset.jobs.run(Job(text, bound, what, LABELS, "write"))
        return str(done.rows[0][0]) if done.rows else ""
