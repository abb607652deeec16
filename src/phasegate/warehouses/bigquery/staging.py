"""A staging in BigQuery.

One job fills and counts a table of this write's own, and one commits it.
"""

import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Self

import msgspec
from msgspec.structs import replace

from phasegate.base.fingerprint import rows_of
from phasegate.base.receipt import Fence, Staged, Stamp
from phasegate.base.table import Table
from phasegate.errors import BadInput, Conflict, PhasegateError, Unavailable
from phasegate.warehouse import (
    Disagreeing,
    FenceRefused,
    InputRead,
    InputsMoved,
    Params,
    Row,
    Shrunk,
    Sums,
    UnequalSums,
    Write,
    WriteAnswer,
    Written,
)
from phasegate.warehouses.bigquery import stamps as stamped
from phasegate.warehouses.bigquery.dataset import Dataset
from phasegate.warehouses.bigquery.dialect import OWN_PREFIX, as_declared, zoned
from phasegate.warehouses.bigquery.failures import JobPurpose
from phasegate.warehouses.bigquery.jobs import Done, Job, Running
from phasegate.warehouses.bigquery.rows import LoadedRows, load
from phasegate.warehouses.bigquery.scripts import WriteScripts
from phasegate.warehouses.bigquery.session import selected
from phasegate.warehouses.bigquery.statements import BILLED, EXPIRES_H, fence_table
from phasegate.warehouses.sql.cells import check_columns, check_lossless, check_named, check_rows
from phasegate.warehouses.sql.dialect import Types
from phasegate.warehouses.sql.reader import disagreeing
from phasegate.warehouses.sql.session import Bound
from phasegate.warehouses.sql.staging import COUNTS, latest

# Above any loss of rows.
ANY_SHRINKING = 2.0


class RowsToStage(NamedTuple):
    """What is staged: the rows of a SELECT, or these where it is None."""

    table: Table
    partition: str
    version_max: float
    reads: Sequence[InputRead]
    sql: str | None
    params: Params
    rows: Iterable[Row]


