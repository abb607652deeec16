"""Copies the tables of a plan from one warehouse to another.

Partition by partition, each in one fenced transaction there, with its receipt and its fence, so that the next write is
accepted there as it would be here. What is there already is left as it is: a copy that was ended is completed by the
next. Only what a receipt describes is copied, and a newer write there is never replaced.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from phasegate.base.fingerprint import EMPTY
from phasegate.base.receipt import Fence, Part, Receipt
from phasegate.base.table import Draft, Table
from phasegate.plan.model import Plan, Step
from phasegate.warehouse import FenceRefused, Reader, Row, Warehouse, Write, Written

FIRST, LAST = "", "~"
# Each piece of a partition is sorted by the source again; this many rows of 40 columns are some 100 MB.
ROWS_MAX = 50_000
# No version is too far ahead: it was judged when it was first written.
VERSION_MAX = 4e9


@dataclass(kw_only=True)
class CopiedTable:
    """What became of one table, in partitions.

    ``there``: those that were equal already. ``problems``: those that were not copied, and why.
    """

    table: str
    copied: int = 0
    there: int = 0
    rows: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Held:
    """What a warehouse holds of one table, by partition, in one snapshot."""

    columns: Mapping[str, str]
    receipts: Mapping[str, Receipt]
    fingerprints: Mapping[str, str]
    fences: Mapping[str, Fence]

    def is_copy(self, partition: str, receipt: Receipt, fence: Fence) -> bool:
        """Return whether the partition has this content, receipt and fence."""
        mine = self.receipts.get(partition)
        same = mine is not None and (mine.write_id, mine.stamp) == (receipt.write_id, receipt.stamp)
        return same and self.fences.get(partition) == fence and self.content(partition) == receipt.fingerprint

    def content(self, partition: str) -> str:
        """Return the fingerprint of the rows of a partition."""
        return self.fingerprints.get(partition, EMPTY)


class Copier:
    """Copies tables from one warehouse to another.

    ``plan``: with its SQL as the other warehouse runs it. ``store_id``: the store that the fences obey, here and there.
    """

    def __init__(self, plan: Plan, *, store_id: str, source: Warehouse, target: Warehouse) -> None:
        self._plan, self._store_id, self._source, self._target = plan, store_id, source, target

    def copy(self) -> Iterator[CopiedTable]:
        """Copy each table; yield what became of it.

        Raises Unavailable, Conflict, Ambiguous, BadInput; what was copied before stays.
        """
        for step in self._plan.steps.values():  # needs come first
            if step.table is not None:
                yield self._copied(step, step.table)

    def _copied(self, step: Step, table: Table) -> CopiedTable:
        here = self._held(self._source, table)
        done = CopiedTable(table=table.name)
        if not here.columns:
            return done
        # A table that neither its plan nor a SELECT describes is made as it is here.
        made = table if table.columns or step.sql else replace(table, columns=here.columns)
        params = {"run_date": min(here.receipts, default="2000-01-01")}
        params["season_start"] = params["run_date"]
        self._target.create(made, sql=step.sql or None, params=params)
        there = self._held(self._target, table)
        for partition, receipt in sorted(here.receipts.items()):
            fence = here.fences.get(partition, Fence(receipt.token, self._store_id))
            problem = self._fault(here, partition, receipt, fence)
            if not problem and there.is_copy(partition, receipt, fence):
                done.there += 1
                continue
            problem = problem or self._moved(Draft(table=made, sql=step.sql), receipt, fence)
            if problem:
                done.problems.append(f"{table.name}/{partition}: {problem}")
            else:
                done.copied, done.rows = done.copied + 1, done.rows + receipt.rows
        unwritten = sorted(here.fingerprints.keys() - here.receipts.keys())
        if unwritten:
            done.problems.append(
                f"{table.name}: {len(unwritten)} partitions from {unwritten[0]} to {unwritten[-1]} have no receipt; "
                "copy them as they were written, past Phasegate"
            )
        return done

    def _fault(self, here: _Held, partition: str, receipt: Receipt, fence: Fence) -> str:
        """Return why a partition must not be copied, "" if it may."""
        if fence.store_id != self._store_id:
            return f"its fence is of store {fence.store_id}; run: phasegate adopt --yes"
        if here.content(partition) != receipt.fingerprint:
            day = f"--from {partition} --to {partition}"
            return f"its rows are not those of its receipt; run: phasegate reconcile {day}"
        return ""

    def _moved(self, draft: Draft, receipt: Receipt, fence: Fence) -> str:
        """Write a partition there as it is here; return the problem, if any."""
        part, target = receipt.part, self._target
        params = {"run_date": part.partition, "season_start": part.partition}
        target.prepare(draft, partition=part.partition, store_id=self._store_id, params=params)
        whole = replace(draft.table, write="replace", tombstone=None, replaces=())
        with (
            self._source.snapshot() as reader,
            target.stage(
                whole, partition=part.partition, version_max=VERSION_MAX,
                rows=_rows(reader, draft.table, partition=part.partition),
            ) as staging,
        ):  # fmt: skip
            write = Write(table=whole, receipt=receipt, store_id=self._store_id, holders=(fence.holder,))
            answer = target.commit(write, staging)
        if isinstance(answer, FenceRefused):
            found = answer.fence or fence
            if found.store_id != self._store_id:
                return f"kept as it is there: its fence is of store {found.store_id}; run there: phasegate adopt --yes"
            return f"kept as it is there: it was written again, with token {found.token}"
        assert isinstance(answer, Written), "a copy has no inputs and no rules"
        if answer.receipt.fingerprint != receipt.fingerprint:
            return (
                f"it is {answer.receipt.fingerprint} there and {receipt.fingerprint} here: report this, do not use it"
            )
        if fence.token > receipt.token and not target.change_fence(
            part, token=fence.token, store_id=self._store_id, holders=(fence.holder,)
        ):
            return "its fence there was changed by another; copy again"
        return ""

    def _held(self, warehouse: Warehouse, table: Table) -> _Held:
        with warehouse.snapshot() as reader:
            found = reader.compare(table, {})
            fences = reader.fences(first=FIRST, last=LAST)
            return _Held(
                columns=found.removed,
                receipts=reader.receipts_between(table.name, first=FIRST, last=LAST),
                fingerprints=reader.fingerprints(table, first=FIRST, last=LAST) if found.removed else {},
                fences={part.partition: fence for part, fence in fences.items() if part == Part(table.name, part[1])},
            )


def _rows(reader: Reader, table: Table, *, partition: str) -> Iterator[Row]:
    """Yield the rows of a partition, read ROWS_MAX at a time."""
    offset = 0
    while piece := reader.rows(table, partition=partition, limit=ROWS_MAX, offset=offset):
        yield from piece
        offset += len(piece)
        if len(piece) < ROWS_MAX:
            return