class BigQueryStaging:
    """A staging; see ``warehouse.Staging``."""

    def __init__(self, dataset: Dataset, source: RowsToStage) -> None:
        self._dataset, self._source, self._table, self._reads = dataset, source, source.table, source.reads
        self._running = Running()
        self._id = uuid.uuid4().hex
        self._made: list[str] = []
        self._types: dict[str, dict[str, str]] = {}
        self._shape, self._commits, self._billed = 0, 0, 0
        self.stamps: Sequence[Mapping[str, Stamp]] = []
        self.counts = Staged(rows=0)

    def __enter__(self) -> Self:
        """Take the stamps, stage the rows and count them."""
        try:
            self._running.check()
            self._types = self._known_types([self._table, *(one.table for one in self._reads if one.foreign)])
            try:
                self._stage()
            except BadInput:
                self._look_at_inputs()
                raise
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Drop the staging tables; those that stay expire."""
        jobs, made, self._made = self._dataset.jobs, self._made, []
        self._running = Running()
        for name in made:
            with suppress(Exception):  # it expires by itself
                jobs.client.delete_table(
                    f"{jobs.address.project}.{self._dataset.names.dataset}.{name}", not_found_ok=True
                )

    def interrupt(self) -> None:
        """Stop what runs, from any thread; staging and commit then fail."""
        self._running.stop()

    def commit(self, write: Write, /) -> WriteAnswer:
        """Write the staged rows by one job."""
        assert self._made, "a commit is inside the block of its staging"
        reads = [one.read for one in write.inputs]
        others = [one.table for one in write.sums] + [one.table for one in reads if one.foreign]
        types = self._known_types([write.table, *others])
        if types[write.table.name] != self._types[write.table.name]:
            raise Conflict(f"the columns of {write.table.name} were changed since the rows were staged")
        _check_rules(write, types)
        script = self._scripts(types).commit(write, self._name("stage"), stamps=self._stamps_sql(reads, types))
        self._commits += 1
        plain = re.sub(r"[^A-Za-z0-9_-]", "-", write.receipt.write_id)
        done = self._run(
            script, self._bound_of(write, reads), what=f"write of {write.table.name}", label="commit",
            step=write.receipt.step, job_id=f"phasegate_{plain}_{self._id[:12]}_{self._commits}",
        )  # fmt: skip
        said, found = done.rows[0]
        return answer_of(said, found, write=write)

    def _bound_of(self, write: Write, reads: Sequence[InputRead]) -> dict[str, object]:
        receipt, partition = write.receipt, write.receipt.partition
        bound: dict[str, object] = msgspec.structs.asdict(receipt)
        bound["built_from"] = json.dumps(msgspec.to_builtins(receipt.built_from), sort_keys=True)
        bound |= {f"holder{number}": name for number, name in enumerate(write.holders)} | stamped.bound_of(reads)
        return bound | {
            "store": write.store_id, "holder": write.holders[-1], "first": partition, "last": partition,
            "shape": self._shape, BILLED: self._billed, "kept": receipt.rows_in - receipt.duplicates,
            "shrink_max": ANY_SHRINKING if write.shrink_max is None else write.shrink_max,
            "seen": stamped.text_of(one.stamps for one in write.inputs),
        }  # fmt: skip

    def _stage(self) -> None:
        types, what = self._types[self._table.name], f"SQL for table {self._table.name}"
        if not types:
            raise BadInput(f"table {self._table.name} does not exist: prepare it before the write")
        if self._source.sql is None:
            what = f"rows for table {self._table.name}"
            source, bound, cells = self._given(types, what=what)
        else:
            source, bound, cells = self._selected(self._source.sql, types, what=what)
        self._made.append(f"{OWN_PREFIX}stage_{self._id}")
        stamps = self._stamps_sql(self._reads, self._types)
        script = self._scripts(self._types).stage(self._name("stage"), source, cells=cells, stamps=stamps)
        bound = {**bound, "partition": self._source.partition, **stamped.bound_of(self._reads)}
        if self._table.version:
            bound["version_max"] = _latest(self._source.version_max, sql_type=types[self._table.version])
        done = self._staged(script, bound, what=what)
        self._billed = done.bytes_billed
        said, found, *counts, _keys, duplicates, undecided, shape = done.rows[0]
        self.stamps = stamped.read_text(found, reads=len(self._reads))
        if said == "torn":
            raise Conflict(f"the inputs of {self._table.name} changed while its rows were staged; read again")
        if shape is None or shape % 2:
            raise Conflict(f"the columns of {self._table.name} are being changed; try again")
        self._shape = int(shape)
        self.counts = Staged(**dict(zip(COUNTS, map(int, counts), strict=True)), duplicates=int(duplicates),
                             undecided=int(undecided))  # fmt: skip

    def _staged(self, script: str, bound: Bound, *, what: str) -> Done:
        try:
            return self._run(script, bound, what=what, label="stage")
        except BadInput as error:
            fences = fence_table(self._dataset.names.split(self._table.name))
            if self._dataset.columns(fences):
                raise
            self._dataset.forget()
            raise Unavailable(f"the fence table of {self._table.name} is gone; the next write makes another") from error

    def _given(self, types: Types, *, what: str) -> tuple[str, Bound, dict[str, str]]:
        """Return the SELECT of the given rows, its parameters, and its columns."""
        declared = as_declared(self._table, types)
        filled = {**declared, self._table.tombstone: "BOOLEAN"} if self._table.tombstone else declared
        cells = {column: f"q.{self._dataset.names.quoted(column)}" for column in filled}
        rows = LoadedRows(check_rows(self._table, self._source.rows, types=declared), filled)
        with closing(rows):
            if not rows.are_many:
                return (*rows.parameter(), cells)
            name = f"{OWN_PREFIX}rows_{self._id}"
            self._made.append(name)
            expires = datetime.now(UTC) + timedelta(hours=EXPIRES_H)
            load(self._dataset.jobs, rows, dataset=self._dataset.names.dataset, name=name, expires=expires, what=what)
            return rows.table(self._name("rows")), {}, cells

    def _selected(self, sql: str, types: Types, *, what: str) -> tuple[str, Bound, dict[str, str]]:
        """Return a SELECT, its parameters, and its columns in the table's types."""
        text, bound = selected(sql, self._source.params, what=what)
        yielded, _ = self._dataset.jobs.described(text, bound, what=what)
        source = f"the SELECT for table {self._table.name}"
        check_columns(self._table, yielded, wanted=tuple(types), source=source)
        for column in types:
            check_lossless(self._table, column, yields=yielded[column], has=types[column])
        return f"(\n{text}\n)", bound, self._dataset.sql.from_query(self._table, types, yielded=yielded)

    def _look_at_inputs(self) -> None:
        """Take the stamps of a staging that has failed."""
        if self._reads and not self.stamps:
            script = f"SELECT {self._stamps_sql(self._reads, self._types)} AS found"
            with suppress(PhasegateError):
                done = self._run(script, stamped.bound_of(self._reads), what="the inputs", label="stage")
                self.stamps = stamped.read_text(done.rows[0][0], reads=len(self._reads))

    def _run(self, script: str, bound: Bound, *, what: str, label: str, step: str = "", job_id: str = "") -> Done:
        labels = {"phasegate": label, "phasegate-table": self._table.name} | ({"phasegate-step": step} if step else {})
        purpose: JobPurpose = "write" if label == "commit" else "read"
        return self._dataset.jobs.run(Job(script, bound, what, labels, purpose, id=job_id), running=self._running)

    def _known_types(self, tables: Sequence[Table]) -> dict[str, dict[str, str]]:
        return {name: self._dataset.types_of(one) for name, one in {one.name: one for one in tables}.items()}

    def _stamps_sql(self, reads: Sequence[InputRead], types: Mapping[str, Types]) -> str:
        return stamped.sql_of(reads, types=types, sql=self._dataset.sql, receipts=self._dataset.own().receipts)

    def _scripts(self, types: Mapping[str, Types]) -> WriteScripts:
        return WriteScripts(self._table, types, sql=self._dataset.sql, own=self._dataset.own(self._table.name))

    def _name(self, kind: str) -> str:
        return self._dataset.reference(f"{kind}_{self._id}")


def _check_rules(write: Write, types: Mapping[str, Types]) -> None:
    """Raise BadInput for a rule about a column that a table does not have."""
    for dependency in write.determines:
        check_named(write.table, (*dependency.columns, dependency.determined), known=types[write.table.name])
    for rule in write.sums:
        check_named(write.table, (rule.column, *rule.by), known=types[write.table.name])
        if types[rule.table.name]:
            check_named(rule.table, (rule.other, *rule.by), known=types[rule.table.name])


def _latest(version_max: float, *, sql_type: str) -> object:
    found = latest(version_max, sql_type=sql_type)
    return found.replace(tzinfo=UTC) if isinstance(found, datetime) and zoned(sql_type) else found


def answer_of(said: str, found: str | None, *, write: Write) -> WriteAnswer:
    """Return the answer to a write.

    Raises Conflict if the table has other columns since its rows were staged.
    """
    if said == "fenced":
        return FenceRefused(Fence(**json.loads(found)) if found else None)
    if said == "reshaped":
        raise Conflict(f"the columns of {write.table.name} were changed since the rows were staged")
    assert found is not None, f"a script that says {said} has found something"
    if said == "moved":
        now = stamped.read_text(found, reads=len(write.inputs))
        pairs = zip(write.inputs, now, strict=True)
        return InputsMoved(tuple(one.name for one, stamps in pairs if stamps != dict(one.stamps)))
    if said == "shrunk":
        return Shrunk(*json.loads(found))
    if said == "disagreeing":
        number, rows = json.loads(found)
        return Disagreeing(write.determines[number], tuple(disagreeing(rows)))
    if said == "unequal":
        number, ours, theirs = json.loads(found)
        return UnequalSums(number, _sums(ours), _sums(theirs))
    counts = json.loads(found)
    return Written(replace(write.receipt, **counts, rows=rows_of(counts["fingerprint"])))


def _sums(rows: list[list[str]]) -> Sums:
    return {tuple(key): Decimal(total) for total, *key in rows}
